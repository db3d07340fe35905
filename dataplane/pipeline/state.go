package pipeline

import (
	"cmp"
	"math"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/shared/id"
)

// state is what the journal says, kept by applying its records in order: the
// owner applies a record when its append is durable, a recovery when it reads
// it, with the same code.
type state struct {
	epoch, counter, seq uint64 // of the newest record
	since               bool   // a record was applied, so the next counter is known
	whole               bool   // nothing before the newest record is missing; else a checkpoint is awaited
	base                uint64 // first record of the newest whole checkpoint
	readThrough         uint64 // highest frame that was opened
	parked, dead        uint64 // see record
	book                ledger.Book
	frames              map[uint64]*tracker
	order               []uint64 // keys of frames, ascending
	drains              map[id.Destination]*delivery.Drained
	early               map[uint64][]output // by frame, settled before the frame was opened
	flaws               []string            // codes of failed checks, bounded
	flawed              int64               // how many there were

	// After a record that is missing or cannot be read, frames above suspect may
	// have been opened in it: those not in opened are read as new ones.
	torn    bool
	suspect uint64
	opened  map[uint64]bool

	gathered   []byte // of a checkpoint that is being read
	parts      uint32 // how many
	gatherBase uint64 // number of the first one's record
}

// output is one output on its way to one destination, within a frame.
type output struct {
	index  uint32
	number uint32
	book   ledger.Key
}

// tracker is an open frame: which outputs have not been settled.
type tracker struct {
	at    time.Time
	count uint32
	left  map[lane]bitmap // no empty ones
}

// lane is what outputs of a frame are tracked by.
type lane struct {
	book   ledger.Key
	output uint32
}

func newState() *state {
	return &state{
		frames: map[uint64]*tracker{}, drains: map[id.Destination]*delivery.Drained{}, early: map[uint64][]output{},
	}
}

// track makes the tracker of an opening.
func track(at time.Time, count uint32, routed []routedSet) *tracker {
	t := &tracker{at: at, count: count, left: map[lane]bitmap{}}
	for _, r := range routed {
		if len(r.set) > 0 {
			t.left[lane{r.book, r.output}] = bitmapOf(r.set, count)
		}
	}
	return t
}

// settle takes out what is in s and returns how many of them were not there.
func (t *tracker) settle(l lane, s set) (unknown int64) {
	left := t.left[l]
	for i := range s.each {
		if !left.has(i) {
			unknown++
			continue
		}
		left.remove(i)
	}
	if left.len() == 0 {
		delete(t.left, l)
	}
	return unknown
}

// has reports whether an output is open.
func (t *tracker) has(l lane, index uint32) bool { return t != nil && t.left[l].has(index) }

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
	return frame > s.readThrough || s.torn && frame > s.suspect && !s.opened[frame]
}

// flaw remembers a failed check.
func (s *state) flaw(code string) {
	if s.flawed++; len(s.flaws) < 100 {
		s.flaws = append(s.flaws, code)
	}
}

// Checks that can fail while records are applied.
const (
	flawMissing = "journal_damaged"    // a record is missing or unreadable
	flawBooks   = "ledger_unbalanced"  // a record's counts differ from its settlements, or the books from the frames
	flawUnknown = "settlement_unknown" // something was settled that was not open
)

// tear notes that a record is missing before the next one.
func (s *state) tear() {
	s.flaw(flawMissing)
	if !s.torn {
		s.torn, s.suspect, s.opened = true, s.readThrough, map[uint64]bool{}
	}
}

// apply books the record that the journal keeps under number seq, and returns
// the frames that it finished.
func (s *state) apply(seq uint64, r *record) (done []uint64) {
	switch {
	case s.since && r.counter != s.counter+1:
		s.tear()
	case !s.since && r.counter == 1:
		s.whole = true // nothing came before
	}
	if !slices.Equal(r.recount(), ledger.Sum(r.deltas)) {
		s.flaw(flawBooks)
	}
	if s.whole && !s.torn && r.floor != s.floor() { // a settlement is missing, with what it booked
		s.flaw(flawBooks)
	}
	s.since, s.epoch, s.counter, s.seq = true, r.epoch, r.counter, seq
	if r.part.of > 0 {
		s.gather(seq, r.part)
	}
	if r.part.of > 0 || !s.whole {
		return nil
	}
	s.parked, s.dead = max(s.parked, r.parked), max(s.dead, r.dead)
	s.book.Apply(r.deltas)
	for i := range r.openings {
		if o := &r.openings[i]; s.open(o) {
			done = append(done, o.frame)
		}
	}
	for i := range r.fans {
		s.fan(&r.fans[i])
	}
	for i := range r.live {
		if l := &r.live[i]; s.settle(l) {
			done = append(done, l.frame)
		}
	}
	for i := range r.moved {
		s.move(&r.moved[i])
	}
	for _, d := range r.drains {
		s.drain(d)
	}
	return done
}

// open begins to track a frame and reports whether nothing of it is left to do.
func (s *state) open(o *opening) bool {
	if !s.fresh(o.frame) {
		s.flaw(flawUnknown)
		return false
	}
	if s.torn {
		s.opened[o.frame] = true
	}
	s.readThrough = max(s.readThrough, o.frame)
	delete(s.early, o.frame)
	t := track(o.at, o.count, o.routed)
	if len(t.left) == 0 {
		return true
	}
	s.keep(o.frame, t)
	return false
}

// keep adds a tracker.
func (s *state) keep(frame uint64, t *tracker) {
	s.frames[frame] = t
	i, _ := slices.BinarySearch(s.order, frame)
	s.order = slices.Insert(s.order, i, frame)
}

// fan puts a frame's outputs in the place of the one that they were made of.
func (s *state) fan(f *fan) {
	t := s.frames[f.frame]
	if t == nil || t.settle(lane{f.book, 0}, f.of) > 0 {
		s.flaw(flawUnknown)
		return
	}
	for i, out := range f.outs {
		l := lane{f.book, uint32(i) + 1}
		for index := range out.each {
			if t.left[l] == nil {
				t.left[l] = make(bitmap, (t.count+63)/64)
			}
			if index >= t.count {
				s.flaw(flawUnknown)
				return
			}
			t.left[l].add(index)
		}
	}
}

// settle books a frame's settlements and reports whether the frame is done.
func (s *state) settle(l *liveSet) bool {
	switch l.kind {
	case early:
		for i := range l.set.each {
			s.early[l.frame] = append(s.early[l.frame], output{i, l.output, l.book})
		}
		return false
	case extra:
		return false
	}
	t := s.frames[l.frame]
	if t == nil {
		s.flaw(flawUnknown)
		return false
	}
	if t.settle(lane{l.book, l.output}, l.set) > 0 {
		s.flaw(flawUnknown)
	}
	if len(t.left) > 0 {
		return false
	}
	delete(s.frames, l.frame)
	if i, ok := slices.BinarySearch(s.order, l.frame); ok {
		s.order = slices.Delete(s.order, i, i+1)
	}
	return true
}

// move notes which places in PARKED are settled.
func (s *state) move(m *movedSet) {
	if m.stage == delivery.FromDead {
		return // DEAD itself says what left it
	}
	d := s.drained(m.book.Destination)
	for _, p := range m.from {
		if known(d, p) && m.stage != void {
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

func (s *state) drain(n drain) {
	d := s.drained(n.destination)
	d.Floor = max(d.Floor, n.floor)
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

// inFlight counts the outputs that are routed and not settled.
func (s *state) inFlight() map[ledger.Key]int64 {
	n := map[ledger.Key]int64{}
	for _, t := range s.frames {
		for l, left := range t.left {
			n[l.book] += left.len()
		}
	}
	return n
}

// rows returns the books; after a failed check none is balanced.
func (s *state) rows() []ledger.Row {
	rows := s.book.Rows(s.inFlight())
	for i := range rows {
		rows[i].Balanced = rows[i].Balanced && s.flawed == 0
	}
	return rows
}

// checkpoint returns s as data from which restore makes an equal state.
func (s *state) checkpoint() []byte {
	e := newEncoder()
	for _, n := range [...]uint64{
		s.readThrough, s.parked, s.dead, uint64(s.flawed),
	} {
		e.uint(n)
	}
	e.deltas(s.book.Totals())
	e.uint(uint64(len(s.order)))
	for _, f := range s.order {
		t := s.frames[f]
		e.uint(f)
		e.uint(uint64(t.at.UnixMilli()))
		e.uint(uint64(t.count))
		var left []routedSet
		for l, b := range t.left {
			left = append(left, routedSet{l.book, l.output, b.set()})
		}
		e.routed(left)
	}
	e.uint(uint64(len(s.drains)))
	for dest, d := range s.drains {
		e.text(string(dest))
		e.uint(d.Floor)
		done := make([]delivery.Place, 0, len(d.Done))
		for p := range d.Done {
			done = append(done, p)
		}
		slices.SortFunc(done, func(a, b delivery.Place) int {
			return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Item, b.Item))
		})
		e.places(done)
	}
	var waiting []liveSet
	for f, all := range s.early {
		for _, o := range all {
			waiting = append(waiting, liveSet{
				kind: early, frame: f, book: o.book, output: o.number, end: delivery.EndParked, set: set{{o.index, o.index}},
			})
		}
	}
	e.lives(waiting)
	return e.appendTo([]byte{checkpointVersion})
}

// restore replaces what a checkpoint holds. fault.Invalid: data is damaged; s
// must not be used any more.
func (s *state) restore(data []byte) error {
	if len(data) == 0 || data[0] != checkpointVersion {
		return damaged("a checkpoint has an unknown version")
	}
	d := &decoder{left: data[1:]}
	d.dictionary()
	s.readThrough = d.uint()
	s.parked, s.dead = d.uint(), d.uint()
	s.flawed = int64(min(d.uint(), math.MaxInt64))
	s.book = ledger.Book{}
	s.book.Apply(d.deltas())
	s.frames, s.order = map[uint64]*tracker{}, nil
	for range d.list(4) {
		frame, at, count := d.uint(), time.UnixMilli(int64(d.uint())).UTC(), d.uint()
		if count > maxIndex+1 || s.frames[frame] != nil {
			d.fail()
			break
		}
		if t := track(at, uint32(count), d.routed(uint32(count))); len(t.left) > 0 {
			s.keep(frame, t)
		}
	}
	s.drains = map[id.Destination]*delivery.Drained{}
	for range d.list(3) {
		drained := s.drained(id.Destination(d.text()))
		drained.Floor = d.uint()
		for _, p := range d.places() {
			drained.Done[p] = struct{}{}
		}
	}
	s.early = map[uint64][]output{}
	for _, l := range d.lives() {
		if l.set.len() != 1 {
			d.fail()
			break
		}
		s.settle(&liveSet{kind: early, frame: l.frame, book: l.book, output: l.output, set: l.set})
	}
	s.torn, s.opened = false, nil
	return d.end()
}

// gather collects the parts of a checkpoint. Who has everything before it needs
// only its place.
func (s *state) gather(seq uint64, p part) {
	if p.index == 0 {
		s.gathered, s.parts, s.gatherBase = nil, 0, seq
	}
	if p.index != s.parts {
		return // its beginning is missing
	}
	s.parts++
	if !s.whole {
		s.gathered = append(s.gathered, p.data...)
	}
	if s.parts < p.of {
		return
	}
	if !s.whole {
		if s.restore(s.gathered) != nil {
			s.tear()
			s.gathered = nil
			return
		}
		s.whole = true
	}
	s.base, s.gathered = s.gatherBase, nil
}
