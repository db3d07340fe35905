package deliver

import (
	"context"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/parked"
	"weir/shared/id"
)

// List is that of parked.Store.
func (l *Lanes) List(ctx context.Context, f parked.Filter, after delivery.Place, limit int) ([]parked.DeadLetter, error) {
	return l.store.List(ctx, f, after, limit)
}

// Redrive is that of parked.Store.
func (l *Lanes) Redrive(ctx context.Context, f parked.Filter) (int, error) {
	return l.store.Redrive(ctx, f)
}

// Discard is that of parked.Store.
func (l *Lanes) Discard(ctx context.Context, f parked.Filter) (int, error) {
	return l.store.Discard(ctx, f)
}

// Retransform is that of parked.Store.
func (l *Lanes) Retransform(ctx context.Context, f parked.Filter, connected func(event.Event) bool, replay func(context.Context, []event.Event) error) (int, error) {
	return l.store.Retransform(ctx, f, connected, replay)
}

// Waiting is that of parked.Store.
func (l *Lanes) Waiting(ctx context.Context, ws id.Workspace, dest id.Destination, after delivery.Place, limit, bytes int) ([]parked.Waiting, delivery.Place, error) {
	return l.store.Waiting(ctx, ws, dest, after, limit, bytes)
}
