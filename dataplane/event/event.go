// Package event is the one form of an event inside a data plane: parsed once,
// at the door, then carried as bytes.
//
// Cut divides a body into members with a scan that neither recurses nor keeps
// a stack, so that one bad member costs only itself. A Parser gates each member
// (size, nesting, UTF-8, JSON, one object with an id and no top-level key
// twice) and brings it into canonical form.
//
// It refuses, with a Code, what is not such an object. It guarantees that every
// value it does not own (messageId when blank, type on a route that sets it,
// the times, receivedAt, request_ip) leaves with the bytes it came with, in the
// order it came in: big integers, escapes, nested duplicate keys and lone
// surrogates too. It keeps no reference to the bytes it is given.
package event

import (
	"time"

	"weir/shared/id"
)

// Event is one accepted event in canonical form. JSON is the whole event with
// the fields that Weir adds, every sent value to the byte; nothing may change
// it in place. The other fields are read from it once so that nobody has to
// parse it again.
//
// MessageID and User are valid UTF-8 of any length up to that of the event and
// may hold any character, control characters too.
type Event struct {
	Workspace  id.Workspace
	Source     id.Source
	MessageID  id.Event  // never empty
	Generated  bool      // MessageID was made at the door
	Type       string    // track, identify, ...; empty when the event has none
	User       string    // userId, else anonymousId: what partitions and orders it
	ReceivedAt time.Time // millisecond precision, UTC
	Quarantine string    // reason code when it broke a rule; at the door, JSON may be any bytes then
	JSON       []byte

	// Destination is set on an event that concerns one destination only: it broke
	// a rule on the way there, or is sent there again.
	Destination id.Destination
	Detail      string // with Quarantine, local to the plane: what the customer's code said
	Replayed    bool   // it was accepted before and is sent again: dedupe does not see it
	Delivery    string // in STAGE, and from there back: the delivery's name in its partition
}
