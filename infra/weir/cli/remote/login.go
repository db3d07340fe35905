package remote

import (
	"context"
	"net/http"
	"time"

	"weir/infra/weir/cli/remote/openapi"
	"weir/shared/fault"
)

// SignedInFor is how long the token of a sign-in is good.
const SignedInFor = 90 * 24 * time.Hour

// Signed is a sign-in: a token, its identifier, and the person's role.
type Signed struct{ Token, ID, Role string }

// SignIn exchanges a person's password for an API token of the given name that may what
// the person may, for SignedInFor. It takes the place of a token of the person's that has this
// name. fault.Denied: the e-mail address, the password or the code is wrong, or the
// account asks for a code and it is empty.
func SignIn(ctx context.Context, address, email, password, code, name string) (Signed, error) {
	c, err := NewControl(address, "")
	if err != nil {
		return Signed{}, err
	}
	who, answer, err := exchange(ctx, c, api{}.Login(openapi.Login{Email: email, Password: password, Code: code}))
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
	c.session = http.Header{"Cookie": {cookies.Name + "=" + cookies.Value}, "X-Weir-Csrf": {"1"}}
	own, err := Do(ctx, c, api{}.MyTokens(openapi.MyTokensParams{Q: name}))
	if err != nil {
		return Signed{}, err
	}
	for _, t := range own.Tokens {
		if t.Name != name {
			continue
		}
		if _, err := Do(ctx, c, api{}.DeleteMyToken(t.ID)); err != nil && fault.KindOf(err) != fault.Missing {
			return Signed{}, err
		}
	}
	until := time.Now().Add(SignedInFor).UTC()
	made, err := Do(ctx, c, api{}.CreateMyToken(openapi.CreateMyTokenParams{}, openapi.NewOwnToken{Name: name, ExpiresAt: &until}))
	if err != nil {
		return Signed{}, err
	}
	_, err = Do(ctx, c, api{}.Logout())
	return Signed{made.Token, made.ID, string(who.Role)}, err
}

// SignOut revokes a token of a sign-in. One that is not good any more is no error.
func (c *Control) SignOut(ctx context.Context, id string) error {
	_, err := Do(ctx, c, api{}.DeleteMyToken(id))
	if kind := fault.KindOf(err); err != nil && (kind == fault.Missing || kind == fault.Denied) {
		return nil
	}
	return err
}

// Tokens returns all API tokens, by name.
func (c *Control) Tokens(ctx context.Context) ([]Token, error) {
	return openapi.All(func(cursor string) ([]Token, string, error) {
		page, err := Do(ctx, c, api{}.Tokens(openapi.TokensParams{Cursor: cursor}))
		return page.Tokens, page.Next, err
	})
}

// IssueToken makes an API token and returns its value, which is shown this once.
// Without a workspace it is good in all of its organization, without scopes for all that its
// role allows, without an end for ever.
func (c *Control) IssueToken(ctx context.Context, t Token) (string, error) {
	in := openapi.NewToken{Name: t.Name, Role: t.Role, Workspace: t.Workspace, Scopes: t.Scopes}
	if t.ExpiresAt != nil {
		until := t.ExpiresAt.UTC()
		in.ExpiresAt = &until
	}
	out, err := Do(ctx, c, api{}.CreateToken(openapi.CreateTokenParams{}, in))
	return out.Token, err
}

// RevokeToken ends a token at once. fault.Missing: there is none.
func (c *Control) RevokeToken(ctx context.Context, id string) error {
	_, err := Do(ctx, c, api{}.DeleteToken(id))
	return err
}
