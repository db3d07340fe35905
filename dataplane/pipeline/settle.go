package pipeline

import (
	"slices"

	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/shared/fault"
)

// reaction is what the loop does about an error.
type reaction uint8

const (
	stop   reaction = iota // the owner ends; the next one starts from the journal
	again                  // what failed is tried again until it succeeds or the owner ends
	reject                 // the input is settled as what it is: unreadable
)

// reactionTo maps the kind of an error to what the loop does about it. Nothing
// is dropped because something is away or full, and nothing that is unreadable
// holds up what comes after it.
func reactionTo(err error) reaction {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.Limited:
		return again
	case fault.Invalid:
		return reject
	default: // Conflict: another owner has the partition; the rest are broken invariants
		return stop
	}
}

// groups collects indexes under keys, in the order of the keys' first use.
type groups[K comparable] struct {
	at   map[K]int
	keys []K
	of   [][]uint32
}

func (g *groups[K]) add(k K, index uint32) {
	if g.at == nil {
		g.at = map[K]int{}
	}
	i, ok := g.at[k]
	if !ok {
		i = len(g.keys)
		g.at[k] = i
		g.keys = append(g.keys, k)
		g.of = append(g.of, nil)
	}
	g.of[i] = append(g.of[i], index)
}

// each yields the keys and their sets.
func (g *groups[K]) each(yield func(K, set) bool) {
	for i, k := range g.keys {
		s, _ := setOf(g.of[i])
		if !yield(k, s) {
			return
		}
	}
}

// liveKey is what settlements of outputs have in common in a liveSet.
type liveKey struct {
	kind  liveKind
	frame uint64
	lane
	end  delivery.End
	code string
}

// movedKey is what deliveries have in common in a movedSet.
type movedKey struct {
	stage delivery.Stage
	book  ledger.Key
	end   delivery.End
	code  string
}

// booker turns what lanes reported into the settlements of one record. It knows
// which outputs are open: those of st, and those of the record's own openings,
// less what the record settles already.
type booker struct {
	st         *state
	recovering bool // reports come from a scan of PARKED and DEAD
	rec        *record
	opened     map[uint64]*tracker
	live       groups[liveKey]
	taken      map[uint64]*tracker // per frame, what the record settles
	moved      map[movedKey]int
	places     map[ledger.Key]map[delivery.Place]struct{}
	strange    int // reports of what was not open
}

func newBooker(st *state, rec *record, recovering bool) *booker {
	b := &booker{
		st: st, rec: rec, recovering: recovering, opened: map[uint64]*tracker{}, taken: map[uint64]*tracker{},
		moved: map[movedKey]int{}, places: map[ledger.Key]map[delivery.Place]struct{}{},
	}
	for i := range rec.openings {
		o := &rec.openings[i]
		b.opened[o.frame] = track(o.at, o.count, o.routed)
	}
	return b
}

// maxCode is the longest code that is kept, in bytes.
const maxCode = 64

// coded reports whether an end is booked with its code.
func coded(e delivery.End) bool { return e == delivery.EndDropped || e == delivery.EndQuarantined }

// add books one report.
func (b *booker) add(s *delivery.Settled) {
	book := ledger.Key{Workspace: s.Workspace, Source: s.Source, Destination: s.Destination}
	code := ""
	if coded(s.End) {
		code = s.Code[:min(len(s.Code), maxCode)]
	}
	if s.Stage == delivery.Live {
		b.addLive(s, liveKey{frame: s.Frame, lane: lane{book, s.Output}, end: s.End, code: code})
	} else {
		b.addMoved(s, movedKey{s.Stage, book, s.End, code})
	}
	parked, dead := s.Through()
	b.rec.parked, b.rec.dead = max(b.rec.parked, parked), max(b.rec.dead, dead)
}

func (b *booker) addLive(s *delivery.Settled, k liveKey) {
	t := b.opened[s.Frame]
	if t == nil {
		t = b.st.frames[s.Frame]
	}
	switch {
	case t.has(k.lane, s.Index) && b.take(s.Frame, k.lane, s.Index):
	case b.recovering && t == nil && b.st.fresh(s.Frame) && b.take(s.Frame, k.lane, s.Index):
		k.kind = early
	case b.recovering && s.End == delivery.EndParked: // a former owner's copy: it is there and must not be sent
		b.addPlace(movedKey{stage: void, book: k.book}, s.To)
		return
	case s.End == delivery.EndParked || s.End == delivery.EndDead: // it is there, so it will leave again
		b.copied()
		k.kind = extra
	default:
		b.strange++
		return
	}
	b.live.add(k, s.Index)
}

// copied notes that what was settled already was written once more. A former
// owner that did not know that it lost the partition may have done it.
func (b *booker) copied() {
	if !b.recovering {
		b.strange++
	}
}

// take marks an output as settled by this record; false: it was.
func (b *booker) take(frame uint64, l lane, index uint32) bool {
	t := b.taken[frame]
	if t == nil {
		t = &tracker{left: map[lane]bitmap{}}
		b.taken[frame] = t
	}
	if t.has(l, index) {
		return false
	}
	if n := int(index/64) + 1; n > len(t.left[l]) {
		t.left[l] = append(t.left[l], make(bitmap, n-len(t.left[l]))...)
	}
	t.left[l].add(index)
	return true
}

func (b *booker) addMoved(s *delivery.Settled, k movedKey) {
	if s.Stage == delivery.FromParked {
		_, repeated := b.places[k.book][s.From]
		if repeated || known(b.st.drains[s.Destination], s.From) {
			if s.End != delivery.EndDead {
				b.strange++
			} else { // it is there, so it will leave again
				b.copied()
				b.live.add(liveKey{extra, s.Frame, lane{k.book, s.Output}, s.End, ""}, s.Index)
			}
			return
		}
		if b.places[k.book] == nil {
			b.places[k.book] = map[delivery.Place]struct{}{}
		}
		b.places[k.book][s.From] = struct{}{}
	}
	b.addPlace(k, s.From)
}

func (b *booker) addPlace(k movedKey, p delivery.Place) {
	i, ok := b.moved[k]
	if !ok {
		i = len(b.rec.moved)
		b.moved[k] = i
		b.rec.moved = append(b.rec.moved, movedSet{stage: k.stage, book: k.book, end: k.end, code: k.code})
	}
	b.rec.moved[i].from = append(b.rec.moved[i].from, p)
}

// finish completes the record: its settlements and what they book.
func (b *booker) finish() {
	for k, s := range b.live.each {
		b.rec.live = append(b.rec.live, liveSet{
			kind: k.kind, frame: k.frame, book: k.book, output: k.output, end: k.end, code: k.code, set: s,
		})
	}
	slices.SortStableFunc(b.rec.live, func(x, y liveSet) int { // a frame's sets beside each other
		switch {
		case x.frame < y.frame:
			return -1
		case x.frame > y.frame:
			return 1
		}
		return 0
	})
	b.rec.deltas = b.rec.recount()
}
