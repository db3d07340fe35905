package publish

import (
	"context"
	"fmt"
	"time"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/wire"
)

// fold keeps every ack in the store until ctx ends.
func (p *Publisher) fold(ctx context.Context) error {
	for a, err := range p.cfg.Hub.Acks(ctx) {
		if err != nil {
			return fmt.Errorf("follow the planes' acks: %w", err)
		}
		p.keep(ctx, a)
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
