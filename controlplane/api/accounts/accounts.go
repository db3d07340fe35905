// Package accounts is the part of the API by which people sign in and out, and look after
// their own accounts: password, sessions, and the authenticator of one-time codes.
//
// It guarantees that a session's token stands in a cookie that scripts do not see, and in
// no answer, and that a sign-in never tells whether an account is there.
package accounts

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/tenants"
	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/shared/proxy"
)

// Names of cookies.
const (
	SessionCookie = "weir_session"
	deviceCookie  = "weir_device" // of a device that signed in before
	devicePath    = "/api/v1/login"
)

// Config is what Handlers stand on. All but Origins, Secure and TrustedProxies
// is required.
type Config struct {
	Store   *store.Store
	Authn   *authn.Service
	Policy  *policy.Policy
	Tenants *tenants.Handlers
	Origins []string // where people open the console, such as https://weir.example.com
	Secure  bool     // people reach the console by https only, so cookies are for https only
	// TrustedProxies are the peers whose X-Forwarded-For counts where sign-ins are limited.
	TrustedProxies proxy.Trusted
}

// Handlers answer this part of the API.
type Handlers struct{ Config }

// New returns handlers.
func New(cfg Config) *Handlers { return &Handlers{cfg} }

// from is what is known of somebody besides password and session.
func (h *Handlers) from(c echo.Context, code string) authn.Caller {
	from := authn.Caller{Address: h.TrustedProxies.Client(c.Request()), Agent: c.Request().UserAgent(), Code: code}
	if cookie, err := c.Cookie(deviceCookie); err == nil {
		from.Device = cookie.Value
	}
	return from
}

// SetSession gives the browser a session; an empty token takes it away.
func (h *Handlers) SetSession(c echo.Context, token string, expires time.Time) {
	h.keep(c, http.Cookie{Name: SessionCookie, Value: token, Path: "/", Expires: expires})
}

func (h *Handlers) endSession(c echo.Context) { h.SetSession(c, "", time.Unix(1, 0)) }

// keep gives the browser a cookie that scripts do not see; one without a value is taken
// away.
func (h *Handlers) keep(c echo.Context, cookie http.Cookie) {
	cookie.HttpOnly, cookie.SameSite, cookie.Secure = true, http.SameSiteLaxMode, h.Secure || c.Request().TLS != nil
	if cookie.Value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(&cookie)
}

// Login signs a person in by password.
func (h *Handlers) Login(c echo.Context) error {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
		Code     string `json:"code"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	session, err := h.Authn.Login(c.Request().Context(), in.Email, in.Password, h.from(c, in.Code))
	if err != nil {
		return err
	}
	return h.signedIn(c, session)
}

// signedIn gives the browser its session.
func (h *Handlers) signedIn(c echo.Context, session authn.Session) error {
	h.SetSession(c, session.Token, session.Expires)
	h.keep(c, http.Cookie{Name: deviceCookie, Value: session.Device, Path: devicePath, MaxAge: int(authn.DeviceLifetime.Seconds())})
	return c.JSON(http.StatusOK, struct {
		Email string `json:"email"`
		Role  string `json:"role"`
	}{session.Actor.Name, tenants.Widest(session.Actor)})
}

// Accept uses an invitation, and signs the person in.
func (h *Handlers) Accept(c echo.Context) error {
	var in struct {
		Token    string `json:"token"`
		Password string `json:"password"`
		Code     string `json:"code"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	session, err := h.Authn.Accept(c.Request().Context(), in.Token, in.Password, h.from(c, in.Code))
	if err != nil {
		return err
	}
	return h.signedIn(c, session)
}

// ResetPassword uses a link for a new password.
func (h *Handlers) ResetPassword(c echo.Context) error {
	var in struct {
		Token    string `json:"token"`
		Password string `json:"password"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if err := h.Authn.Reset(c.Request().Context(), in.Token, in.Password); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// ChangePassword ends every session of the account but this one.
func (h *Handlers) ChangePassword(c echo.Context) error {
	if _, err := authn.Account(web.Actor(c)); err != nil {
		return err
	}
	var in struct {
		Former   string `json:"former"`
		Password string `json:"password"`
		Code     string `json:"code"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if err := h.Authn.ChangePassword(c.Request().Context(), web.Actor(c), in.Former, in.Password, h.from(c, in.Code)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// Logout ends the sign-in of the caller.
func (h *Handlers) Logout(c echo.Context) error {
	if web.Actor(c).Kind == store.ByPerson {
		if err := h.Authn.Logout(c.Request().Context(), web.Actor(c)); err != nil {
			return err
		}
	}
	h.endSession(c)
	return c.NoContent(http.StatusNoContent)
}
