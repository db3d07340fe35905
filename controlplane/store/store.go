package store

import (
	"context"
	"log/slog"
	"time"

	"weir/controlplane/store/accounts"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/chain"
	"weir/controlplane/store/changes"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/idempotency"
	"weir/controlplane/store/listing"
	"weir/controlplane/store/policies"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
	"weir/shared/id"
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
	db    *database.DB
	ent   *ent.Client // of db
	kinds kindLists   // of planes
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

// OnChange has fn called after each write of this process that changes what planes have to
// run, with the workspace, or with none when it is about a plane. It must not block, and
// replaces a former one.
func (s *Store) OnChange(fn func(id.Workspace)) {
	s.db.OnChange(func(ws string) { fn(id.Workspace(ws)) })
}

// Close ends the connections. Calls that run get an error.
func (s *Store) Close() error { return s.db.Close() }

// Audit returns the audit log, in the same database.
func (s *Store) Audit() *audit.Log { return audit.New(s.db) }

// Record writes an audit row for something that changes no other row, such as a
// refused sign-in.
func (s *Store) Record(ctx context.Context, who Actor, action, object, detail string) error {
	err := s.write(ctx, who, func(context.Context, *ent.Tx) (trail, error) {
		return trail{Action: action, Object: object, Detail: detail}, nil
	})
	return wrap(err, "record %s", action)
}

// page is how many rows a list gives when its caller does not say.
const page = 100

func or(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

// now returns the time as the database keeps it.
func (s *Store) now() time.Time { return s.db.Now() }

// Tenancy returns organizations, members and grants, in the same database.
func (s *Store) Tenancy() *tenancy.Tenancy { return tenancy.New(s.db) }

// Accounts returns sessions and what people sign in with, in the same database.
func (s *Store) Accounts() *accounts.Accounts { return accounts.New(s.db) }

// Policies returns what organizations decided about configurations, in the same database.
func (s *Store) Policies() *policies.Policies { return policies.New(s.db) }

// Changes returns the commits that wait for another person, in the same database.
func (s *Store) Changes() *changes.Changes { return changes.New(s.db) }

// Keys returns the idempotency keys, in the same database.
func (s *Store) Keys() *idempotency.Keys { return idempotency.New(s.db) }

// Listing returns what lists of workspaces show, in the same database.
func (s *Store) Listing() *listing.Listing { return listing.New(s.db) }

// trail is what a write wants in the audit log: see database.Trail.
type trail = database.Trail

// fields are what is before or after a write, for the audit log.
type fields = map[string]any

// write is database.DB.Write in the name of an actor.
func (s *Store) write(ctx context.Context, who Actor, fn func(ctx context.Context, tx *ent.Tx) (trail, error)) error {
	if who.Kind == "" || who.Name == "" {
		return fault.New(fault.Internal, "a write without an actor")
	}
	if origin := chain.OriginOf(ctx); who.ID != origin.ActorID {
		origin.ActorID = who.ID
		ctx = chain.With(ctx, origin)
	}
	return s.db.Write(ctx, who.String(), fn)
}
