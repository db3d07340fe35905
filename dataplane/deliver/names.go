package deliver

import (
	"context"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/parked"
	"weir/dataplane/queue"
	"weir/shared/id"
)

// Names of parked and delivery as they were here.
type (
	Filter     = parked.Filter
	DeadLetter = parked.DeadLetter
	Waiting    = parked.Waiting
	Recovery   = delivery.Recovery
)

// Missed is parked.Missed.
func Missed(ctx context.Context, parkedLog, dead queue.Log, parkedThrough, deadThrough uint64, fn func(delivery.Settled) error) error {
	return parked.Missed(ctx, parkedLog, dead, parkedThrough, deadThrough, fn)
}

// List is parked.Store's.
func (l *Lanes) List(ctx context.Context, f Filter, after delivery.Place, limit int) ([]DeadLetter, error) {
	return l.store.List(ctx, f, after, limit)
}

// Redrive is parked.Store's.
func (l *Lanes) Redrive(ctx context.Context, f Filter) (int, error) { return l.store.Redrive(ctx, f) }

// Discard is parked.Store's.
func (l *Lanes) Discard(ctx context.Context, f Filter) (int, error) { return l.store.Discard(ctx, f) }

// Retransform is parked.Store's.
func (l *Lanes) Retransform(ctx context.Context, f Filter, way func(event.Event) bool, again func(context.Context, []event.Event) error) (int, error) {
	return l.store.RetransformBy(ctx, f, way, again)
}

// Waiting is parked.Store's.
func (l *Lanes) Waiting(ctx context.Context, ws id.Workspace, dest id.Destination, after delivery.Place, limit, bytes int) ([]Waiting, delivery.Place, error) {
	return l.store.Waiting(ctx, ws, dest, after, limit, bytes)
}
