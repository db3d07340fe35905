package record

import (
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/ledger"
)

// MaxIndex is the highest index of an event in its frame.
const MaxIndex = 1<<16 - 1

// MaxCode is the longest code that is kept, in bytes.
const MaxCode = 64

// Decisions collects what is decided about the events of one frame, named by
// their indexes. The zero Decisions is empty.
type Decisions struct {
	keyed  Set
	keys   []dedupe.Key
	ends   Groups[endKey]
	routed Groups[ledger.Key]
}

// endKey is what events have in common in an endSet.
type endKey struct {
	entry    ledger.Key
	account  ledger.Account
	code     string
	replayed bool
}

// Key notes the dedupe key of an event that was not accepted before. Indexes come
// in ascending order.
func (d *Decisions) Key(index uint32, k dedupe.Key) {
	d.keyed.Push(index)
	d.keys = append(d.keys, k)
}

// Route notes that an event goes to a destination.
func (d *Decisions) Route(index uint32, entry ledger.Key) { d.routed.Add(entry, index) }

// End notes what became of an event at its source; of every event once. entry has a
// destination when it is a delivery there that a load took back, see EndSet. code goes
// with Quarantined and Dropped. replayed: it was accepted before and sent again.
func (d *Decisions) End(index uint32, entry ledger.Key, account ledger.Account, code string, replayed bool) {
	d.ends.Add(endKey{entry, account, code, replayed}, index)
}

// Opening returns the opening of a frame of count events that the log took at
// at. bad: the frame could not be decoded, and count is 0.
func (d *Decisions) Opening(frame uint64, at time.Time, count uint32, bad bool) Opening {
	o := Opening{Frame: frame, At: at, Count: count, Bad: bad, Keyed: d.keyed, DedupeKeys: d.keys}
	for k, s := range d.ends.Each {
		o.Ends = append(o.Ends, EndSet{k.entry, k.account, k.code, k.replayed, s})
	}
	for k, s := range d.routed.Each {
		o.Routed = append(o.Routed, RoutedSet{k, 0, s})
	}
	return o
}
