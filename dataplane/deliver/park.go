package deliver

import (
	"context"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/live"
	"weir/dataplane/parked"
	"weir/shared/id"
)

// Destination implements parked.Lane, as the methods after it do.
func (ln *lane) Destination() id.Destination { return ln.id }

// Item implements parked.Entry.
func (e *entry) Item() parked.Item {
	return parked.Item{Delivery: e.d, Stage: e.stage, From: e.from}
}

// Size implements parked.Entry.
func (e *entry) Size() int64 { return e.size }

// refused is a delivery on its way into DEAD.
type refused struct {
	item parked.Item
	size int64
	user uint16
}

// refuse makes one of e, which r ended.
func refuse(e *entry, stage delivery.Stage, from delivery.Place, r result) *refused {
	return &refused{
		item: parked.Item{Delivery: e.d, Stage: stage, From: from, Code: r.code, Status: r.status, Detail: r.detail}, size: e.size, user: e.user,
	}
}

// Item implements parked.Entry.
func (r *refused) Item() parked.Item { return r.item }

// Size implements parked.Entry.
func (r *refused) Size() int64 { return r.size }

// Claim keeps those entries that were not settled while they waited.
func (ln *lane) Claim(es []parked.Entry) []parked.Entry {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	keep := make([]parked.Entry, 0, len(es))
	for _, x := range es {
		if e := x.(*entry); e.park == pending {
			e.park = writing
			keep = append(keep, e)
		}
	}
	return keep
}

// Parked lets the drain have entries that are in PARKED now, and reports what
// answers said in the meantime.
func (ln *lane) Parked(_ context.Context, es []parked.Entry, seq uint64) {
	for _, x := range es {
		ln.l.see(&x.(*entry).d, live.Deliver, live.Parked, "")
	}
	ended, dead := ln.parkedAs(es, seq, time.Now())
	if len(ended) > 0 {
		ln.l.cfg.Settle(ended)
		ln.mu.Lock()
		for i := range ended {
			p := ended[i].From
			ln.finished(p, es[p.Item].(*entry).user)
		}
		ln.mu.Unlock()
	}
	for _, e := range dead {
		ln.l.store.Bury(ln, e) // bounded by the requests in flight
	}
}

// Buried settles what was parked before it was dead.
func (ln *lane) Buried(es []parked.Entry) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for _, x := range es {
		if r := x.(*refused); r.item.Stage == delivery.FromParked {
			ln.finished(r.item.From, r.user)
		}
	}
}

// Redrive parks dead letters.
func (ln *lane) Redrive(items []parked.Item) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for i := range items {
		d := &items[i].Delivery
		if ln.ws == "" {
			ln.ws = d.Event.Workspace
		}
		ln.parkEntry(&entry{d: *d, size: sizeOf(d), user: counterOf(d), stage: items[i].Stage, from: items[i].From})
	}
	ln.activate()
}
