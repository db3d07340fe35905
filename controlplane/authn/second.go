package authn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/controlplane/authn/totp"
	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/shared/fault"
)

// How many wrong codes after the right password are tolerated of an account, wherever
// they come from. Only who has the password can lock the account's codes for that long,
// and recovery codes, which nobody guesses, are good meanwhile.
const (
	codeWindow = time.Hour
	mostCodes  = 20
)

// recoveryCodes is how many there are of an account.
const recoveryCodes = 10

// The answers to a right password without the right code.
var (
	ErrCodeNeeded = asks("code_needed", "this account asks for a one-time code too", "Send the six digits that the authenticator app shows, or a recovery code.")
	ErrCode       = asks("wrong_code", "the one-time code is wrong or was used before", "Wait for the next code, and check the clock of the device.")
)

func asks(code, text, remedy string) error {
	return &fault.Error{Kind: fault.Denied, Text: text, Problems: []fault.Problem{{Path: "code", Code: code, Text: remedy}}}
}

// second is how a password was seconded.
type second struct {
	proof accounts.Proof
	used  accounts.Used
}

// second judges the code that came with a right password. It is spent by the write that
// it is for.
func (s *Service) second(ctx context.Context, user, code string, at attempt) (second, error) {
	kept, err := s.accounts.Authenticator(ctx, user)
	if missing(err) || err == nil && !kept.Confirmed {
		return second{proof: accounts.ByPassword}, nil
	}
	if err != nil {
		return second{}, fmt.Errorf("find the authenticator: %w", err)
	}
	code = totp.Clean(code)
	if code == "" {
		return second{}, ErrCodeNeeded
	}
	used, ok, err := s.judge(ctx, kept, code)
	if err != nil {
		return second{}, err
	}
	if !ok {
		return second{}, s.spent(ctx, user, at, accounts.ErrUsed)
	}
	return second{accounts.ByCode, used}, nil
}

// judge reports whether a clean code of an account is good, and what it is.
func (s *Service) judge(ctx context.Context, kept accounts.Authenticator, code string) (accounts.Used, bool, error) {
	if !totp.IsCode(code) {
		of := totp.Hash(kept.User, code)
		ok, err := s.accounts.HasRecoveryCode(ctx, kept.User, of)
		return accounts.Used{Recovery: of}, ok, err
	}
	if !s.codes.Open(kept.User, mostCodes) {
		return accounts.Used{}, false, fault.New(fault.Limited, "too many wrong codes; use a recovery code, or try again in an hour")
	}
	clear, err := s.atrest.Decrypt(authenticatorOf(kept.User), kept.Secret)
	if err != nil {
		return accounts.Used{}, false, err
	}
	step, ok := totp.Step(string(clear), code, s.now(), kept.LastStep)
	return accounts.Used{Step: step}, ok, nil
}

// spent is err of a write that spent a code: one that was not good is a failure.
func (s *Service) spent(ctx context.Context, user string, at attempt, err error) error {
	if !errors.Is(err, accounts.ErrUsed) {
		return err
	}
	s.failed(at)
	s.codes.Count(user)
	if err := s.refused(ctx, user, "one-time code"); err != nil {
		return err
	}
	return ErrCode
}

func authenticatorOf(user string) string { return "authenticator " + user }

// Authenticator says whether sign-ins of the caller's account ask for codes, and how many
// recovery codes are left.
func (s *Service) Authenticator(ctx context.Context, who store.Actor) (accounts.Authenticator, error) {
	user, err := Account(who)
	if err != nil {
		return accounts.Authenticator{}, err
	}
	kept, err := s.accounts.Authenticator(ctx, user)
	if missing(err) {
		return accounts.Authenticator{User: user}, nil
	}
	return kept, err
}

// own proves that who calls has the password of the account, and the code where it asks
// for codes. fault.Denied: not so, or an identity provider vouched for the caller, which
// is no proof of the account.
func (s *Service) own(ctx context.Context, who store.Actor, password string, from Caller) (store.User, second, attempt, error) {
	account, err := Account(who)
	if err != nil {
		return store.User{}, second{}, attempt{}, err
	}
	if who.Proof.Provider() != "" {
		return store.User{}, second{}, attempt{}, fault.New(fault.Denied, "this is for who signed in with the account's password, and not by an organization's provider")
	}
	email, err := s.store.UserEmail(ctx, store.UserID(account))
	if err != nil {
		return store.User{}, second{}, attempt{}, err
	}
	user, at, err := s.holds(ctx, email, password, from)
	if errors.Is(err, ErrLogin) {
		err = fault.New(fault.Denied, "the password is wrong")
	}
	if err != nil {
		return store.User{}, second{}, at, err
	}
	how, err := s.second(ctx, account, from.Code, at)
	return user, how, at, denied(err)
}

// Enrol makes an authenticator of the caller's account, in place of one that was not
// confirmed: Confirm has sign-ins ask for its codes.
//
// fault.Denied: the password is wrong. fault.Conflict: the account has one.
func (s *Service) Enrol(ctx context.Context, who store.Actor, password, installation string, from Caller) (totp.Enrolment, error) {
	user, _, _, err := s.own(ctx, who, password, from)
	if err != nil {
		return totp.Enrolment{}, err
	}
	made, err := totp.Enrol(strings.TrimSpace("Weir "+installation), user.Email)
	if err != nil {
		return totp.Enrolment{}, err
	}
	secret := s.atrest.Encrypt(authenticatorOf(string(user.ID)), []byte(made.Secret))
	if err := s.accounts.Enrol(ctx, who.By(), string(user.ID), secret); err != nil {
		return totp.Enrolment{}, err
	}
	return made, nil
}

// Confirm has sign-ins of the caller's account ask for codes from now on, and returns
// recovery codes, which nobody can show again. Every session of the account ends; a person
// gets another.
//
// ErrCode: the code is wrong. fault.Missing, fault.Conflict: there is nothing to confirm.
func (s *Service) Confirm(ctx context.Context, who store.Actor, from Caller) ([]string, Session, error) {
	user, err := Account(who)
	if err != nil {
		return nil, Session{}, err
	}
	if who.Proof.Provider() != "" {
		return nil, Session{}, fault.New(fault.Denied, "this is for who signed in with the account's password, and not by an organization's provider")
	}
	kept, err := s.accounts.Authenticator(ctx, user)
	if err != nil {
		return nil, Session{}, err
	}
	if kept.Confirmed {
		return nil, Session{}, fault.New(fault.Conflict, "the authenticator was confirmed before")
	}
	used, ok, err := s.judge(ctx, kept, totp.Clean(from.Code))
	if err != nil {
		return nil, Session{}, err
	}
	if !ok || used.Step == 0 {
		s.codes.Count(user)
		return nil, Session{}, denied(ErrCode)
	}
	codes, hashes := totp.Recovery(recoveryCodes, user)
	if err := s.accounts.Confirm(ctx, who.By(), user, kept.Secret, used.Step, hashes); err != nil {
		return nil, Session{}, err
	}
	if who.Kind != store.ByPerson {
		return codes, Session{}, nil
	}
	session, err := s.open(ctx, user, who.Name, accounts.ByCode, accounts.Used{}, from)
	return codes, session, err
}

// denied is err without its identity: 403 and not 401, since the caller is known.
func denied(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		again := *known
		return &again
	}
	return err
}

// NewRecoveryCodes makes others in place of those that are left.
func (s *Service) NewRecoveryCodes(ctx context.Context, who store.Actor, password string, from Caller) ([]string, error) {
	user, how, at, err := s.own(ctx, who, password, from)
	if err != nil {
		return nil, err
	}
	if how.proof != accounts.ByCode {
		return nil, fault.New(fault.Missing, "the account has no authenticator")
	}
	codes, hashes := totp.Recovery(recoveryCodes, string(user.ID))
	if err := s.accounts.NewRecoveryCodes(ctx, who.By(), string(user.ID), how.used, hashes); err != nil {
		return nil, denied(s.spent(ctx, string(user.ID), at, err))
	}
	return codes, nil
}

// RemoveAuthenticator has sign-ins of the caller's account ask for no code any more.
func (s *Service) RemoveAuthenticator(ctx context.Context, who store.Actor, password string, from Caller) error {
	user, how, at, err := s.own(ctx, who, password, from)
	if err != nil {
		return err
	}
	err = s.accounts.RemoveAuthenticator(ctx, who.By(), "", string(user.ID), how.used)
	return denied(s.spent(ctx, string(user.ID), at, err))
}

// ResetAuthenticator takes the authenticator of a member who lost it, and ends the
// member's sessions. Whether who may was decided before. fault.Missing: there is none.
func (s *Service) ResetAuthenticator(ctx context.Context, who store.Actor, org store.OrganizationID, user string) error {
	return s.accounts.RemoveAuthenticator(ctx, who.By(), org, user, accounts.Used{})
}

// forgetAuthenticator takes that of the first administrator, if there is one.
func (s *Service) forgetAuthenticator(ctx context.Context, user string) error {
	err := s.accounts.RemoveAuthenticator(ctx, system().By(), "", user, accounts.Used{})
	if missing(err) {
		return nil
	}
	return err
}

// RequireCode says whether an organization asks for one-time codes. A person who would
// shut himself out by that is refused.
func (s *Service) RequireCode(ctx context.Context, who store.Actor, org store.OrganizationID, required bool) error {
	if _, err := Account(who); err == nil && required && who.Proof != accounts.ByCode && who.Proof.Provider() == "" {
		return fault.New(fault.Denied, "you would shut yourself out: enrol an authenticator, sign in with its code, and then ask for codes")
	}
	return s.accounts.RequireCode(ctx, who.By(), org, required)
}
