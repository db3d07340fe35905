// Package delivery has the nouns that every room of the way out shares: an
// output's identity, a place in a log, a delivery, and what became of one. It
// does nothing with them.
package delivery

import (
	"time"

	"weir/dataplane/event"
	"weir/shared/id"
)

// Ref is the identity of an output: the frame and index of the event it came
// from and its number among that event's outputs, from 0.
type Ref struct {
	Frame  uint64
	Index  uint32
	Output uint32
}

// Place is a position in a PARKED, DEAD or QUARANTINE log: a record and an item in it.
type Place struct {
	Seq  uint64
	Item uint32
}

// Delivery is one output on its way to one destination.
type Delivery struct {
	Ref
	Destination id.Destination
	Revision    uint64    // under which it was routed
	Read        time.Time // when its frame was read, with monotonic clock: it is parked Config.ParkAfter later
	Event       event.Event
	Original    []byte // the event's JSON before transformations; nil when none changed it
}

// Stage is where a delivery stood before it was settled.
type Stage uint8

// The stages.
const (
	Live       Stage = iota + 1 // in a lane's memory, its frame is open
	FromParked                  // in PARKED at From
	FromDead                    // in DEAD at From
	// FromQuarantine is the stage of what was settled as quarantined and lay in
	// QUARANTINE at From. It ends dropped; lanes never report it.
	FromQuarantine
)

// End is what a settlement books.
type End uint8

// The ends. EndParked and EndDead are durable at To before they are reported.
// Lanes never report EndQuarantined: it is for what ends before it is offered.
const (
	EndDelivered End = iota + 1
	EndDropped       // Code says why
	EndParked
	EndDead        // Code says why
	EndQuarantined // Code says why
)

// Codes of settlements that no verdict of a destination brings about. All of them
// are drops.
const (
	CodeRemoved       = "destination_removed" // the destination is no longer in its workspace
	CodeDiscarded     = "discarded"           // a person discarded the dead letter
	CodeErased        = "erased"              // it is about a person who was erased
	CodeRetransformed = "retransformed"       // its original was sent through its transformations again
	CodeExpired       = "expired"             // it was kept as long as a plane keeps such things
)

// Settled reports that a delivery left a stage. Everything it claims is already
// true on disk or at the destination when it is reported; the pipeline journals
// it. Ref is set for every stage: PARKED and DEAD records remember theirs.
type Settled struct {
	Ref
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination // with FromQuarantine empty for what broke a rule at its source
	Stage       Stage
	From        Place // with FromParked, FromDead and FromQuarantine
	End         End
	To          Place // with EndParked and EndDead; of one that a person took out of DEAD the record in DEAD that says so
	Code        string
}

// Settlement reports that d left stage, with FromParked and FromDead from there,
// and ended so.
func (d *Delivery) Settlement(stage Stage, from Place, end End, code string) Settled {
	return Settled{
		Ref: d.Ref, Workspace: d.Event.Workspace, Source: d.Event.Source, Destination: d.Destination,
		Stage: stage, From: from, End: end, Code: code,
	}
}

// Through returns the number of the record in PARKED or in DEAD that the
// settlement proves, 0 for none. The journal keeps the highest of each:
// settlements are reported in the order of these numbers, those of one record in
// one call, so Missed and Scan find behind them every one that the journal does
// not have. It must journal the settlements of one call together.
func (s Settled) Through() (parked, dead uint64) {
	switch {
	case s.To.Seq == 0:
		return 0, 0
	case s.End == EndParked:
		return s.To.Seq, 0
	default:
		return 0, s.To.Seq
	}
}

// Drained is what the journal knows of one destination's PARKED records:
// everything up to and including Floor is settled, and of what lies above, Done.
type Drained struct {
	Floor uint64
	Done  map[Place]struct{}
}

// Recovery is what the journal knows at the start of an owner.
type Recovery struct {
	// Drained has an entry for every destination that may have PARKED records:
	// each with a Parked balance, also when nothing of it was ever drained
	// (Floor 0), and also those whose records the journal missed. Done includes the
	// From of every settlement with Stage FromParked that was found in DEAD.
	Drained map[id.Destination]Drained
	// ParkedThrough and DeadThrough are the highest numbers of the two logs whose
	// settlements the journal had before it looked for missed ones, see Through.
	ParkedThrough, DeadThrough uint64
}
