package pipeline

import "weir/shared/fault"

// reaction is what the loop does about an error.
type reaction uint8

const (
	stop   reaction = iota // the owner ends; the next one starts from the journal
	again                  // what failed is tried again until it succeeds or the owner ends
	reject                 // the input is settled as what it is: unreadable
)

// reactionTo maps the kind of an error to what the loop does about it. Nothing
// is dropped because something is unreachable or full, and nothing that is unreadable
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
