package queue

import (
	"weir/dataplane/event"
	"weir/shared/fault"
)

// Frame is the events that one commit made durable, of one partition.
type Frame struct {
	Seq    uint64 // its number in EVENTS.p, 0 before it is appended
	Events []event.Event
}

// Sizes of frames.
const (
	// FrameBytes is where a frame is closed; a single larger event makes a
	// frame of its own.
	FrameBytes = 512 << 10
	// MaxPayload is what the event servers must accept in one message.
	MaxPayload = 8 << 20
)

// EncodeFrame returns the bytes of a frame with events.
func EncodeFrame(events []event.Event) []byte { return nil }

// DecodeFrame reads what EncodeFrame wrote. The events' JSON alias one buffer
// that belongs to the frame. fault.Invalid: data is damaged or of an unknown version.
func DecodeFrame(data []byte) (Frame, error) {
	return Frame{}, fault.New(fault.Invalid, "not a frame")
}
