package ledger

import (
	"weir/shared/id"
)

// Account is one column of a book.
type Account uint8

// The accounts. Those of a source have no destination: Accepted, Replayed,
// Duplicate, Quarantined, Dropped, SourceRouted, Unrouted. Those of a source
// and destination: Routed, Added, Delivered, Dropped, Quarantined, Parked,
// Dead. Parked and Dead are balances and go down again; Dropped has a code.
//
//	Accepted + Replayed = waiting + Duplicate + Quarantined + Dropped + SourceRouted + Unrouted
//	Routed + Added = Delivered + Dropped + Quarantined + Parked + Dead + in flight
//
// Delivered is what a destination took. A warehouse takes what is staged for it: Stage
// shows that apart. What a load cannot make a row of, or finds its warehouse removed
// for, goes from Delivered to Quarantined or Dropped.
const (
	Accepted Account = iota + 1
	Replayed
	Duplicate
	Quarantined
	Dropped
	SourceRouted
	Unrouted
	Routed
	Added
	Delivered
	Parked
	Dead
)

// Delta is a change of one account. Destination is empty for a source's own.
type Delta struct {
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination
	Account     Account
	Code        string // of Dropped and Quarantined, from a closed list
	N           int64
}

// Row is the state of one book. Dropped is by code. Waiting is what is accepted or
// replayed and not read; Waiting and InFlight are counted from frames and lanes,
// never computed. Staged is that part of what was delivered to a warehouse which is not
// loaded, as Stage sets it apart. Balanced says whether the equation holds.
type Row struct {
	Workspace                                  id.Workspace
	Source                                     id.Source
	Destination                                id.Destination // empty: the source's own book
	Accepted, Replayed, Duplicate, Quarantined int64
	Waiting, SourceRouted, Unrouted            int64
	Dropped                                    map[string]int64
	Routed, Added, Delivered, Staged           int64
	Parked, Dead, InFlight                     int64
	Balanced                                   bool
}
