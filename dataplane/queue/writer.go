package queue

import (
	"context"

	"weir/dataplane/event"
	"weir/shared/fault"
)

// Writer makes events durable in the EVENTS logs, many requests in one frame.
type Writer struct{}

// NewWriter returns a writer to logs, one for each partition in slots.
func NewWriter(logs []Log, slots Slots) *Writer { return &Writer{} }

// Run commits until ctx ends.
func (w *Writer) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Append returns when every event is durable.
func (w *Writer) Append(ctx context.Context, events []event.Event) error {
	return fault.New(fault.Unavailable, "not running")
}
