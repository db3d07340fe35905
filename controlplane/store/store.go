package store

import (
	"context"
	"log/slog"
	"time"

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

// Store is an open database. It is safe for concurrent use.
type Store struct{}

var errEmpty = fault.New(fault.Unavailable, "the store is not open")

// Open connects to the database, brings its schema up to this program's
// migrations, and returns the store. Several processes may open one Postgres
// database at once.
//
// fault.Invalid: cfg is unusable. fault.Unavailable: the database is away.
// fault.Conflict: the database was migrated by a newer program.
func Open(ctx context.Context, cfg Config) (*Store, error) { return nil, errEmpty }

// Healthy asks the database for a sign of life.
func (s *Store) Healthy(ctx context.Context) error { return errEmpty }

// Close ends the connections. Calls that run get an error.
func (s *Store) Close() error { return nil }
