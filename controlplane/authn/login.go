package authn

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weir/controlplane/authn/limit"
	"weir/controlplane/authn/password"
	"weir/controlplane/store"
	"weir/shared/fault"
)

// Session is a sign-in. Token is in clear and goes into the person's cookie. Device
// is set by Login alone: it goes into another, which is sent with the next sign-in.
type Session struct {
	Token   string
	Actor   store.Actor
	Expires time.Time
	Device  string
}

// Caller is who wants to sign in, as far as that is known before.
type Caller struct {
	Address netip.Addr // invalid: unknown
	Device  string     // Session.Device of an earlier sign-in, "" for none
	Agent   string     // the program, as it names itself
	Code    string     // a one-time or recovery code that came along, "" for none
}

// Login signs a person in. Where the account has an authenticator, a code has to come
// with the password.
//
// Too many failures from an address, and of an account from an address, refuse further
// ones for some minutes, but never a device on which the account signed in before: its
// failures are counted apart. From an address where it signed in before, only failures
// of the account itself count. A wrong code counts like a wrong password and, wherever it
// comes from, for the account.
//
// ErrLogin: the address or the password is wrong. ErrCodeNeeded, ErrCode: the password is
// right, and the code is not there or wrong.
// fault.Limited: too many failures, or too many sign-ins at this moment.
func (s *Service) Login(ctx context.Context, email, password string, from Caller) (Session, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	user, at, err := s.holds(ctx, email, password, from)
	if err != nil {
		return Session{}, err
	}
	second, err := s.second(ctx, string(user.ID), from.Code, at)
	if err != nil {
		return Session{}, err
	}
	session, err := s.open(ctx, string(user.ID), user.Email, second.proof, second.used, from)
	if err != nil {
		return Session{}, s.spent(ctx, string(user.ID), at, err)
	}
	s.limit.Forget(at.person)
	s.limit.Forget(deviceKey(at.device))
	s.signedIn.Count(at.person)
	if at.device == "" {
		at.device = random(16)
	}
	session.Device = s.devices.token(at.device, email, s.now())
	return session, nil
}

// holds finds the account that an address and a password belong to, within the limits
// of failures. Its errors are those of Login.
func (s *Service) holds(ctx context.Context, email, password string, from Caller) (store.User, attempt, error) {
	if len(email) > longestEmail || len(password) > longestPassword {
		return store.User{}, attempt{}, ErrLogin
	}
	at := s.attempt(email, from)
	if !at.open {
		return store.User{}, at, fault.New(fault.Limited, "too many failed sign-ins; try again in a few minutes")
	}
	user, err := s.store.UserByEmail(ctx, email)
	known := err == nil
	if !known && !missing(err) {
		return store.User{}, at, fmt.Errorf("sign in: %w", err)
	}
	if user.PasswordHash == "" { // also an account that an identity provider made: it takes as long as any
		user.PasswordHash = s.nobody
	}
	same, err := at.through.Compare(ctx, user.PasswordHash, password)
	if err != nil {
		return store.User{}, at, err
	}
	if same && known {
		return user, at, nil
	}
	s.failed(at)
	if known {
		if err := s.refused(ctx, string(user.ID), ""); err != nil {
			return store.User{}, at, err
		}
	}
	return store.User{}, at, ErrLogin
}

// failed counts a failure.
func (s *Service) failed(at attempt) {
	for _, key := range at.counted {
		s.limit.Count(key)
	}
}

// refused leaves an audit row of a sign-in that failed at an account.
func (s *Service) refused(ctx context.Context, user, why string) error {
	if err := s.store.Record(ctx, system(), "session.refuse", "user "+user, why); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	return nil
}

// attempt is what is known of a sign-in before its password is compared.
type attempt struct {
	open    bool     // it may be tried
	device  string   // that is known, "" for none
	person  string   // the account and where it is tried from
	counted []string // what a failure counts for
	through *password.Gate
}

// attempt finds out by which limits a sign-in goes.
func (s *Service) attempt(email string, from Caller) attempt {
	peer := limit.Peer(from.Address)
	at := attempt{person: peer + " " + email, device: s.devices.known(from.Device, email, s.now())}
	if at.device != "" && s.limit.Open(deviceKey(at.device), mostPerDevice) {
		at.open, at.counted, at.through = true, []string{deviceKey(at.device)}, s.familiar
		return at
	}
	acquainted := !s.signedIn.Open(at.person, 1)
	at.open = s.limit.Open(at.person, mostPerPerson) && (acquainted || s.limit.Open(peer, mostPerPeer))
	at.counted, at.through = []string{peer, at.person}, s.strangers
	return at
}

func deviceKey(device string) string { return "device " + device }
