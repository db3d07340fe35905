package journal

import (
	"slices"

	"weir/dataplane/delivery"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
)

// liveKey is what settlements of outputs have in common in a LiveSet.
type liveKey struct {
	kind  record.Kind
	frame uint64
	column
	end  delivery.End
	code string
}

// movedKey is what deliveries have in common in a movedSet.
type movedKey struct {
	stage delivery.Stage
	entry ledger.Key
	end   delivery.End
	code  string
}

// compose adds to r the settlements that lanes reported, and what all of r
// counts. recovering: the reports come from a scan of PARKED and DEAD. unknown is
// how many reports were of outputs that are not open.
func (s *state) compose(r *record.Record, settled []delivery.Settled, recovering bool) (unknown int) {
	r.Parked, r.Dead = s.parked, s.dead
	c := newComposer(s, r, recovering)
	for i := range settled {
		c.add(&settled[i])
	}
	c.finish()
	return c.unknown
}

// composer turns what lanes reported into the settlements of one record. It
// knows which outputs are open: those of st, and those of the record's own
// openings, less what the record settles already.
type composer struct {
	st         *state
	recovering bool // reports come from a scan of PARKED and DEAD
	rec        *record.Record
	opened     map[uint64]*tracker
	live       record.Groups[liveKey]
	taken      map[uint64]*tracker // per frame, what the record settles
	moved      map[movedKey]int
	places     map[ledger.Key]map[delivery.Place]struct{}
	kept       map[ledger.Key]int64 // per entry, what it has quarantined and the record does not end
	unknown    int                  // reports of what was not open
}

func newComposer(st *state, rec *record.Record, recovering bool) *composer {
	c := &composer{
		st: st, rec: rec, recovering: recovering, opened: map[uint64]*tracker{}, taken: map[uint64]*tracker{},
		moved: map[movedKey]int{}, places: map[ledger.Key]map[delivery.Place]struct{}{}, kept: map[ledger.Key]int64{},
	}
	for i := range rec.Openings {
		o := &rec.Openings[i]
		c.opened[o.Frame] = track(o.At, o.Count, o.Routed)
	}
	return c
}

// add adds one report.
func (c *composer) add(s *delivery.Settled) {
	entry := ledger.Key{Workspace: s.Workspace, Source: s.Source, Destination: s.Destination}
	code := ""
	if record.HasCode(s.End) {
		code = s.Code[:min(len(s.Code), record.MaxCode)]
	}
	if s.Stage == delivery.Live {
		c.addLive(s, liveKey{frame: s.Frame, column: column{entry, s.Output}, end: s.End, code: code})
	} else {
		c.addMoved(s, movedKey{s.Stage, entry, s.End, code})
	}
	parked, dead := s.Through()
	c.rec.Parked, c.rec.Dead = max(c.rec.Parked, parked), max(c.rec.Dead, dead)
}

func (c *composer) addLive(s *delivery.Settled, k liveKey) {
	t := c.opened[s.Frame]
	if t == nil {
		t = c.st.frames[s.Frame]
	}
	switch {
	case t.has(k.column, s.Index) && c.take(s.Frame, k.column, s.Index):
	case c.recovering && t == nil && c.st.fresh(s.Frame) && c.take(s.Frame, k.column, s.Index):
		k.kind = record.KindEarly
	case c.recovering && s.End == delivery.EndParked: // a former owner's copy: it is there and must not be sent
		c.addPlace(movedKey{stage: record.StageSkip, entry: k.entry}, s.To)
		return
	case s.End == delivery.EndParked || s.End == delivery.EndDead: // it is there, so it will leave again
		c.noteDuplicate()
		k.kind = record.KindCopy
	default:
		c.unknown++
		return
	}
	c.live.Add(k, s.Index)
}

// noteDuplicate notes that what was settled already was written once more. A
// former owner that did not know that it lost the partition may have done it.
func (c *composer) noteDuplicate() {
	if !c.recovering {
		c.unknown++
	}
}

// take marks an output as settled by this record; false: it was.
func (c *composer) take(frame uint64, col column, index uint32) bool {
	t := c.taken[frame]
	if t == nil {
		t = &tracker{left: map[column]record.Bitmap{}}
		c.taken[frame] = t
	}
	if t.has(col, index) {
		return false
	}
	if n := int(index/64) + 1; n > len(t.left[col]) {
		t.left[col] = append(t.left[col], make(record.Bitmap, n-len(t.left[col]))...)
	}
	t.left[col].Add(index)
	return true
}

func (c *composer) addMoved(s *delivery.Settled, k movedKey) {
	if s.Stage == delivery.FromQuarantine && !c.takeQuarantined(k.entry) {
		return
	}
	if s.Stage == delivery.FromParked {
		_, repeated := c.places[k.entry][s.From]
		if repeated || known(c.st.drains[s.Destination], s.From) {
			if s.End != delivery.EndDead {
				c.unknown++
			} else { // it is there, so it will leave again
				c.noteDuplicate()
				c.live.Add(liveKey{record.KindCopy, s.Frame, column{k.entry, s.Output}, s.End, ""}, s.Index)
			}
			return
		}
		if c.places[k.entry] == nil {
			c.places[k.entry] = map[delivery.Place]struct{}{}
		}
		c.places[k.entry][s.From] = struct{}{}
	}
	c.addPlace(k, s.From)
}

// takeQuarantined marks an event of entry as quarantined no longer; false: the
// ledger counts none. A death of the process leaves a second copy in QUARANTINE,
// which counts nothing.
func (c *composer) takeQuarantined(entry ledger.Key) bool {
	left, known := c.kept[entry]
	if !known {
		left = c.st.ledger.Total(entry, ledger.Quarantined)
	}
	c.kept[entry] = max(0, left-1)
	return left > 0
}

func (c *composer) addPlace(k movedKey, p delivery.Place) {
	i, ok := c.moved[k]
	if !ok {
		i = len(c.rec.Moved)
		c.moved[k] = i
		c.rec.Moved = append(c.rec.Moved, record.MovedSet{Stage: k.stage, Entry: k.entry, End: k.end, Code: k.code})
	}
	c.rec.Moved[i].From = append(c.rec.Moved[i].From, p)
}

// finish completes the record: its settlements and what they count.
func (c *composer) finish() {
	for k, s := range c.live.Each {
		c.rec.Live = append(c.rec.Live, record.LiveSet{
			Kind: k.kind, Frame: k.frame, Entry: k.entry, Output: k.output, End: k.end, Code: k.code, Set: s,
		})
	}
	slices.SortStableFunc(c.rec.Live, func(x, y record.LiveSet) int { // a frame's sets beside each other
		switch {
		case x.Frame < y.Frame:
			return -1
		case x.Frame > y.Frame:
			return 1
		}
		return 0
	})
	c.rec.Deltas = c.rec.Recount()
}
