package identity

import (
	"context"

	"weir/dataplane/tables"
)

// Components labels the nodes of a table of edges.
func Components(ctx context.Context, s tables.Session, d tables.Dialect, edges, out string) error {
	r := &run{ctx: ctx, s: s, d: d}
	components(r, edges, out)
	return r.err
}
