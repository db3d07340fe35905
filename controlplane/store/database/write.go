package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/ent"
	"weir/shared/fault"
)

// Batch is how many values one statement gets: databases bound its parameters.
const Batch = 500

// How often a write is begun when others are faster. Each loser lost to a winner, so
// someone always gets on. A write that has the turn of its organization competes with one
// write of each other process alone, and loses before it did any work.
const (
	attempts     = 12
	attemptsTurn = 200
)

// Trail is what a write wants in the audit log; without an action it leaves no
// row, which only writes that changed nothing may do.
type Trail struct {
	Action string // "workspace.commit"
	Object string // "workspace ws_…"
	Detail string
	// Organization and Workspace are what the write is about, empty for none in particular.
	// Where Object is a workspace they are set here.
	Organization string
	Workspace    string
	// Before and After are what differs, as JSON objects; nil for nothing. They hold no
	// secret, but its fingerprint.
	Before, After any
}

// Write runs fn in one serializable transaction and adds the audit row that fn
// returns, in the name of actor, to the chain of its organization. It begins anew when the
// database says that another transaction was
// faster, so fn must not keep anything of an earlier run. An error whose kind is
// Unavailable may mean that the commit happened and its answer was lost. On SQLite writes
// that come at the same time are made one after the other in one transaction: fn may run
// while another caller waits, and must not wait for another write.
func (d *DB) Write(ctx context.Context, actor string, fn func(ctx context.Context, tx *ent.Tx) (Trail, error)) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	a := attempt{actor: actor, origin: chain.OriginOf(ctx), fn: fn}
	if d.dialect == dialect.SQLite {
		err := d.together(ctx, &a)
		if err == nil {
			d.tell(a.action, a.workspace)
		}
		return translate(err)
	}
	defer func() {
		if a.release != nil {
			a.release()
		}
	}()
	if a.origin.Organization != "" {
		if err := d.queue(ctx, &a, a.origin.Organization); err != nil {
			return translate(err)
		}
	}
	for n := 1; ; n++ {
		about, err := d.try(ctx, &a)
		if err == nil {
			d.tell(a.action, a.workspace)
			return nil
		}
		if !overtaken(err) {
			return translate(err)
		}
		most, wait := attempts, time.Duration(n)*10*time.Millisecond
		if about != nil && a.release == nil {
			if err := d.queue(ctx, &a, *about); err != nil {
				return translate(err)
			}
		}
		if a.release != nil {
			most, wait = attemptsTurn, 5*time.Millisecond
		}
		if n >= most {
			return fault.New(fault.Conflict, "others changed the same rows %d times: try again", n)
		}
		select {
		case <-ctx.Done():
			return translate(ctx.Err())
		case <-time.After(rand.N(wait)):
		}
	}
}

// attempt is a write that may be begun several times.
type attempt struct {
	actor   string
	origin  chain.Origin
	fn      func(ctx context.Context, tx *ent.Tx) (Trail, error)
	release func() // gives back the turn of organization; nil without one
	// organization is the one whose turn the write has.
	organization string
	action       string // of the last try
	workspace    string // that it is about
}

// tell says that a write with an action was made about a workspace, or none.
func (d *DB) tell(action string, ws string) {
	if fn := d.appended.Load(); fn != nil && action != "" {
		(*fn)()
	}
	fn := d.changed.Load()
	if fn == nil || !strings.HasPrefix(action, "workspace.") && action != "plane.remove" {
		return
	}
	(*fn)(ws)
}

// queue waits for the turn of an organization among the writes of this process.
func (d *DB) queue(ctx context.Context, a *attempt, organization string) error {
	release, err := d.turns.take(ctx, chain.Name(organization))
	if err != nil {
		return err
	}
	a.release, a.organization = release, organization
	return nil
}

// organizationOf returns the organization of a workspace, "" for one that is not there.
func organizationOf(ctx context.Context, tx *ent.Tx, ws string) (string, error) {
	row, err := tx.Workspace.Get(ctx, ws)
	if ent.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return row.OrganizationID, nil
}

// try runs a once. Of a write that failed it returns the organization that it is about,
// nil when that is not known.
func (d *DB) try(ctx context.Context, a *attempt) (about *string, err error) {
	var options *entsql.TxOptions
	if d.dialect == dialect.Postgres {
		options = &entsql.TxOptions{Isolation: sql.LevelSerializable}
	}
	tx, err := d.ent.BeginTx(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	if a.release != nil {
		err = chain.Lock(ctx, tx, d.dialect, a.organization)
	}
	if err == nil {
		about, err = d.act(ctx, tx, a)
	}
	if err != nil {
		// After a failed statement the rollback can only fail with the connection.
		_ = tx.Rollback()
		return about, err
	}
	if err := tx.Commit(); err != nil {
		return about, fmt.Errorf("commit: %w", err)
	}
	return about, nil
}

// act does the write and adds its row to the log.
func (d *DB) act(ctx context.Context, tx *ent.Tx, a *attempt) (about *string, err error) {
	left, err := a.fn(ctx, tx)
	a.action, a.workspace = left.Action, ""
	if err != nil && left.Organization != "" {
		return &left.Organization, err
	}
	if err != nil || left.Action == "" {
		return nil, err
	}
	if name, ok := strings.CutPrefix(left.Object, "workspace "); ok {
		left.Workspace, a.workspace = name, name
		if left.Organization, err = organizationOf(ctx, tx, name); err != nil {
			return nil, err
		}
	}
	e := chain.Entry{
		Organization: left.Organization, Workspace: left.Workspace, At: d.Now(), Actor: a.actor, ActorID: a.origin.ActorID,
		Action: left.Action, Object: left.Object, Detail: left.Detail, Address: a.origin.Address, Request: a.origin.Request,
	}
	if e.Before, err = side(left.Before); err == nil {
		e.After, err = side(left.After)
	}
	if err != nil {
		return nil, err
	}
	return &left.Organization, chain.Append(ctx, tx, e)
}

// longestSide is how long what was before or after a write may be in the log, in bytes. Of
// what is longer the digest is kept.
const longestSide = 64 << 10

// side is what was before or after a write as the log keeps it.
func side(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode what changed: %w", err)
	}
	if len(text) > longestSide {
		text, err = json.Marshal(map[string]any{"bytes": len(text), "sha256": fmt.Sprintf("%x", sha256.Sum256(text))})
	}
	return string(text), err
}

// Read runs fn, which may make several queries, within the deadline of a call.
func Read[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	v, err := fn(ctx)
	if err != nil {
		var none T
		return none, translate(err)
	}
	return v, nil
}

// Postgres error codes that callers can act on.
// Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	uniqueViolation      = "23505"
	untranslatable       = "22021" // character_not_in_repertoire: a NUL or invalid UTF-8 in text
)

// overtaken reports whether the transaction lost a race and may be begun anew.
// On Postgres a unique violation can be the face of a lost race: the row was
// looked for and not found in the snapshot. The second run then sees it.
func overtaken(err error) bool {
	var known *fault.Error
	if errors.As(err, &known) {
		return false
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == serializationFailure || pg.Code == deadlockDetected || pg.Code == uniqueViolation
}

// translate gives an error of the database a kind. Faults pass unchanged. The
// text of a driver may quote values, so none of it is passed on but the code.
func translate(err error) error {
	var known *fault.Error
	var pg *pgconn.PgError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ent.IsNotFound(err):
		return fault.New(fault.Missing, "there is no such row")
	case errors.As(err, &pg) && pg.Code == untranslatable:
		return fault.New(fault.Invalid, "a text holds a character that the database cannot keep")
	case ent.IsValidationError(err):
		return fault.New(fault.Invalid, "a required text is empty")
	case ent.IsConstraintError(err):
		return fault.New(fault.Conflict, "the database refused the change: it breaks a rule of a table or somebody was faster")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "the database did not answer in time")
	}
	return databaseFault(err)
}

// List is v as a JSON list, [] for nil.
func List[T any](v []T) (string, error) {
	if len(v) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode a list: %w", err)
	}
	return string(text), nil
}
