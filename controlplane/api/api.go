package api

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/accounts"
	"weir/controlplane/api/history"
	"weir/controlplane/api/kinds"
	"weir/controlplane/api/notices"
	"weir/controlplane/api/once"
	"weir/controlplane/api/overview"
	"weir/controlplane/api/policies"
	"weir/controlplane/api/problems"
	"weir/controlplane/api/quota"
	"weir/controlplane/api/site"
	"weir/controlplane/api/tenants"
	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/draft"
	"weir/controlplane/fleet"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/review"
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
	Review  *review.Service
	Fleet   *fleet.Service
	Signer  *audit.Signer
	Catalog []catalog.Spec
	Code    *script.Compiler // which knows whose code is costly
	Console fs.FS            // the built console with index.html at its top; nil means the embedded one
	Origins []string         // where people open the console, for identity providers to send them back
	Secure  bool             // people reach the console by https only, so cookies are for https only
	// Requests are how many a caller may make in 10 seconds, 0 for 10,000.
	Requests int
	// TrustedProxies are the peers whose X-Forwarded-For counts where sign-ins are limited.
	TrustedProxies proxy.Trusted
	Log            *slog.Logger
}

// What a caller may: more than any program needs, less than what keeps others waiting.
const (
	mostRequests   = 10_000
	requestsWindow = 10 * time.Second
)

// API is an http.Handler for the whole of the control plane.
type API struct {
	cfg      Config
	log      *slog.Logger
	echo     *echo.Echo
	handler  http.Handler // echo, with answers compressed
	document []byte       // openapi.yaml as JSON
	cross    *http.CrossOriginProtection
	accounts *accounts.Handlers
	tenants  *tenants.Handlers
	history  *history.Handlers
	notices  *notices.Handlers
	quota    *quota.Quota
	overview *overview.Handlers
	policies *policies.Handlers
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
	need(cfg.Review != nil, "a review")
	need(cfg.Fleet != nil, "the fleet")
	need(cfg.Signer != nil, "a signer of the audit log")
	need(len(cfg.Catalog) > 0, "a catalog")
	need(cfg.Code != nil, "a compiler of code")
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	if cfg.Requests == 0 {
		cfg.Requests = mostRequests
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
		tenants:  tenants.New(tenants.Config{Store: cfg.Store, Policy: cfg.Policy, Authn: cfg.Authn}),
		history:  history.New(history.Config{Store: cfg.Store, Policy: cfg.Policy, Signer: cfg.Signer}),
		policies: policies.New(policies.Config{Store: cfg.Store, Policy: cfg.Policy, Review: cfg.Review, Draft: cfg.Draft})}
	a.overview = overview.New(overview.Config{Store: cfg.Store, Policy: cfg.Policy, Fleet: cfg.Fleet, Code: cfg.Code})
	a.notices = notices.New(notices.Config{Store: cfg.Store, Policy: cfg.Policy, Known: a.known, Judge: cfg.Fleet.Judge, Log: cfg.Log})
	a.accounts = accounts.New(accounts.Config{Store: cfg.Store, Authn: cfg.Authn, Policy: cfg.Policy, Origins: cfg.Origins, Tenants: a.tenants, Secure: cfg.Secure, TrustedProxies: cfg.TrustedProxies})
	a.quota = quota.New(cfg.Requests, requestsWindow, time.Now)
	once := once.Guard{Config: once.Config{Keys: cfg.Store.Keys(), Encrypt: cfg.Authn.Encrypt, Decrypt: cfg.Authn.Decrypt, Log: cfg.Log}}
	a.echo = echo.New()
	failures := web.Failures{Log: cfg.Log}
	a.echo.HTTPErrorHandler = failures.Answer
	a.echo.Use(failures.Recovered, web.Headers, web.Bounded)
	for _, r := range a.routes() {
		handle := r.handle
		if r.makes() {
			handle = once.Once(handle)
		}
		a.echo.Add(r.method, r.path, handle, a.guard(r))
	}
	pages := site.Site{Files: cfg.Console, Planes: cfg.Store.Planes, Log: cfg.Log}
	a.echo.GET("/*", pages.Serve)
	a.echo.HEAD("/*", pages.Serve)
	a.handler, err = web.Compressed(a.echo)
	return a, err
}

// makes reports whether a request makes something that the path does not name.
func (r route) makes() bool {
	_, collection := path.Split(r.path)
	return r.method == http.MethodPost && r.action != "" &&
		(slices.Contains([]string{"orgs", "tokens", "members", "invitations"}, collection) || strings.HasSuffix(r.path, "/:id/password"))
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

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
	known := kinds.Handlers{Catalog: a.cfg.Catalog}
	all := []route{
		{"GET", "/api/openapi.json", "", a.openapi},
		{"GET", problems.Address, "", a.problems},
		{"GET", v1 + "/health", "", a.health},
		{"POST", v1 + "/login", "", a.accounts.Login},
		{"POST", v1 + "/login/oidc", "", a.accounts.BeginProvider},
		{"GET", v1 + "/login/oidc/callback", "", a.accounts.FinishProvider},
		{"POST", v1 + "/login/device", "", a.accounts.BeginDevice},
		{"POST", v1 + "/login/device/token", "", a.accounts.FinishDevice},
		{"POST", v1 + "/invitations/accept", "", a.accounts.Accept},
		{"POST", v1 + "/password/reset", "", a.accounts.ResetPassword},
		{"POST", v1 + "/planes/join", "", a.join},

		{"POST", v1 + "/logout", action.ReadSelf, a.accounts.Logout},
		{"GET", v1 + "/me", action.ReadSelf, a.tenants.Me},
		{"POST", v1 + "/me/password", action.WriteSelf, a.accounts.ChangePassword},
		{"GET", v1 + "/me/sessions", action.ReadSelf, a.accounts.Sessions},
		{"DELETE", v1 + "/me/sessions", action.WriteSelf, a.accounts.EndSessions},
		{"DELETE", v1 + "/me/sessions/:id", action.WriteSelf, a.accounts.EndSession},
		{"GET", v1 + "/me/device-logins/:code", action.ReadSelf, a.accounts.DeviceLogin},
		{"POST", v1 + "/me/device-logins/:code/allow", action.WriteSelf, a.accounts.AllowDevice},
		{"POST", v1 + "/me/device-logins/:code/refuse", action.WriteSelf, a.accounts.RefuseDevice},
		{"GET", v1 + "/me/authenticator", action.ReadSelf, a.accounts.Authenticator},
		{"POST", v1 + "/me/authenticator", action.WriteSelf, a.accounts.Enrol},
		{"POST", v1 + "/me/authenticator/confirm", action.WriteSelf, a.accounts.Confirm},
		{"POST", v1 + "/me/authenticator/recovery-codes", action.WriteSelf, a.accounts.NewRecoveryCodes},
		{"POST", v1 + "/me/authenticator/remove", action.WriteSelf, a.accounts.RemoveAuthenticator},
		{"GET", v1 + "/me/tokens", action.ReadSelf, a.tenants.MyTokens},
		{"POST", v1 + "/me/tokens", action.WriteSelf, a.tenants.CreateMyToken},
		{"DELETE", v1 + "/me/tokens/:id", action.WriteSelf, a.tenants.DeleteMyToken},
		{"GET", v1 + "/orgs", action.ReadSelf, a.tenants.Organizations},
		{"POST", v1 + "/orgs", action.WriteOrganizations, a.tenants.CreateOrganization},

		{"GET", v1 + "/catalog", action.ReadCatalog, known.List},
		{"POST", v1 + "/catalog/custom", action.ReadCatalog, known.Read},
		{"GET", v1 + "/planes", action.ReadPlanes, a.overview.Planes},
		{"POST", v1 + "/planes/invitations", action.InvitePlane, a.invite},
		{"DELETE", v1 + "/planes/:plane", action.RemovePlane, a.removePlane},
	}
	return slices.Concat(all, a.scoped(v1), a.scoped(v1+"/orgs/:org"))
}

// scoped are the routes about one organization: the one that the path names, else the
// caller's only one or default.
func (a *API) scoped(at string) []route {
	return []route{
		{"GET", at + "/tokens", action.ReadTokens, a.tenants.Tokens},
		{"POST", at + "/tokens", action.WriteTokens, a.tenants.CreateToken},
		{"DELETE", at + "/tokens/:id", action.WriteTokens, a.tenants.DeleteToken},
		{"GET", at + "/members", action.ReadMembers, a.tenants.Members},
		{"POST", at + "/members", action.WriteMembers, a.tenants.CreateServiceAccount},
		{"PUT", at + "/members/:id/role", action.WriteMembers, a.tenants.SetRole},
		{"DELETE", at + "/members/:id", action.WriteMembers, a.tenants.RemoveMember},
		{"POST", at + "/members/:id/tokens", action.WriteTokens, a.tenants.CreateMemberToken},
		{"POST", at + "/members/:id/password", action.WriteMembers, a.tenants.CreatePasswordLink},
		{"DELETE", at + "/members/:id/authenticator", action.WriteMembers, a.accounts.ResetAuthenticator},
		{"GET", at + "/sign-in", action.ReadMembers, a.accounts.SignIn},
		{"PUT", at + "/sign-in", writeOwners, a.accounts.SetSignIn},
		{"GET", at + "/identity-provider", action.ReadMembers, a.accounts.Provider},
		{"PUT", at + "/identity-provider", writeOwners, a.accounts.SetProvider},
		{"DELETE", at + "/identity-provider", writeOwners, a.accounts.RemoveProvider},
		{"GET", at + "/invitations", action.ReadMembers, a.tenants.Invitations},
		{"POST", at + "/invitations", action.WriteMembers, a.tenants.Invite},
		{"DELETE", at + "/invitations/:id", action.WriteMembers, a.tenants.DeleteInvitation},
		{"GET", at + "/roles", action.ReadMembers, a.tenants.Roles},
		{"PUT", at + "/roles/:id", action.WriteRoles, a.tenants.WriteRole},
		{"DELETE", at + "/roles/:id", action.WriteRoles, a.tenants.RemoveRole},
		{"GET", at + "/policies", action.ReadPolicies, a.policies.Policies},
		{"GET", at + "/policies/:id", action.ReadPolicies, a.policies.ShowPolicy},
		{"PUT", at + "/policies/:id", action.WritePolicies, a.policies.SetPolicy},
		{"DELETE", at + "/policies/:id", action.WritePolicies, a.policies.RemovePolicy},
		{"GET", at + "/changes", action.ListWorkspaces, a.policies.Changes},
		{"GET", at + "/workspaces/:name/changes/:number", action.ReadWorkspace, a.policies.Change},
		{"POST", at + "/workspaces/:name/changes/:number/approve", action.ApproveChanges, a.policies.Approve},
		{"POST", at + "/workspaces/:name/changes/:number/reject", action.ApproveChanges, a.policies.Reject},
		{"POST", at + "/workspaces/:name/changes/:number/withdraw", action.ReadWorkspace, a.policies.Withdraw}, // the handler asks for the author
		{"GET", at + "/workspaces", action.ListWorkspaces, a.overview.Workspaces},
		{"GET", at + "/workspaces/:name", action.ReadWorkspace, a.overview.Workspace},
		{"DELETE", at + "/workspaces/:name", action.DeleteWorkspace, a.deleteWorkspace},
		{"GET", at + "/workspaces/:name/config", action.ReadWorkspace, a.config},
		{"PUT", at + "/workspaces/:name/config", action.WriteWorkspace, a.apply},
		{"POST", at + "/workspaces/:name/diff", action.DiffWorkspace, a.diff},
		{"POST", at + "/workspaces/:name/policy-test", action.DiffWorkspace, a.policies.TryPolicy},
		{"GET", at + "/workspaces/:name/revisions", action.ReadWorkspace, a.revisions},
		{"GET", at + "/workspaces/:name/revisions/:number", action.ReadWorkspace, a.revision},
		{"POST", at + "/workspaces/:name/rollback", action.WriteWorkspace, a.rollback},
		{"GET", at + "/status", action.ReadStatus, a.overview.Status},
		{"GET", at + "/notices", action.ReadStatus, a.notices.Stream},
		{"POST", at + "/capabilities", action.ReadSelf, a.capability},         // the handler asks for what is wanted
		{"POST", at + "/capabilities/batch", action.ReadSelf, a.capabilities}, // the same
		{"GET", at + "/audit", action.ReadSelf, a.history.Audit},              // the handler asks for what is wanted
		{"GET", at + "/audit/verify", action.ReadSelf, a.history.Verify},      // the same
	}
}
