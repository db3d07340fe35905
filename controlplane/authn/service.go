package authn

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"weir/controlplane/store"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// SessionLifetime is how long a session lives after it was last renewed. One
// that is used in its second half is renewed.
const SessionLifetime = 12 * time.Hour

// tokenPrefix marks API tokens, so that secret scanners find leaked ones.
const tokenPrefix = "weir_"

// How many passwords are hashed at once, each taking 19 MiB, and how many
// sign-ins wait for that; more are sent away.
const (
	mostHashing  = 2
	mostFamiliar = 1 // of devices that are known
	mostWaiting  = 64
)

// Lengths in bytes of what a caller may send.
const (
	longestEmail    = 254 // RFC 5321, section 4.5.3.1.3
	longestPassword = 1024
	longestName     = 100
)

// firstEmail is the account that the first start makes.
const firstEmail = "admin@localhost"

// The answers to callers that are not known; they never say what was wrong.
var (
	ErrLogin   = fault.New(fault.Denied, "the address or the password is wrong")
	ErrUnknown = fault.New(fault.Denied, "sign in, or send a token that is good")
)

// Config is what a Service needs.
type Config struct {
	Store *store.Store       // required
	Key   ed25519.PrivateKey // signs capabilities; required
	Log   *slog.Logger       // nil discards
	Now   func() time.Time   // nil means time.Now
}

// Service knows people and programs. It is safe for concurrent use.
type Service struct {
	store     *store.Store
	tenancy   *tenancy.Tenancy
	key       ed25519.PrivateKey
	log       *slog.Logger
	now       func() time.Time
	devices   devices
	limit     *limiter // failed sign-ins
	signedIn  *limiter // successful ones
	strangers *hashing
	familiar  *hashing // for devices that are known, so that strangers never keep them waiting
	nobody    string   // a hash that no password has, for accounts that do not exist
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, fault.New(fault.Invalid, "authn needs a store and a key")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	known, err := newDevices(cfg.Key)
	if err != nil {
		return nil, err
	}
	return &Service{
		store: cfg.Store, tenancy: cfg.Store.Tenancy(), key: cfg.Key, log: cfg.Log, now: cfg.Now, devices: known,
		limit: newLimiter(cfg.Now, window), signedIn: newLimiter(cfg.Now, acquainted),
		strangers: newHashing(mostHashing), familiar: newHashing(mostFamiliar), nobody: hashPassword(random(32)),
	}, nil
}

// system is the actor of what the control plane does by itself.
func system() store.Actor { return store.Actor{Kind: store.BySystem, Name: "authn"} }

func missing(err error) bool { return err != nil && fault.KindOf(err) == fault.Missing }

func hash(token string) store.Hash { return sha256.Sum256([]byte(token)) }

// Login is an account's address and its password in clear, to be shown once.
type Login struct {
	Email    string
	Password string
}

// Bootstrap makes the first administrator when none was ever made here, and
// returns the login; made is false when there was one before.
func (s *Service) Bootstrap(ctx context.Context) (login Login, made bool, err error) {
	login = Login{Email: firstEmail, Password: random(15)}
	made, err = s.store.CreateFirstUser(ctx, system(), store.User{
		Email: login.Email, PasswordHash: hashPassword(login.Password),
	})
	if err != nil {
		return Login{}, false, fmt.Errorf("make the first administrator: %w", err)
	}
	if !made {
		return Login{}, false, nil
	}
	return login, true, nil
}

// ResetFirst gives the first administrator a new password and returns it; every
// session of that account ends. It makes the account when there is none.
func (s *Service) ResetFirst(ctx context.Context) (Login, error) {
	login, made, err := s.Bootstrap(ctx)
	if err != nil || made {
		return login, err
	}
	login = Login{Email: firstEmail, Password: random(15)}
	user, err := s.store.UserByEmail(ctx, firstEmail)
	if missing(err) {
		err = s.recreate(ctx, login)
	} else if err == nil {
		err = s.store.SetPassword(ctx, system(), user.ID, hashPassword(login.Password))
	}
	if err != nil {
		return Login{}, fmt.Errorf("reset the first administrator: %w", err)
	}
	return login, nil
}

// recreate makes the first administrator anew with the grants that it had at first.
func (s *Service) recreate(ctx context.Context, login Login) error {
	user, err := s.store.CreateUser(ctx, system(), store.User{Email: login.Email, PasswordHash: hashPassword(login.Password)})
	if err != nil {
		return err
	}
	for _, g := range administrator() {
		g.Subject = string(user.ID)
		if err := s.tenancy.SetGrant(ctx, system().String(), g); err != nil {
			return err
		}
	}
	return nil
}

// administrator is what is granted to the first administrator, and to its token.
func administrator() []store.Grant {
	return []store.Grant{{Organization: tenancy.Default, Role: "owner"}, {Role: "operator"}}
}

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
}

// Login signs a person in.
//
// Too many failures from an address, and of an account from an address, refuse further
// ones for some minutes, but never a device on which the account signed in before: its
// failures are counted apart. From an address where it signed in before, only failures
// of the account itself count.
//
// ErrLogin: the address or the password is wrong.
// fault.Limited: too many failures, or too many sign-ins at this moment.
func (s *Service) Login(ctx context.Context, email, password string, from Caller) (Session, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if len(email) > longestEmail || len(password) > longestPassword {
		return Session{}, ErrLogin
	}
	at := s.attempt(email, from)
	if !at.open {
		return Session{}, fault.New(fault.Limited, "too many failed sign-ins; try again in a few minutes")
	}
	user, err := s.store.UserByEmail(ctx, email)
	known := err == nil
	if !known {
		if !missing(err) {
			return Session{}, fmt.Errorf("sign in: %w", err)
		}
		user = store.User{PasswordHash: s.nobody}
	}
	same, err := at.through.compare(ctx, user.PasswordHash, password)
	if err != nil {
		return Session{}, err
	}
	if !same || !known {
		for _, key := range at.counted {
			s.limit.count(key)
		}
		if known {
			if err := s.store.Record(ctx, system(), "session.refuse", "user "+string(user.ID), ""); err != nil {
				return Session{}, fmt.Errorf("sign in: %w", err)
			}
		}
		return Session{}, ErrLogin
	}
	s.limit.forget(at.person)
	s.limit.forget(deviceKey(at.device))
	s.signedIn.count(at.person)
	if at.device == "" {
		at.device = random(16)
	}
	session, err := s.open(ctx, user)
	if err != nil {
		return Session{}, err
	}
	session.Device = s.devices.token(at.device, email, s.now())
	return session, nil
}

// attempt is what is known of a sign-in before its password is compared.
type attempt struct {
	open    bool     // it may be tried
	device  string   // that is known, "" for none
	person  string   // the account and where it is tried from
	counted []string // what a failure counts for
	through *hashing
}

// attempt finds out by which limits a sign-in goes.
func (s *Service) attempt(email string, from Caller) attempt {
	peer := peerKey(from.Address)
	at := attempt{person: peer + " " + email, device: s.devices.known(from.Device, email, s.now())}
	if at.device != "" && s.limit.open(deviceKey(at.device), mostPerDevice) {
		at.open, at.counted, at.through = true, []string{deviceKey(at.device)}, s.familiar
		return at
	}
	acquainted := !s.signedIn.open(at.person, 1)
	at.open = s.limit.open(at.person, mostPerPerson) && (acquainted || s.limit.open(peer, mostPerPeer))
	at.counted, at.through = []string{peer, at.person}, s.strangers
	return at
}

func deviceKey(device string) string { return "device " + device }

// hashing bounds how many passwords are hashed at once, each taking 19 MiB, and how
// many sign-ins wait for that.
type hashing struct {
	busy    chan struct{} // one entry for each password that is hashed now
	waiting chan struct{} // one for each sign-in that wants that or has it
}

func newHashing(most int) *hashing {
	return &hashing{busy: make(chan struct{}, most), waiting: make(chan struct{}, most+mostWaiting)}
}

// compare hashes a password when there is room, and waits for room until ctx
// ends, unless too many wait already.
func (h *hashing) compare(ctx context.Context, hash, password string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	return samePassword(hash, password), nil
}

// enter waits for room to hash one password; leave gives it back.
func (h *hashing) enter(ctx context.Context) error {
	busy := fault.New(fault.Limited, "too many sign-ins at this moment; try again")
	select {
	case h.waiting <- struct{}{}:
	default:
		return busy
	}
	select {
	case h.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.waiting
		return busy
	}
}

func (h *hashing) leave() { <-h.busy; <-h.waiting }

// open makes a session for user.
func (s *Service) open(ctx context.Context, user store.User) (Session, error) {
	now := s.now()
	who, err := s.person(ctx, user)
	if err != nil {
		return Session{}, err
	}
	made := Session{Token: random(32), Actor: who, Expires: now.Add(SessionLifetime)}
	err = s.store.CreateSession(ctx, made.Actor, store.Session{Hash: hash(made.Token), User: user.ID, CreatedAt: now, ExpiresAt: made.Expires})
	if err != nil {
		return Session{}, fmt.Errorf("open a session: %w", err)
	}
	return made, nil
}

func (s *Service) person(ctx context.Context, user store.User) (store.Actor, error) {
	grants, err := s.tenancy.Grants(ctx, string(user.ID))
	if err != nil {
		return store.Actor{}, fmt.Errorf("find what is granted to the user: %w", err)
	}
	return store.Actor{Kind: store.ByPerson, ID: string(user.ID), Name: user.Email, Grants: grants}, nil
}

// Session returns who holds a session's token. When the session is in its
// second half it opens the next one and returns it as renewed, for a new
// cookie; the former stays good until it expires, for requests under way.
//
// ErrUnknown: the token is unknown or expired.
func (s *Service) Session(ctx context.Context, token string) (who store.Actor, renewed *Session, err error) {
	who, session, user, err := s.holder(ctx, token)
	if err != nil {
		return store.Actor{}, nil, err
	}
	if session.ExpiresAt.Sub(s.now()) > SessionLifetime/2 {
		return who, nil, nil
	}
	next, err := s.open(ctx, user)
	if err != nil {
		return store.Actor{}, nil, err
	}
	return who, &next, nil
}

// Holder returns who holds a session's token, as Session does, and renews nothing.
func (s *Service) Holder(ctx context.Context, token string) (store.Actor, error) {
	who, _, _, err := s.holder(ctx, token)
	return who, err
}

func (s *Service) holder(ctx context.Context, token string) (who store.Actor, session store.Session, user store.User, err error) {
	session, user, err = s.store.Session(ctx, hash(token))
	if missing(err) {
		return who, session, user, ErrUnknown
	}
	if err != nil {
		return who, session, user, fmt.Errorf("find the session: %w", err)
	}
	who, err = s.person(ctx, user)
	return who, session, user, err
}

// Logout ends the session of token. Ending one that is gone is no error.
func (s *Service) Logout(ctx context.Context, who store.Actor, token string) error {
	if err := s.store.DeleteSession(ctx, who, hash(token)); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}
