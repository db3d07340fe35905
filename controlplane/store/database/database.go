// Package database opens the control plane's database, SQLite or Postgres, brings its
// schema up to date, runs reads and writes on it, and gives its errors a kind.
//
// It guarantees that a write is serializable and made together with its row
// in the audit log or not at all, repeated a few times when the database says that someone was
// faster; that a call takes 30 s at most; that processes which open an empty
// database at once migrate it once; and that no text of a driver, which may quote
// values, gets into an error. It refuses a database that a newer program migrated.
package database

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"weir/controlplane/store/database/statements"
	"weir/controlplane/store/ent"
	"weir/migrations"
	"weir/shared/fault"
)

// Config says where the database is.
type Config struct {
	// Database is a path of a SQLite file, which is made when absent, or a
	// postgres:// URL. Required.
	Database string
	Log      *slog.Logger     // nil discards
	Now      func() time.Time // nil means time.Now; expiry is judged by it
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	pool    *sql.DB
	driver  nesting
	ent     *ent.Client
	dialect string // dialect.SQLite or dialect.Postgres
	log     *slog.Logger
	clock   func() time.Time
	turns   turns // of organizations, among the writes of this process; Postgres
	group   group // of writes that go into one transaction; SQLite
	changed atomic.Pointer[func(workspace string)]
	// appended is called after each write that left a row in the audit log.
	appended atomic.Pointer[func()]
}

// callDeadline bounds one call of the database, its repetitions included.
const callDeadline = 30 * time.Second

// Connections that a store keeps at most. SQLite has one writer at a time, so
// more would only wait in its busy handler.
const (
	sqliteConnections   = 8
	postgresConnections = 20
)

// Open connects to the database, brings its schema up to this program's
// migrations, and returns it. Several processes may open one Postgres
// database at once.
//
// fault.Invalid: cfg is unusable. fault.Unavailable: the database is away.
// fault.Conflict: the database was migrated by a newer program, or a migration
// that it ran is not the one of this program.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Database == "" {
		return nil, fault.New(fault.Invalid, "the store needs a database: a file for SQLite or a postgres:// URL")
	}
	d := &DB{log: cfg.Log, clock: cfg.Now, group: group{lead: make(chan struct{}, 1)}}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.clock == nil {
		d.clock = time.Now
	}
	var list []migrations.Migration
	var err error
	if strings.HasPrefix(cfg.Database, "postgres://") || strings.HasPrefix(cfg.Database, "postgresql://") {
		d.dialect = dialect.Postgres
		d.pool, err = openPostgres(cfg.Database)
		if err == nil {
			list, err = migrations.Postgres()
		}
	} else {
		d.dialect = dialect.SQLite
		d.pool, err = openSQLite(cfg.Database)
		if err == nil {
			list, err = migrations.SQLite()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := d.Migrate(ctx, list); err != nil {
		_ = d.pool.Close()
		return nil, fmt.Errorf("open the database: %w", translate(err))
	}
	d.driver = nesting{entsql.OpenDB(d.dialect, d.pool)}
	d.ent = ent.NewClient(ent.Driver(d.driver))
	return d, nil
}

// openSQLite makes the file readable to its owner alone before SQLite opens it:
// SQLite gives its journal the same rights.
func openSQLite(path string) (*sql.DB, error) {
	if strings.ContainsAny(path, "?#%") {
		return nil, fault.New(fault.Invalid, "the database file %q has one of ?, # and %% in its path, which SQLite reads as options", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "cannot make the folder of the database: %v", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot open the database file: %v", err)
	}
	if err := f.Close(); err != nil {
		return nil, fault.New(fault.Unavailable, "cannot close the database file: %v", err)
	}
	connections, err := sqlite.NewConnector("file:" + path + "?_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)" +
		"&_pragma=synchronous(full)&_pragma=temp_store(memory)&_txlock=immediate&_time_format=sqlite")
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(statements.Connector(connections))
	db.SetMaxOpenConns(sqliteConnections)
	db.SetMaxIdleConns(sqliteConnections)
	return db, nil
}

// openPostgres does not connect yet. The URL may hold a password, so what the
// parser says about it is not passed on.
func openPostgres(url string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the database is not a usable postgres:// URL")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	// A pooler may give each transaction another session: no statement has a name there.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections / 2)
	db.SetConnMaxLifetime(30 * time.Minute)
	return db, nil
}

// OnChange has fn called after each write that changes a workspace, with its identifier, or
// removes a plane, with none. It must not block, and replaces a former one.
func (d *DB) OnChange(fn func(workspace string)) { d.changed.Store(&fn) }

// OnAppend has fn called after each write of this process that left a row in the audit
// log. It must not block, and replaces a former one.
func (d *DB) OnAppend(fn func()) { d.appended.Store(&fn) }

// Healthy asks the database for a sign of life.
func (d *DB) Healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	if err := d.pool.PingContext(ctx); err != nil {
		return fmt.Errorf("ask the database: %w", translate(err))
	}
	return nil
}

// Close ends the connections. Calls that run get an error.
func (d *DB) Close() error {
	if err := d.ent.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// Ent returns the client for reads: see Read.
func (d *DB) Ent() *ent.Client { return d.ent }

// Now returns the time as both databases keep it: see Stored.
func (d *DB) Now() time.Time { return Stored(d.clock()) }

// Newer reports whether what was said at at is newer than what is kept: it is later,
// or the kept one has a time to come, from before a clock stepped back.
func Newer(at, kept, now time.Time) bool {
	return at.After(kept) || kept.After(now) && !at.Equal(kept)
}

// Stored returns t as both databases keep it: UTC, in whole microseconds, without a
// monotonic reading.
func Stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
