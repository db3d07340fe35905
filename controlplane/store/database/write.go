package database

import (
	"context"
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

	"weir/controlplane/store/ent"
	"weir/shared/fault"
)

// Batch is how many values one statement gets: databases bound its parameters.
const Batch = 500

// attempts is how often a write is begun when others are faster. Each loser
// lost to a winner, so someone always gets on.
const attempts = 12

// Trail is what a write wants in the audit log; without an action it leaves no
// row, which only writes that changed nothing may do.
type Trail struct {
	Action string // "workspace.commit"
	Object string // "workspace ws_…"
	Detail string
	// Organization is the one that the write is about, empty for none in particular. Where
	// Object is a workspace it is set here.
	Organization string
}

// Write runs fn in one serializable transaction and adds the audit row that fn
// returns, in the name of actor. It begins anew when the database says that another transaction was
// faster, so fn must not keep anything of an earlier run. An error whose kind is
// Unavailable may mean that the commit happened and its answer was lost.
func (d *DB) Write(ctx context.Context, actor string, fn func(ctx context.Context, tx *ent.Tx) (Trail, error)) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	for n := 1; ; n++ {
		err := d.try(ctx, actor, fn)
		if err == nil {
			return nil
		}
		if !overtaken(err) {
			return translate(err)
		}
		if n == attempts {
			return fault.New(fault.Conflict, "others changed the same rows %d times: try again", n)
		}
		select {
		case <-ctx.Done():
			return translate(ctx.Err())
		case <-time.After(rand.N(time.Duration(n) * 10 * time.Millisecond)):
		}
	}
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

func (d *DB) try(ctx context.Context, actor string, fn func(ctx context.Context, tx *ent.Tx) (Trail, error)) error {
	var options *entsql.TxOptions
	if d.dialect == dialect.Postgres {
		options = &entsql.TxOptions{Isolation: sql.LevelSerializable}
	}
	tx, err := d.ent.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	left, err := fn(ctx, tx)
	if name, ok := strings.CutPrefix(left.Object, "workspace "); ok && err == nil && left.Action != "" {
		left.Organization, err = organizationOf(ctx, tx, name)
	}
	if err == nil && left.Action != "" {
		err = tx.Audit.Create().SetOrganizationID(left.Organization).SetAt(d.Now()).SetActor(actor).
			SetAction(left.Action).SetObject(left.Object).SetDetail(left.Detail).Exec(ctx)
	}
	if err != nil {
		// After a failed statement the rollback can only fail with the connection.
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
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
