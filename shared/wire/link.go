package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"weir/shared/fault"
)

// Times of a connection. A dead link is noticed after two missed pings; a lost
// one is tried again at once and forever.
const (
	pingInterval  = 5 * time.Second
	reconnectWait = 250 * time.Millisecond
	callDeadline  = 10 * time.Second // of every single request
)

// link is one connection to the hub that never gives up. It tells whoever asks
// when it is up again.
type link struct {
	conn *nats.Conn
	js   jetstream.JetStream

	mu    sync.Mutex
	next  int
	wakes map[int]func()
}

// linkConfig is how a link connects.
type linkConfig struct {
	address string
	creds   Credentials
	inbox   string // prefix of answers; empty for the usual one
	name    string // for the hub's operator to tell connections apart
	tls     *tls.Config
	log     *slog.Logger
	denied  func() // the hub refused a subject
}

// connect returns after one attempt, whether the hub is there or not; the link
// goes on trying.
func connect(cfg linkConfig) (*link, error) {
	user, err := nkeys.FromSeed([]byte(cfg.creds.Seed.Reveal()))
	if err != nil {
		return nil, fault.New(fault.Invalid, "The seed of the NATS user is not one.")
	}
	l := &link{wakes: map[int]func(){}}
	opts := []nats.Option{
		nats.Name(cfg.name),
		nats.UserJWT(func() (string, error) { return cfg.creds.JWT, nil }, user.Sign),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.IgnoreAuthErrorAbort(),    // an emptied hub knows its accounts again later
		nats.IgnoreDiscoveredServers(), // a plane talks to the address that it was given, perhaps a proxy
		nats.ReconnectBufSize(-1),      // what cannot be sent now fails now; the caller tries again
		nats.Timeout(callDeadline), nats.DrainTimeout(time.Second),
		nats.ConnectHandler(func(*nats.Conn) { l.wake() }),
		nats.ReconnectHandler(func(*nats.Conn) { l.wake() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) && cfg.denied != nil {
				cfg.denied()
			}
			cfg.log.Warn("hub connection met an error", "error", err)
		}),
	}
	if cfg.inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(cfg.inbox))
	}
	if cfg.tls != nil {
		opts = append(opts, nats.Secure(cfg.tls))
	}
	if l.conn, err = nats.Connect(cfg.address, opts...); err != nil {
		return nil, fault.New(fault.Invalid, "The hub's address or credentials cannot be used: %v.", err)
	}
	if l.js, err = jetstream.New(l.conn, jetstream.WithDefaultTimeout(callDeadline)); err != nil {
		l.conn.Close()
		return nil, fault.New(fault.Internal, "The hub cannot be used: %v.", err)
	}
	return l, nil
}

// wake tells everyone who waits that the link is up.
func (l *link) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.wakes {
		f()
	}
}

// onUp calls f, which must not block, whenever the link comes up, until forget
// is called.
func (l *link) onUp(f func()) (forget func()) {
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

func (l *link) up() bool { return l.conn.IsConnected() }

// pause waits for d, for the link to come up, or for ctx, whichever is first.
func (l *link) pause(ctx context.Context, d time.Duration) {
	up := make(chan struct{}, 1)
	forget := l.onUp(func() {
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

// backoff is how long to wait after the nth failure in a row, from 0: up to 5 s.
func backoff(n int) time.Duration {
	window := min(reconnectWait<<min(n, 10), 5*time.Second)
	return window/2 + rand.N(window/2)
}

// read gets the entry under key by a direct get, which needs no right to list
// anything. fault.Missing: there is none.
func (l *link) read(ctx context.Context, bucket, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	msg, err := l.conn.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream(bucket)+"."+subject(bucket, key), nil)
	if err != nil {
		return nil, away(err)
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
	case "404":
		return nil, fault.New(fault.Missing, "There is no %s in %s.", key, bucket)
	default:
		return nil, fault.New(fault.Unavailable, "The hub answered %s for %s in %s.", status, key, bucket)
	}
	if msg.Header.Get("KV-Operation") != "" {
		return nil, fault.New(fault.Missing, "%s was removed from %s.", key, bucket)
	}
	return msg.Data, nil
}

// away turns an error of NATS into one that says: try again.
func away(err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	return fault.New(fault.Unavailable, "The hub did not answer: %v.", err)
}

// last returns the newest message of a subject and its sequence, nil and 0 when
// there is none.
func last(ctx context.Context, s jetstream.Stream, subj string) ([]byte, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	msg, err := s.GetLastMsgForSubject(ctx, subj)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, away(err)
	}
	return msg.Data, msg.Sequence, nil
}

// apiError returns JetStream's own error in err, nil when there is none.
func apiError(err error) *jetstream.APIError {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api
	}
	return nil
}

// wait waits for d or for ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// gate is a mutex that is not waited for longer than a context. Its capacity is
// one.
type gate chan struct{}

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "The hub did not answer in time.")
	}
}

func (g gate) leave() { <-g }
