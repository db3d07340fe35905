package store

import (
	"context"
	"log/slog"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/tenancy"
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
type Store struct {
	db  *database.DB
	ent *ent.Client // of db
}

// Open connects to the database, brings its schema up to this program's
// migrations, and returns the store. Several processes may open one Postgres
// database at once.
//
// fault.Invalid: cfg is unusable. fault.Unavailable: the database is away.
// fault.Conflict: the database was migrated by a newer program, or a migration
// that it ran is not the one of this program.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	db, err := database.Open(ctx, database.Config(cfg))
	if err != nil {
		return nil, wrap(err, "open the store")
	}
	return &Store{db: db, ent: db.Ent()}, nil
}

// Healthy asks the database for a sign of life.
func (s *Store) Healthy(ctx context.Context) error { return s.db.Healthy(ctx) }

// Close ends the connections. Calls that run get an error.
func (s *Store) Close() error { return s.db.Close() }

// now returns the time as the database keeps it.
func (s *Store) now() time.Time { return s.db.Now() }

// Tenancy returns organizations, members and grants, in the same database.
func (s *Store) Tenancy() *tenancy.Tenancy { return tenancy.New(s.db) }

// trail is what a write wants in the audit log: see database.Trail.
type trail struct{ Action, Object, Detail string }

// write is database.DB.Write in the name of an actor.
func (s *Store) write(ctx context.Context, who Actor, fn func(ctx context.Context, tx *ent.Tx) (trail, error)) error {
	if who.Kind == "" || who.Name == "" {
		return fault.New(fault.Internal, "a write without an actor")
	}
	return s.db.Write(ctx, who.String(), func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		t, err := fn(ctx, tx)
		return database.Trail{Action: t.Action, Object: t.Object, Detail: t.Detail}, err
	})
}
