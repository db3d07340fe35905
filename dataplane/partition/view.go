package partition

import (
	"context"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/quarantine"
	"weir/dataplane/view"
	"weir/shared/fault"
)

// Parked lists the partition's parked events.
func (p *Partition) Parked() view.Lister { return parkedEvents{p} }

// Quarantine lists, replays and discards the partition's quarantined events. again
// takes those that are replayed, as the gateway's events are taken.
func (p *Partition) Quarantine(again func(context.Context, []event.Event) error) *Quarantined {
	return &Quarantined{p, again}
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
	code, detail := s.reason(f)
	listed := make([]view.Listed, len(found))
	for i, w := range found {
		listed[i] = view.Listed{Place: w.Place, Destination: w.Delivery.Destination, Code: code, At: w.At, Event: w.Delivery.Event}
		listed[i].Event.Detail = detail
	}
	return listed, next, err
}

// reason says why deliveries of a destination wait: it is disabled, or what the last
// of them met that had to wait.
func (s parkedEvents) reason(f view.ListFilter) (code, detail string) {
	if t, _ := s.cfg.Plans.Target(f.Workspace, f.Destination); t != nil && t.Disabled {
		return "destination_disabled", ""
	}
	if lanes := s.lanes.Load(); lanes != nil {
		for _, state := range lanes.States(time.Now()) {
			if state.Destination == f.Destination {
				return state.Reason, state.Detail
			}
		}
	}
	return "", ""
}

// Quarantined is a partition's quarantined events.
type Quarantined struct {
	p     *Partition
	again func(context.Context, []event.Event) error
}

// List reads the log, whichever process owns the partition.
func (q *Quarantined) List(ctx context.Context, f view.ListFilter, after delivery.Place, events, _ int) ([]view.Listed, delivery.Place, error) {
	last := q.p.last()
	if last == nil {
		return nil, delivery.Place{}, fault.New(fault.Unavailable, "Partition %d does not run at the moment.", q.p.cfg.Number)
	}
	events = min(events, quarantinePage)
	found, err := last.Quarantined(ctx, quarantine.Filter{Workspace: f.Workspace, Source: f.Source}, after, events)
	if err != nil {
		return nil, delivery.Place{}, err
	}
	listed := make([]view.Listed, len(found))
	for i, f := range found {
		listed[i] = view.Listed{Place: f.Place, Destination: f.Event.Destination, Code: f.Event.Quarantine, At: f.Event.ReceivedAt, Event: f.Event}
	}
	if len(found) < events {
		return listed, delivery.Place{}, nil
	}
	return listed, found[len(found)-1].Place, nil
}

// Count counts them. fault.Unavailable, as of the other two: the partition does not run here.
func (q *Quarantined) Count(ctx context.Context, f quarantine.Filter) (int, error) {
	store, err := q.store()
	if err != nil {
		return 0, err
	}
	return store.Count(ctx, f)
}

// Replay sends a part of them through the pipeline again.
func (q *Quarantined) Replay(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error) {
	store, err := q.store()
	if err != nil {
		return 0, span, err
	}
	return store.Replay(ctx, f, span, q.again)
}

// Discard removes a part of them.
func (q *Quarantined) Discard(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error) {
	store, err := q.store()
	if err != nil {
		return 0, span, err
	}
	return store.Remove(ctx, f, span)
}

func (q *Quarantined) store() (*quarantine.Store, error) {
	now, err := q.p.now()
	if err != nil {
		return nil, err
	}
	return now.Quarantine()
}
