package accounts

import (
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/authn"
)

// Authenticator says whether sign-ins of the caller's account ask for codes.
func (h *Handlers) Authenticator(c echo.Context) error {
	kept, err := h.Authn.Authenticator(c.Request().Context(), web.Actor(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"enrolled": kept.Confirmed, "recoveryCodes": kept.Recovery})
}

// proof is what shows that a caller has the account, beside the session or token.
type proof struct {
	Password string `json:"password"`
	Code     string `json:"code"`
}

// proven reads a proof. Programs of no person have no account.
func proven(c echo.Context) (p proof, err error) {
	if _, err := authn.Account(web.Actor(c)); err != nil {
		return proof{}, err
	}
	err = web.Decode(c, &p)
	return p, err
}

// Enrol makes an authenticator, which Confirm makes count.
func (h *Handlers) Enrol(c echo.Context) error {
	in, err := proven(c)
	if err != nil {
		return err
	}
	made, err := h.Authn.Enrol(c.Request().Context(), web.Actor(c), in.Password, c.Request().Host, h.from(c, in.Code))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{
		"secret": made.Secret, "uri": made.URI, "qr": "data:image/png;base64," + base64.StdEncoding.EncodeToString(made.QR),
	})
}

// Confirm has sign-ins ask for codes, and answers with recovery codes, once.
func (h *Handlers) Confirm(c echo.Context) error {
	if _, err := authn.Account(web.Actor(c)); err != nil {
		return err
	}
	var in struct {
		Code string `json:"code"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	codes, session, err := h.Authn.Confirm(c.Request().Context(), web.Actor(c), h.from(c, in.Code))
	if err != nil {
		return err
	}
	if session.Token != "" {
		h.SetSession(c, session.Token, session.Expires)
	}
	return recoveryCodes(c, codes)
}

func recoveryCodes(c echo.Context, codes []string) error {
	return c.JSON(http.StatusOK, map[string]any{"recoveryCodes": codes})
}

// NewRecoveryCodes answers with others in place of those that are left.
func (h *Handlers) NewRecoveryCodes(c echo.Context) error {
	in, err := proven(c)
	if err != nil {
		return err
	}
	codes, err := h.Authn.NewRecoveryCodes(c.Request().Context(), web.Actor(c), in.Password, h.from(c, in.Code))
	if err != nil {
		return err
	}
	return recoveryCodes(c, codes)
}

// RemoveAuthenticator has sign-ins of the account ask for no code any more.
func (h *Handlers) RemoveAuthenticator(c echo.Context) error {
	in, err := proven(c)
	if err != nil {
		return err
	}
	if err := h.Authn.RemoveAuthenticator(c.Request().Context(), web.Actor(c), in.Password, h.from(c, in.Code)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// ResetAuthenticator takes the authenticator of a member who lost it. Whoever does it has
// all that the member has anywhere.
func (h *Handlers) ResetAuthenticator(c echo.Context) error {
	member, org, err := h.Tenants.Wholly(c)
	if err != nil {
		return err
	}
	if err := h.Authn.ResetAuthenticator(c.Request().Context(), web.Actor(c), org, member); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// SignIn says what the organization asks of the sign-ins of its people.
func (h *Handlers) SignIn(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	rules, err := h.Store.Accounts().Rules(c.Request().Context(), []string{string(org)})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"requireCode": rules[org].Code})
}

// SetSignIn sets what the request names of that.
func (h *Handlers) SetSignIn(c echo.Context) error {
	var in struct {
		RequireCode *bool `json:"requireCode"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if in.RequireCode != nil {
		if err := h.Authn.RequireCode(c.Request().Context(), web.Actor(c), org, *in.RequireCode); err != nil {
			return err
		}
	}
	return h.SignIn(c)
}
