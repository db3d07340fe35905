// Package event is the one form of an event inside a data plane: parsed once,
// at the door, then carried as bytes.
package event

import (
	"time"

	"weir/shared/id"
)

// Event is one accepted event in canonical form. JSON is the whole event with
// the fields that Weir adds, every sent value to the byte; nothing may change
// it in place. The other fields are read from it once so that nobody has to
// parse it again.
type Event struct {
	Workspace  id.Workspace
	Source     id.Source
	MessageID  id.Event  // never empty
	Generated  bool      // MessageID was made at the door
	Type       string    // track, identify, ...; empty when the event has none
	User       string    // userId, else anonymousId: what partitions and orders it
	ReceivedAt time.Time // millisecond precision, UTC
	Quarantine string    // reason code when it broke a rule at the door; then JSON may be any bytes
	JSON       []byte
}
