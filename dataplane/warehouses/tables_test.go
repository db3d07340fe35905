package warehouses_test

import (
	"testing"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/tables"
	"weir/dataplane/tables/tablestest"
	"weir/dataplane/warehouses"
)

// withTables opens a warehouse of a kind as one whose tables can be worked on.
func withTables(t *testing.T, kind string, s loadtest.Setup) (tables.Warehouse, func()) {
	t.Helper()
	for _, k := range warehouses.All() {
		if k.Spec.Name != kind {
			continue
		}
		o, err := k.Open([]byte(s.Settings), s.Secrets)
		if err != nil {
			t.Fatal(err)
		}
		w, err := o.Open(t.Context(), s.Deps)
		if err != nil {
			t.Fatal(err)
		}
		return w.(tables.Warehouse), func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Fatalf("no kind %s", kind)
	return nil, nil
}

func TestSessions(t *testing.T) {
	t.Parallel()
	for kind, setup := range map[string]func(testing.TB) loadtest.Setup{"duckdb": duckDB, "postgres": ofPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			tablestest.Run(t, func(t *testing.T) (tables.Warehouse, func()) { return withTables(t, kind, s) })
		})
	}
}
