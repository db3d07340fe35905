package journal

import (
	"cmp"
	"slices"

	"weir/dataplane/delivery"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/shared/id"
)

// checkpoint returns s as data from which restore makes an equal state.
func (s *state) checkpoint() record.Checkpoint {
	c := record.Checkpoint{ReadThrough: s.readThrough, Parked: s.parked, Dead: s.dead, Failed: s.failed, Totals: s.ledger.Totals()}
	for _, f := range s.order {
		t := s.frames[f]
		open := record.OpenFrame{Frame: f, At: t.at, Count: t.count}
		for col, left := range t.left {
			open.Left = append(open.Left, record.RoutedSet{Entry: col.entry, Output: col.output, Set: left.Set()})
		}
		c.Open = append(c.Open, open)
	}
	for dest, d := range s.drains {
		done := make([]delivery.Place, 0, len(d.Done))
		for p := range d.Done {
			done = append(done, p)
		}
		slices.SortFunc(done, func(a, b delivery.Place) int {
			return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Item, b.Item))
		})
		c.Drains = append(c.Drains, record.Drained{Destination: dest, Floor: d.Floor, Done: done})
	}
	for f, all := range s.early {
		for _, o := range all {
			c.Early = append(c.Early, record.LiveSet{
				Kind: record.KindEarly, Frame: f, Entry: o.Entry, Output: o.Number, End: delivery.EndParked, Set: record.SetOf([]uint32{o.Index}),
			})
		}
	}
	return c
}

// restore replaces what a checkpoint holds.
func (s *state) restore(c *record.Checkpoint) {
	s.readThrough, s.parked, s.dead, s.failed = c.ReadThrough, c.Parked, c.Dead, c.Failed
	s.ledger = ledger.Book{}
	s.ledger.Apply(c.Totals)
	s.frames, s.order = map[uint64]*tracker{}, nil
	for i := range c.Open {
		f := &c.Open[i]
		if t := track(f.At, f.Count, f.Left); len(t.left) > 0 {
			s.keep(f.Frame, t)
		}
	}
	s.drains = map[id.Destination]*delivery.Drained{}
	for i := range c.Drains {
		d := s.drained(c.Drains[i].Destination)
		d.Floor = c.Drains[i].Floor
		for _, p := range c.Drains[i].Done {
			d.Done[p] = struct{}{}
		}
	}
	s.early = map[uint64][]Output{}
	for i := range c.Early {
		s.settle(&c.Early[i])
	}
	s.gap, s.openedSince = false, nil
}

// gather collects the parts of a checkpoint. A state that has everything before
// it needs only its place.
func (s *state) gather(seq uint64, p record.Part) {
	if p.Index == 0 {
		s.gathered, s.parts, s.gatherBase = nil, 0, seq
	}
	if p.Index != s.parts {
		return // its beginning is missing
	}
	s.parts++
	if !s.whole {
		s.gathered = append(s.gathered, p.Data...)
	}
	if s.parts < p.Of {
		return
	}
	if !s.whole {
		c, err := record.DecodeCheckpoint(s.gathered)
		if err != nil {
			s.markGap()
			s.gathered = nil
			return
		}
		s.restore(&c)
		s.whole = true
	}
	s.former, s.base, s.gathered = s.base, s.gatherBase, nil
}
