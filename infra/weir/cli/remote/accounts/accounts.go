// Package accounts asks a control plane about the caller's own account, and about how people
// sign in to an organization.
package accounts

import (
	"context"
	"slices"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/openapi"
	"weir/shared/fault"
)

// api makes the calls.
type api = openapi.API

// AsksForCode reports whether a refusal asks for a one-time code: the account has an
// authenticator.
func AsksForCode(err error) bool {
	return slices.ContainsFunc(fault.ProblemsOf(err), func(p fault.Problem) bool { return p.Code == "code_needed" })
}

// Me returns who calls.
func Me(ctx context.Context, c *remote.Control) (openapi.Me, error) {
	return remote.Do(ctx, c, api{}.Me())
}

// Session is a sign-in of the caller's account. By is password, code or provider.
type Session = openapi.Session

// Sessions returns the sign-ins of the caller's account, the newest first.
func Sessions(ctx context.Context, c *remote.Control) ([]Session, error) {
	out, err := remote.Do(ctx, c, api{}.MySessions())
	return out.Sessions, err
}

// EndSession ends one. fault.Missing: there is none.
func EndSession(ctx context.Context, c *remote.Control, id string) error {
	_, err := remote.Do(ctx, c, api{}.EndMySession(id))
	return err
}

// EndSessions ends all, and returns how many there were.
func EndSessions(ctx context.Context, c *remote.Control) (int, error) {
	out, err := remote.Do(ctx, c, api{}.EndMySessions(openapi.EndMySessionsParams{}))
	return int(out.Ended), err
}

// Authenticator says whether sign-ins of the caller's account ask for one-time codes.
type Authenticator = openapi.Authenticator

// Enrolment is what an authenticator app is told.
type Enrolment = openapi.Enrolment

// Proof is what shows that the caller has the account.
type Proof = openapi.AccountProof

// TheAuthenticator returns that of the caller's account.
func TheAuthenticator(ctx context.Context, c *remote.Control) (Authenticator, error) {
	return remote.Do(ctx, c, api{}.MyAuthenticator())
}

// Enrol makes an authenticator, which Confirm makes count.
func Enrol(ctx context.Context, c *remote.Control, p Proof) (Enrolment, error) {
	return remote.Do(ctx, c, api{}.EnrolAuthenticator(p))
}

// Confirm has sign-ins ask for codes, and returns recovery codes.
func Confirm(ctx context.Context, c *remote.Control, code string) ([]string, error) {
	out, err := remote.Do(ctx, c, api{}.ConfirmAuthenticator(openapi.OneTimeCode{Code: code}))
	return out.RecoveryCodes, err
}

// NewRecoveryCodes returns others in place of those that are left.
func NewRecoveryCodes(ctx context.Context, c *remote.Control, p Proof) ([]string, error) {
	out, err := remote.Do(ctx, c, api{}.CreateRecoveryCodes(p))
	return out.RecoveryCodes, err
}

// RemoveAuthenticator has sign-ins ask for no codes any more.
func RemoveAuthenticator(ctx context.Context, c *remote.Control, p Proof) error {
	_, err := remote.Do(ctx, c, api{}.RemoveAuthenticator(p))
	return err
}

// ChangePassword gives the caller's account another password.
func ChangePassword(ctx context.Context, c *remote.Control, p Proof, password string) error {
	_, err := remote.Do(ctx, c, api{}.ChangePassword(openapi.NewPassword{Former: p.Password, Password: password, Code: p.Code}))
	return err
}

// ResetAuthenticator takes the authenticator of a member who lost it.
func ResetAuthenticator(ctx context.Context, c *remote.Control, member string) error {
	_, err := remote.Do(ctx, c, api{}.ResetAuthenticator(member))
	return err
}

// PasswordLink makes a token by which a member chooses a new password.
func PasswordLink(ctx context.Context, c *remote.Control, member string) (openapi.PasswordLink, error) {
	return remote.Do(ctx, c, api{}.CreatePasswordLink(member, openapi.CreatePasswordLinkParams{}))
}

// ResetPassword uses such a token.
func ResetPassword(ctx context.Context, address, token, password string) error {
	c, err := remote.NewControl(address, "")
	if err != nil {
		return err
	}
	_, err = remote.Do(ctx, c, api{}.ResetPassword(openapi.LinkUse{Token: token, Password: password}))
	return err
}

// Provider is the identity provider of an organization. ClientSecret is sent where it is
// not nil, and never shown.
type Provider = openapi.NewIdentityProvider

// KeptProvider is one as the control plane shows it.
type KeptProvider = openapi.IdentityProvider

// TheProvider returns the organization's. fault.Missing: it has none.
func TheProvider(ctx context.Context, c *remote.Control) (KeptProvider, error) {
	return remote.Do(ctx, c, api{}.IdentityProvider())
}

// SetProvider gives the organization its provider.
func SetProvider(ctx context.Context, c *remote.Control, p Provider) (KeptProvider, error) {
	return remote.Do(ctx, c, api{}.SetIdentityProvider(p))
}

// RemoveProvider takes it. fault.Missing: there is none.
func RemoveProvider(ctx context.Context, c *remote.Control) error {
	_, err := remote.Do(ctx, c, api{}.RemoveIdentityProvider())
	return err
}

// RequireCode says whether the organization asks for one-time codes; nil only asks.
func RequireCode(ctx context.Context, c *remote.Control, required *bool) (bool, error) {
	call := api{}.SignIn()
	if required != nil {
		call = api{}.SetSignIn(openapi.SignIn{RequireCode: *required})
	}
	out, err := remote.Do(ctx, c, call)
	return out.RequireCode, err
}
