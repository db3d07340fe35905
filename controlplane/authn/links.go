package authn

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	hashing "weir/controlplane/authn/password"
	"weir/controlplane/store"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// How long links are good.
const (
	invitationLifetime = 7 * 24 * time.Hour
	resetLifetime      = 24 * time.Hour
)

// shortestPassword is the shortest that people may choose, in bytes.
const shortestPassword = 12

// Invite makes a link by which the person with an address gets a role, once, within seven
// days. Whether who may give the role was decided before. fault.Invalid: the address is none.
func (s *Service) Invite(ctx context.Context, who store.Actor, email string, g store.Grant) (token string, made tenancy.Link, err error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if at, err := mail.ParseAddress(email); err != nil || at.Address != email || len(email) > longestEmail {
		return "", tenancy.Link{}, fault.Problems("nobody can be invited", []fault.Problem{{Path: "email", Code: "bad_address", Text: "This is no e-mail address."}})
	}
	g.Subject = ""
	return s.link(ctx, who, tenancy.Link{Grant: g, Email: email, ExpiresAt: s.now().Add(invitationLifetime)})
}

// ResetLink makes a link by which a user chooses a new password, once, within a day.
// Whether who may was decided before.
func (s *Service) ResetLink(ctx context.Context, who store.Actor, org store.OrganizationID, user string) (token string, made tenancy.Link, err error) {
	return s.link(ctx, who, tenancy.Link{Grant: store.Grant{Subject: user, Organization: org}, ExpiresAt: s.now().Add(resetLifetime)})
}

func (s *Service) link(ctx context.Context, who store.Actor, l tenancy.Link) (string, tenancy.Link, error) {
	token := random(32)
	l.Hash = hash(token)
	if err := s.tenancy.CreateLink(ctx, who.String(), l); err != nil {
		return "", tenancy.Link{}, err
	}
	return token, l, nil
}

// Accept uses an invitation and signs the person in. Who has an account gives its
// password; else password is the one of the account that is made.
//
// ErrLogin: the password is not the account's. fault.Missing: the link is not good.
// fault.Invalid: the password is too short. fault.Limited: as for Login.
func (s *Service) Accept(ctx context.Context, token, password string, from Caller) (Session, error) {
	l, err := s.tenancy.Link(ctx, hash(token))
	if err != nil {
		return Session{}, err
	}
	made := ""
	known, err := s.store.UserByEmail(ctx, l.Email)
	switch {
	case missing(err) || err == nil && known.PasswordHash == "":
		if made, err = s.choose(ctx, password); err != nil {
			return Session{}, err
		}
	case err != nil:
		return Session{}, fmt.Errorf("accept an invitation: %w", err)
	default:
		session, err := s.Login(ctx, l.Email, password, from)
		if err != nil {
			return Session{}, err
		}
		if _, err := s.tenancy.Accept(ctx, hash(token), ""); err != nil {
			return Session{}, errors.Join(err, s.Logout(ctx, session.Actor))
		}
		signIn := session.Actor.SignIn
		session.Actor, err = s.person(ctx, session.Actor.ID, l.Email, session.Actor.Proof)
		session.Actor.SignIn = signIn
		return session, err
	}
	if _, err := s.tenancy.Accept(ctx, hash(token), made); err != nil {
		return Session{}, err
	}
	return s.Login(ctx, l.Email, password, from)
}

// Reset uses a link for a new password, and ends every session of its user.
//
// fault.Missing: the link is not good. fault.Invalid: the password is too short.
func (s *Service) Reset(ctx context.Context, token, password string) error {
	if _, err := s.tenancy.Link(ctx, hash(token)); err != nil {
		return err
	}
	hashed, err := s.choose(ctx, password)
	if err != nil {
		return err
	}
	return s.tenancy.Reset(ctx, hash(token), hashed)
}

// ChangePassword gives the account of the caller a new password, and ends every session of
// it but that of the caller. An account with an authenticator asks for a code too.
// fault.Denied: former is not the password, or the code is wrong. fault.Limited: as for Login.
func (s *Service) ChangePassword(ctx context.Context, who store.Actor, former, password string, from Caller) error {
	user, how, at, err := s.own(ctx, who, former, from)
	if err != nil {
		return err
	}
	hashed, err := s.choose(ctx, password)
	if err != nil {
		return err
	}
	if err := s.accounts.SetPassword(ctx, who.By(), string(user.ID), hashed, who.SignIn, how.used); err != nil {
		return denied(s.spent(ctx, string(user.ID), at, err))
	}
	return nil
}

// choose hashes a password that somebody chose, when there is room for that.
func (s *Service) choose(ctx context.Context, password string) (string, error) {
	if len(password) < shortestPassword || len(password) > longestPassword {
		return "", fault.Problems("the password cannot be used", []fault.Problem{{Path: "password", Code: "bad_password", Text: "A password has 12 bytes at least and 1024 at most."}})
	}
	if err := s.strangers.Enter(ctx); err != nil {
		return "", err
	}
	defer s.strangers.Leave()
	return hashing.Hash(password), nil
}
