package parked

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/parked/record"
	"weir/shared/fault"
	"weir/shared/id"
)

// Filter selects dead letters. Empty fields select all.
type Filter struct {
	Workspace   id.Workspace
	Destination id.Destination // required
	Source      id.Source
	Code        string
	Places      []delivery.Place
	Before      time.Time               // they came into DEAD before it; zero: whenever
	Is          func(*event.Event) bool // of the event as it is sent, or as it was before code changed it; nil: any
	Until       time.Time               // no further ones are moved after it; zero: until none is left
	Most        int                     // so many are moved; 0: all
	// Sent is of what code made several that Retransform sent, for its next call; nil: there is none.
	Sent  map[delivery.Ref]struct{}
	Moved func(n int) // nil, or hears while others are moved that n more were
}

// is reports whether Is selects a delivery.
func (f *Filter) is(d *delivery.Delivery) bool {
	return f.Is == nil || f.Is(&d.Event) || len(d.Original) > 0 && f.Is(&event.Event{Workspace: d.Event.Workspace, Source: d.Event.Source, JSON: d.Original})
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
		r, err := record.Decode(rec)
		if err != nil {
			continue
		}
		switch r.Kind {
		case record.Dead:
			x.items[rec.Seq] = len(r.Items)
		case record.Gone:
			x.marks[rec.Seq] = nil
			for i := range r.Items {
				from := r.Items[i].From
				if _, there := x.items[from.Seq]; there {
					x.gone[from] = struct{}{}
					x.marks[rec.Seq] = append(x.marks[rec.Seq], from.Seq)
				}
			}
			if r.Settles {
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
		if _, known := x.items[rec.Seq]; !known || !f.Before.IsZero() && !rec.At.Before(f.Before) {
			continue
		}
		r, err := record.Decode(rec)
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
				f.Workspace != "" && it.Delivery.Event.Workspace != f.Workspace || f.Source != "" && it.Delivery.Event.Source != f.Source || !f.is(&it.Delivery) {
				continue
			}
			chosen = append(chosen, i)
		}
		if len(chosen) == 0 {
			continue
		}
		if more, err := fn(&r, chosen); err != nil || !more {
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

// Count returns how many dead letters f selects. fault.Invalid: no destination.
// fault.Unavailable: the partition does not run here.
func (s *Store) Count(ctx context.Context, f Filter) (n int, err error) {
	err = s.letters(ctx, f, 1, func(_ *Record, chosen []int) (bool, error) { n += len(chosen); return true, nil })
	return n, err
}

// How much of DEAD is moved at once, about.
const (
	moveLetters = 1000
	moveBytes   = record.Bytes
)

// pick is dead letters of one record, by their indexes.
type pick struct {
	rec    *Record
	chosen []int
}

// move calls fn, one move at a time, with the dead letters that f selects, many at
// once; fn returns how many it moved, and move how many those were. What says that
// they left is swept in between, so that a full log is emptied.
func (s *Store) move(ctx context.Context, f Filter, fn func([]pick) (int, error)) (moved int, err error) {
	if err := s.moving.Acquire(ctx, 1); err != nil {
		return 0, err
	}
	defer s.moving.Release(1)
	var batch []pick
	letters, bytes, unswept := 0, 0, 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		n, err := fn(batch)
		moved, unswept = moved+n, unswept+n
		if f.Moved != nil && n > 0 {
			f.Moved(n)
		}
		batch, letters, bytes = nil, 0, 0
		if unswept >= sweepLetters && err == nil {
			unswept = 0
			s.sweepNow(ctx, f.Destination)
		}
		return err
	}
	err = s.letters(ctx, f, 1, func(r *Record, chosen []int) (bool, error) {
		for len(chosen) > 0 {
			part := chosen
			if f.Most > 0 {
				part = chosen[:min(len(chosen), f.Most-moved-letters)]
			}
			chosen = chosen[len(part):]
			batch, letters = append(batch, pick{r, part}), letters+len(part)
			for _, i := range part {
				bytes += len(r.Items[i].Delivery.Event.JSON) + len(r.Items[i].Delivery.Original)
			}
			if letters < moveLetters && bytes < moveBytes && (f.Most == 0 || moved+letters < f.Most) {
				continue
			}
			if err := flush(); err != nil || f.Most > 0 && moved >= f.Most || !f.Until.IsZero() && !time.Now().Before(f.Until) {
				return false, err
			}
		}
		return true, nil
	})
	if err == nil {
		err = flush()
	}
	if moved > 0 {
		s.sweepLater(f.Destination)
		s.ask(f.Destination)
	}
	return moved, err
}

// Redrive moves the selected dead letters of f.Destination to PARKED, from where
// they are delivered in the order of their places; it returns how many. Each is
// reported as Settled{FromDead, EndParked}. fault.Invalid: no destination.
// fault.Limited: PARKED takes no more of it. fault.Unavailable: the partition does not
// run here, or stopped before all were moved.
func (s *Store) Redrive(ctx context.Context, f Filter) (moved int, err error) {
	return s.move(ctx, f, func(batch []pick) (n int, err error) {
		if err := s.parked.room(ctx); err != nil {
			return 0, err
		}
		var items []Item
		var bytes int64
		for _, p := range batch {
			for _, i := range p.chosen {
				d := p.rec.Items[i].Delivery
				items = append(items, Item{Delivery: d, Stage: delivery.FromDead, From: delivery.Place{Seq: p.rec.Seq, Item: uint32(i)}})
				bytes += int64(len(d.Event.JSON) + len(d.Original))
			}
		}
		if !s.cfg.Parked.Takes(string(f.Destination), s.parked.queued()+bytes) {
			return 0, fault.New(fault.Limited, "Too many deliveries are parked for this destination. Redrive when some of them are delivered.")
		}
		done := make(chan struct{}, len(items))
		s.mu.Lock()
		s.redriven = done
		s.mu.Unlock()
		s.cfg.Lane(f.Destination).Redrive(items)
		for range items { // also when ctx ends: what is on its way cannot be moved again
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
	return s.move(ctx, f, func(batch []pick) (int, error) { return s.drop(ctx, f.Destination, batch, delivery.CodeDiscarded) })
}

// drop writes that letters left DEAD, and why, and reports it. It returns how many.
func (s *Store) drop(ctx context.Context, dest id.Destination, batch []pick, code string) (int, error) {
	r := record.Record{Kind: record.Gone, Settles: true}
	for _, p := range batch {
		for _, i := range p.chosen {
			g := p.rec.Items[i].Left(delivery.Place{Seq: p.rec.Seq, Item: uint32(i)})
			g.Code = code
			r.Items = append(r.Items, g)
		}
	}
	if len(r.Items) == 0 {
		return 0, nil
	}
	err := s.dead.write(ctx, dest, &r, func(seq uint64) {
		settled := make([]delivery.Settled, len(r.Items))
		for i := range r.Items {
			settled[i] = r.Items[i].Settled(delivery.EndDropped, delivery.Place{Seq: seq, Item: uint32(i)})
		}
		s.cfg.Settle(settled)
	})
	if err != nil {
		return 0, err
	}
	return len(r.Items), nil
}
