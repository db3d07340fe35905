package link

import (
	"context"
	"errors"
	"time"

	"weir/shared/fault"
	"weir/shared/wire/bucket"
)

// resync is after how long a follower looks at all entries again.
const resync = 10 * time.Minute

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
	// Shared is the subject to which the consumer sends. Followers of one Name and
	// Shared each get every entry, and may be in several processes; when one begins
	// anew, all of them get all current entries again. Empty: Name has this follower
	// alone, and its entries may have several MiB.
	Shared string
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
	m, err := f.open(ctx)
	if err != nil {
		return false, Unreachable(err)
	}
	defer m.stop()
	for {
		msg, err := m.next(ctx)
		if err != nil {
			return got, Unreachable(err)
		}
		got = true
		if msg.header.Get("KV-Operation") != "" {
			continue // a removal; absence changes nothing
		}
		if !take(Entry{Key: f.Bucket.Key(msg.subject), Value: msg.data, At: msg.at, Seq: msg.seq}) {
			return got, errEnough
		}
	}
}

// remove deletes a consumer if it is there; when that fails, the hub does it
// itself after a minute of silence.
func (f Follower) remove(ctx context.Context, name string) {
	if !f.Link.Up() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = f.Link.JS.DeleteConsumer(ctx, f.Bucket.Stream(), name)
}
