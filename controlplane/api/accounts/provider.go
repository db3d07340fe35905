package accounts

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/authn/oidc"
	"weir/controlplane/policy"
	"weir/controlplane/store/accounts"
	"weir/shared/fault"
)

const (
	flowCookie   = "weir_sign_in" // of a sign-in at a provider that was begun
	flowPath     = "/api/v1/login/oidc"
	callbackPath = flowPath + "/callback"
)

// origin is where the caller's browser opens the console: the one of the configured
// origins that the request came to, else the first. What a request says of its host alone
// is not believed.
func (h *Handlers) origin(c echo.Context) (string, error) {
	if len(h.Origins) == 0 {
		return "", fault.New(fault.Unavailable, "the control plane does not know the address of its console: start it with --origin")
	}
	for _, scheme := range []string{"https://", "http://"} {
		if at := scheme + c.Request().Host; slices.Contains(h.Origins, at) {
			return at, nil
		}
	}
	return h.Origins[0], nil
}

// BeginProvider begins a sign-in at an organization's provider, and answers with where the
// browser goes.
func (h *Handlers) BeginProvider(c echo.Context) error {
	var in struct {
		Organization string `json:"organization"`
		Back         string `json:"back"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	origin, err := h.origin(c)
	if err != nil {
		return err
	}
	address, flow, err := h.Authn.BeginProvider(c.Request().Context(), in.Organization, origin+callbackPath, in.Back)
	if err != nil {
		return err
	}
	h.keep(c, http.Cookie{Name: flowCookie, Value: flow, Path: flowPath, MaxAge: int(authn.FlowLifetime.Seconds())})
	return c.JSON(http.StatusOK, map[string]string{"url": address})
}

// FinishProvider is where the provider sends the browser: it goes on to the console, signed
// in, or with a code of what failed.
func (h *Handlers) FinishProvider(c echo.Context) error {
	flow := ""
	if cookie, err := c.Cookie(flowCookie); err == nil {
		flow = cookie.Value
	}
	h.keep(c, http.Cookie{Name: flowCookie, Path: flowPath}) // once
	answer := oidc.Answer{State: c.QueryParam("state"), Code: c.QueryParam("code"), Issuer: c.QueryParam("iss")}
	session, back, err := h.Authn.FinishProvider(c.Request().Context(), flow, answer, h.from(c, ""))
	if err != nil {
		if code := failed(err); code != "" {
			return c.Redirect(http.StatusSeeOther, "/?"+url.Values{"sign-in": {code}}.Encode())
		}
		return err
	}
	h.SetSession(c, session.Token, session.Expires)
	return c.Redirect(http.StatusSeeOther, authn.OwnPage(back))
}

// failed is the code by which the console says why a sign-in failed; empty for what is
// broken here.
func failed(err error) string {
	switch {
	case errors.Is(err, accounts.ErrStranger):
		return "not_member"
	case errors.Is(err, authn.ErrAddress):
		return "address_refused"
	}
	switch fault.KindOf(err) {
	case fault.Denied, fault.Missing, fault.Conflict:
		return "sign_in_refused"
	case fault.Unavailable:
		return "provider_away"
	}
	return ""
}

type providerView struct {
	Issuer    string   `json:"issuer"`
	ClientID  string   `json:"clientId"`
	HasSecret bool     `json:"hasSecret"`
	Domains   []string `json:"domains"`
	Role      string   `json:"role"`
	Required  bool     `json:"required"`
	// RedirectURIs are what the provider has to allow for the client.
	RedirectURIs []string `json:"redirectUris"`
}

// Provider shows the organization's identity provider, without the client's secret.
func (h *Handlers) Provider(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	p, err := h.Store.Accounts().Provider(c.Request().Context(), org)
	if err != nil {
		return err
	}
	v := providerView{Issuer: p.Issuer, ClientID: p.ClientID, HasSecret: len(p.Secret) > 0, Domains: p.Domains, Role: p.Role, Required: p.Required, RedirectURIs: []string{}}
	for _, origin := range h.Origins {
		v.RedirectURIs = append(v.RedirectURIs, origin+callbackPath)
	}
	return c.JSON(http.StatusOK, v)
}

// SetProvider gives the organization its identity provider.
func (h *Handlers) SetProvider(c echo.Context) error {
	var in struct {
		Issuer       string   `json:"issuer"`
		ClientID     string   `json:"clientId"`
		ClientSecret *string  `json:"clientSecret"`
		Domains      []string `json:"domains"`
		Role         string   `json:"role"`
		Required     bool     `json:"required"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	p := accounts.Provider{Organization: org, Issuer: in.Issuer, ClientID: in.ClientID, Domains: in.Domains, Role: in.Role, Required: in.Required}
	if err := h.Authn.SetProvider(c.Request().Context(), web.Actor(c), p, in.ClientSecret, h.joining()); err != nil {
		return err
	}
	return h.Provider(c)
}

// joining are the roles that somebody may get by signing in: all of an organization but
// its owner's.
func (h *Handlers) joining() []string {
	var out []string
	for _, r := range h.Policy.Roles() {
		if r != policy.Owner && r != policy.Operator {
			out = append(out, string(r))
		}
	}
	return out
}

// RemoveProvider takes the organization's identity provider.
func (h *Handlers) RemoveProvider(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if err := h.Store.Accounts().RemoveProvider(c.Request().Context(), web.Actor(c).By(), org); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
