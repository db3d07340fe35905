package warehouses_test

import (
	"context"
	"flag"
	"strings"
	"testing"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/syncs/syncstest"
	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses"
)

// syncSteps is how many random steps the kit of syncs does; make soak does more.
var syncSteps = flag.Int("syncsteps", 2, "random steps of the kit of syncs")

func TestSyncs(t *testing.T) {
	t.Parallel()
	for kind, setup := range map[string]func(testing.TB) loadtest.Setup{"duckdb": duckDB, "postgres": ofPostgres, "mysql": modelsOfMySQL, "clickhouse": ofClickHouse} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind != "duckdb" || *syncSteps > 2 { // its SQL is that of Postgres, and each use of a DuckDB file is a process
				t.Run("deaths", func(t *testing.T) {
					t.Parallel()
					stride := 1
					if *syncSteps <= 2 {
						stride = 7
					}
					syncstest.Deaths(t, opening(t, kind, setup(t)), stride)
				})
				t.Run("modes", func(t *testing.T) {
					t.Parallel()
					syncstest.Modes(t, func(t *testing.T) syncstest.Open { return opening(t, kind, setup(t)) })
				})
			}
			t.Run("snapshots", func(t *testing.T) {
				t.Parallel()
				stride := 1
				if *syncSteps <= 2 {
					stride = 9
				}
				syncstest.Snapshots(t, opening(t, kind, setup(t)), stride)
			})
			t.Run("wide", func(t *testing.T) { t.Parallel(); syncstest.Wide(t, opening(t, kind, setup(t))) })
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
			return func(ctx context.Context) (warehouse.Warehouse, error) {
				w, err := o.Open(ctx, s.Deps)
				if err == nil && kind == "clickhouse" {
					w = standard{w, s.Exec}
				}
				return w, err
			}
		}
	}
	t.Fatalf("no kind %s", kind)
	return nil
}

// standard is a warehouse on which the kit's statements about its table of people run, as
// the owner says them there.
type standard struct {
	warehouse.Warehouse
	exec func(string)
}

func (s standard) Session(ctx context.Context, schema string) (tables.Session, error) {
	on, err := s.Warehouse.(tables.Modelled).Session(ctx, schema)
	return standardSession{on, s.exec}, err
}
func (s standard) Basics() tables.Basics { return s.Warehouse.(tables.Modelled).Basics() }
func (s standard) Home() string          { return s.Warehouse.(tables.Modelled).Home() }

type standardSession struct {
	tables.Session
	exec func(string)
}

func (s standardSession) Exec(ctx context.Context, q string) (int64, error) {
	switch {
	case strings.HasPrefix(q, "create table people"):
		q = "create table people (id Nullable(String), mail Nullable(String), name Nullable(String), plan Nullable(String), score Nullable(Int32))"
		fallthrough
	case strings.HasPrefix(q, "delete from people"):
		s.exec(q)
		return 0, nil
	}
	return s.Session.Exec(ctx, q)
}
