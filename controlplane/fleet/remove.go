package fleet

import (
	"context"
	"fmt"
	"time"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/wire/hub"
)

// Remove removes the plane with that name or id: it is admitted to the hub no more, and
// nothing of it stays there. Repeating it is harmless.
//
// fault.Missing: there is and was none. fault.Conflict: workspaces are on it, which the
// error names. fault.Unavailable: the hub is away; the plane is removed, and the hub
// is told by repeating, or when the control plane starts.
func (s *Service) Remove(ctx context.Context, who store.Actor, named string) error {
	p, err := s.cfg.Store.RemovePlane(ctx, who, named)
	if err != nil {
		return fmt.Errorf("remove a plane: %w", err)
	}
	s.mu.Lock()
	delete(s.keys, p.ID)
	s.mu.Unlock()
	if err := s.cfg.Expel(ctx, account(p.Region, p.Organization), p.ID); err != nil {
		return fault.New(fault.Unavailable, "plane %s is removed, but the hub could not be told (%v); remove it once more when the hub is there", p.Name, err)
	}
	s.cfg.Log.InfoContext(ctx, "plane removed", "plane", p.ID, "region", p.Region)
	return nil
}

// Revoked returns whom the hub admits no more to an account, for hub.Config.
func Revoked(ctx context.Context, s *store.Store, a hub.Account) (map[string]time.Time, error) {
	all, err := s.RemovedPlanes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list removed planes: %w", err)
	}
	out := map[string]time.Time{}
	for _, p := range all {
		if account(p.Region, p.Organization) == a && p.At.After(out[p.NATSKey]) {
			out[p.NATSKey] = p.At
		}
	}
	return out, nil
}
