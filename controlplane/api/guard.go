package api

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/accounts"
	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/shared/fault"
)

const csrfHeader = "X-Weir-CSRF"

func actor(c echo.Context) store.Actor { return web.Actor(c) }

// resource is what a route's path names: a workspace, also where there is none of the
// name, or an organization.
func (a *API) resource(c echo.Context) (policy.Resource, error) {
	org, err := web.Organization(c)
	if err != nil {
		return policy.Resource{}, err
	}
	on := policy.Resource{Organization: string(org)}
	if name := c.Param("name"); name != "" {
		ws, err := a.cfg.Store.WorkspaceByName(c.Request().Context(), org, name)
		if err != nil && fault.KindOf(err) != fault.Missing {
			return policy.Resource{}, err
		}
		on.Workspace = string(ws.ID)
	}
	return on, nil
}

// allow says whether the caller may do what the route is for. The path's organization
// becomes that of the request.
func (a *API) allow(c echo.Context, who store.Actor, r route) error {
	action := r.action
	ctx := c.Request().Context()
	web.SetCaller(c, who, "")
	if name := c.Param("org"); name != "" {
		org, err := web.Named(ctx, a.cfg.Store.Tenancy(), who, name)
		if err != nil {
			return err
		}
		web.SetCaller(c, who, org)
	}
	if a.cfg.Policy.Anywhere(action) || a.cfg.Policy.OfInstallation(action) {
		return a.cfg.Policy.Allow(ctx, web.SubjectOf(who), action, policy.Resource{})
	}
	on, err := a.resource(c)
	if err != nil {
		return err
	}
	err = a.cfg.Policy.Allow(ctx, web.SubjectOf(who), action, on)
	if err != nil && fault.KindOf(err) == fault.Denied {
		if only := a.objects(c, who, action, on); len(only) > 0 && byObject(r) {
			web.SetOnly(c, only)
			return nil
		}
		switch web.Needs(who, store.OrganizationID(on.Organization)) {
		case "code":
			return fault.New(fault.Denied, "the organization asks for a sign-in with a one-time code: enrol an authenticator, or sign in with its code")
		case "provider":
			return fault.New(fault.Denied, "the organization asks for a sign-in at its identity provider")
		}
	}
	return err
}

// byObject reports whether a route lets through who may do its action to single objects of
// the workspace alone, and its handler keeps to these: see web.Only.
func byObject(r route) bool {
	return r.method == http.MethodPut && strings.HasSuffix(r.path, "/workspaces/:name/config") ||
		r.method == http.MethodPost && strings.HasSuffix(r.path, "/workspaces/:name/diff")
}

// objects lists the objects of a workspace to which the caller may do action.
func (a *API) objects(c echo.Context, who store.Actor, action policy.Action, on policy.Resource) []string {
	var only []string
	for _, g := range who.Grants {
		if g.Object == "" || on.Workspace == "" || string(g.Workspace) != on.Workspace {
			continue
		}
		on.Object = g.Object
		if a.cfg.Policy.Allow(c.Request().Context(), web.SubjectOf(who), action, on) == nil {
			only = append(only, g.Object)
		}
	}
	return only
}

// guard lets a request through to a route when its caller is known and policy
// allows the route's action on what the path names. Open routes take small bodies only.
func (a *API) guard(r route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			req := c.Request()
			c.Response().Header().Set("Cache-Control", "no-store")
			if err := a.cross.Check(req); err != nil {
				return fault.New(fault.Denied, "a page of another origin may not ask for this")
			}
			if r.action == "" {
				web.SetOrigin(c, a.cfg.TrustedProxies.Client(req))
				web.BoundStranger(c)
				return next(c)
			}
			who, err := a.identify(c)
			if err != nil {
				return err
			}
			if err := a.quota.Take(caller(who), c.Response().Header()); err != nil {
				return err
			}
			if err := a.allow(c, who, r); err != nil {
				return err
			}
			web.SetOrigin(c, a.cfg.TrustedProxies.Client(req))
			return next(c)
		}
	}
}

// caller is whose requests are counted together: a token's, or all sessions' of a person.
func caller(who store.Actor) string { return string(who.Kind) + ":" + who.ID }

// identify finds the caller by bearer token, else by session. A session's
// unsafe requests need the header that only our own pages can set.
func (a *API) identify(c echo.Context) (store.Actor, error) {
	req := c.Request()
	if header := req.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return store.Actor{}, authn.ErrUnknown
		}
		return a.cfg.Authn.Token(req.Context(), strings.TrimSpace(token))
	}
	cookie, err := req.Cookie(accounts.SessionCookie)
	if err != nil {
		return store.Actor{}, authn.ErrUnknown
	}
	who, renewed, err := a.cfg.Authn.Session(req.Context(), cookie.Value)
	if err != nil {
		return store.Actor{}, err
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead && req.Header.Get(csrfHeader) != "1" {
		return store.Actor{}, fault.New(fault.Denied, "with a session this needs the header %s: 1", csrfHeader)
	}
	if renewed != nil {
		a.accounts.SetSession(c, renewed.Token, renewed.Expires)
	}
	return who, nil
}

// known says who calls, anew, while an answer lasts. A session is not renewed.
func (a *API) known(c echo.Context) (store.Actor, error) {
	ctx := web.Lasting(c)
	if _, token, found := strings.Cut(c.Request().Header.Get("Authorization"), " "); found {
		return a.cfg.Authn.Token(ctx, strings.TrimSpace(token))
	}
	cookie, err := c.Cookie(accounts.SessionCookie)
	if err != nil {
		return store.Actor{}, authn.ErrUnknown
	}
	return a.cfg.Authn.Holder(ctx, cookie.Value)
}
