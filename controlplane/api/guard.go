package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
)

const (
	cookieName = "weir_session"
	deviceName = "weir_device" // the cookie of a device that signed in before
	devicePath = "/api/v1/login"
	csrfHeader = "X-Weir-CSRF"
	actorKey   = "weir.actor" // in echo's context
)

// actor is who calls a guarded route.
func actor(c echo.Context) store.Actor {
	who, _ := c.Get(actorKey).(store.Actor) // set by guard on every guarded route
	return who
}

// subject is what policy decides about a caller by.
func subject(who store.Actor) policy.Subject {
	return policy.Subject{Role: policy.Role(who.Role), Workspace: who.Workspace}
}

// readable reports whether who may read a workspace, for lists.
func (a *API) readable(ctx context.Context, who store.Actor) func(id.Workspace) bool {
	return func(ws id.Workspace) bool {
		return who.Workspace == "" || a.cfg.Policy.Allow(ctx, subject(who), policy.ReadWorkspace, policy.Resource{Workspace: ws}) == nil
	}
}

// resource is what a route's path names: a workspace, or the installation, also
// where there is no workspace of the name.
func (a *API) resource(c echo.Context) (policy.Resource, error) {
	name := c.Param("name")
	if name == "" {
		return policy.Resource{}, nil
	}
	ws, err := a.cfg.Store.WorkspaceByName(c.Request().Context(), name)
	if err != nil && fault.KindOf(err) != fault.Missing {
		return policy.Resource{}, err
	}
	return policy.Resource{Workspace: ws.ID}, nil
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
				web.BoundStranger(c)
				return next(c)
			}
			who, err := a.identify(c)
			if err != nil {
				return err
			}
			on, err := a.resource(c)
			if err != nil {
				return err
			}
			if err := a.cfg.Policy.Allow(req.Context(), subject(who), r.action, on); err != nil {
				return err
			}
			c.Set(actorKey, who)
			return next(c)
		}
	}
}

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
	cookie, err := req.Cookie(cookieName)
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
		a.setCookie(c, renewed.Token, renewed.Expires)
	}
	return who, nil
}

// setCookie gives the browser a session; an empty token takes it away.
func (a *API) setCookie(c echo.Context, token string, expires time.Time) {
	a.keepCookie(c, http.Cookie{Name: cookieName, Value: token, Path: "/", Expires: expires})
}

// keepCookie gives the browser a cookie that scripts do not see; one without a value
// is taken away.
func (a *API) keepCookie(c echo.Context, cookie http.Cookie) {
	cookie.HttpOnly, cookie.SameSite, cookie.Secure = true, http.SameSiteLaxMode, a.cfg.Secure || c.Request().TLS != nil
	if cookie.Value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(&cookie)
}
