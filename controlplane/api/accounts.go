package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/store"
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
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	from := authn.Caller{Address: a.cfg.TrustedProxies.Client(c.Request())}
	if cookie, err := c.Cookie(deviceName); err == nil {
		from.Device = cookie.Value
	}
	session, err := a.cfg.Authn.Login(c.Request().Context(), in.Email, in.Password, from)
	if err != nil {
		return err
	}
	a.setCookie(c, session.Token, session.Expires)
	a.keepCookie(c, http.Cookie{Name: deviceName, Value: session.Device, Path: devicePath, MaxAge: int(authn.DeviceLifetime.Seconds())})
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
	Workspace string        `json:"workspace,omitempty"` // its name; the identifier of one that is gone
	CreatedAt time.Time     `json:"createdAt"`
}

func (a *API) tokens(c echo.Context) error {
	tokens, err := a.cfg.Authn.Tokens(c.Request().Context())
	if err != nil {
		return err
	}
	list, err := a.cfg.Store.Workspaces(c.Request().Context())
	if err != nil {
		return err
	}
	out := make([]tokenView, len(tokens))
	for i, t := range tokens {
		out[i] = tokenView{t.ID, t.Name, t.Role, string(t.Workspace), t.CreatedAt}
		if at := slices.IndexFunc(list, func(ws store.Workspace) bool { return ws.ID == t.Workspace }); at >= 0 {
			out[i].Workspace = list[at].Name
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"tokens": out})
}

func (a *API) createToken(c echo.Context) error {
	var in struct {
		Name      string     `json:"name"`
		Role      store.Role `json:"role"`
		Workspace string     `json:"workspace"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	var ws store.Workspace
	if in.Workspace != "" {
		var err error
		if ws, err = a.cfg.Store.WorkspaceByName(c.Request().Context(), in.Workspace); fault.KindOf(err) == fault.Missing {
			return fault.Problems("the token cannot be made", []fault.Problem{{Path: "workspace", Code: "unknown_workspace", Text: "There is no workspace of this name."}})
		} else if err != nil {
			return err
		}
	}
	made, value, err := a.cfg.Authn.IssueToken(c.Request().Context(), actor(c), in.Name, in.Role, ws.ID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		ID        store.TokenID `json:"id"`
		Name      string        `json:"name"`
		Role      store.Role    `json:"role"`
		Workspace string        `json:"workspace,omitempty"`
		Token     string        `json:"token"`
	}{made.ID, made.Name, made.Role, ws.Name, value})
}

func (a *API) deleteToken(c echo.Context) error {
	if err := a.cfg.Authn.RevokeToken(c.Request().Context(), actor(c), store.TokenID(c.Param("id"))); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) audit(c echo.Context) error {
	below, limit, err := web.Page(c)
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
		out.Next = web.Next(len(entries), limit, e.Seq)
	}
	return c.JSON(http.StatusOK, out)
}
