package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/shared/capability"
	"weir/shared/fault"
)

func (a *API) health(c echo.Context) error {
	if err := a.cfg.Store.Healthy(c.Request().Context()); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

func (a *API) login(c echo.Context) error {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	session, err := a.cfg.Authn.Login(c.Request().Context(), in.Email, in.Password, peer(c.Request()))
	if err != nil {
		return err
	}
	a.setCookie(c, session.Token, session.Expires)
	return c.JSON(http.StatusOK, struct {
		Email string     `json:"email"`
		Role  store.Role `json:"role"`
	}{session.Actor.Name, session.Actor.Role})
}

func (a *API) logout(c echo.Context) error {
	if cookie, err := c.Request().Cookie(cookieName); err == nil && actor(c).Kind == store.ByPerson {
		if err := a.cfg.Authn.Logout(c.Request().Context(), actor(c), cookie.Value); err != nil {
			return err
		}
	}
	a.setCookie(c, "", time.Unix(1, 0))
	return c.NoContent(http.StatusNoContent)
}

func (a *API) me(c echo.Context) error {
	who := actor(c)
	return c.JSON(http.StatusOK, struct {
		Email string          `json:"email"`
		Role  store.Role      `json:"role"`
		Kind  store.ActorKind `json:"kind"`
	}{who.Name, who.Role, who.Kind})
}

type tokenView struct {
	ID        store.TokenID `json:"id"`
	Name      string        `json:"name"`
	Role      store.Role    `json:"role"`
	CreatedAt time.Time     `json:"createdAt"`
}

func (a *API) tokens(c echo.Context) error {
	tokens, err := a.cfg.Authn.Tokens(c.Request().Context())
	if err != nil {
		return err
	}
	out := make([]tokenView, len(tokens))
	for i, t := range tokens {
		out[i] = tokenView{t.ID, t.Name, t.Role, t.CreatedAt}
	}
	return c.JSON(http.StatusOK, map[string]any{"tokens": out})
}

func (a *API) createToken(c echo.Context) error {
	var in struct {
		Name string     `json:"name"`
		Role store.Role `json:"role"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	made, value, err := a.cfg.Authn.IssueToken(c.Request().Context(), actor(c), in.Name, in.Role)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		ID    store.TokenID `json:"id"`
		Name  string        `json:"name"`
		Role  store.Role    `json:"role"`
		Token string        `json:"token"`
	}{made.ID, made.Name, made.Role, value})
}

func (a *API) deleteToken(c echo.Context) error {
	if err := a.cfg.Authn.RevokeToken(c.Request().Context(), actor(c), store.TokenID(c.Param("id"))); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// offered are the actions for which capabilities are given out.
func offered(action capability.Action) bool {
	switch action {
	case capability.ReadLedger, capability.ReadDead, capability.RedriveDead, capability.DiscardDead:
		return true
	}
	return false
}

func (a *API) capability(c echo.Context) error {
	ctx := c.Request().Context()
	var in struct {
		Workspace string            `json:"workspace"`
		Action    capability.Action `json:"action"`
		Origin    string            `json:"origin"`
	}
	if err := decode(c, &in); err != nil {
		return err
	}
	var problems []fault.Problem
	if !offered(in.Action) {
		problems = append(problems, fault.Problem{Path: "action", Code: "unknown_action", Text: "An action is ledger:read, dead:read, dead:redrive or dead:discard."})
	}
	if in.Origin != "" && !validOrigin(in.Origin) {
		problems = append(problems, fault.Problem{Path: "origin", Code: "bad_origin", Text: "An origin is a scheme and a host, such as https://console.example.com."})
	}
	if err := fault.Problems("the capability cannot be issued", problems); err != nil {
		return err
	}
	if err := a.cfg.Policy.Allow(ctx, policy.Role(actor(c).Role), policy.Capability(string(in.Action))); err != nil {
		return err
	}
	ws, err := a.cfg.Store.WorkspaceByName(ctx, in.Workspace)
	if err != nil {
		return err
	}
	plane, err := a.cfg.Store.Plane(ctx, ws.Plane)
	if err != nil {
		return err
	}
	token, expires, err := a.cfg.Authn.Capability(ctx, actor(c), plane.ID, ws.ID, in.Action, in.Origin)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"token": token, "viewUrl": plane.ViewURL, "plane": plane.ID, "expiresAt": expires})
}

// validOrigin reports whether s is an origin as browsers write it.
// Source: RFC 6454, section 6.2.
func validOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 300 && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && s == u.Scheme+"://"+u.Host
}

func (a *API) audit(c echo.Context) error {
	below, limit, err := page(c)
	if err != nil {
		return err
	}
	entries, err := a.cfg.Store.Audit(c.Request().Context(), below, limit)
	if err != nil {
		return err
	}
	type entry struct {
		At     time.Time `json:"at"`
		Actor  string    `json:"actor"`
		Action string    `json:"action"`
		Object string    `json:"object"`
		Detail string    `json:"detail"`
	}
	out := struct {
		Entries []entry `json:"entries"`
		Next    string  `json:"next"`
	}{Entries: make([]entry, len(entries))}
	for i, e := range entries {
		out.Entries[i] = entry{e.At, e.Actor, e.Action, e.Object, e.Detail}
		out.Next = next(len(entries), limit, e.Seq)
	}
	return c.JSON(http.StatusOK, out)
}
