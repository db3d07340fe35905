package dataplane

import (
	"cmp"
	"context"

	"weir/dataplane/agent"
	"weir/dataplane/enrol"
)

// Join lets a plane join that can run Kinds. An empty cfg.Version becomes a
// default. Errors: those of enrol.Join.
func Join(ctx context.Context, cfg enrol.Config) error {
	cfg.Version, cfg.Kinds = cmp.Or(cfg.Version, defaultVersion), agent.KindsOf(Kinds())
	return enrol.Join(ctx, cfg)
}
