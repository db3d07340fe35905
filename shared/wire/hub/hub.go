// Package hub is the control plane's end of the road between the planes: Hub; the
// embedded NATS server, Server; and the key from which all rights on it come, Operator.
package hub

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/access"
	"weir/shared/wire/bucket"
	"weir/shared/wire/envelope"
	"weir/shared/wire/link"
	"weir/shared/workspace"
)

// heartbeatEvery is how often the control end bumps each plane's heartbeat key.
const heartbeatEvery = 5 * time.Second

// Config is how the control end reaches the hub. Files, Log, Accounts and
// Alarm may be absent.
type Config struct {
	Address  string             // nats://host:port or tls://host:port, several with commas; Server.Address of an embedded hub
	Files    access.Files       // for TLS; who the control end is follows from Operator
	Embedded *Server            // a hub in this process, which is reached directly; nil: at Address with Files
	Operator Operator           // root of the hub's keys; Server.Operator of an embedded hub
	Key      ed25519.PrivateKey // signs pointers and secrets
	// Revoked returns, for an account, the NATS user keys of planes that were removed, and
	// when: admissions up to then are good no more. nil: no plane was.
	Revoked func(ctx context.Context, a Account) (map[string]time.Time, error)
	// PlaneKey returns the identity key of an enrolled plane. It is asked for
	// every ack and beat and must be quick.
	PlaneKey func(id.Plane) (ed25519.PublicKey, bool)
	// Placed reports whether a workspace is on a plane: acks about others are removed
	// from the hub. It is asked for every ack. Nil: all are.
	Placed   func(id.Plane, id.Workspace) bool
	Accounts []Account // of enrolled planes; others come with the first call that names them
	// Alarm hears of acks and beats that were refused. It must not block.
	Alarm func(wire.Code, id.Plane)
	Log   *slog.Logger
}

// Hub is the control plane's end. It is safe for concurrent use. Every call has
// a deadline, some tens of seconds; fault.Unavailable always means that the hub
// is away and the call may be repeated.
type Hub struct {
	cfg Config
	log *slog.Logger

	opening  gate // held while an account's connection is made
	entering gate // held while the system account's connection is made; guards system
	system   *link.Link

	mu      sync.Mutex
	closed  bool
	ends    map[Account]*end
	wanted  map[Account]struct{} // accounts to listen to
	changed chan struct{}        // closed when wanted or ends grew
}

// Recipient is a plane as the control end addresses it.
type Recipient struct {
	Plane   id.Plane
	Account Account
	Sealing secret.PublicKey // bodies are sealed to it
}

// New checks cfg; connections are made when they are needed. The caller
// closes the Hub.
func New(cfg Config) (*Hub, error) {
	if cfg.Address == "" || cfg.PlaneKey == nil || len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, fault.New(fault.Invalid, "The control end of the hub needs an address, a signing key and the keys of planes.")
	}
	if _, err := cfg.Operator.root(); err != nil {
		return nil, err
	}
	server, err := access.Open("hub", cfg.Address, cfg.Files)
	if err != nil {
		return nil, err
	}
	if server.Names {
		return nil, fault.New(fault.Invalid, "The control plane signs in at the hub by its operator key: --hub takes no user, token or credentials.")
	}
	h := &Hub{cfg: cfg, log: cfg.Log, opening: make(gate, 1), entering: make(gate, 1), ends: map[Account]*end{}, wanted: map[Account]struct{}{}, changed: make(chan struct{})}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	for _, a := range cfg.Accounts {
		if err := a.check(); err != nil {
			return nil, err
		}
		h.wanted[a] = struct{}{}
	}
	return h, nil
}

// Run bumps the heartbeat keys, and repairs accounts and buckets of a hub that
// was emptied, until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		h.mu.Lock()
		ends := make([]*end, 0, len(h.ends))
		for _, e := range h.ends {
			ends = append(ends, e)
		}
		h.mu.Unlock()
		for _, e := range ends {
			err := e.beat(ctx)
			if err != nil && ctx.Err() == nil {
				err = h.repair(ctx, e)
			}
			if err != nil && ctx.Err() == nil {
				h.log.WarnContext(ctx, "hub account not reached", "account", e.account.String(), "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Close ends all connections.
func (h *Hub) Close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.changed)
	}
	for _, e := range h.ends {
		e.link.Conn.Close()
	}
	h.mu.Unlock()
	_ = h.entering.enter(context.Background()) // for as long as one call's deadline at most
	defer h.entering.leave()
	if h.system != nil {
		h.system.Conn.Close()
	}
}

// Enrol makes the plane's account if need be and returns the admission (a user
// JWT, no secret) with which the holder of the NATS user key userKey ("U...")
// connects as plane p, and may do what a plane may and nothing else.
func (h *Hub) Enrol(ctx context.Context, a Account, userKey string, p id.Plane) (string, error) {
	e, err := h.end(ctx, a)
	if err != nil {
		return "", fmt.Errorf("enrol %s: %w", p, err)
	}
	token, err := h.cfg.Operator.plane(a, userKey, p)
	if err != nil {
		return "", fmt.Errorf("enrol %s: %w", p, err)
	}
	e.know(p)
	return token, nil
}

// Expel ends the admission of a plane that Config.Revoked names, with its connections, and
// removes everything of it from the hub. It may be repeated. fault.Unavailable: the hub
// is away.
func (h *Hub) Expel(ctx context.Context, a Account, p id.Plane) error {
	err := h.call(ctx, a, func(ctx context.Context, e *end) error {
		if err := h.admit(ctx, a); err != nil {
			return err
		}
		return e.expel(ctx, p)
	})
	if err != nil {
		return fmt.Errorf("expel %s: %w", p, err)
	}
	return nil
}

// Ask wants a beat of plane p at once, which names ask. Of several asks the plane may
// answer the newest one alone. fault.Unavailable: the hub is away.
func (h *Hub) Ask(ctx context.Context, a Account, p id.Plane, ask uint64) error {
	err := h.call(ctx, a, func(ctx context.Context, e *end) error { return e.ask(ctx, p, ask) })
	if err != nil {
		return fmt.Errorf("ask %s: %w", p, err)
	}
	return nil
}

// Point brings p to the plane: first the body (the encoded configuration, nil
// in a tombstone), sealed to the plane; then the signed pointer, by
// compare-and-set. The body of the former pointer is removed. Format and a zero
// IssuedAt are filled in.
//
// fault.Conflict: the plane's pointer has this number or a newer one, or moved
// meanwhile; Pointed tells. fault.Invalid: p is not whole, is for another plane
// or region, or body does not have its digest.
func (h *Hub) Point(ctx context.Context, to Recipient, p wire.Pointer, body []byte) error {
	p.Format = wire.Version
	if p.IssuedAt.IsZero() {
		p.IssuedAt = time.Now().UTC()
	}
	if err := p.Check(); err != nil {
		return err
	}
	if p.Plane != to.Plane || p.Region != to.Account.Region {
		return fault.New(fault.Invalid, "The pointer is for %s in %s, not for %s in %s.", p.Plane, p.Region, to.Plane, to.Account.Region)
	}
	if !p.Tombstone && workspace.DigestOf(body) != p.Digest {
		return fault.New(fault.Invalid, "The body of %s does not have the digest of its pointer.", p.Workspace)
	}
	err := h.call(ctx, to.Account, func(ctx context.Context, e *end) error {
		e.know(to.Plane)
		return h.move(ctx, e, to, p, body)
	})
	if err != nil {
		return fmt.Errorf("point %s at revision %d of %s: %w", p.Plane, p.Number, p.Workspace, err)
	}
	return nil
}

func (h *Hub) move(ctx context.Context, e *end, to Recipient, p wire.Pointer, body []byte) error {
	key := bucket.PointerKey(p.Plane, p.Workspace)
	old, revision, err := h.current(ctx, e, key)
	if err != nil {
		return err
	}
	if old.Number >= p.Number {
		return fault.New(fault.Conflict, "The plane is pointed at revision %d already.", old.Number)
	}
	if !p.Tombstone {
		sealed, err := envelope.SealBody(to.Sealing, p.Workspace, p.Digest, body)
		if err != nil {
			return err
		}
		if err := e.put(ctx, bucket.Bodies, bucket.BodyKey(p.Plane, p.Digest), sealed); err != nil {
			return err
		}
	}
	signed, err := envelope.Sign(h.cfg.Key, envelope.Pointer, p)
	if err != nil {
		return err
	}
	if err := e.put(ctx, bucket.Pointers, key, signed, jetstream.WithExpectLastSequencePerSubject(revision)); err != nil {
		return err
	}
	if old.Digest != "" && old.Digest != p.Digest {
		e.drop(ctx, bucket.Bodies, bucket.BodyKey(p.Plane, old.Digest))
	}
	return nil
}

// current returns the pointer under key and its sequence, zero when there is
// none. One that is not of our making counts as none: it is overwritten.
func (h *Hub) current(ctx context.Context, e *end, key string) (wire.Pointer, uint64, error) {
	s, err := e.link.JS.Stream(ctx, bucket.Pointers.Stream())
	if err != nil {
		return wire.Pointer{}, 0, link.Unreachable(err)
	}
	data, sequence, err := last(ctx, s, bucket.Pointers.Subject(key))
	if err != nil {
		return wire.Pointer{}, 0, err
	}
	var p wire.Pointer
	if envelope.Open(h.public(), envelope.Pointer, data, &p) != envelope.Genuine {
		p = wire.Pointer{}
	}
	return p, sequence, nil
}

func (h *Hub) public() ed25519.PublicKey {
	return h.cfg.Key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // by the standard library's contract
}

// Pointed returns where the plane is pointed for a workspace. fault.Missing:
// nowhere yet, or the hub was emptied.
func (h *Hub) Pointed(ctx context.Context, to Recipient, ws id.Workspace) (wire.Pointer, error) {
	var p wire.Pointer
	err := h.call(ctx, to.Account, func(ctx context.Context, e *end) error {
		var err error
		p, _, err = h.current(ctx, e, bucket.PointerKey(to.Plane, ws))
		return err
	})
	if err != nil {
		return wire.Pointer{}, fmt.Errorf("read pointer of %s for %s: %w", to.Plane, ws, err)
	}
	if p.Number == 0 {
		return wire.Pointer{}, fault.New(fault.Missing, "%s has no pointer for %s.", to.Plane, ws)
	}
	return p, nil
}

// PutSecret brings a sealed secret to the plane, signed so that the hub cannot
// put another in its place. Repeating it changes nothing.
func (h *Hub) PutSecret(ctx context.Context, to Recipient, n secret.Name, s secret.Sealed) error {
	if !n.Valid() || !id.Valid(to.Plane) {
		return fault.New(fault.Invalid, "A secret is brought to a plane under its workspace, source or destination, field and version.")
	}
	if len(s) < secret.Overhead || len(s) > secret.MaxClear+secret.Overhead {
		return fault.New(fault.Invalid, "The sealed secret %s is too short or too long.", n.Field)
	}
	signed, err := envelope.Sign(h.cfg.Key, envelope.Secret, wire.SealedSecret{Name: n, Sealed: s})
	if err != nil {
		return err
	}
	err = h.call(ctx, to.Account, func(ctx context.Context, e *end) error {
		e.know(to.Plane)
		return e.put(ctx, bucket.Secrets, bucket.SecretKey(to.Plane, n), signed)
	})
	if err != nil {
		return fmt.Errorf("bring secret %s of %s to %s: %w", n.Field, n.Object, to.Plane, err)
	}
	return nil
}

// put writes an entry. fault.Conflict: an expectation among opts does not hold.
func (e *end) put(ctx context.Context, in bucket.Bucket, key string, value []byte, opts ...jetstream.PublishOpt) error {
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	_, err := e.link.JS.Publish(ctx, in.Subject(key), value, opts...)
	if api := apiError(err); api != nil && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return fault.New(fault.Conflict, "Someone else moved %s meanwhile.", key)
	}
	return link.Unreachable(err)
}

// drop removes an entry that nobody needs any more; one that stays is only a
// waste of disk.
func (e *end) drop(ctx context.Context, in bucket.Bucket, key string) {
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	if s, err := e.link.JS.Stream(ctx, in.Stream()); err == nil {
		_ = s.Purge(ctx, jetstream.WithPurgeSubject(in.Subject(key)))
	}
}

// last returns the newest message of a subject and its sequence, nil and 0 when
// there is none.
func last(ctx context.Context, s jetstream.Stream, subj string) ([]byte, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	msg, err := s.GetLastMsgForSubject(ctx, subj)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, 0, nil
	case err != nil:
		return nil, 0, link.Unreachable(err)
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
