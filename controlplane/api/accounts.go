package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/tenants"
	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/store"
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
	session, err := a.cfg.Authn.Login(c.Request().Context(), in.Email, in.Password, a.from(c))
	if err != nil {
		return err
	}
	return a.signedIn(c, session)
}

// from is what is known of somebody who has not signed in yet.
func (a *API) from(c echo.Context) authn.Caller {
	from := authn.Caller{Address: a.cfg.TrustedProxies.Client(c.Request())}
	if cookie, err := c.Cookie(deviceName); err == nil {
		from.Device = cookie.Value
	}
	return from
}

// signedIn gives the browser its session.
func (a *API) signedIn(c echo.Context, session authn.Session) error {
	a.setCookie(c, session.Token, session.Expires)
	a.keepCookie(c, http.Cookie{Name: deviceName, Value: session.Device, Path: devicePath, MaxAge: int(authn.DeviceLifetime.Seconds())})
	return c.JSON(http.StatusOK, struct {
		Email string `json:"email"`
		Role  string `json:"role"`
	}{session.Actor.Name, tenants.Widest(session.Actor)})
}

// accept uses an invitation, and signs the person in.
func (a *API) accept(c echo.Context) error {
	var in struct {
		Token    string `json:"token"`
		Password string `json:"password"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	session, err := a.cfg.Authn.Accept(c.Request().Context(), in.Token, in.Password, a.from(c))
	if err != nil {
		return err
	}
	return a.signedIn(c, session)
}

// reset uses a link for a new password.
func (a *API) reset(c echo.Context) error {
	var in struct {
		Token    string `json:"token"`
		Password string `json:"password"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if err := a.cfg.Authn.Reset(c.Request().Context(), in.Token, in.Password); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// changePassword ends every session of the caller, this one too.
func (a *API) changePassword(c echo.Context) error {
	var in struct {
		Former   string `json:"former"`
		Password string `json:"password"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if err := a.cfg.Authn.ChangePassword(c.Request().Context(), actor(c), in.Former, in.Password, a.from(c)); err != nil {
		return err
	}
	a.setCookie(c, "", time.Unix(1, 0))
	return c.NoContent(http.StatusNoContent)
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
