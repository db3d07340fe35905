package warehouses_test

import (
	"context"
	"flag"
	"testing"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/syncs/syncstest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses"
)

// syncSteps is how many random steps the kit of syncs does; make soak does more.
var syncSteps = flag.Int("syncsteps", 2, "random steps of the kit of syncs")

func TestSyncs(t *testing.T) {
	t.Parallel()
	for kind, setup := range map[string]func(testing.TB) loadtest.Setup{"duckdb": duckDB, "postgres": ofPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == "postgres" || *syncSteps > 2 { // their SQL is the same, and each use of a DuckDB file is a process
				t.Run("modes", func(t *testing.T) {
					t.Parallel()
					syncstest.Modes(t, func(t *testing.T) syncstest.Open { return opening(t, kind, setup(t)) })
				})
			}
			syncstest.Run(t, func(t *testing.T) syncstest.Open { return opening(t, kind, setup(t)) }, *syncSteps)
		})
	}
}

// opening returns what opens a warehouse of a kind.
func opening(t *testing.T, kind string, s loadtest.Setup) syncstest.Open {
	t.Helper()
	for _, k := range warehouses.All() {
		if k.Spec.Name == kind {
			o, err := k.Open([]byte(s.Settings), s.Secrets)
			if err != nil {
				t.Fatal(err)
			}
			return func(ctx context.Context) (warehouse.Warehouse, error) { return o.Open(ctx, s.Deps) }
		}
	}
	t.Fatalf("no kind %s", kind)
	return nil
}
