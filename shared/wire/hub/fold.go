package hub

import (
	"context"
	"crypto/ed25519"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/bucket"
	"weir/shared/wire/envelope"
	"weir/shared/wire/link"
)

// Acks gives the newest ack of every plane and workspace of all accounts, then
// each new one, also of accounts that come later. The same ack may come again.
// What is not signed by its plane, or says what no ack may say, is left out and
// alarmed, and removed from the hub, as is what is about a workspace that is not on
// its plane. At is when the hub took an ack, whatever its plane's clock says: of two
// acks the later one has the later At, and one that comes again has the same. A hub that is away is waited for. The sequence ends with ctx, or with
// an error when the Hub is closed.
func (h *Hub) Acks(ctx context.Context) iter.Seq2[wire.Ack, error] {
	return fold(h, ctx, bucket.Acks, "*.*", wire.AckForged, func(e link.Entry, plane ed25519.PublicKey) (wire.Ack, bool) {
		var a wire.Ack
		ok := envelope.Open(plane, envelope.Ack, e.Value, &a) == envelope.Genuine && len(e.Key) == 2 && string(a.Plane) == e.Key[0] && string(a.Workspace) == e.Key[1]
		a.At = e.At.UTC()
		return a, ok && a.Check() == nil
	}, func(a wire.Ack) bool { return h.cfg.Placed == nil || h.cfg.Placed(a.Plane, a.Workspace) })
}

// Beats gives the newest beat of every plane of all accounts, then each new
// one, under the rules of Acks.
func (h *Hub) Beats(ctx context.Context) iter.Seq2[wire.Beat, error] {
	return fold(h, ctx, bucket.Beats, "*", wire.BeatForged, func(e link.Entry, plane ed25519.PublicKey) (wire.Beat, bool) {
		var b wire.Beat
		ok := envelope.Open(plane, envelope.Beat, e.Value, &b) == envelope.Genuine && len(e.Key) == 1 && string(b.Plane) == e.Key[0]
		b.At = e.At.UTC()
		return b, ok && b.Check() == nil
	}, nil)
}

// fold merges one bucket of all accounts. What is refused or not wanted is removed,
// unless wanted is nil: then a plane has one entry, which takes nobody's room.
func fold[T any](h *Hub, ctx context.Context, in bucket.Bucket, filter string, forged wire.Code, read func(link.Entry, ed25519.PublicKey) (T, bool), wanted func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		out := make(chan T) // no buffer: a slow reader slows the hub's deliveries to it
		var group sync.WaitGroup
		defer group.Wait()
		defer cancel()
		group.Go(func() {
			h.each(ctx, func(ctx context.Context, a Account) {
				h.listen(ctx, a, in, filter, func(e link.Entry) bool {
					v, ok := verified(h, e, forged, read)
					if wanted != nil && (!ok || !wanted(v)) {
						h.remove(ctx, a, in, e)
						return true
					}
					if !ok {
						return true
					}
					select {
					case out <- v:
						return true
					case <-ctx.Done():
						return false
					}
				})
			})
			cancel()
		})
		for {
			select {
			case v := <-out:
				if !yield(v, nil) {
					return
				}
			case <-ctx.Done():
				if h.isClosed() {
					var none T
					yield(none, fault.New(fault.Unavailable, "The hub's control end was closed."))
				}
				return
			}
		}
	}
}

// verified reads one entry and alarms what its plane did not sign.
func verified[T any](h *Hub, e link.Entry, forged wire.Code, read func(link.Entry, ed25519.PublicKey) (T, bool)) (v T, ok bool) {
	p := id.Plane(e.Key[0])
	if id.Valid(p) {
		if plane, known := h.cfg.PlaneKey(p); known {
			v, ok = read(e, plane)
		}
	}
	if !ok {
		h.log.Warn("message of a plane refused", "code", string(forged), "plane", wire.Clip(e.Key[0]))
		if h.cfg.Alarm != nil {
			h.cfg.Alarm(forged, p)
		}
	}
	return v, ok
}

// remove takes an entry out of a bucket that planes share, so that one of them does
// not fill it. What is removed again later, or never, is only a waste of room.
func (h *Hub) remove(ctx context.Context, a Account, in bucket.Bucket, entry link.Entry) {
	e, err := h.end(ctx, a)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	s, err := e.link.JS.Stream(ctx, in.Stream())
	if err != nil {
		return
	}
	err = s.Purge(ctx, jetstream.WithPurgeSubject(in.Subject(strings.Join(entry.Key, "."))), jetstream.WithPurgeSequence(entry.Seq+1))
	if err != nil && ctx.Err() == nil {
		h.log.WarnContext(ctx, "refused message of a plane not removed", "plane", wire.Clip(entry.Key[0]), "error", err)
	}
}

// each runs f for every account that is or will be wanted, until ctx ends or
// the Hub is closed, and returns when all have returned.
func (h *Hub) each(ctx context.Context, f func(context.Context, Account)) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	running := map[Account]bool{}
	for {
		h.mu.Lock()
		accounts, changed, closed := slices.Collect(maps.Keys(h.wanted)), h.changed, h.closed
		h.mu.Unlock()
		if closed {
			return
		}
		for _, a := range accounts {
			if !running[a] {
				running[a] = true
				group.Go(func() { f(ctx, a) })
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// listen follows a bucket of one account until ctx ends, take returns false or
// the Hub is closed.
func (h *Hub) listen(ctx context.Context, a Account, in bucket.Bucket, filter string, take func(link.Entry) bool) {
	for failures := 0; ctx.Err() == nil && !h.isClosed(); failures++ {
		e, err := h.end(ctx, a)
		if err == nil {
			_ = link.Follower{Link: e.link, Bucket: in, Filter: filter}.Run(ctx, take) // ends with ctx, take or Close
			return
		}
		if ctx.Err() == nil {
			h.log.WarnContext(ctx, "hub account not reached", "account", a.String(), "error", err)
		}
		link.Wait(ctx, link.Backoff(failures))
	}
}

func (h *Hub) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}
