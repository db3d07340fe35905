package publish

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/wire"
)

// foldAtOnce is how many acks wait for the store at a time. Which of two about one
// workspace comes first does not matter: the store keeps the newest.
const foldAtOnce = 64

// fold keeps every ack in the store until ctx ends.
func (p *Publisher) fold(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(foldAtOnce)
	defer func() { _ = g.Wait() }() // keep gives no errors
	for a, err := range p.cfg.Hub.Acks(ctx) {
		if err != nil {
			return fmt.Errorf("follow the planes' acks: %w", err)
		}
		g.Go(func() error {
			p.keep(ctx, a)
			return nil
		})
	}
	return nil
}

// keep folds one ack. It waits for a store that is away: the hub gives an ack
// again only after a reconnect. What the store refuses is logged and left.
func (p *Publisher) keep(ctx context.Context, a wire.Ack) {
	who := store.Actor{Kind: store.ByPlane, ID: string(a.Plane), Name: string(a.Plane)}
	for failures := 0; ctx.Err() == nil; failures++ {
		changed, err := p.cfg.Store.FoldAck(ctx, who, a)
		switch {
		case err == nil:
			if changed {
				p.cfg.Log.InfoContext(ctx, "ack folded", "plane", a.Plane, "workspace", a.Workspace, "number", a.Number,
					"state", string(a.State), "running", a.Running, "problems", len(a.Problems))
			}
			return
		case fault.KindOf(err) != fault.Unavailable && fault.KindOf(err) != fault.Conflict:
			p.cfg.Log.WarnContext(ctx, "ack not folded", "plane", a.Plane, "workspace", a.Workspace, "number", a.Number, "error", err)
			return
		}
		p.cfg.Log.WarnContext(ctx, "ack waits for the store", "plane", a.Plane, "workspace", a.Workspace, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(backoff(failures, p.cfg.Every)):
		}
	}
}
