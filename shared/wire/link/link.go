// Package link is a connection to the hub that never gives up, and Follower, which
// reads a bucket over it.
package link

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"weir/shared/fault"
	"weir/shared/wire"
	"weir/shared/wire/access"
	"weir/shared/wire/bucket"
)

// Times of a connection. A dead link is noticed after two missed pings; a lost
// one is tried again at once and forever.
const (
	pingInterval  = 5 * time.Second
	reconnectWait = 250 * time.Millisecond
)

// CallDeadline bounds every single request.
const CallDeadline = 10 * time.Second

// Link is one connection to the hub that never gives up. It tells whoever asks
// when it is up again.
type Link struct {
	Conn *nats.Conn
	JS   jetstream.JetStream

	mu    sync.Mutex
	next  int
	wakes map[int]func()
}

// Config is how a link connects.
type Config struct {
	Address     string // may name a user, which takes the place of Credentials, as Files may
	Credentials wire.Credentials
	Inbox       string // prefix of answers; empty for the usual one
	Name        string // for the hub's operator to tell connections apart
	Files       access.Files
	InProcess   nats.InProcessConnProvider // a hub in this process, in place of Address and Files; nil: none
	Log         *slog.Logger
	Denied      func() // the hub refused a subject
	Refused     func() // the hub refused the credentials, at each attempt; may be nil
}

// Connect returns after one attempt, whether the hub is there or not; the link
// goes on trying.
func Connect(cfg Config) (*Link, error) {
	var server access.Server
	var err error
	if cfg.InProcess != nil {
		server.Options = append(server.Options, nats.InProcessServer(cfg.InProcess))
	} else if server, err = access.Open("hub", cfg.Address, cfg.Files); err != nil {
		return nil, err
	}
	l := &Link{wakes: map[int]func(){}}
	opts := []nats.Option{
		nats.Name(cfg.Name),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.IgnoreAuthErrorAbort(),    // an emptied hub knows its accounts again later
		nats.IgnoreDiscoveredServers(), // a plane talks to the address that it was given, perhaps a proxy
		nats.ReconnectBufSize(-1),      // what cannot be sent now fails now; the caller tries again
		nats.Timeout(CallDeadline), nats.DrainTimeout(time.Second),
		nats.ConnectHandler(func(*nats.Conn) { l.wake() }),
		nats.ReconnectHandler(func(*nats.Conn) { l.wake() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) && cfg.Denied != nil {
				cfg.Denied()
			}
			cfg.Log.Warn("hub connection met an error", "error", err)
		}),
	}
	opts = append(opts, nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
		if cfg.Refused != nil && (errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAuthExpired)) {
			cfg.Refused()
		}
	}))
	if cfg.Inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(cfg.Inbox))
	}
	if !server.Names {
		user, err := nkeys.FromSeed([]byte(cfg.Credentials.Seed.Reveal()))
		if err != nil {
			return nil, fault.New(fault.Invalid, "The seed of the NATS user is not one.")
		}
		opts = append(opts, nats.UserJWT(func() (string, error) { return cfg.Credentials.JWT, nil }, user.Sign))
	}
	opts = append(opts, server.Options...)
	if l.Conn, err = nats.Connect(server.Address, opts...); err != nil {
		return nil, fault.New(fault.Invalid, "The hub's address or credentials cannot be used: %v.", err)
	}
	if l.JS, err = jetstream.New(l.Conn, jetstream.WithDefaultTimeout(CallDeadline)); err != nil {
		l.Conn.Close()
		return nil, fault.New(fault.Internal, "The hub cannot be used: %v.", err)
	}
	return l, nil
}

// wake tells everyone who waits that the link is up.
func (l *Link) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.wakes {
		f()
	}
}

// OnUp calls f, which must not block, whenever the link comes up, until forget
// is called.
func (l *Link) OnUp(f func()) (forget func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.next
	l.next++
	l.wakes[n] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.wakes, n)
	}
}

// Up reports whether the hub can be reached at the moment.
func (l *Link) Up() bool { return l.Conn.IsConnected() }

// Pause waits for d, for the link to come up, or for ctx, whichever is first.
func (l *Link) Pause(ctx context.Context, d time.Duration) {
	up := make(chan struct{}, 1)
	forget := l.OnUp(func() {
		select {
		case up <- struct{}{}:
		default:
		}
	})
	defer forget()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-up:
	case <-ctx.Done():
	}
}

// Await waits until the link is up; false: ctx ended before.
func (l *Link) Await(ctx context.Context) bool {
	for !l.Up() {
		if ctx.Err() != nil {
			return false
		}
		l.Pause(ctx, reconnectWait)
	}
	return true
}

// Backoff is how long to wait after the nth failure in a row, from 0: up to 5 s.
func Backoff(n int) time.Duration {
	window := min(reconnectWait<<min(n, 10), 5*time.Second)
	return window/2 + rand.N(window/2)
}

// Read gets the entry under key by a direct get, which needs no right to list
// anything. fault.Missing: there is none.
func (l *Link) Read(ctx context.Context, in bucket.Bucket, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, CallDeadline)
	defer cancel()
	msg, err := l.Conn.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+in.Stream()+"."+in.Subject(key), nil)
	if err != nil {
		return nil, Unreachable(err)
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
	case "404":
		return nil, fault.New(fault.Missing, "There is no %s in %s.", key, in)
	default:
		return nil, fault.New(fault.Unavailable, "The hub answered %s for %s in %s.", status, key, in)
	}
	if msg.Header.Get("KV-Operation") != "" {
		return nil, fault.New(fault.Missing, "%s was removed from %s.", key, in)
	}
	return msg.Data, nil
}

// Unreachable turns an error of NATS into one that says: try again.
func Unreachable(err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	return fault.New(fault.Unavailable, "The hub did not answer: %v.", err)
}

// Wait waits for d or for ctx.
func Wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
