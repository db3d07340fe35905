package fleet

import (
	"context"
	"fmt"
	"time"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/wire"
)

// Run folds beats into the store until ctx ends. A store that is away is waited
// for. It returns an error when the hub's end was closed.
func (s *Service) Run(ctx context.Context) error {
	for b, err := range s.cfg.Beats(ctx) {
		if err != nil {
			return fmt.Errorf("follow the planes' beats: %w", err)
		}
		s.answered(b)
		if err := s.FoldBeat(ctx, b); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "beat not folded", "plane", b.Plane, "error", err)
			if fault.KindOf(err) == fault.Unavailable {
				pause(ctx, time.Second) // the plane's next beat says it all again
			}
		}
	}
	return nil
}

// FoldBeat keeps a verified beat, with all codes by their names. A time after now counts as now: the clock of a hub
// outside may be ahead, and a plane must not look alive after it died.
func (s *Service) FoldBeat(ctx context.Context, b wire.Beat) error {
	b = s.named(ctx, b)
	if now := s.cfg.Now(); b.At.After(now) {
		b.At = now
	}
	who := store.Actor{Kind: store.ByPlane, ID: string(b.Plane), Name: string(b.Plane)}
	if err := s.cfg.Store.FoldBeat(ctx, who, b); err != nil {
		return fmt.Errorf("fold beat: %w", err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
