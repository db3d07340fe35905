package remote

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"weir/shared/fault"
)

// Token is an API token without its value. Workspace is empty when it is good in
// all.
type Token struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	Workspace  string     `json:"workspace,omitempty"`
	Scopes     []string   `json:"scopes,omitempty"`
	CreatedAt  time.Time  `json:"createdAt"`
	ExpiresAt  *time.Time `json:"expiresAt,omitempty"`  // nil: never
	LastUsedAt *time.Time `json:"lastUsedAt,omitempty"` // to some minutes; nil: never
}

// SignedInFor is how long the token of a sign-in is good.
const SignedInFor = 90 * 24 * time.Hour

// Signed is a sign-in: a token, its identifier, and the person's role.
type Signed struct{ Token, ID, Role string }

// SignIn exchanges a person's password for an API token of the given name that may what
// the person may, for SignedInFor. It takes the place of a token of the person's that has this
// name. fault.Denied: the e-mail address, the password or the code is wrong, or the
// account asks for a code and it is empty.
func SignIn(ctx context.Context, address, email, password, code, name string) (Signed, error) {
	e, err := newEnd("the control plane", address, "")
	if err != nil {
		return Signed{}, err
	}
	var who struct{ Role string }
	in := map[string]string{"email": email, "password": password}
	if code != "" {
		in["code"] = code
	}
	answer, err := e.call(ctx, http.MethodPost, "/api/v1/login", nil, in, &who)
	if err != nil && fault.KindOf(err) == fault.Denied && len(fault.ProblemsOf(err)) == 0 {
		return Signed{}, fault.New(fault.Denied, "the e-mail address or the password is wrong, or the control plane at %s does not know them", address)
	}
	if err != nil {
		return Signed{}, err
	}
	cookies, err := http.ParseSetCookie(answer.Get("Set-Cookie"))
	if err != nil {
		return Signed{}, fault.New(fault.Unavailable, "the control plane at %s signed nobody in; check that no proxy removes its cookie", address)
	}
	session := http.Header{"Cookie": {cookies.Name + "=" + cookies.Value}, "X-Weir-Csrf": {"1"}}
	var own struct{ Tokens []Token }
	if _, err := e.call(ctx, http.MethodGet, "/api/v1/me/tokens", session, nil, &own); err != nil {
		return Signed{}, err
	}
	for _, t := range own.Tokens {
		if t.Name != name {
			continue
		}
		if _, err := e.call(ctx, http.MethodDelete, "/api/v1/me/tokens/"+url.PathEscape(t.ID), session, nil, nil); err != nil && fault.KindOf(err) != fault.Missing {
			return Signed{}, err
		}
	}
	var made struct{ Token, ID string }
	wish := map[string]any{"name": name, "expiresAt": time.Now().Add(SignedInFor).UTC()}
	if _, err := e.call(ctx, http.MethodPost, "/api/v1/me/tokens", session, wish, &made); err != nil {
		return Signed{}, err
	}
	_, err = e.call(ctx, http.MethodPost, "/api/v1/logout", session, nil, nil)
	return Signed{made.Token, made.ID, who.Role}, err
}

// SignOut revokes a token of a sign-in. One that is not good any more is no error.
func (c *Control) SignOut(ctx context.Context, id string) error {
	err := c.Ask(ctx, http.MethodDelete, "/me/tokens/"+url.PathEscape(id), nil, nil)
	if kind := fault.KindOf(err); err != nil && (kind == fault.Missing || kind == fault.Denied) {
		return nil
	}
	return err
}

// Tokens returns all API tokens, by name.
func (c *Control) Tokens(ctx context.Context) ([]Token, error) {
	var out struct{ Tokens []Token }
	err := c.Within(ctx, http.MethodGet, "/tokens", nil, &out)
	return out.Tokens, err
}

// IssueToken makes an API token and returns its value, which is shown this once.
// Without a workspace it is good in all of its organization, without scopes for all that its
// role allows, without an end for ever.
func (c *Control) IssueToken(ctx context.Context, t Token) (string, error) {
	in := map[string]any{"name": t.Name, "role": t.Role}
	if t.Workspace != "" {
		in["workspace"] = t.Workspace
	}
	if len(t.Scopes) > 0 {
		in["scopes"] = t.Scopes
	}
	if t.ExpiresAt != nil {
		in["expiresAt"] = t.ExpiresAt.UTC()
	}
	var out struct{ Token string }
	err := c.Within(ctx, http.MethodPost, "/tokens", in, &out)
	return out.Token, err
}

// RevokeToken ends a token at once. fault.Missing: there is none.
func (c *Control) RevokeToken(ctx context.Context, id string) error {
	return c.Within(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(id), nil, nil)
}
