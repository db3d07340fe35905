package api

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/accounts"
	"weir/controlplane/api/history"
	"weir/controlplane/api/notices"
	"weir/controlplane/api/site"
	"weir/controlplane/api/tenants"
	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/draft"
	"weir/controlplane/fleet"
	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/proxy"
	"weir/shared/script"
	console "weir/web"
)

// Config is what an API stands on. All but Console, Secure,
// TrustedProxies and Log is required.
type Config struct {
	Store   *store.Store
	Policy  *policy.Policy
	Authn   *authn.Service
	Draft   *draft.Service
	Fleet   *fleet.Service
	Signer  *audit.Signer
	Catalog []catalog.Spec
	Code    *script.Compiler // which knows whose code is costly
	Console fs.FS            // the built console with index.html at its top; nil means the embedded one
	Secure  bool             // people reach the console by https only, so cookies are for https only
	// TrustedProxies are the peers whose X-Forwarded-For counts where sign-ins are limited.
	TrustedProxies proxy.Trusted
	Log            *slog.Logger
}

// API is an http.Handler for the whole of the control plane.
type API struct {
	cfg      Config
	log      *slog.Logger
	echo     *echo.Echo
	document []byte // openapi.yaml as JSON
	cross    *http.CrossOriginProtection
	accounts *accounts.Handlers
	tenants  *tenants.Handlers
	history  *history.Handlers
	notices  *notices.Handlers
}

// Run tells callers of what changes until ctx ends; then their streams end too.
func (a *API) Run(ctx context.Context) error { return a.notices.Run(ctx) }

// New checks cfg and builds the routes. Nothing runs.
func New(cfg Config) (*API, error) {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, fault.New(fault.Invalid, "the API needs %s", what))
		}
	}
	need(cfg.Store != nil, "a store")
	need(cfg.Policy != nil, "a policy")
	need(cfg.Authn != nil, "a way to know callers")
	need(cfg.Draft != nil, "drafts")
	need(cfg.Fleet != nil, "the fleet")
	need(cfg.Signer != nil, "a signer of the audit log")
	need(len(cfg.Catalog) > 0, "a catalog")
	need(cfg.Code != nil, "a compiler of code")
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Console == nil {
		dist, err := fs.Sub(console.Dist, "dist")
		if err != nil {
			return nil, err
		}
		cfg.Console = dist
	}
	document, err := documentJSON()
	if err != nil {
		return nil, err
	}
	a := &API{cfg: cfg, log: cfg.Log, document: document, cross: http.NewCrossOriginProtection(),
		tenants: tenants.New(tenants.Config{Store: cfg.Store, Policy: cfg.Policy, Authn: cfg.Authn}),
		history: history.New(history.Config{Store: cfg.Store, Policy: cfg.Policy, Signer: cfg.Signer})}
	a.notices = notices.New(notices.Config{Store: cfg.Store, Policy: cfg.Policy, Known: a.known, Healthy: cfg.Fleet.Healthy, Log: cfg.Log})
	a.accounts = accounts.New(accounts.Config{Store: cfg.Store, Authn: cfg.Authn, Tenants: a.tenants, Secure: cfg.Secure, TrustedProxies: cfg.TrustedProxies})
	a.echo = echo.New()
	failures := web.Failures{Log: cfg.Log}
	a.echo.HTTPErrorHandler = failures.Answer
	a.echo.Use(failures.Recovered, web.Headers, web.Bounded)
	for _, r := range a.routes() {
		a.echo.Add(r.method, r.path, r.handle, a.guard(r))
	}
	pages := site.Site{Files: cfg.Console, Planes: cfg.Store.Planes, Log: cfg.Log}
	a.echo.GET("/*", pages.Serve)
	a.echo.HEAD("/*", pages.Serve)
	return a, nil
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.echo.ServeHTTP(w, r) }

// route is one line of the API. An empty action is an open route.
type route struct {
	method string
	path   string // in echo's form
	action policy.Action
	handle echo.HandlerFunc
}

// writeOwners is what only owners give and set.
const writeOwners policy.Action = "owner:write"

// routes is every route but the console's.
func (a *API) routes() []route {
	const v1 = "/api/v1"
	all := []route{
		{"GET", "/api/openapi.json", "", a.openapi},
		{"GET", v1 + "/health", "", a.health},
		{"POST", v1 + "/login", "", a.accounts.Login},
		{"POST", v1 + "/invitations/accept", "", a.accounts.Accept},
		{"POST", v1 + "/password/reset", "", a.accounts.ResetPassword},
		{"POST", v1 + "/planes/join", "", a.join},

		{"POST", v1 + "/logout", policy.ReadSelf, a.accounts.Logout},
		{"GET", v1 + "/me", policy.ReadSelf, a.tenants.Me},
		{"POST", v1 + "/me/password", policy.WriteSelf, a.accounts.ChangePassword},
		{"GET", v1 + "/me/sessions", policy.ReadSelf, a.accounts.Sessions},
		{"DELETE", v1 + "/me/sessions", policy.WriteSelf, a.accounts.EndSessions},
		{"DELETE", v1 + "/me/sessions/:id", policy.WriteSelf, a.accounts.EndSession},
		{"GET", v1 + "/me/authenticator", policy.ReadSelf, a.accounts.Authenticator},
		{"POST", v1 + "/me/authenticator", policy.WriteSelf, a.accounts.Enrol},
		{"POST", v1 + "/me/authenticator/confirm", policy.WriteSelf, a.accounts.Confirm},
		{"POST", v1 + "/me/authenticator/recovery-codes", policy.WriteSelf, a.accounts.NewRecoveryCodes},
		{"POST", v1 + "/me/authenticator/remove", policy.WriteSelf, a.accounts.RemoveAuthenticator},
		{"GET", v1 + "/me/tokens", policy.ReadSelf, a.tenants.MyTokens},
		{"POST", v1 + "/me/tokens", policy.WriteSelf, a.tenants.CreateMyToken},
		{"DELETE", v1 + "/me/tokens/:id", policy.WriteSelf, a.tenants.DeleteMyToken},
		{"GET", v1 + "/orgs", policy.ReadSelf, a.tenants.Organizations},
		{"POST", v1 + "/orgs", policy.WriteOrganizations, a.tenants.CreateOrganization},

		{"GET", v1 + "/catalog", policy.ReadCatalog, a.catalog},
		{"GET", v1 + "/planes", policy.ReadPlanes, a.planes},
		{"POST", v1 + "/planes/invitations", policy.InvitePlane, a.invite},
		{"DELETE", v1 + "/planes/:plane", policy.RemovePlane, a.removePlane},
	}
	return slices.Concat(all, a.scoped(v1), a.scoped(v1+"/orgs/:org"))
}

// scoped are the routes about one organization: the one that the path names, else the
// caller's only one or default.
func (a *API) scoped(at string) []route {
	return []route{
		{"GET", at + "/tokens", policy.ReadTokens, a.tenants.Tokens},
		{"POST", at + "/tokens", policy.WriteTokens, a.tenants.CreateToken},
		{"DELETE", at + "/tokens/:id", policy.WriteTokens, a.tenants.DeleteToken},
		{"GET", at + "/members", policy.ReadMembers, a.tenants.Members},
		{"POST", at + "/members", policy.WriteMembers, a.tenants.CreateServiceAccount},
		{"PUT", at + "/members/:id/role", policy.WriteMembers, a.tenants.SetRole},
		{"DELETE", at + "/members/:id", policy.WriteMembers, a.tenants.RemoveMember},
		{"POST", at + "/members/:id/tokens", policy.WriteTokens, a.tenants.CreateMemberToken},
		{"POST", at + "/members/:id/password", policy.WriteMembers, a.tenants.CreatePasswordLink},
		{"DELETE", at + "/members/:id/authenticator", policy.WriteMembers, a.accounts.ResetAuthenticator},
		{"GET", at + "/sign-in", policy.ReadMembers, a.accounts.SignIn},
		{"PUT", at + "/sign-in", writeOwners, a.accounts.SetSignIn},
		{"GET", at + "/invitations", policy.ReadMembers, a.tenants.Invitations},
		{"POST", at + "/invitations", policy.WriteMembers, a.tenants.Invite},
		{"DELETE", at + "/invitations/:id", policy.WriteMembers, a.tenants.DeleteInvitation},
		{"GET", at + "/workspaces", policy.ListWorkspaces, a.workspaces},
		{"GET", at + "/workspaces/:name", policy.ReadWorkspace, a.workspace},
		{"DELETE", at + "/workspaces/:name", policy.DeleteWorkspace, a.deleteWorkspace},
		{"GET", at + "/workspaces/:name/config", policy.ReadWorkspace, a.config},
		{"PUT", at + "/workspaces/:name/config", policy.WriteWorkspace, a.apply},
		{"POST", at + "/workspaces/:name/diff", policy.DiffWorkspace, a.diff},
		{"GET", at + "/workspaces/:name/revisions", policy.ReadWorkspace, a.revisions},
		{"GET", at + "/workspaces/:name/revisions/:number", policy.ReadWorkspace, a.revision},
		{"POST", at + "/workspaces/:name/rollback", policy.WriteWorkspace, a.rollback},
		{"GET", at + "/status", policy.ReadStatus, a.status},
		{"GET", at + "/notices", policy.ReadStatus, a.notices.Stream},
		{"POST", at + "/capabilities", policy.ReadSelf, a.capability},    // the handler asks for what is wanted
		{"GET", at + "/audit", policy.ReadSelf, a.history.Audit},         // the handler asks for what is wanted
		{"GET", at + "/audit/verify", policy.ReadSelf, a.history.Verify}, // the same
	}
}
