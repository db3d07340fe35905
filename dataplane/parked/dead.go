package parked

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/shared/fault"
	"weir/shared/id"
)

// Filter selects dead letters. Empty fields select all.
type Filter struct {
	Workspace   id.Workspace
	Destination id.Destination // required
	Code        string
	Places      []delivery.Place
}

// DeadLetter is one delivery that its destination will never take by itself.
type DeadLetter struct {
	delivery.Place
	Delivery delivery.Delivery // its Read is zero
	Code     string
	Status   int    // of the answer, 0 when there was none
	Detail   string // local to the plane: may hold a vendor's text
	At       time.Time
}

// goneItem is what remains of an item that left DEAD: no event.
func goneItem(it *Item) Item {
	e := &it.Delivery.Event
	g := Item{Stage: delivery.FromDead, From: it.From}
	g.Delivery.Ref = it.Delivery.Ref
	g.Delivery.Event.Workspace, g.Delivery.Event.Source = e.Workspace, e.Source
	return g
}

// deadIndex is what a pass over one destination's DEAD records found.
type deadIndex struct {
	items   map[uint64]int              // of every record with deliveries, how many
	gone    map[delivery.Place]struct{} // of these records, what left
	marks   map[uint64][]uint64         // records that say so, and which records they speak of
	settles map[uint64]struct{}         // of marks, those that are settlements
}

// index reads which dead letters of dest are still there.
func (s *Store) index(ctx context.Context, dest id.Destination) (*deadIndex, error) {
	reported := s.dead.reported.Load()
	x := &deadIndex{items: map[uint64]int{}, gone: map[delivery.Place]struct{}{}, marks: map[uint64][]uint64{}, settles: map[uint64]struct{}{}}
	for rec, err := range s.cfg.Dead.ReadTo(ctx, 1, string(dest)) {
		if err != nil {
			return nil, fmt.Errorf("read dead letters of %s: %w", dest, err)
		}
		if rec.Seq > reported {
			break // written, but not reported yet: it is not dead before
		}
		r, err := decode(rec)
		if err != nil {
			continue
		}
		switch r.kind {
		case kindDead:
			x.items[rec.Seq] = len(r.Items)
		case kindGone:
			x.marks[rec.Seq] = nil
			for i := range r.Items {
				from := r.Items[i].From
				if _, there := x.items[from.Seq]; there {
					x.gone[from] = struct{}{}
					x.marks[rec.Seq] = append(x.marks[rec.Seq], from.Seq)
				}
			}
			if r.discarded {
				x.settles[rec.Seq] = struct{}{}
			}
		}
	}
	return x, ctx.Err()
}

// letters calls fn for each record of dest with the dead letters that f selects
// and that are still there, by their indexes, from number from on.
func (s *Store) letters(ctx context.Context, f Filter, from uint64, fn func(r *Record, chosen []int) (more bool, err error)) error {
	if f.Destination == "" {
		return fault.New(fault.Invalid, "Name the destination whose dead letters are meant.")
	}
	if err := s.serving(); err != nil {
		return err
	}
	x, err := s.index(ctx, f.Destination)
	if err != nil {
		return err
	}
	places := map[delivery.Place]struct{}{}
	for _, p := range f.Places {
		places[p] = struct{}{}
	}
	for rec, err := range s.cfg.Dead.ReadTo(ctx, from, string(f.Destination)) {
		if err != nil {
			return fmt.Errorf("read dead letters of %s: %w", f.Destination, err)
		}
		if _, known := x.items[rec.Seq]; !known {
			continue
		}
		r, err := decode(rec)
		if err != nil {
			continue
		}
		var chosen []int
		for i := range r.Items {
			p := delivery.Place{Seq: rec.Seq, Item: uint32(i)}
			it := &r.Items[i]
			_, gone := x.gone[p]
			_, named := places[p]
			if gone || len(places) > 0 && !named || f.Code != "" && it.Code != f.Code ||
				f.Workspace != "" && it.Delivery.Event.Workspace != f.Workspace {
				continue
			}
			chosen = append(chosen, i)
		}
		if len(chosen) == 0 {
			continue
		}
		if more, err := fn(&r.Record, chosen); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

// List returns up to limit dead letters of f.Destination behind place after, in
// order of their places; the zero Place begins. fault.Invalid: no destination.
// fault.Unavailable: the partition does not run here.
func (s *Store) List(ctx context.Context, f Filter, after delivery.Place, limit int) ([]DeadLetter, error) {
	var found []DeadLetter
	err := s.letters(ctx, f, max(after.Seq, 1), func(r *Record, chosen []int) (bool, error) {
		for _, i := range chosen {
			p := delivery.Place{Seq: r.Seq, Item: uint32(i)}
			if after != (delivery.Place{}) && p.Seq == after.Seq && p.Item <= after.Item {
				continue
			}
			if len(found) == limit {
				return false, nil
			}
			it := &r.Items[i]
			found = append(found, DeadLetter{Place: p, Delivery: it.Delivery, Code: it.Code, Status: it.Status, Detail: it.Detail, At: r.At})
		}
		return len(found) < limit, nil
	})
	return found, err
}

// move calls fn, one move at a time, for each record with dead letters that f
// selects; fn returns how many it moved, and move how many those were.
func (s *Store) move(ctx context.Context, f Filter, fn func(r *Record, chosen []int) (int, error)) (moved int, err error) {
	if err := s.moving.Acquire(ctx, 1); err != nil {
		return 0, err
	}
	defer s.moving.Release(1)
	err = s.letters(ctx, f, 1, func(r *Record, chosen []int) (bool, error) {
		n, err := fn(r, chosen)
		moved += n
		return err == nil, err
	})
	if moved > 0 {
		s.sweepLater(f.Destination)
	}
	return moved, err
}

// Redrive moves the selected dead letters of f.Destination to PARKED, from where
// they are delivered in the order of their places; it returns how many. Each is
// reported as Settled{FromDead, EndParked}. fault.Invalid: no destination.
// fault.Unavailable: the partition does not run here, or stopped before all were moved.
func (s *Store) Redrive(ctx context.Context, f Filter) (moved int, err error) {
	return s.move(ctx, f, func(r *Record, chosen []int) (n int, err error) {
		if err := s.parked.room(ctx); err != nil {
			return 0, err
		}
		done := make(chan struct{}, len(chosen))
		s.mu.Lock()
		s.redriven = done
		s.mu.Unlock()
		items := make([]Item, len(chosen))
		for j, i := range chosen {
			items[j] = Item{Delivery: r.Items[i].Delivery, Stage: delivery.FromDead, From: delivery.Place{Seq: r.Seq, Item: uint32(i)}}
		}
		s.cfg.Lane(f.Destination).Redrive(items)
		for range chosen { // also when ctx ends: what is on its way cannot be moved again
			select {
			case <-done:
				n++
			case <-s.ended:
				return n, fault.New(fault.Unavailable, "The partition stopped before all was redriven.")
			}
		}
		return n, nil
	})
}

// Discard drops the selected dead letters of f.Destination and returns how
// many. Each is reported as Settled{FromDead, EndDropped, "discarded"}.
// fault.Invalid: no destination. fault.Unavailable: the partition does not run here.
func (s *Store) Discard(ctx context.Context, f Filter) (discarded int, err error) {
	return s.move(ctx, f, func(r *Record, chosen []int) (int, error) {
		if err := s.drop(ctx, f.Destination, r, chosen, delivery.CodeDiscarded); err != nil {
			return 0, err
		}
		return len(chosen), nil
	})
}

// drop writes that the chosen ones of a record left DEAD, and why, and reports it.
func (s *Store) drop(ctx context.Context, dest id.Destination, from *Record, chosen []int, code string) error {
	r := record{kind: kindGone, discarded: true}
	for _, i := range chosen {
		it := from.Items[i]
		it.From = delivery.Place{Seq: from.Seq, Item: uint32(i)}
		g := goneItem(&it)
		g.Delivery.Destination, g.Code = dest, code
		r.Items = append(r.Items, g)
	}
	return s.dead.write(ctx, dest, &r, func(seq uint64) {
		settled := make([]delivery.Settled, len(r.Items))
		for i := range r.Items {
			settled[i] = r.Items[i].settled(delivery.EndDropped, delivery.Place{Seq: seq, Item: uint32(i)})
		}
		s.cfg.Settle(settled)
	})
}
