// Package logincode lets programs that run where no password is typed sign in through a
// person's browser, as the OAuth 2.0 Device Authorization Grant does (RFC 8628): a program
// begins and gets two codes, shows the short one, and asks with the long one until the
// person, who is signed in, allows or refuses it. Then it gets an API token of its own.
//
// It guarantees that the long code has 256 random bits and opens something once, that the
// store holds neither code, and that few short codes can be guessed: only signed-in people
// may, a few in ten minutes, of 20^8.
package logincode

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"weir/controlplane/authn/limit"
	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/shared/fault"
)

const (
	// Lifetime is how long a program waits for its person.
	Lifetime = 10 * time.Minute
	// Interval is how long a program waits between two questions at first.
	Interval = 2 * time.Second
	// TokenLifetime is how long the token that a program gets is good.
	TokenLifetime = 90 * 24 * time.Hour

	window      = 10 * time.Minute
	mostBegun   = 30 // of one address in a window
	mostGuesses = 10 // wrong short codes of one person in a window
	mostUnknown = 60 // wrong long codes of one address in a window

	longestDevice = 80 // bytes of where a program runs
	longestAgent  = 200
)

// The answers to a program that has no token yet. Source: RFC 8628, section 3.5.
var (
	ErrPending = asks(fault.Conflict, "authorization_pending", "nobody has allowed or refused this sign-in yet", "Ask again after the interval.")
	ErrEarly   = asks(fault.Limited, "slow_down", "this was asked too early", "Wait five seconds longer between two questions from now on.")
	ErrRefused = asks(fault.Denied, "access_denied", "the sign-in was refused in the browser", "Begin again, if it was refused by mistake.")
	ErrExpired = asks(fault.Missing, "expired_token", "the code has expired or was used", "Begin again, and allow it in the browser within ten minutes.")
)

func asks(kind fault.Kind, code, text, remedy string) error {
	return &fault.Error{Kind: kind, Text: text, Problems: []fault.Problem{{Path: "deviceCode", Code: code, Text: remedy}}}
}

// Config is what a Service needs. All is required.
type Config struct {
	Accounts *accounts.Accounts
	// Replace makes a token and returns it with its value, in place of one of its owner
	// that has its name.
	Replace func(ctx context.Context, who store.Actor, t store.APIToken) (store.APIToken, string, error)
	Seed    []byte // of the keyed hash of short codes
	Now     func() time.Time
}

// Service is safe for concurrent use.
type Service struct {
	cfg     Config
	key     []byte
	begun   *limit.Limiter
	guesses *limit.Limiter
	unknown *limit.Limiter
}

// New derives its key.
func New(cfg Config) (*Service, error) {
	key, err := hkdf.Key(sha256.New, cfg.Seed, nil, "weir login codes 1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of login codes: %w", err)
	}
	return &Service{cfg: cfg, key: key, begun: limit.New(cfg.Now, window), guesses: limit.New(cfg.Now, window), unknown: limit.New(cfg.Now, window)}, nil
}

// Begun is a sign-in that began. Device is secret; Short is what the person compares or
// types, such as WDJB-MJHT.
type Begun struct {
	Device, Short string
}

// Begin begins a sign-in of a program that says where it runs, such as "ann@laptop".
//
// fault.Invalid: device is empty, too long or has control characters. fault.Limited: too
// many were begun from the address, or wait.
func (s *Service) Begin(ctx context.Context, device, agent string, from netip.Addr) (Begun, error) {
	device = strings.TrimSpace(device)
	if device == "" || len(device) > longestDevice || device != printable(device) {
		return Begun{}, fault.Problems("the sign-in cannot begin", []fault.Problem{{Path: "device", Code: "bad_name",
			Text: fmt.Sprintf("Say where the program runs in 1 to %d bytes of printable text, such as ann@laptop.", longestDevice)}})
	}
	peer := limit.Peer(from)
	if !s.begun.Open(peer, mostBegun) {
		return Begun{}, fault.New(fault.Limited, "too many sign-ins were begun from this address; try again in ten minutes")
	}
	s.begun.Count(peer)
	made := Begun{Device: rand.Text() + rand.Text(), Short: short()}
	in := accounts.LoginCode{
		Code: sha256.Sum256([]byte(made.Device)), Challenge: s.keyed(made.Short), Name: device, Agent: printable(agent), Interval: Interval, ExpiresAt: s.cfg.Now().Add(Lifetime),
	}
	in.Agent = in.Agent[:min(len(in.Agent), longestAgent)]
	if from.IsValid() {
		in.Address = from.Unmap().String()
	}
	return made, s.cfg.Accounts.AskLogin(ctx, in)
}

// printable is text without what is not printable ASCII.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, text)
}

// consonants make codes in which nobody reads a word. Source: RFC 8628, section 6.1.
const consonants = "BCDFGHJKLMNPQRSTVWXZ"

// short makes a short code of eight consonants with a hyphen between them.
func short() string {
	var out strings.Builder
	for out.Len() < 9 {
		if out.Len() == 4 {
			out.WriteByte('-')
		}
		var b [1]byte
		_, _ = rand.Read(b[:]) // never fails
		if int(b[0]) < 256/len(consonants)*len(consonants) {
			out.WriteByte(consonants[int(b[0])%len(consonants)])
		}
	}
	return out.String()
}

// keyed is the hash of a short code, however it was typed.
func (s *Service) keyed(code string) (out [32]byte) {
	letters := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(letters))
	mac.Sum(out[:0])
	return out
}

// person is who may let programs in: a token of somebody's does not, else a limited one
// would make one without limits.
func person(who store.Actor) error {
	if who.Kind != store.ByPerson {
		return fault.New(fault.Denied, "a person who is signed in allows this, in a browser: an API token does not")
	}
	return nil
}

// Waiting returns the program that waits with a short code.
//
// fault.Missing: none does. fault.Denied: the caller is no person with a session.
// fault.Limited: the person guessed too often.
func (s *Service) Waiting(ctx context.Context, who store.Actor, code string) (accounts.LoginCode, error) {
	if err := person(who); err != nil {
		return accounts.LoginCode{}, err
	}
	if !s.guesses.Open(who.ID, mostGuesses) {
		return accounts.LoginCode{}, fault.New(fault.Limited, "too many wrong codes; try again in ten minutes")
	}
	found, err := s.cfg.Accounts.WaitingLogin(ctx, s.keyed(code))
	if err != nil && fault.KindOf(err) == fault.Missing {
		s.guesses.Count(who.ID)
	}
	return found, err
}

// Decide lets the program that waits with a short code in as the caller, or refuses it.
// Its errors are those of Waiting.
func (s *Service) Decide(ctx context.Context, who store.Actor, code string, allow bool) error {
	if _, err := s.Waiting(ctx, who, code); err != nil {
		return err
	}
	state := accounts.LoginRefused
	if allow {
		state = accounts.LoginAllowed
	}
	return s.cfg.Accounts.DecideLogin(ctx, who.By(), s.keyed(code), who.ID, who.Proof, state)
}

// Finish returns the token of a program that was let in, with its value and the person's
// address, once: TokenLifetime long it may what the person may.
//
// ErrPending, ErrEarly, ErrRefused, ErrExpired. fault.Limited: too many unknown codes came
// from the address.
func (s *Service) Finish(ctx context.Context, device string, from netip.Addr) (t store.APIToken, value, email string, err error) {
	peer := limit.Peer(from)
	if !s.unknown.Open(peer, mostUnknown) {
		return t, "", "", fault.New(fault.Limited, "too many unknown codes from this address; try again in ten minutes")
	}
	found, err := s.cfg.Accounts.PollLogin(ctx, sha256.Sum256([]byte(device)))
	switch {
	case err == accounts.ErrEarly: //nolint:errorlint // the value itself
		return t, "", "", ErrEarly
	case err != nil && fault.KindOf(err) == fault.Missing:
		s.unknown.Count(peer)
		return t, "", "", ErrExpired
	case err != nil:
		return t, "", "", err
	case found.State == accounts.LoginRefused:
		return t, "", "", ErrRefused
	case found.State != accounts.LoginAllowed:
		return t, "", "", ErrPending
	}
	who := store.Actor{Kind: store.ByPerson, ID: found.User, Name: found.Email, Proof: found.Proof}
	t = store.APIToken{Owner: found.User, Name: TokenName(found.Name), Proof: found.Proof, ExpiresAt: s.cfg.Now().Add(TokenLifetime)}
	t, value, err = s.cfg.Replace(ctx, who, t)
	return t, value, found.Email, err
}

// TokenName is the name of the token of a program that runs at device.
func TokenName(device string) string { return "login by " + device }
