package accounts

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/authn/logincode"
)

// devicePage is the page of the console where a person lets a program in.
const devicePage = "/device"

// BeginDevice begins a sign-in of a program through a person's browser.
func (h *Handlers) BeginDevice(c echo.Context) error {
	var in struct {
		Device string `json:"device"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	begun, err := h.Authn.Programs().Begin(c.Request().Context(), in.Device, c.Request().UserAgent(), h.TrustedProxies.Client(c.Request()))
	if err != nil {
		return err
	}
	page := h.console(c) + devicePage
	return c.JSON(http.StatusOK, map[string]any{
		"deviceCode": begun.Device, "userCode": begun.Short,
		"verificationUri": page, "verificationUriComplete": page + "?" + url.Values{"code": {begun.Short}}.Encode(),
		"expiresIn": int(logincode.Lifetime.Seconds()), "interval": int(logincode.Interval.Seconds()),
	})
}

// console is where the caller's person opens the console. Where the control plane was not
// told, it is the address that the caller asked at: it hears nothing but its own word.
func (h *Handlers) console(c echo.Context) string {
	if origin, err := h.origin(c); err == nil {
		return origin
	}
	return c.Scheme() + "://" + c.Request().Host
}

// FinishDevice gives a program that was let in its token, once.
func (h *Handlers) FinishDevice(c echo.Context) error {
	var in struct {
		DeviceCode string `json:"deviceCode"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	made, value, email, err := h.Authn.Programs().Finish(c.Request().Context(), in.DeviceCode, h.TrustedProxies.Client(c.Request()))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"id": made.ID, "name": made.Name, "token": value, "expiresAt": made.ExpiresAt, "email": email})
}

// DeviceLogin shows the program that waits with a code.
func (h *Handlers) DeviceLogin(c echo.Context) error {
	found, err := h.Authn.Programs().Waiting(c.Request().Context(), web.Actor(c), c.Param("code"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Device    string    `json:"device"`
		Address   string    `json:"address,omitempty"`
		Agent     string    `json:"agent,omitempty"`
		Token     string    `json:"token"` // the name of the token that it will get
		CreatedAt time.Time `json:"createdAt"`
		ExpiresAt time.Time `json:"expiresAt"`
	}{found.Name, found.Address, found.Agent, logincode.TokenName(found.Name), found.CreatedAt, found.ExpiresAt})
}

// AllowDevice lets the program that waits with a code in as the caller.
func (h *Handlers) AllowDevice(c echo.Context) error { return h.decide(c, true) }

// RefuseDevice has the program that waits with a code go without.
func (h *Handlers) RefuseDevice(c echo.Context) error { return h.decide(c, false) }

func (h *Handlers) decide(c echo.Context, allow bool) error {
	if err := h.Authn.Programs().Decide(c.Request().Context(), web.Actor(c), c.Param("code"), allow); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
