package partition

import (
	"context"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/pipeline"
	"weir/dataplane/quarantine"
	"weir/dataplane/view"
	"weir/shared/fault"
)

// Parked lists the partition's parked events.
func (p *Partition) Parked() view.Shelf { return parkedEvents{p} }

// Quarantine lists the partition's quarantined events.
func (p *Partition) Quarantine() view.Shelf { return quarantinedEvents{p} }

// QuarantineMoves replays and discards the partition's quarantined events. again
// takes those that are replayed, as the gateway's events are taken.
func (p *Partition) QuarantineMoves(again func(context.Context, []event.Event) error) view.Broken {
	return quarantineMoves{p, again}
}

// quarantinePage is how many events one read of QUARANTINE gives at most: they may
// be of a mebibyte each.
const quarantinePage = 32

// parkedEvents is a partition's parked events.
type parkedEvents struct{ *Partition }

// List lists those that are not settled.
func (s parkedEvents) List(ctx context.Context, f view.HeldFilter, after delivery.Place, events, bytes int) ([]view.Held, delivery.Place, error) {
	store, err := s.Store()
	if err != nil {
		return nil, delivery.Place{}, err
	}
	found, next, err := store.Waiting(ctx, f.Workspace, f.Destination, after, events, bytes)
	held := make([]view.Held, len(found))
	for i, w := range found {
		held[i] = view.Held{Place: w.Place, Destination: w.Delivery.Destination, At: w.At, Event: w.Delivery.Event}
	}
	return held, next, err
}

// quarantinedEvents is a partition's quarantined events.
type quarantinedEvents struct{ *Partition }

// List reads the log, whichever process owns the partition.
func (s quarantinedEvents) List(ctx context.Context, f view.HeldFilter, after delivery.Place, events, _ int) ([]view.Held, delivery.Place, error) {
	last := s.last()
	if last == nil {
		return nil, delivery.Place{}, fault.New(fault.Unavailable, "Partition %d does not run at the moment.", s.cfg.Number)
	}
	events = min(events, quarantinePage)
	found, err := last.Quarantined(ctx, quarantine.Filter{Workspace: f.Workspace, Source: f.Source}, after, events)
	if err != nil {
		return nil, delivery.Place{}, err
	}
	held := make([]view.Held, len(found))
	for i, q := range found {
		held[i] = view.Held{Place: q.Place, Destination: q.Event.Destination, Code: q.Event.Quarantine, At: q.Event.ReceivedAt, Event: q.Event}
	}
	if len(found) < events {
		return held, delivery.Place{}, nil
	}
	return held, found[len(found)-1].Place, nil
}

// quarantineMoves moves a partition's quarantined events.
type quarantineMoves struct {
	*Partition
	again func(context.Context, []event.Event) error
}

// Replay sends them through the pipeline again.
func (m quarantineMoves) Replay(ctx context.Context, c view.BrokenChoice, span view.Span) (int, view.Span, error) {
	return m.move(func(now *pipeline.Pipeline) (int, quarantine.Span, error) {
		return now.Replay(ctx, quarantine.Filter(c), quarantine.Span(span), m.again)
	})
}

// Discard removes them.
func (m quarantineMoves) Discard(ctx context.Context, c view.BrokenChoice, span view.Span) (int, view.Span, error) {
	return m.move(func(now *pipeline.Pipeline) (int, quarantine.Span, error) {
		return now.Remove(ctx, quarantine.Filter(c), quarantine.Span(span))
	})
}

// move does one thing at a time: two replays of an event would be two events.
func (m quarantineMoves) move(do func(*pipeline.Pipeline) (int, quarantine.Span, error)) (int, view.Span, error) {
	if !m.moving.TryLock() {
		return 0, view.Span{}, fault.New(fault.Conflict, "Quarantined events of partition %d are being moved already; ask again when that is done.", m.cfg.Number)
	}
	defer m.moving.Unlock()
	now, err := m.now()
	if err != nil {
		return 0, view.Span{}, err
	}
	n, rest, err := do(now)
	return n, view.Span(rest), err
}
