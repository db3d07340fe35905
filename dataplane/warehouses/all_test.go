package warehouses_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/layout"
	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses"
	"weir/shared/postgrestest"
)

var server *postgrestest.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = postgrestest.Start(context.Background(), ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

var databases atomic.Int64

// setups has one for every kind.
var setups = map[string]loadtest.Setup{
	"duckdb": func(t testing.TB) (string, warehouse.Deps, func(string)) {
		dir := t.TempDir()
		return `{"path":"lake.duckdb"}`, warehouse.Deps{DataDir: dir, Owners: &warehouse.Owners{}, Now: time.Now}, func(q string) {
			db, err := sql.Open("duckdb", filepath.Join(dir, "lake.duckdb"))
			if err == nil {
				_, err = db.Exec(q)
				err = errors.Join(err, db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	},
	"postgres": func(t testing.TB) (string, warehouse.Deps, func(string)) {
		name := fmt.Sprintf("d%d", databases.Add(1))
		if err := server.Database(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		return `{"host":"db","database":"` + name + `","user":"postgres","schema":"weir","sslMode":"disable"}`, warehouse.Deps{Dial: server.Dial, Now: time.Now}, func(q string) {
			conn, err := pgx.Connect(t.Context(), server.URL(name))
			if err == nil {
				_, err = conn.Exec(t.Context(), "create schema if not exists weir; set search_path = weir; "+q)
				err = errors.Join(err, conn.Close(t.Context()))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	},
}

// TestAll holds every folder to the contract of warehouses.
func TestAll(t *testing.T) {
	t.Parallel()
	folders := map[string]bool{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			folders[e.Name()] = true
		}
	}
	for _, kind := range warehouses.All() {
		delete(folders, kind.Spec.Name)
		setup := setups[kind.Spec.Name]
		if setup == nil {
			t.Errorf("%s has no setup here", kind.Spec.Name)
			continue
		}
		t.Run(kind.Spec.Name, func(t *testing.T) { loadtest.Check(t, kind, setup) })
	}
	for name := range folders { // only its layout is known
		if _, err := os.Stat(filepath.Join(name, "spec.yaml")); err == nil {
			t.Errorf("folder %s is in no list: go run ./shared/catalog/gen", name)
		}
	}
}

// TestLayouts wants a layout named as its folder in every folder.
func TestLayouts(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, e := range entries {
		if e.IsDir() {
			want = append(want, e.Name())
		}
	}
	for _, d := range warehouses.Layouts() {
		got = append(got, d.Kind())
	}
	if !slices.Equal(got, want) {
		t.Errorf("layouts are named %v, want %v, the folders", got, want)
	}
	for _, name := range []string{"BigQuery", "bq"} {
		if d, ok := layout.Find(warehouses.Layouts(), name); !ok || d.Kind() != "bq" {
			t.Errorf("Find(%q) = %v, %v, want bq", name, d, ok)
		}
	}
	if _, ok := layout.Find(warehouses.Layouts(), "fax"); ok {
		t.Error("Find(fax) finds one")
	}
}
