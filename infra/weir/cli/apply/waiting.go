package apply

import (
	"context"
	"fmt"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// settling is how long apply waits for deliveries that are under way to a destination
// which the file removes.
const settling = 5 * time.Second

// waits is what would be lost with a destination.
type waits struct{ parked, underWay uint64 }

// removed returns the destinations that p removes, by identifier.
func removed(p *proposal) map[id.Destination]string {
	gone := map[id.Destination]string{}
	if p.existing == nil {
		return gone
	}
	for _, c := range p.diff.Changes {
		for _, d := range p.existing.Destinations {
			if c.Op == "remove" && c.Kind == "destination" && d.Name == c.Name {
				gone[d.ID] = d.Name
			}
		}
	}
	return gone
}

// parked refuses to remove destinations for which deliveries wait, by what the plane
// says now: what the control plane knows may be seconds old.
func (k invocation) parked(ctx context.Context, control *remote.Control, p *proposal) error {
	gone := removed(p)
	if len(gone) == 0 || p.DiscardParked || p.existing.Running == 0 {
		return nil
	}
	for until, pause := time.Now().Add(settling), pollFirst; ; pause = min(2*pause, pollMost) {
		counts, err := count(ctx, control, p.name(), gone)
		if err != nil {
			return fault.New(fault.KindOf(err), "the file removes destinations of workspace %s, and its plane cannot be asked what waits for them (%v); try again when it is reached, or give up what waits with --discard-parked", p.name(), err)
		}
		left := uint64(0)
		for d, name := range gone {
			n := counts[d]
			if n.parked > 0 || n.underWay > 0 && time.Now().After(until) {
				return fault.New(fault.Conflict, "%d deliveries wait for destination %s, which the file removes from workspace %s (%d parked, %d under way); remove its connections first and wait until they are delivered, or give them up with --discard-parked",
					n.parked+n.underWay, name, p.name(), n.parked, n.underWay)
			}
			left += n.underWay
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// count asks the plane of a workspace what waits for destinations.
func count(ctx context.Context, control *remote.Control, workspace string, of map[id.Destination]string) (map[id.Destination]waits, error) {
	view, err := control.View(ctx, workspace, capability.ReadLedger)
	if err != nil {
		return nil, err
	}
	rows, err := view.Ledger(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	counts := map[id.Destination]waits{}
	for _, r := range rows {
		for d, name := range of {
			if r.Destination == string(d) || r.Destination == name {
				n := counts[d]
				counts[d] = waits{n.parked + r.Parked, n.underWay + r.InFlight + r.Staged}
			}
		}
	}
	return counts, nil
}
