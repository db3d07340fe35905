package link

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
	"weir/shared/wire/bucket"
)

// Times of a follower.
const (
	pullExpiry    = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	pullMessages  = 16 // waiting in memory; one may have several MiB
	resync        = 10 * time.Minute
)

// errEnough says that the taker wants no more.
var errEnough = errors.New("enough")

// Follower gives all current entries below a filter, then each change. Nobody
// acknowledges, so what was on the way when a link died is lost: after every
// loss of the link, and now and then anyway, it begins anew with all current
// entries. Whoever takes them takes them idempotently.
type Follower struct {
	Link   *Link
	Bucket bucket.Bucket
	Filter string // of keys
	Name   string // of the consumer; empty when any will do
}

// Entry is an entry of a bucket.
type Entry struct {
	Key   []string // split at its dots
	Value []byte
	At    time.Time // when the hub took it, by the hub's clock
	Seq   uint64    // its place in the bucket's stream
}

// Run calls take for each entry until ctx ends or take returns false (then the
// error is nil), or the link is closed (fault.Unavailable). A hub that is away,
// or has no such bucket yet, is waited for.
func (f Follower) Run(ctx context.Context, take func(Entry) bool) error {
	for failures := 0; ; failures++ {
		round, cancel := context.WithTimeout(ctx, resync)
		forget := f.Link.OnUp(cancel)
		got, err := f.round(round, take)
		forget()
		cancel()
		switch {
		case errors.Is(err, errEnough) || ctx.Err() != nil:
			return nil
		case f.Link.Conn.IsClosed():
			return fault.New(fault.Unavailable, "The connection to the hub was closed.")
		}
		if got {
			failures = 0
		}
		if f.Link.Up() && round.Err() != nil {
			continue // the link came back, or it is time to look again
		}
		f.Link.Pause(ctx, Backoff(failures))
	}
}

// round makes a consumer and reads it until something goes wrong. got says
// whether it got anything.
func (f Follower) round(ctx context.Context, take func(Entry) bool) (got bool, err error) {
	if !f.Link.Up() {
		return false, fault.New(fault.Unavailable, "The hub is away.")
	}
	stream := f.Bucket.Stream()
	if f.Name != "" {
		f.remove(ctx, stream, f.Name) // what it had sent to a dead link is lost
	}
	call, cancel := context.WithTimeout(ctx, CallDeadline)
	defer cancel()
	c, err := f.Link.JS.CreateConsumer(call, stream, jetstream.ConsumerConfig{
		Name:              f.Name,
		FilterSubject:     f.Bucket.Subject(f.Filter),
		DeliverPolicy:     jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return false, Unreachable(err)
	}
	defer f.remove(context.WithoutCancel(ctx), stream, c.CachedInfo().Name)
	it, err := c.Messages(jetstream.PullMaxMessages(pullMessages), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return false, Unreachable(err)
	}
	defer it.Stop()
	for {
		msg, err := it.Next(jetstream.NextContext(ctx))
		if err != nil {
			return got, Unreachable(err)
		}
		got = true
		if msg.Headers().Get("KV-Operation") != "" {
			continue // a removal; absence changes nothing
		}
		meta, err := msg.Metadata()
		if err != nil {
			return got, Unreachable(err)
		}
		if !take(Entry{Key: f.Bucket.Key(msg.Subject()), Value: msg.Data(), At: meta.Timestamp, Seq: meta.Sequence.Stream}) {
			return got, errEnough
		}
	}
}

// remove deletes a consumer if it is there; when that fails, the hub does it
// itself after a minute of silence.
func (f Follower) remove(ctx context.Context, stream, name string) {
	if !f.Link.Up() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = f.Link.JS.DeleteConsumer(ctx, stream, name)
}
