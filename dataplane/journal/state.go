package journal

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/shared/id"
)

// state is what the journal says, kept by applying its records in order: the
// owner applies a record when its append is durable, a recovery when it reads
// it, with the same code.
type state struct {
	epoch, counter, seq uint64 // of the newest record
	started             bool   // a record was applied, so the next counter is known
	whole               bool   // nothing before the newest record is missing; else a checkpoint is awaited
	base                uint64 // first record of the newest whole checkpoint
	former              uint64 // that of the one before, which is kept in case a record of the newest is damaged; 0: not known
	keyed               uint64 // newest record with dedupe keys
	readThrough         uint64 // highest frame that was opened
	parked, dead        uint64 // see record.Record
	ledger              ledger.Book
	frames              map[uint64]*tracker
	order               []uint64 // keys of frames, ascending
	drains              map[id.Destination]*delivery.Drained
	early               map[uint64][]Output // by frame, settled before the frame was opened
	flaws               []string            // codes of failed checks, bounded
	failed              int64               // how many there were

	// After a record that is missing or cannot be read, frames above suspect may
	// have been opened in it: those not in openedSince are read as new ones.
	gap         bool
	suspect     uint64
	openedSince map[uint64]bool

	gathered   []byte // of a checkpoint that is being read
	parts      uint32 // how many
	gatherBase uint64 // number of the first one's record
}

// Output is one output on its way to one destination, within a frame.
type Output struct {
	Index  uint32
	Number uint32
	Entry  ledger.Key
}

// tracker is an open frame: which outputs have not been settled.
type tracker struct {
	at    time.Time
	count uint32
	left  map[column]record.Bitmap // no empty ones
}

// column is what outputs of a frame are tracked by.
type column struct {
	entry  ledger.Key
	output uint32
}

// newState returns the state before the first record.
func newState() *state {
	return &state{
		frames: map[uint64]*tracker{}, drains: map[id.Destination]*delivery.Drained{}, early: map[uint64][]Output{},
	}
}

// skip notes that the record under number seq cannot be read.
func (s *state) skip(seq uint64) {
	s.markGap()
	s.started, s.seq = false, seq
}

// empty notes that the journal has no record, and had last before they were
// purged.
func (s *state) empty(last uint64) {
	s.whole, s.seq = true, last
	if last > 0 {
		s.markGap()
	}
}

// number makes r the record that follows the newest, written under epoch.
func (s *state) number(r *record.Record, epoch uint64) {
	r.Epoch, r.Counter, r.Base, r.Floor = epoch, s.counter+1, s.base, s.floor()
	if r.Part.Of > 0 {
		r.Parked, r.Dead = s.parked, s.dead
	}
}

// track makes the tracker of an opening.
func track(at time.Time, count uint32, routed []record.RoutedSet) *tracker {
	t := &tracker{at: at, count: count, left: map[column]record.Bitmap{}}
	for _, r := range routed {
		if len(r.Set) > 0 {
			t.left[column{r.Entry, r.Output}] = record.BitmapOf(r.Set, count)
		}
	}
	return t
}

// settle takes out what is in s and returns how many of them were not there.
func (t *tracker) settle(c column, s record.Set) (unknown int64) {
	left := t.left[c]
	for i := range s.Each {
		if !left.Has(i) {
			unknown++
			continue
		}
		left.Remove(i)
	}
	if left.Len() == 0 {
		delete(t.left, c)
	}
	return unknown
}

// has reports whether an output is open.
func (t *tracker) has(c column, index uint32) bool { return t != nil && t.left[c].Has(index) }

// flaw remembers a failed check.
func (s *state) flaw(code string) {
	if s.failed++; len(s.flaws) < 100 {
		s.flaws = append(s.flaws, code)
	}
}

// Codes of checks that can fail while records are applied.
const (
	flawDamaged    = "journal_damaged"    // a record is missing or unreadable
	flawUnbalanced = "ledger_unbalanced"  // a record's counts differ from its settlements, or the ledger from the frames
	flawUnknown    = "settlement_unknown" // something was settled that was not open
)

// markGap notes that a record is missing before the next one.
func (s *state) markGap() {
	s.flaw(flawDamaged)
	if !s.gap {
		s.gap, s.suspect, s.openedSince = true, s.readThrough, map[uint64]bool{}
	}
}

// apply adds the record that the journal keeps under number seq, and returns the
// frames that it finished.
func (s *state) apply(seq uint64, r *record.Record) (done []uint64) {
	switch {
	case s.started && r.Counter != s.counter+1:
		s.markGap()
	case !s.started && r.Counter == 1:
		s.whole = true // nothing came before
	}
	if !slices.Equal(r.Recount(), ledger.Sum(r.Deltas)) {
		s.flaw(flawUnbalanced)
	}
	if s.whole && !s.gap && r.Floor != s.floor() { // a settlement is missing, with what it counted
		s.flaw(flawUnbalanced)
	}
	s.started, s.epoch, s.counter, s.seq = true, r.Epoch, r.Counter, seq
	if r.Part.Of > 0 {
		s.gather(seq, r.Part)
	}
	if r.Part.Of > 0 || !s.whole {
		return nil
	}
	s.parked, s.dead = max(s.parked, r.Parked), max(s.dead, r.Dead)
	s.ledger.Apply(r.Deltas)
	for i := range r.Openings {
		if len(r.Openings[i].DedupeKeys) > 0 {
			s.keyed = seq
		}
		if o := &r.Openings[i]; s.open(o) {
			done = append(done, o.Frame)
		}
	}
	for i := range r.Fans {
		s.fan(&r.Fans[i])
	}
	for i := range r.Live {
		if l := &r.Live[i]; s.settle(l) {
			done = append(done, l.Frame)
		}
	}
	for i := range r.Moved {
		s.move(&r.Moved[i])
	}
	for _, d := range r.Drains {
		s.drain(d)
	}
	return done
}

// open begins to track a frame and reports whether nothing of it is left to do.
func (s *state) open(o *record.Opening) bool {
	if !s.fresh(o.Frame) {
		s.flaw(flawUnknown)
		return false
	}
	if s.gap {
		s.openedSince[o.Frame] = true
	}
	s.readThrough = max(s.readThrough, o.Frame)
	delete(s.early, o.Frame)
	t := track(o.At, o.Count, o.Routed)
	if len(t.left) == 0 {
		return true
	}
	s.keep(o.Frame, t)
	return false
}

// keep adds a tracker.
func (s *state) keep(frame uint64, t *tracker) {
	s.frames[frame] = t
	i, _ := slices.BinarySearch(s.order, frame)
	s.order = slices.Insert(s.order, i, frame)
}

// fan puts a frame's outputs in the place of the one that they were made of.
func (s *state) fan(f *record.Fan) {
	t := s.frames[f.Frame]
	if t == nil || t.settle(column{f.Entry, 0}, f.Of) > 0 {
		s.flaw(flawUnknown)
		return
	}
	for i, out := range f.Outs {
		col := column{f.Entry, uint32(i) + 1}
		for index := range out.Each {
			if t.left[col] == nil {
				t.left[col] = make(record.Bitmap, (t.count+63)/64)
			}
			if index >= t.count {
				s.flaw(flawUnknown)
				return
			}
			t.left[col].Add(index)
		}
	}
}

// settle adds a frame's settlements and reports whether the frame is done.
func (s *state) settle(l *record.LiveSet) bool {
	switch l.Kind {
	case record.KindEarly:
		for i := range l.Set.Each {
			s.early[l.Frame] = append(s.early[l.Frame], Output{i, l.Output, l.Entry})
		}
		return false
	case record.KindCopy:
		return false
	}
	t := s.frames[l.Frame]
	if t == nil {
		s.flaw(flawUnknown)
		return false
	}
	if t.settle(column{l.Entry, l.Output}, l.Set) > 0 {
		s.flaw(flawUnknown)
	}
	if len(t.left) > 0 {
		return false
	}
	delete(s.frames, l.Frame)
	if i, ok := slices.BinarySearch(s.order, l.Frame); ok {
		s.order = slices.Delete(s.order, i, i+1)
	}
	return true
}

// move notes which places in PARKED are settled.
func (s *state) move(m *record.MovedSet) {
	if m.Stage == delivery.FromDead || m.Stage == delivery.FromQuarantine {
		return // the log itself says what left it
	}
	d := s.drained(m.Entry.Destination)
	for _, p := range m.From {
		if known(d, p) && m.Stage != record.StageSkip {
			s.flaw(flawUnknown)
		}
		if p.Seq > d.Floor {
			d.Done[p] = struct{}{}
		}
	}
}

func (s *state) drained(dest id.Destination) *delivery.Drained {
	d := s.drains[dest]
	if d == nil {
		d = &delivery.Drained{Done: map[delivery.Place]struct{}{}}
		s.drains[dest] = d
	}
	return d
}

func (s *state) drain(n record.Drain) {
	d := s.drained(n.Destination)
	d.Floor = max(d.Floor, n.Floor)
	for p := range d.Done {
		if p.Seq <= d.Floor {
			delete(d.Done, p)
		}
	}
}

// known reports whether the place in PARKED is settled.
func known(d *delivery.Drained, p delivery.Place) bool {
	if d == nil {
		return false
	}
	_, ok := d.Done[p]
	return ok || p.Seq <= d.Floor
}

// floor is the highest frame below and at which everything is settled.
func (s *state) floor() uint64 {
	f := s.readThrough
	if len(s.order) > 0 {
		f = min(f, s.order[0]-1)
	}
	return f
}

// fresh reports whether a frame that is read has not been opened.
func (s *state) fresh(frame uint64) bool {
	return frame > s.readThrough || s.gap && frame > s.suspect && !s.openedSince[frame]
}

// left returns the outputs of a frame that are not settled, for one destination
// or, with "", for all, in the order of delivery.
func (s *state) left(frame uint64, dest id.Destination) []Output {
	t := s.frames[frame]
	if t == nil {
		return nil
	}
	var all []Output
	for col, left := range t.left {
		if dest == "" || col.entry.Destination == dest {
			for i := range left.Set().Each {
				all = append(all, Output{i, col.output, col.entry})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Output) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Number, b.Number))
	})
	return all
}

// entries returns the ledger with what is in flight; after a failed check no
// entry is balanced.
func (s *state) entries() []ledger.Row {
	rows := s.ledger.Rows(s.inFlight())
	for i := range rows {
		rows[i].Balanced = rows[i].Balanced && s.failed == 0
	}
	return rows
}

// inFlight counts the outputs that are routed and not settled.
func (s *state) inFlight() map[ledger.Key]int64 {
	n := map[ledger.Key]int64{}
	for _, t := range s.frames {
		for col, left := range t.left {
			n[col.entry] += left.Len()
		}
	}
	return n
}

// drainedPlaces returns a copy of what is known of every destination that may have
// records in PARKED.
func (s *state) drainedPlaces() map[id.Destination]delivery.Drained {
	all := map[id.Destination]delivery.Drained{}
	for dest, d := range s.drains {
		all[dest] = delivery.Drained{Floor: d.Floor, Done: maps.Clone(d.Done)}
	}
	for _, d := range s.ledger.Totals() {
		if _, ok := all[d.Destination]; !ok && d.Account == ledger.Parked {
			all[d.Destination] = delivery.Drained{Done: map[delivery.Place]struct{}{}}
		}
	}
	return all
}
