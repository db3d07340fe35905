package queue

import (
	"weir/dataplane/event"
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
