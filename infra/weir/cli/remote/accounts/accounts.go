// Package accounts asks a control plane about the caller's own account, and about how people
// sign in to an organization.
package accounts

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/shared/fault"
)

// AsksForCode reports whether a refusal asks for a one-time code: the account has an
// authenticator.
func AsksForCode(err error) bool {
	return slices.ContainsFunc(fault.ProblemsOf(err), func(p fault.Problem) bool { return p.Code == "code_needed" })
}

// Session is a sign-in of the caller's account. By is password, code or provider.
type Session struct {
	ID         string    `json:"id"`
	Address    string    `json:"address,omitempty"`
	Agent      string    `json:"agent,omitempty"`
	By         string    `json:"by"`
	CreatedAt  time.Time `json:"createdAt"`
	LastSeenAt time.Time `json:"lastSeenAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
	Current    bool      `json:"current"`
}

// Sessions returns the sign-ins of the caller's account, the newest first.
func Sessions(ctx context.Context, c *remote.Control) ([]Session, error) {
	var out struct{ Sessions []Session }
	err := c.Ask(ctx, http.MethodGet, "/me/sessions", nil, &out)
	return out.Sessions, err
}

// EndSession ends one. fault.Missing: there is none.
func EndSession(ctx context.Context, c *remote.Control, id string) error {
	return c.Ask(ctx, http.MethodDelete, "/me/sessions/"+url.PathEscape(id), nil, nil)
}

// EndSessions ends all, and returns how many there were.
func EndSessions(ctx context.Context, c *remote.Control) (int, error) {
	var out struct{ Ended int }
	err := c.Ask(ctx, http.MethodDelete, "/me/sessions", nil, &out)
	return out.Ended, err
}

// Authenticator says whether sign-ins of the caller's account ask for one-time codes.
type Authenticator struct {
	Enrolled      bool `json:"enrolled"`
	RecoveryCodes int  `json:"recoveryCodes"` // that are left
}

// Enrolment is what an authenticator app is told.
type Enrolment struct{ Secret, URI string }

// Proof is what shows that the caller has the account.
type Proof struct {
	Password string `json:"password"`
	Code     string `json:"code,omitempty"`
}

// TheAuthenticator returns that of the caller's account.
func TheAuthenticator(ctx context.Context, c *remote.Control) (a Authenticator, err error) {
	return a, c.Ask(ctx, http.MethodGet, "/me/authenticator", nil, &a)
}

// Enrol makes an authenticator, which Confirm makes count.
func Enrol(ctx context.Context, c *remote.Control, p Proof) (out Enrolment, err error) {
	err = c.Ask(ctx, http.MethodPost, "/me/authenticator", p, &out)
	return out, err
}

// Confirm has sign-ins ask for codes, and returns recovery codes.
func Confirm(ctx context.Context, c *remote.Control, code string) ([]string, error) {
	var out struct{ RecoveryCodes []string }
	err := c.Ask(ctx, http.MethodPost, "/me/authenticator/confirm", map[string]string{"code": code}, &out)
	return out.RecoveryCodes, err
}

// NewRecoveryCodes returns others in place of those that are left.
func NewRecoveryCodes(ctx context.Context, c *remote.Control, p Proof) ([]string, error) {
	var out struct{ RecoveryCodes []string }
	err := c.Ask(ctx, http.MethodPost, "/me/authenticator/recovery-codes", p, &out)
	return out.RecoveryCodes, err
}

// RemoveAuthenticator has sign-ins ask for no codes any more.
func RemoveAuthenticator(ctx context.Context, c *remote.Control, p Proof) error {
	return c.Ask(ctx, http.MethodPost, "/me/authenticator/remove", p, nil)
}

// ChangePassword gives the caller's account another password.
func ChangePassword(ctx context.Context, c *remote.Control, p Proof, password string) error {
	in := map[string]string{"former": p.Password, "password": password}
	if p.Code != "" {
		in["code"] = p.Code
	}
	return c.Ask(ctx, http.MethodPost, "/me/password", in, nil)
}

// ResetAuthenticator takes the authenticator of a member who lost it.
func ResetAuthenticator(ctx context.Context, c *remote.Control, member string) error {
	return c.Within(ctx, http.MethodDelete, "/members/"+url.PathEscape(member)+"/authenticator", nil, nil)
}

// PasswordLink makes a token by which a member chooses a new password.
func PasswordLink(ctx context.Context, c *remote.Control, member string) (out struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}, err error) {
	err = c.Within(ctx, http.MethodPost, "/members/"+url.PathEscape(member)+"/password", nil, &out)
	return out, err
}

// ResetPassword uses such a token.
func ResetPassword(ctx context.Context, address, token, password string) error {
	c, err := remote.NewControl(address, "")
	if err != nil {
		return err
	}
	return c.Ask(ctx, http.MethodPost, "/password/reset", map[string]string{"token": token, "password": password}, nil)
}

// Provider is the identity provider of an organization. ClientSecret is sent where it is
// not nil, and never shown.
type Provider struct {
	Issuer       string   `json:"issuer"`
	ClientID     string   `json:"clientId"`
	ClientSecret *string  `json:"clientSecret,omitempty"`
	Domains      []string `json:"domains"`
	Role         string   `json:"role"`
	Required     bool     `json:"required"`
}

// KeptProvider is one as the control plane shows it.
type KeptProvider struct {
	Issuer       string   `json:"issuer"`
	ClientID     string   `json:"clientId"`
	HasSecret    bool     `json:"hasSecret"`
	Domains      []string `json:"domains"`
	Role         string   `json:"role"`
	Required     bool     `json:"required"`
	RedirectURIs []string `json:"redirectUris"`
}

// TheProvider returns the organization's. fault.Missing: it has none.
func TheProvider(ctx context.Context, c *remote.Control) (out KeptProvider, err error) {
	err = c.Within(ctx, http.MethodGet, "/identity-provider", nil, &out)
	return out, err
}

// SetProvider gives the organization its provider.
func SetProvider(ctx context.Context, c *remote.Control, p Provider) (out KeptProvider, err error) {
	err = c.Within(ctx, http.MethodPut, "/identity-provider", p, &out)
	return out, err
}

// RemoveProvider takes it. fault.Missing: there is none.
func RemoveProvider(ctx context.Context, c *remote.Control) error {
	return c.Within(ctx, http.MethodDelete, "/identity-provider", nil, nil)
}

// RequireCode says whether the organization asks for one-time codes; nil only asks.
func RequireCode(ctx context.Context, c *remote.Control, required *bool) (bool, error) {
	var out struct{ RequireCode bool }
	if required == nil {
		err := c.Within(ctx, http.MethodGet, "/sign-in", nil, &out)
		return out.RequireCode, err
	}
	err := c.Within(ctx, http.MethodPut, "/sign-in", map[string]bool{"requireCode": *required}, &out)
	return out.RequireCode, err
}
