package backlog

import (
	"context"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/parked"
	"weir/shared/fault"
)

// Tick starts the reader when there is something to read. usable: the lane can do
// something with it. The lane calls it now and then, and after Wrote.
func (b *Backlog) Tick(now time.Time, usable bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.reading && b.stuck(now):
		b.wake()
	case !b.reading && !b.laterAt.IsZero() && !now.Before(b.laterAt):
		b.again, b.unread = true, true
	}
	if b.unread && !b.reading && (usable || b.unknown) && !now.Before(b.readAt) {
		b.reading = b.cfg.Spawn(b.read)
	}
}

// read feeds the lane from PARKED until it has read everything.
func (b *Backlog) read(ctx context.Context) {
	defer context.AfterFunc(ctx, b.Wake)()
	for {
		b.mu.Lock()
		from, to, pass := b.cursor, b.acked, b.again
		if pass {
			from, b.again, b.laterAt = b.floor+1, false, time.Time{}
			clear(b.skipped)
		}
		b.unread = false
		b.mu.Unlock()
		err := b.readFrom(ctx, from, to)
		b.mu.Lock()
		if err != nil && ctx.Err() == nil {
			b.cfg.Log.WarnContext(ctx, "parked deliveries could not be read", "destination", b.cfg.Destination, "kind", fault.KindOf(err).String())
			b.unread, b.again, b.readAt = true, b.again || pass, time.Now().Add(time.Second)
		}
		if err == nil && ctx.Err() == nil && !b.again && b.unknown && b.cursor <= b.through {
			b.cursor = b.through + 1 // nothing of this destination is between
		}
		if b.cursor > b.through {
			b.unknown = false
		}
		if err != nil || ctx.Err() != nil || !b.unread && !b.again {
			b.reading = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
	}
}

// readFrom feeds the records that are there now. Those behind to are not reported
// yet; Wrote has them read.
func (b *Backlog) readFrom(ctx context.Context, from, to uint64) error {
	for rec, err := range b.cfg.Read(ctx, from, to) {
		if err != nil {
			return err
		}
		if !b.feed(ctx, &rec) {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// feed feeds what is not settled of a record, as room allows. It returns false
// when ctx ended, or this pass.
func (b *Backlog) feed(ctx context.Context, r *parked.Record) bool {
	if known, goOn := b.open(ctx, r); !known {
		return goOn
	}
	for i := range r.Items {
		for !b.cfg.Feed(&r.Items[i], delivery.Place{Seq: r.Seq, Item: uint32(i)}) {
			b.mu.Lock()
			for b.changes == b.waits && ctx.Err() == nil {
				b.changed.Wait()
			}
			b.mu.Unlock()
			if ctx.Err() != nil {
				return false
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lift()
	return true
}

// open remembers a record that is read for the first time, once there is room. It
// is not known when it was settled since the log gave it, and goOn is true, or when
// ctx ended, or what was evicted has to be read again first.
func (b *Backlog) open(ctx context.Context, r *parked.Record) (known, goOn bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spanOf(r.Seq) != nil {
		return true, true
	}
	if r.Seq <= b.floor {
		return false, true
	}
	for b.spanned > 0 && b.spanned+len(r.Items) > b.cfg.Span && ctx.Err() == nil {
		if b.stuck(time.Now()) {
			b.again = true
			return false, false
		}
		b.changed.Wait()
	}
	if ctx.Err() != nil {
		return false, false
	}
	s := b.addSpan(r.Seq, len(r.Items), r.At)
	for i := range r.Items {
		p := delivery.Place{Seq: r.Seq, Item: uint32(i)}
		if _, ok := b.done[p]; ok {
			delete(b.done, p)
			s.at[i] = settled
			s.left--
		} else if r.Seq <= b.through { // an earlier owner's; ours were counted when they were parked
			b.count(Counter(&r.Items[i].Delivery), 1)
		}
	}
	b.cursor = max(b.cursor, r.Seq+1)
	if b.cursor > b.through {
		b.unknown = false
	}
	return true, true
}

// stuck reports whether a reader without room for further records gets none by
// waiting, or has waited long enough: what was evicted holds it.
func (b *Backlog) stuck(now time.Time) bool {
	return !b.laterAt.IsZero() && (b.window == 0 || !now.Before(b.laterAt))
}
