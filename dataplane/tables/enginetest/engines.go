// Package enginetest gives tests real warehouses to work on: a DuckDB file and a
// database of a Postgres server.
package enginetest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses"
	"weir/shared/postgrestest"
	"weir/shared/secret"
)

// Engines are the warehouses of a test binary.
type Engines struct {
	mu     sync.Mutex
	server *postgrestest.Server
	last   atomic.Int64
}

// Main runs a binary's tests with its engines, and is a worker where the binary was
// started as one.
func (e *Engines) Main(m *testing.M) {
	warehouses.Tasks().Divert()
	code := m.Run()
	if e.server != nil {
		if err := e.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// Names are the engines.
var names = []string{"duckdb", "postgres"}

// Each runs a test on every engine, with a session in an empty schema profiles.
func (e *Engines) Each(t *testing.T, test func(t *testing.T, w tables.Warehouse, s tables.Session)) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := e.Open(t, name)
			s, err := w.Session(t.Context(), "profiles")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, w, s)
		})
	}
}

// Open opens an empty warehouse of an engine.
func (e *Engines) Open(t testing.TB, name string) tables.Warehouse {
	t.Helper()
	deps := warehouse.Deps{DataDir: t.TempDir(), Owners: &warehouse.Owners{}, Workspace: "ws_test", Now: time.Now}
	settings, secrets := `{"path":"lake","schema":"events"}`, map[string]secret.String{}
	if name == "postgres" {
		server := e.postgres(t)
		database := fmt.Sprintf("d%d", e.last.Add(1))
		if err := server.Database(t.Context(), database); err != nil {
			t.Fatal(err)
		}
		deps.Dial = server.Dial
		settings = `{"host":"db","database":"` + database + `","user":"postgres","schema":"events","sslMode":"disable"}`
		secrets["password"] = secret.NewString("any")
	}
	for _, k := range warehouses.All() {
		if k.Spec.Name != name {
			continue
		}
		o, err := k.Open([]byte(settings), secrets)
		if err != nil {
			t.Fatal(err)
		}
		w, err := o.Open(t.Context(), deps)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
		return w.(tables.Warehouse)
	}
	t.Fatalf("this build has no engine %s", name)
	return nil
}

func (e *Engines) postgres(t testing.TB) *postgrestest.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		var err error
		if e.server, err = postgrestest.Start(context.Background(), ""); err != nil {
			t.Fatal(err)
		}
	}
	return e.server
}

// Insert inserts rows of literals, a thousand at a time.
func Insert(t testing.TB, s tables.Session, table string, rows []string) {
	t.Helper()
	for len(rows) > 0 {
		n := min(len(rows), 1000)
		if _, err := s.Exec(context.Background(), "insert into "+table+" values ("+strings.Join(rows[:n], "), (")+")"); err != nil {
			t.Fatal(err)
		}
		rows = rows[n:]
	}
}

type worked = tables.Warehouse

// kept is a warehouse that is worked on, and that Close leaves open.
type kept struct {
	warehouse.Warehouse
	worked
}

func (kept) Close() error { return nil }

// Keep returns a warehouse of Open as one that Close leaves open.
func Keep(w tables.Warehouse) warehouse.Warehouse { return kept{w.(warehouse.Warehouse), w} }
