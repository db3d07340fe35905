package pipeline

import (
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/shared/id"
)

// record is one append to the journal.
type record struct {
	epoch   uint64 // of the lease under which it was written
	counter uint64 // one more than that of the record before it
	base    uint64 // number of the oldest record that a recovery has to read; 0: the first there is
	floor   uint64 // everything up to this frame was settled and journaled before this record

	// The newest records of PARKED and DEAD whose settlements are journaled here
	// or before.
	parked, dead uint64

	openings []opening
	fans     []fan      // outputs that became several
	live     []liveSet  // settlements of outputs of open frames
	moved    []movedSet // settlements of what was parked or dead
	drains   []drain
	deltas   []ledger.Delta // what all of this books: equal to recount
	part     part           // of a checkpoint; such a record has nothing else
}

// opening is what was decided about a frame when it was first read: enough to
// read it again without deciding anew.
type opening struct {
	frame  uint64
	at     time.Time // when the log took the frame; milliseconds
	count  uint32    // events in it
	bad    bool      // it could not be decoded: count is 0 and it lies in BAD
	keyed  set       // the events that have one of keys, in its order
	keys   []dedupe.Key
	ends   []endSet // every event is in exactly one
	routed []routedSet
}

// endSet is what became of events at their source: Duplicate, Quarantined or
// Dropped with a code, Unrouted, SourceRouted.
type endSet struct {
	book     ledger.Key // without destination
	account  ledger.Account
	code     string
	replayed bool // they were accepted before and sent again
	set      set
}

// routedSet is outputs on their way to one destination.
type routedSet struct {
	book   ledger.Key
	output uint32
	set    set
}

// fan is outputs on their way to one destination that a transformation made
// several of: output 0 of the events in of is no more, and of each its outputs 1,
// 2, … go on. None of them is offered to a lane before this is journaled, so
// that a recovery knows by its numbers what went through a transformation.
type fan struct {
	frame uint64
	book  ledger.Key
	of    set
	outs  []set // of output i+1; each is in of, the first two equal of
}

// liveKind says how settlements of a frame's outputs are booked.
type liveKind uint8

const (
	ordinary liveKind = iota // the opening booked the output as routed
	early                    // there is no opening yet: it is booked as routed here, and the opening leaves it out
	extra                    // the output was settled before: another copy, booked as added
)

// liveSet is outputs of one frame that left a lane's memory the same way.
type liveSet struct {
	kind   liveKind
	frame  uint64
	book   ledger.Key
	output uint32
	end    delivery.End
	code   string // with EndDropped and EndQuarantined
	set    set
}

// void is the Stage of a movedSet that books nothing: copies in PARKED of
// outputs that had been settled, which must not be sent.
const void delivery.Stage = 0

// movedSet is deliveries that left PARKED or DEAD the same way.
type movedSet struct {
	stage delivery.Stage
	book  ledger.Key
	end   delivery.End
	code  string // with EndDropped
	from  []delivery.Place
}

// drain says that a destination's records in PARKED are settled up to floor.
type drain struct {
	destination id.Destination
	floor       uint64
}

// part is one piece of a checkpoint; pieces follow each other. of is 0 when
// there is none.
type part struct {
	index, of uint32
	data      []byte
}

// badFrame is the code of a frame that could not be decoded.
const badFrame = "bad_frame"

// accounts says where an end is booked.
var accounts = [...]ledger.Account{
	delivery.EndDelivered:   ledger.Delivered,
	delivery.EndDropped:     ledger.Dropped,
	delivery.EndParked:      ledger.Parked,
	delivery.EndDead:        ledger.Dead,
	delivery.EndQuarantined: ledger.Quarantined,
}

// recount returns what the record's openings and settlements book, summed.
func (r *record) recount() []ledger.Delta {
	var all []ledger.Delta
	book := func(k ledger.Key, a ledger.Account, code string, n int64) {
		all = append(all, ledger.Delta{
			Workspace: k.Workspace, Source: k.Source, Destination: k.Destination, Account: a, Code: code, N: n,
		})
	}
	for i := range r.openings {
		o := &r.openings[i]
		if o.bad { // how many events and whose is unknown: it counts as one of nobody
			book(ledger.Key{}, ledger.Accepted, "", 1)
			book(ledger.Key{}, ledger.Quarantined, badFrame, 1)
		}
		for _, e := range o.ends {
			from := ledger.Accepted
			if e.replayed {
				from = ledger.Replayed
			}
			book(e.book, from, "", e.set.len())
			book(e.book, e.account, e.code, e.set.len())
		}
		for _, t := range o.routed {
			if t.output == 0 {
				book(t.book, ledger.Routed, "", t.set.len())
			} else {
				book(t.book, ledger.Added, "", t.set.len())
			}
		}
	}
	for i := range r.fans {
		f := &r.fans[i]
		n := -f.of.len()
		for _, s := range f.outs {
			n += s.len()
		}
		book(f.book, ledger.Added, "", n)
	}
	for i := range r.live {
		l := &r.live[i]
		n := l.set.len()
		switch {
		case l.kind == extra || l.kind == early && l.output > 0:
			book(l.book, ledger.Added, "", n)
		case l.kind == early:
			book(l.book, ledger.Routed, "", n)
		}
		book(l.book, accounts[l.end], l.code, n)
	}
	for i := range r.moved {
		m := &r.moved[i]
		n := int64(len(m.from))
		switch m.stage {
		case delivery.FromParked:
			book(m.book, ledger.Parked, "", -n)
		case delivery.FromDead:
			book(m.book, ledger.Dead, "", -n)
		default:
			continue
		}
		book(m.book, accounts[m.end], m.code, n)
	}
	return ledger.Sum(all)
}
