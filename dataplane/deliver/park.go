package deliver

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/backlog"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/keyed"
	"weir/dataplane/live"
	"weir/dataplane/outbound"
	"weir/dataplane/parked"
	"weir/shared/id"
)

// Destination implements parked.Lane, as the methods after it do.
func (ln *lane) Destination() id.Destination { return ln.id }

// Item implements parked.Entry.
func (e *entry) Item() parked.Item {
	it := parked.Item{Delivery: e.d, Stage: e.stage, From: e.from}
	if e.why != nil {
		it.Code, it.Status, it.Detail = e.why.Code, e.why.Status, e.why.Detail
	}
	return it
}

// remember takes from a parked delivery of an earlier owner why it is parked.
func (ln *lane) remember(it *parked.Item) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.refusal == nil && it.Code != "" {
		ln.refusal = &outbound.Result{Outcome: destination.Retry, Code: it.Code, Status: it.Status, Detail: it.Detail}
	}
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
func refuse(e *entry, stage delivery.Stage, from delivery.Place, r outbound.Result) *refused {
	return &refused{
		item: parked.Item{Delivery: e.d, Stage: stage, From: from, Code: r.Code, Status: r.Status, Detail: r.Detail}, size: e.size, user: e.user,
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

// Parked lets the backlog have entries that are in PARKED now, and reports what
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

// parkedAs notes that entries are durable in record seq; it was reported.
func (ln *lane) parkedAs(es []parked.Entry, seq uint64, now time.Time) (settle []delivery.Settled, dead []*refused) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.activate()
	direct := ln.backlog.Wrote(seq, len(es), ln.circuit.Open())
	for i, x := range es {
		e := x.(*entry)
		e.place, e.park = delivery.Place{Seq: seq, Item: uint32(i)}, written
		switch {
		case e.end.Final():
			ln.ending[e.place] = struct{}{}
			s, d := ln.endParked(e)
			settle, dead = append(settle, s...), append(dead, d...)
		case e.sending:
			ln.awaiting[e.place] = e
			fallthrough
		default:
			if direct {
				ln.backlog.Enter(e.place, e.size)
				ln.drain(&entry{d: e.d, user: e.user, attempt: e.attempt, size: e.size, from: e.place}, now)
			}
		}
	}
	ln.backlog.Tick(now, ln.usable())
	return settle, dead
}

// endParked turns the final answer to a parked entry into a settlement or, when
// it is dead, an entry for DEAD.
func (ln *lane) endParked(e *entry) ([]delivery.Settled, []*refused) {
	if e.end.Outcome == destination.Dead {
		return nil, []*refused{refuse(e, delivery.FromParked, e.place, e.end)}
	}
	end := delivery.EndDelivered
	if e.end.Outcome == destination.Dropped {
		end = delivery.EndDropped
	}
	return []delivery.Settled{e.d.Settlement(delivery.FromParked, e.place, end, e.end.Code)}, nil
}

// finished notes that the parked delivery at p is settled and reported.
func (ln *lane) finished(p delivery.Place, user uint16) {
	delete(ln.ending, p)
	ln.backlog.Done(p, user)
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
		ln.see(d.Event.Workspace)
		ln.parkEntry(&entry{d: *d, size: sizeOf(d), user: backlog.Counter(d), stage: items[i].Stage, from: items[i].From})
	}
	ln.activate()
}

// Settled implements parked.Lane.
func (ln *lane) Settled() (uint64, map[delivery.Place]struct{}) { return ln.backlog.Settled() }

// Drop implements parked.Lane.
func (ln *lane) Drop(all []delivery.Delivery, at []delivery.Place, code string) (dropped, busy int) {
	ln.mu.Lock()
	now, read := time.Now(), map[delivery.Place]*entry{}
	ln.parked.Each(func(_ *keyed.Chain[*entry], e *entry) {
		if !e.gone {
			read[e.from] = e
		}
	})
	settle, users := []delivery.Settled(nil), []uint16(nil)
	for i, p := range at {
		waits, in := ln.backlog.Waits(p)
		if _, ends := ln.ending[p]; ends || !waits {
			continue
		}
		e := read[p]
		if ln.awaiting[p] != nil || in && (e == nil || e.sending) {
			busy++
			continue
		}
		if e != nil {
			ln.leaveWindow(e)
			ln.parked.Remove(e.chain, e, now)
		}
		ln.ending[p] = struct{}{} // it is not read back
		settle, users = append(settle, all[i].Settlement(delivery.FromParked, p, delivery.EndDropped, code)), append(users, backlog.Counter(&all[i]))
	}
	ln.mu.Unlock()
	if len(settle) == 0 {
		return 0, busy
	}
	ln.l.cfg.Settle(settle)
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for i := range settle {
		delete(ln.ending, settle[i].From)
		ln.backlog.Drop(settle[i].From, users[i])
	}
	ln.activate() // so that the floor is reported
	return len(settle), busy
}

// usable reports whether something can be done with what is parked.
func (ln *lane) usable() bool {
	return ln.presence == destination.Removed || ln.presence == destination.Present && !ln.target.Disabled || ln.ws == ""
}

// feed takes a parked delivery that was read; false: there is no room.
func (ln *lane) feed(it *parked.Item, p delivery.Place) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.see(it.Delivery.Event.Workspace) {
		ln.look()
	}
	if _, ends := ln.ending[p]; ends {
		return true // it ended while it was parked, or after: it is settled as soon as that is reported
	}
	e := &entry{d: it.Delivery, user: backlog.Counter(&it.Delivery), size: sizeOf(&it.Delivery), from: p}
	for {
		switch ln.backlog.Admit(p, e.size, e.user, ln.ordered(e), ln.circuit.Open()) {
		case backlog.Admitted:
			ln.drain(e, time.Now())
			return true
		case backlog.Unwanted:
			return true
		case backlog.Full:
			if !ln.evict() {
				return false
			}
		}
	}
}

// drain puts a parked delivery that is in memory into its chain.
func (ln *lane) drain(e *entry, now time.Time) {
	ln.seen++
	e.n, e.stage = ln.seen, delivery.FromParked
	if ln.awaiting[e.from] != nil {
		e.hold = true
		ln.held[e.from] = e
	}
	e.chain = ln.parked.Push(e, e.user, ln.ordered(e), now)
	ln.staff()
}

// leaveWindow gives e's memory back.
func (ln *lane) leaveWindow(e *entry) {
	e.gone = true
	ln.backlog.Leave(e.size)
}

// evict sends chains out of memory that failed at least three times while the
// destination takes other things. It reports whether it made room.
func (ln *lane) evict() bool {
	if ln.circuit.Open() || !ln.backlog.Crowded() {
		return false
	}
	return ln.parked.Evict(func(es []*entry) bool {
		return es[0].attempt >= 3 && !slices.ContainsFunc(es, (*entry).Held)
	}, func(e *entry, ordered bool) {
		e.gone = true
		ln.backlog.Evict(e.from, e.size, e.user, ordered)
	})
}
