// Package edge is the data plane's end of the road between the planes.
package edge

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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

// Config is how a plane reaches the hub. Files, Log and Alarm may be absent.
type Config struct {
	Address     string           // nats://host:port or tls://host:port of the hub
	Files       access.Files     // with TLS, and for a user other than Credentials
	Credentials wire.Credentials // the seed was made on this plane, the JWT came with enrolment
	Plane       id.Plane
	Region      string
	ControlKey  ed25519.PublicKey  // signs pointers and secrets
	Identity    ed25519.PrivateKey // signs this plane's acks and beats
	Sealing     secret.PrivateKey  // opens bodies
	// Alarm hears of everything that was refused. It must not block.
	Alarm func(wire.Code)
	Log   *slog.Logger
}

// Edge is the data plane's end. It dials out and never gives up; a hub that is
// away makes calls fail with fault.Unavailable and changes nothing else. It is
// safe for concurrent use, except that Pointers is run once at a time.
type Edge struct {
	cfg   Config
	log   *slog.Logger
	link  *link.Link
	heard atomic.Int64 // unix nanoseconds
	asked atomic.Uint64
	said  atomic.Int64 // unix nanoseconds: that the hub does not admit this plane

	mu   sync.Mutex
	seen map[id.Workspace]wire.Pointer // the newest given out since the start
}

// Dial begins to connect; it does not wait until the hub is reached. The caller
// closes the Edge. fault.Invalid: cfg is not whole.
func Dial(cfg Config) (*Edge, error) {
	if cfg.Address == "" || !id.Valid(cfg.Plane) || !workspace.ValidRegion(cfg.Region) ||
		len(cfg.ControlKey) != ed25519.PublicKeySize || len(cfg.Identity) != ed25519.PrivateKeySize {
		return nil, fault.New(fault.Invalid, "A plane reaches the hub with an address, its name and region, the control plane's key and its own.")
	}
	e := &Edge{cfg: cfg, log: cfg.Log, seen: map[id.Workspace]wire.Pointer{}}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	var err error
	e.link, err = link.Connect(link.Config{
		Address: cfg.Address, Credentials: cfg.Credentials, Inbox: bucket.Inbox(cfg.Plane), Name: "weir plane " + string(cfg.Plane),
		Files: cfg.Files, Log: e.log, Denied: func() { e.alarm(wire.HubDenied, "") }, Refused: e.refused,
	})
	if err != nil {
		return nil, fmt.Errorf("dial the hub: %w", err)
	}
	return e, nil
}

// refusedEvery is how often a plane says that the hub does not admit it.
const refusedEvery = time.Minute

// refused says that the hub does not admit this plane, now and then.
func (e *Edge) refused() {
	now, said := time.Now().UnixNano(), e.said.Load()
	if now-said < int64(refusedEvery) || !e.said.CompareAndSwap(said, now) {
		return
	}
	e.log.Error("The hub does not admit this plane any more: it was removed from its control plane, or its admission is over. "+
		"It goes on with what it runs. To come back it joins anew, in an empty data directory: weir plane invite, weir dataplane join.", "plane", e.cfg.Plane)
}

// Close ends the connection; calls under way fail.
func (e *Edge) Close() { e.link.Conn.Close() }

// Connected reports whether the hub can be reached at the moment.
func (e *Edge) Connected() bool { return e.link.Up() }

// Heard returns when something last came from the control end on Pointers; its
// heartbeat comes every few seconds. Zero: never since the start.
func (e *Edge) Heard() time.Time {
	if n := e.heard.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Asked returns the newest ask that was heard on Pointers, 0 for none. A beat that is
// wanted by it is made after it was read here, and names it.
func (e *Edge) Asked() uint64 { return e.asked.Load() }

func (e *Edge) alarm(c wire.Code, ws id.Workspace) {
	e.log.Warn("message of the hub refused", "code", string(c), "workspace", string(ws))
	if e.cfg.Alarm != nil {
		e.cfg.Alarm(c)
	}
}

// Pointers gives all current pointers of this plane, then each change, to every
// process of the plane. After a loss of the connection, when another process begins,
// and every few minutes, all current ones come again: take them idempotently. Each is verified: signed by the control plane, for
// this plane, region and the workspace under whose key it lies, and not older
// than one given out before; what is not is alarmed and left out. Entries that
// vanish are not reported: absence changes nothing. The sequence ends with ctx,
// or with an error when the Edge is closed.
func (e *Edge) Pointers(ctx context.Context) iter.Seq2[wire.Pointer, error] {
	return func(yield func(wire.Pointer, error) bool) {
		f := link.Follower{Link: e.link, Bucket: bucket.Pointers, Filter: string(e.cfg.Plane) + ".>", Name: string(e.cfg.Plane), Shared: bucket.Inbox(e.cfg.Plane) + ".pointers"}
		err := f.Run(ctx, func(entry link.Entry) bool {
			key := entry.Key
			e.heard.Store(time.Now().UnixNano())
			if len(key) == 3 && key[1]+"."+key[2] == bucket.Heartbeat {
				var beat wire.Heartbeat
				if json.Unmarshal(entry.Value, &beat) == nil && beat.Ask != 0 { // an empty one asks nothing
					e.asked.Store(beat.Ask)
				}
				return true
			}
			p, code := e.judge(key, entry.Value)
			if code != "" {
				e.alarm(code, p.Workspace)
				return true
			}
			return yield(p, nil)
		})
		if err != nil {
			yield(wire.Pointer{}, err)
		}
	}
}

// judge verifies an entry of POINTERS. code is empty for a good one.
func (e *Edge) judge(key []string, value []byte) (p wire.Pointer, code wire.Code) {
	switch envelope.Open(e.cfg.ControlKey, envelope.Pointer, value, &p) {
	case envelope.Genuine:
	case envelope.Foreign:
		return wire.Pointer{}, wire.PointerForeign
	case envelope.Garbled:
		return wire.Pointer{}, wire.PointerTooNew // signed by the control plane, so it means something
	default:
		return wire.Pointer{}, wire.PointerUnsigned
	}
	if p.Format > wire.Version {
		return wire.Pointer{}, wire.PointerTooNew
	}
	if len(key) != 2 || p.Plane != e.cfg.Plane || key[0] != string(p.Plane) || key[1] != string(p.Workspace) || p.Region != e.cfg.Region {
		return wire.Pointer{}, wire.PointerForeign
	}
	if p.Check() != nil {
		return wire.Pointer{}, wire.PointerTooNew
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.seen[p.Workspace]
	if p.Number < old.Number || p.Number == old.Number && (p.Digest != old.Digest || p.Tombstone != old.Tombstone) {
		return p, wire.PointerStale
	}
	e.seen[p.Workspace] = p
	return p, ""
}

// Body returns the encoded configuration of ws that has digest d.
//
// fault.Missing: it is not on the hub, or not yet. fault.Invalid: what is there
// is not sealed to this plane or has another digest (alarmed). fault.Unavailable:
// the hub is away.
func (e *Edge) Body(ctx context.Context, ws id.Workspace, d workspace.Digest) ([]byte, error) {
	if !id.Valid(ws) || !d.Valid() {
		return nil, fault.New(fault.Invalid, "A body is asked for by workspace and digest.")
	}
	sealed, err := e.link.Read(ctx, bucket.Bodies, bucket.BodyKey(e.cfg.Plane, d))
	if err != nil {
		return nil, fmt.Errorf("read body of %s: %w", ws, err)
	}
	body, err := envelope.OpenBody(e.cfg.Sealing, ws, d, sealed)
	if err == nil && workspace.DigestOf(body) != d {
		err = fault.New(fault.Invalid, "The body does not have the digest of its pointer.")
	}
	if err != nil {
		e.alarm(wire.BodyDamaged, ws)
		return nil, fmt.Errorf("open body of %s: %w", ws, err)
	}
	return body, nil
}

// Secret returns a sealed secret as its owner sealed it; secret.Open opens it.
//
// fault.Missing: it is not on the hub, or not yet. fault.Invalid: it was not
// brought there by the control plane under this name (alarmed).
// fault.Unavailable: the hub is away.
func (e *Edge) Secret(ctx context.Context, n secret.Name) (secret.Sealed, error) {
	if !n.Valid() {
		return nil, fault.New(fault.Invalid, "A secret is asked for by workspace, source or destination, field and version.")
	}
	data, err := e.link.Read(ctx, bucket.Secrets, bucket.SecretKey(e.cfg.Plane, n))
	if err != nil {
		return nil, fmt.Errorf("read secret %s of %s: %w", n.Field, n.Object, err)
	}
	var got wire.SealedSecret
	if envelope.Open(e.cfg.ControlKey, envelope.Secret, data, &got) != envelope.Genuine || got.Name != n {
		e.alarm(wire.SecretDamaged, n.Workspace)
		return nil, fault.New(fault.Invalid, "The secret %s of %s was not brought to the hub by the control plane.", n.Field, n.Object)
	}
	return got.Sealed, nil
}

// Ack tells what this plane made of a pointer. It is signed; Format, Plane and
// a zero At are filled in, a code that is not declared goes up as undeclared.
// fault.Invalid: a is not whole.
func (e *Edge) Ack(ctx context.Context, a wire.Ack) error {
	a.Plane = e.cfg.Plane
	if a.At.IsZero() {
		a.At = time.Now().UTC()
	}
	a, replaced := a.Cleaned()
	e.undeclared(replaced)
	if err := a.Check(); err != nil {
		return err
	}
	data, err := envelope.Sign(e.cfg.Identity, envelope.Ack, a)
	if err != nil {
		return err
	}
	if err := e.write(ctx, bucket.Acks, bucket.PointerKey(a.Plane, a.Workspace), data); err != nil {
		return fmt.Errorf("ack revision %d of %s: %w", a.Number, a.Workspace, err)
	}
	return nil
}

// Beat tells how this plane is, under the rules of Ack. A beat that is too long
// goes up without its counts, and fault.Limited says so.
func (e *Edge) Beat(ctx context.Context, b wire.Beat) error {
	b.Plane = e.cfg.Plane
	if b.At.IsZero() {
		b.At = time.Now().UTC()
	}
	b, replaced := b.Cleaned()
	e.undeclared(replaced)
	data, tooLong, err := e.signBeat(b)
	if err != nil {
		return err
	}
	if err := e.write(ctx, bucket.Beats, string(b.Plane), data); err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	if tooLong {
		return fault.New(fault.Limited, "The beat with its %d counts is longer than %d bytes; it went up without them.", len(b.Counts), bucket.MaxBeat)
	}
	return nil
}

// signBeat signs b, without its counts when it would be too long with them.
func (e *Edge) signBeat(b wire.Beat) (data []byte, tooLong bool, err error) {
	if tooLong = len(b.Counts) > wire.MaxCounts; !tooLong {
		if err := b.Check(); err != nil {
			return nil, false, err
		}
		data, err = envelope.Sign(e.cfg.Identity, envelope.Beat, b)
		if err != nil || len(data) <= bucket.MaxBeat {
			return data, false, err
		}
	}
	b.Counts, b.Asked, b.Process = nil, 0, ""
	if err := b.Check(); err != nil {
		return nil, false, err
	}
	data, err = envelope.Sign(e.cfg.Identity, envelope.Beat, b)
	return data, true, err
}

// undeclared reports codes that were replaced: a mistake of ours.
func (e *Edge) undeclared(n int) {
	if n > 0 {
		e.log.Error("codes not declared in wire were replaced", "count", n)
	}
}

func (e *Edge) write(ctx context.Context, in bucket.Bucket, key string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	_, err := e.link.JS.Publish(ctx, in.Subject(key), data)
	return link.Unreachable(err)
}
