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
func (p *Partition) Parked() view.Lister { return parkedEvents{p} }

// Quarantine lists, replays and discards the partition's quarantined events. again
// takes those that are replayed, as the gateway's events are taken.
func (p *Partition) Quarantine(again func(context.Context, []event.Event) error) view.Quarantine {
	return quarantinedEvents{p, again}
}

// quarantinePage is how many events one read of QUARANTINE gives at most: they may
// be of a mebibyte each.
const quarantinePage = 32

// parkedEvents is a partition's parked events.
type parkedEvents struct{ *Partition }

// List lists those that are not settled.
func (s parkedEvents) List(ctx context.Context, f view.ListFilter, after delivery.Place, events, bytes int) ([]view.Listed, delivery.Place, error) {
	store, err := s.Store()
	if err != nil {
		return nil, delivery.Place{}, err
	}
	found, next, err := store.Waiting(ctx, f.Workspace, f.Destination, after, events, bytes)
	listed := make([]view.Listed, len(found))
	for i, w := range found {
		listed[i] = view.Listed{Place: w.Place, Destination: w.Delivery.Destination, At: w.At, Event: w.Delivery.Event}
	}
	return listed, next, err
}

// quarantinedEvents is a partition's quarantined events.
type quarantinedEvents struct {
	*Partition
	again func(context.Context, []event.Event) error
}

// List reads the log, whichever process owns the partition.
func (s quarantinedEvents) List(ctx context.Context, f view.ListFilter, after delivery.Place, events, _ int) ([]view.Listed, delivery.Place, error) {
	last := s.last()
	if last == nil {
		return nil, delivery.Place{}, fault.New(fault.Unavailable, "Partition %d does not run at the moment.", s.cfg.Number)
	}
	events = min(events, quarantinePage)
	found, err := last.Quarantined(ctx, quarantine.Filter{Workspace: f.Workspace, Source: f.Source}, after, events)
	if err != nil {
		return nil, delivery.Place{}, err
	}
	listed := make([]view.Listed, len(found))
	for i, q := range found {
		listed[i] = view.Listed{Place: q.Place, Destination: q.Event.Destination, Code: q.Event.Quarantine, At: q.Event.ReceivedAt, Event: q.Event}
	}
	if len(found) < events {
		return listed, delivery.Place{}, nil
	}
	return listed, found[len(found)-1].Place, nil
}

// Replay sends them through the pipeline again.
func (s quarantinedEvents) Replay(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error) {
	return s.move(func(now *pipeline.Pipeline) (int, quarantine.Span, error) {
		return now.Replay(ctx, f, span, s.again)
	})
}

// Discard removes them.
func (s quarantinedEvents) Discard(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error) {
	return s.move(func(now *pipeline.Pipeline) (int, quarantine.Span, error) {
		return now.Remove(ctx, f, span)
	})
}

// move does one thing at a time: two replays of an event would be two events.
func (s quarantinedEvents) move(do func(*pipeline.Pipeline) (int, quarantine.Span, error)) (int, quarantine.Span, error) {
	if !s.moving.TryLock() {
		return 0, quarantine.Span{}, fault.New(fault.Conflict, "Quarantined events of partition %d are being moved already; ask again when that is done.", s.cfg.Number)
	}
	defer s.moving.Unlock()
	now, err := s.now()
	if err != nil {
		return 0, quarantine.Span{}, err
	}
	return do(now)
}
