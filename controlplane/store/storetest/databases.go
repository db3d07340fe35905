// Package storetest gives tests real databases: a Postgres server of their own
// on a unix socket, databases cloned from a migrated template, SQLite files.
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
//	func TestX(t *testing.T) { storetest.Each(t, func(t *testing.T, s *store.Store) { … }) }
//
// Where Postgres is not installed Main prints one line that says what to
// install and fails.
package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"weir/controlplane/store"
	"weir/migrations"
	"weir/shared/postgrestest"
)

// serverVariable names the folder of a running server's socket. `make test` may
// set it so that all test processes share one server; Main sets it otherwise.
const serverVariable = "WEIR_TEST_POSTGRES"

// templateLock is the advisory lock under which one process makes the template.
const templateLock = 0x74706c

// Main runs the tests of a package with a Postgres server beside them, and
// returns the exit code for os.Exit.
func Main(m *testing.M) int {
	if os.Getenv(serverVariable) != "" {
		return m.Run()
	}
	server, err := postgrestest.Start(context.Background(), "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv(serverVariable, server.Dir()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Each runs test in parallel on an empty, migrated store in SQLite, on one in
// Postgres, and on one by way of a pooler.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	for name, database := range map[string]func(testing.TB) string{
		"sqlite": SQLite, "postgres": Postgres, "pooler": func(t testing.TB) string { return Pooled(t, Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, Open(t, store.Config{Database: database(t)}))
		})
	}
}

// Open opens a store and closes it when the test ends.
func Open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("open %s: %v", cfg.Database, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// SQLite returns the path of a database that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "control.db")
}

// Postgres returns the URL of a new database with every migration, and drops it
// when the test ends. The test's package needs Main.
func Postgres(t testing.TB) string { return clone(t, true) }

// EmptyPostgres returns the URL of a new database without tables.
func EmptyPostgres(t testing.TB) string { return clone(t, false) }

// Pooled returns the URL by which a database of Postgres or EmptyPostgres is reached
// through a PgBouncer that gives each transaction another session.
func Pooled(t testing.TB, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	p, err := postgrestest.Pool(t.Context(), os.Getenv(serverVariable), "transaction", "trust")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p.URL("postgres", "", strings.TrimPrefix(u.Path, "/"))
}

func clone(t testing.TB, migrated bool) string {
	t.Helper()
	dir := os.Getenv(serverVariable)
	if dir == "" {
		t.Fatalf("no Postgres server runs: the package needs func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }")
	}
	name := "test_" + strings.ToLower(rand.Text())
	statement := "create database " + name
	if migrated {
		tpl, err := template(t.Context(), dir)
		if err != nil {
			t.Fatalf("make the template database: %v", err)
		}
		statement += " template " + tpl + " strategy file_copy"
	}
	if err := admin(t.Context(), dir, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	t.Cleanup(func() {
		if err := admin(context.Background(), dir, "drop database "+name+" with (force)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return postgrestest.URL(dir, name)
}

func admin(ctx context.Context, dir, statement string) error {
	conn, err := pgx.Connect(ctx, postgrestest.URL(dir, "postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// template returns the name of the database with every migration of this
// program, and makes it when it is not there.
func template(ctx context.Context, dir string) (string, error) {
	list, err := migrations.Postgres()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, m := range list {
		fmt.Fprintln(sum, m.Number, m.SQL)
	}
	name := "template_" + hex.EncodeToString(sum.Sum(nil)[:8])
	conn, err := pgx.Connect(ctx, postgrestest.URL(dir, "postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // gives the lock back, too
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", templateLock); err != nil {
		return "", err
	}
	var ready bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1 and datistemplate)", name).Scan(&ready); err != nil || ready {
		return name, err
	}
	// One that is there and no template was left by a process that died.
	for _, statement := range []string{"drop database if exists " + name + " with (force)", "create database " + name} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	s, err := store.Open(ctx, store.Config{Database: postgrestest.URL(dir, name)})
	if err != nil {
		return "", err
	}
	if err := s.Close(); err != nil { // nobody may be connected to a template
		return "", err
	}
	_, err = conn.Exec(ctx, "alter database "+name+" with is_template true allow_connections false")
	return name, err
}
