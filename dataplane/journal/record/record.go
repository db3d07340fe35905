package record

import (
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/shared/id"
)

// Record is one append to the journal.
type Record struct {
	Epoch   uint64 // of the lease under which it was written
	Counter uint64 // one more than that of the record before it
	Base    uint64 // number of the oldest record that a recovery has to read; 0: the first there is
	Floor   uint64 // everything up to this frame was settled and journaled before this record

	// The newest records of PARKED and DEAD whose settlements are journaled here
	// or before.
	Parked, Dead uint64

	Openings []Opening
	Fans     []Fan      // outputs that became several
	Live     []LiveSet  // settlements of outputs of open frames
	Moved    []MovedSet // settlements of what was parked, dead or quarantined
	Drains   []Drain
	Deltas   []ledger.Delta // what all of this counts: equal to Recount
	Part     Part           // of a checkpoint; such a record has nothing else
}

// Opening is what was decided about a frame when it was first read: enough to
// read it again without deciding anew. Decisions makes one.
type Opening struct {
	Frame      uint64
	At         time.Time // when the log took the frame; milliseconds
	Count      uint32    // events in it
	Bad        bool      // it could not be decoded: Count is 0 and it lies in BAD
	Keyed      Set       // the events that have one of DedupeKeys, in its order
	DedupeKeys []dedupe.Key
	Ends       []EndSet // every event is in exactly one
	Routed     []RoutedSet
}

// Keys yields the index of every event that has a dedupe key, and the key.
func (o *Opening) Keys(yield func(uint32, dedupe.Key) bool) {
	n := 0
	for index := range o.Keyed.Each {
		if !yield(index, o.DedupeKeys[n]) {
			return
		}
		n++
	}
}

// Owners returns whose every event is, by index.
func (o *Opening) Owners() []dedupe.Owner {
	all := make([]dedupe.Owner, o.Count)
	for _, e := range o.Ends {
		owner := dedupe.OwnerOf(e.Entry.Workspace)
		for i := range e.Set.Each {
			if i < o.Count {
				all[i] = owner
			}
		}
	}
	return all
}

// EndSet is what became of events at their source: Duplicate, Quarantined or
// Dropped with a code, Unrouted, SourceRouted. With a destination they are deliveries
// to it that a load took back: Quarantined or Dropped and no longer Delivered, or
// Duplicate, which counts nothing.
type EndSet struct {
	Entry    ledger.Key
	Account  ledger.Account
	Code     string
	Replayed bool // they were accepted before and sent again
	Set      Set
}

// RoutedSet is outputs on their way to one destination.
type RoutedSet struct {
	Entry  ledger.Key
	Output uint32
	Set    Set
}

// Fan is outputs on their way to one destination that a transformation made
// several of: output 0 of the event is no more, and its outputs 1, 2, … go on.
// None of them is offered to a lane before the Fan is journaled, so that a
// recovery knows by its numbers what went through a transformation.
type Fan struct {
	Frame uint64
	Entry ledger.Key
	Of    Set
	Outs  []Set // of output i+1; each is in Of, the first two equal Of
}

// Split notes that output 0 of the event at index became n outputs, two at
// least. Indexes come in ascending order.
func (f *Fan) Split(index uint32, n int) {
	f.Of.Push(index)
	for len(f.Outs) < n {
		f.Outs = append(f.Outs, nil)
	}
	for i := range n {
		f.Outs[i].Push(index)
	}
}

// Kind says how settlements of a frame's outputs are counted.
type Kind uint8

// The kinds.
const (
	KindRouted Kind = iota // the opening counted the output as routed
	KindEarly              // there is no opening yet: it is counted as routed here, and the opening leaves it out
	KindCopy               // the output was settled before: another copy, counted as added
)

// LiveSet is outputs of one frame that left a lane's memory the same way.
type LiveSet struct {
	Kind   Kind
	Frame  uint64
	Entry  ledger.Key
	Output uint32
	End    delivery.End
	Code   string // with EndDropped and EndQuarantined
	Set    Set
}

// StageSkip is the stage of a MovedSet that counts nothing: copies in PARKED of
// outputs that had been settled, which must not be sent.
const StageSkip delivery.Stage = 0

// MovedSet is what left PARKED, DEAD or QUARANTINE the same way.
type MovedSet struct {
	Stage delivery.Stage
	Entry ledger.Key
	End   delivery.End
	Code  string // with EndDropped
	From  []delivery.Place
}

// Drain says that a destination's records in PARKED are settled up to Floor.
type Drain struct {
	Destination id.Destination
	Floor       uint64
}

// Part is one piece of a checkpoint; pieces follow each other. Of is 0 in a
// record that has none.
type Part struct {
	Index, Of uint32
	Data      []byte
}

// BadFrame is the code of a frame that could not be decoded.
const BadFrame = "bad_frame"

// accounts says where an end is counted.
var accounts = [...]ledger.Account{
	delivery.EndDelivered:   ledger.Delivered,
	delivery.EndDropped:     ledger.Dropped,
	delivery.EndParked:      ledger.Parked,
	delivery.EndDead:        ledger.Dead,
	delivery.EndQuarantined: ledger.Quarantined,
}

// Recount returns what the record's openings and settlements count, summed.
func (r *Record) Recount() []ledger.Delta {
	var c counts
	for i := range r.Openings {
		c.opening(&r.Openings[i])
	}
	for i := range r.Fans {
		f := &r.Fans[i]
		n := -f.Of.Len()
		for _, s := range f.Outs {
			n += s.Len()
		}
		c.add(f.Entry, ledger.Added, "", n)
	}
	for i := range r.Live {
		l := &r.Live[i]
		n := l.Set.Len()
		switch {
		case l.Kind == KindCopy || l.Kind == KindEarly && l.Output > 0:
			c.add(l.Entry, ledger.Added, "", n)
		case l.Kind == KindEarly:
			c.add(l.Entry, ledger.Routed, "", n)
		}
		c.add(l.Entry, accounts[l.End], l.Code, n)
	}
	for i := range r.Moved {
		m := &r.Moved[i]
		n := int64(len(m.From))
		switch m.Stage {
		case delivery.FromParked:
			c.add(m.Entry, ledger.Parked, "", -n)
		case delivery.FromDead:
			c.add(m.Entry, ledger.Dead, "", -n)
		case delivery.FromQuarantine:
			c.add(m.Entry, ledger.Quarantined, "", -n)
		default:
			continue
		}
		c.add(m.Entry, accounts[m.End], m.Code, n)
	}
	return ledger.Sum(c)
}

// counts collects changes of accounts.
type counts []ledger.Delta

func (c *counts) add(k ledger.Key, a ledger.Account, code string, n int64) {
	*c = append(*c, ledger.Delta{
		Workspace: k.Workspace, Source: k.Source, Destination: k.Destination, Account: a, Code: code, N: n,
	})
}

// opening adds what an opening counts.
func (c *counts) opening(o *Opening) {
	if o.Bad { // how many events it has and of which source is unknown: it counts as one without a source
		c.add(ledger.Key{}, ledger.Accepted, "", 1)
		c.add(ledger.Key{}, ledger.Quarantined, BadFrame, 1)
	}
	for _, e := range o.Ends {
		if e.Entry.Destination != "" {
			if e.Account != ledger.Duplicate {
				c.add(e.Entry, ledger.Delivered, "", -e.Set.Len())
				c.add(e.Entry, e.Account, e.Code, e.Set.Len())
			}
			continue
		}
		from := ledger.Accepted
		if e.Replayed {
			from = ledger.Replayed
		}
		c.add(e.Entry, from, "", e.Set.Len())
		c.add(e.Entry, e.Account, e.Code, e.Set.Len())
	}
	for _, t := range o.Routed {
		account := ledger.Routed
		if t.Output > 0 {
			account = ledger.Added
		}
		c.add(t.Entry, account, "", t.Set.Len())
	}
}

// HasCode reports whether an end is counted with its code.
func HasCode(e delivery.End) bool { return e == delivery.EndDropped || e == delivery.EndQuarantined }
