package accounts

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/store/accounts"
)

type sessionView struct {
	ID         string    `json:"id"`
	Address    string    `json:"address,omitempty"`
	Agent      string    `json:"agent,omitempty"`
	By         string    `json:"by"` // password, code or provider
	CreatedAt  time.Time `json:"createdAt"`
	LastSeenAt time.Time `json:"lastSeenAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
	Current    bool      `json:"current"`
}

// by names how somebody signed in.
func by(p accounts.Proof) string {
	switch {
	case p.Provider() != "":
		return "provider"
	case p == accounts.ByCode:
		return "code"
	}
	return "password"
}

// Sessions lists the sign-ins of the caller's account.
func (h *Handlers) Sessions(c echo.Context) error {
	who := web.Actor(c)
	all, err := h.Authn.Sessions(c.Request().Context(), who)
	if err != nil {
		return err
	}
	out := make([]sessionView, len(all))
	for i, s := range all {
		out[i] = sessionView{s.SignIn, s.Address, s.Agent, by(s.Proof), s.CreatedAt, s.SeenAt, s.ExpiresAt, s.SignIn == who.SignIn}
	}
	return c.JSON(http.StatusOK, map[string]any{"sessions": out})
}

// EndSession ends one sign-in of the caller's account.
func (h *Handlers) EndSession(c echo.Context) error {
	if err := h.Authn.EndSession(c.Request().Context(), web.Actor(c), c.Param("id")); err != nil {
		return err
	}
	if c.Param("id") == web.Actor(c).SignIn {
		h.endSession(c)
	}
	return c.NoContent(http.StatusNoContent)
}

// EndSessions ends every sign-in of the caller's account, with others=true but this one.
func (h *Handlers) EndSessions(c echo.Context) error {
	others := false
	switch c.QueryParam("others") {
	case "", "false":
	case "true":
		others = true
	default:
		return web.Reject(http.StatusBadRequest, "others is true or false")
	}
	ended, err := h.Authn.EndSessions(c.Request().Context(), web.Actor(c), others)
	if err != nil {
		return err
	}
	if !others {
		h.endSession(c)
	}
	return c.JSON(http.StatusOK, map[string]any{"ended": ended})
}
