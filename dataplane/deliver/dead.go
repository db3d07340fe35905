package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"weir/dataplane/delivery"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// goneRecord is the DEAD record that says that redriven items left DEAD.
func goneRecord(items []item) *record {
	r := &record{kind: kindGone}
	for _, it := range items {
		if it.stage == delivery.FromDead {
			r.items = append(r.items, goneItem(it))
		}
	}
	return r
}

// goneItem is what remains of an item that left DEAD: no event.
func goneItem(it item) item {
	e := it.d.Event
	g := item{stage: delivery.FromDead, from: it.from}
	g.d.Ref = it.d.Ref
	g.d.Event.Workspace, g.d.Event.Source = e.Workspace, e.Source
	return g
}

// graves is what a pass over one destination's DEAD records found.
type graves struct {
	items  map[uint64]int              // of every record with deliveries, how many
	gone   map[delivery.Place]struct{} // of these records, what left
	marks  map[uint64][]uint64         // records that say so, and which records they speak of
	booked map[uint64]struct{}         // of marks, those that are settlements
}

// survey reads which dead letters of dest are still there.
func (l *Lanes) survey(ctx context.Context, dest id.Destination) (*graves, error) {
	told := l.dead.told.Load()
	g := &graves{items: map[uint64]int{}, gone: map[delivery.Place]struct{}{}, marks: map[uint64][]uint64{}, booked: map[uint64]struct{}{}}
	for rec, err := range l.cfg.Dead.ReadTo(ctx, 1, string(dest)) {
		if err != nil {
			return nil, fmt.Errorf("read dead letters of %s: %w", dest, err)
		}
		if rec.Seq > told {
			break // written, but not reported yet: it is not dead before
		}
		r, err := decode(dest, rec.Data)
		if err != nil {
			continue
		}
		switch r.kind {
		case kindDead:
			g.items[rec.Seq] = len(r.items)
		case kindGone:
			g.marks[rec.Seq] = nil
			for _, it := range r.items {
				if _, there := g.items[it.from.Seq]; there {
					g.gone[it.from] = struct{}{}
					g.marks[rec.Seq] = append(g.marks[rec.Seq], it.from.Seq)
				}
			}
			if r.discarded {
				g.booked[rec.Seq] = struct{}{}
			}
		}
	}
	return g, ctx.Err()
}

// letters calls fn for each record of dest with the dead letters that f selects
// and that are still there, from number from on.
func (l *Lanes) letters(ctx context.Context, f Filter, from uint64, fn func(rec queue.Record, all []item, chosen []int) (more bool, err error)) error {
	if f.Destination == "" {
		return fault.New(fault.Invalid, "Name the destination whose dead letters are meant.")
	}
	g, err := l.survey(ctx, f.Destination)
	if err != nil {
		return err
	}
	places := map[delivery.Place]struct{}{}
	for _, p := range f.Places {
		places[p] = struct{}{}
	}
	for rec, err := range l.cfg.Dead.ReadTo(ctx, from, string(f.Destination)) {
		if err != nil {
			return fmt.Errorf("read dead letters of %s: %w", f.Destination, err)
		}
		if _, known := g.items[rec.Seq]; !known {
			continue
		}
		r, err := decode(f.Destination, rec.Data)
		if err != nil {
			continue
		}
		var chosen []int
		for i := range r.items {
			p := delivery.Place{Seq: rec.Seq, Item: uint32(i)}
			it := &r.items[i]
			_, gone := g.gone[p]
			_, named := places[p]
			if gone || len(places) > 0 && !named || f.Code != "" && it.code != f.Code ||
				f.Workspace != "" && it.d.Event.Workspace != f.Workspace {
				continue
			}
			chosen = append(chosen, i)
		}
		if len(chosen) == 0 {
			continue
		}
		if more, err := fn(rec, r.items, chosen); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// List returns up to limit dead letters of f.Destination behind place after, in
// order of their places; the zero Place begins. fault.Invalid: no destination.
func (l *Lanes) List(ctx context.Context, f Filter, after delivery.Place, limit int) ([]DeadLetter, error) {
	var found []DeadLetter
	err := l.letters(ctx, f, max(after.Seq, 1), func(rec queue.Record, all []item, chosen []int) (bool, error) {
		for _, i := range chosen {
			p := delivery.Place{Seq: rec.Seq, Item: uint32(i)}
			if after != (delivery.Place{}) && p.Seq == after.Seq && p.Item <= after.Item {
				continue
			}
			if len(found) == limit {
				return false, nil
			}
			it := &all[i]
			found = append(found, DeadLetter{Place: p, Delivery: it.d, Code: it.code, Status: it.status, Detail: it.detail, At: rec.At})
		}
		return len(found) < limit, nil
	})
	return found, err
}

// Redrive moves the selected dead letters of f.Destination to PARKED, from
// where they are delivered in the order of their places; it returns how many.
// Each is reported as Settled{FromDead, EndParked}. fault.Invalid: no
// destination. fault.Unavailable: the lanes stopped before all were moved.
func (l *Lanes) Redrive(ctx context.Context, f Filter) (moved int, err error) {
	if err := acquire(ctx, l.moving); err != nil {
		return 0, err
	}
	defer func() { l.moving <- struct{}{} }()
	ln := l.lane(f.Destination)
	err = l.letters(ctx, f, 1, func(rec queue.Record, all []item, chosen []int) (bool, error) {
		if err := l.parked.room(ctx); err != nil {
			return false, err
		}
		done := make(chan struct{}, len(chosen))
		ln.mu.Lock()
		for _, i := range chosen {
			d := all[i].d
			e := &entry{
				d: d, size: sizeOf(&d), user: counterOf(&d), stage: delivery.FromDead, from: delivery.Place{Seq: rec.Seq, Item: uint32(i)},
				after: func(delivery.Place) { done <- struct{}{} },
			}
			if ln.ws == "" {
				ln.ws = d.Event.Workspace
			}
			ln.parkEntry(e)
		}
		ln.activate()
		ln.mu.Unlock()
		for range chosen { // also when ctx ends: what is on its way cannot be moved again
			select {
			case <-done:
				moved++
			case <-l.ended:
				return false, fault.New(fault.Unavailable, "The lanes stopped before all was redriven.")
			}
		}
		return true, nil
	})
	if moved > 0 {
		l.sweepLater(ln)
	}
	return moved, err
}

// Discard drops the selected dead letters of f.Destination and returns how
// many. Each is reported as Settled{FromDead, EndDropped, "discarded"}.
// fault.Invalid: no destination.
func (l *Lanes) Discard(ctx context.Context, f Filter) (discarded int, err error) {
	ln := l.lane(f.Destination)
	if err := acquire(ctx, l.moving); err != nil {
		return 0, err
	}
	defer func() { l.moving <- struct{}{} }()
	err = l.letters(ctx, f, 1, func(rec queue.Record, all []item, chosen []int) (bool, error) {
		if err := l.drop(ctx, f.Destination, rec.Seq, all, chosen, delivery.CodeDiscarded); err != nil {
			return false, err
		}
		discarded += len(chosen)
		return true, nil
	})
	if discarded > 0 {
		l.sweepLater(ln)
	}
	return discarded, err
}

// drop writes that the chosen ones of a record left DEAD, and why, and reports it.
func (l *Lanes) drop(ctx context.Context, dest id.Destination, seq uint64, all []item, chosen []int, code string) error {
	r := &record{kind: kindGone, discarded: true}
	for _, i := range chosen {
		it := all[i]
		it.stage, it.from = delivery.FromDead, delivery.Place{Seq: seq, Item: uint32(i)}
		g := goneItem(it)
		g.d.Destination, g.code = dest, code
		r.items = append(r.items, g)
	}
	return l.dead.write(ctx, dest, r, func(seq uint64) {
		settle := make([]delivery.Settled, len(r.items))
		for i := range r.items {
			settle[i] = r.settled(&r.items[i], delivery.EndDropped, delivery.Place{Seq: seq, Item: uint32(i)})
		}
		l.cfg.Settle(settle)
	})
}

// sweepLater has the lane's dead letters swept after the next confirmation.
func (l *Lanes) sweepLater(ln *lane) {
	l.purgeMu.Lock()
	defer l.purgeMu.Unlock()
	l.sweeps[ln] = struct{}{}
}

// sweep deletes records of DEAD from which everything is gone, and the records
// that only say so of deleted ones; but none that proves a settlement which the
// journal may not have. What has to stay for that is swept another time.
func (l *Lanes) sweep(ctx context.Context, ln *lane) error {
	if err := acquire(ctx, l.moving); err != nil {
		return err
	}
	defer func() { l.moving <- struct{}{} }()
	through := l.deadThrough.Load()
	g, err := l.survey(ctx, ln.id)
	if err != nil {
		l.sweepLater(ln)
		return err
	}
	left := maps.Clone(g.items)
	for p := range g.gone {
		left[p.Seq]--
	}
	var empty []uint64 // first those with deliveries, then those that say that they left
	for seq, n := range left {
		if n <= 0 && seq <= through {
			empty = append(empty, seq)
			delete(g.items, seq)
		} else if n <= 0 {
			l.sweepLater(ln)
		}
	}
	for seq, of := range g.marks {
		_, booked := g.booked[seq]
		if booked && seq > through {
			l.sweepLater(ln)
		} else if !slices.ContainsFunc(of, func(target uint64) bool { _, there := g.items[target]; return there }) {
			empty = append(empty, seq)
		}
	}
	for _, seq := range empty {
		if err := l.cfg.Dead.Delete(ctx, seq); err != nil {
			l.sweepLater(ln)
			return fmt.Errorf("delete dead letters of %s: %w", ln.id, err)
		}
	}
	return nil
}

// keepDamaged copies a PARKED record that cannot be read to DEAD, where it is
// kept for a person, and raises the alarm.
func (l *Lanes) keepDamaged(ctx context.Context, ln *lane, rec queue.Record) error {
	l.cfg.Log.ErrorContext(ctx, "parked record damaged; kept in DEAD", "destination", ln.id, "seq", rec.Seq)
	return l.dead.write(ctx, ln.id, &record{kind: kindDamaged, damaged: rec.Data}, func(uint64) {})
}
