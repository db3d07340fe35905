package authn

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"weir/controlplane/authn/atrest"
	"weir/controlplane/authn/limit"
	"weir/controlplane/authn/logincode"
	"weir/controlplane/authn/oidc"
	"weir/controlplane/authn/password"
	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/controlplane/store/tenancy"
	"weir/shared/egress"
	"weir/shared/fault"
)

// How long sessions last where nobody says otherwise.
const (
	sessionIdle     = 12 * time.Hour
	sessionLifetime = 7 * 24 * time.Hour
	shortestSession = time.Minute
)

// tokenPrefix marks API tokens, so that secret scanners find leaked ones.
const tokenPrefix = "weir_"

// How many passwords are hashed at once, each taking 19 MiB.
const (
	mostHashing  = 2
	mostFamiliar = 1 // of devices that are known
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
	// Private lets identity providers be at private addresses and on loopback.
	Private bool
	// SessionIdle is how long a session lives after it was last renewed, 0 for 12 hours: one
	// that is used in its second half is renewed, until SessionLifetime has passed since the
	// person signed in, 0 for 7 days.
	SessionIdle, SessionLifetime time.Duration
}

// Service knows people and programs. It is safe for concurrent use.
type Service struct {
	store     *store.Store
	tenancy   *tenancy.Tenancy
	accounts  *accounts.Accounts
	atrest    atrest.Key
	oidc      *oidc.Client
	programs  *logincode.Service
	key       ed25519.PrivateKey
	log       *slog.Logger
	now       func() time.Time
	devices   devices
	idle      time.Duration // see Config.SessionIdle
	lifetime  time.Duration
	limit     *limit.Limiter // failed sign-ins
	codes     *limit.Limiter // codes that were wrong after the right password
	signedIn  *limit.Limiter // successful ones
	reads     *limit.Limiter // capabilities that read, each of which left a row
	strangers *password.Gate
	familiar  *password.Gate // for devices that are known, so that strangers never keep them waiting
	nobody    string         // a hash that no password has, for accounts that do not exist
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
	cfg.SessionIdle, cfg.SessionLifetime = cmp.Or(cfg.SessionIdle, sessionIdle), cmp.Or(cfg.SessionLifetime, sessionLifetime)
	if cfg.SessionIdle < shortestSession || cfg.SessionLifetime < cfg.SessionIdle {
		return nil, fault.New(fault.Invalid, "sessions of %v that end after %v without use cannot be: give a minute at least, and no less in all than without use", cfg.SessionLifetime, cfg.SessionIdle)
	}
	known, err := newDevices(cfg.Key)
	if err != nil {
		return nil, err
	}
	kept, err := atrest.New(cfg.Key.Seed())
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: cfg.Store, tenancy: cfg.Store.Tenancy(), accounts: cfg.Store.Accounts(), atrest: kept, oidc: oidc.New(egress.New(egress.Policy{Private: cfg.Private}).DialContext), codes: limit.New(cfg.Now, codeWindow), key: cfg.Key, log: cfg.Log, now: cfg.Now, devices: known, idle: cfg.SessionIdle, lifetime: cfg.SessionLifetime,
		limit: limit.New(cfg.Now, window), signedIn: limit.New(cfg.Now, acquainted), reads: limit.New(cfg.Now, readsEvery),
		strangers: password.NewGate(mostHashing), familiar: password.NewGate(mostFamiliar), nobody: password.Hash(random(32)),
	}
	s.programs, err = logincode.New(logincode.Config{Accounts: s.accounts, Replace: s.replaceOwn, Seed: cfg.Key.Seed(), Now: cfg.Now})
	return s, err
}

// Programs lets programs sign in through a person's browser.
func (s *Service) Programs() *logincode.Service { return s.programs }

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
		Email: login.Email, PasswordHash: password.Hash(login.Password),
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
// session of that account ends, and it has no authenticator any more. It makes the account
// when there is none.
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
		err = s.accounts.SetPassword(ctx, system().By(), string(user.ID), password.Hash(login.Password), "", accounts.Used{})
	}
	if err == nil {
		err = s.forgetAuthenticator(ctx, string(user.ID))
	}
	if err != nil {
		return Login{}, fmt.Errorf("reset the first administrator: %w", err)
	}
	return login, nil
}

// recreate makes the first administrator anew with the grants that it had at first.
func (s *Service) recreate(ctx context.Context, login Login) error {
	user, err := s.store.CreateUser(ctx, system(), store.User{Email: login.Email, PasswordHash: password.Hash(login.Password)})
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
