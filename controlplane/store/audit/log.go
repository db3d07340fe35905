// Package audit reads the audit log, shows whether it was tampered with, and signs how far
// it goes.
//
// Rows are written by database.DB.Write alone, in chains: see package chain, which shows
// rows that were changed, taken out or put in between. What a chain cannot show itself,
// that its end was cut off, is shown by its head, which a control plane signs every minute
// with a key that is not in the database, and which it remembers outside of the database
// too. So whoever has the database alone cannot take back what is older than a minute.
package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	entaudit "weir/controlplane/store/ent/audit"
	"weir/controlplane/store/ent/predicate"
	"weir/shared/capability"
)

// Entry is one row of the log.
type Entry = chain.Entry

// Log is the audit log of an open database. It is safe for concurrent use.
type Log struct{ db *database.DB }

// New returns the log of db.
func New(db *database.DB) *Log { return &Log{db} }

// Filter says which rows a list has. What is zero does not limit.
type Filter struct {
	Organizations []string // identifiers, "" for what is about none; none lists nothing
	Workspace     string   // identifier
	Actor         string   // as Entry has it, or the name or the identifier alone
	Action        string   // "workspace.commit", or "workspace" for all that begin so
	Object        string   // as Entry has it, or an identifier or name in it or in what changed
	WithoutReads  bool     // leaves capabilities out that read alone
	Since, Until  time.Time
	Below         uint64 // a Seq: go on after the page that ended with it
	Limit         int    // 0 is 100
}

// page is how many rows a list gives when its caller does not say.
const page = 100

// List returns rows, the newest first.
func (l *Log) List(ctx context.Context, f Filter) ([]Entry, error) {
	if len(f.Organizations) == 0 {
		return nil, nil
	}
	limit := f.Limit
	if limit <= 0 {
		limit = page
	}
	out, err := database.Read(ctx, func(ctx context.Context) ([]Entry, error) {
		rows, err := l.db.Ent().Audit.Query().Where(f.where()...).Order(ent.Desc(entaudit.FieldID)).Limit(limit).All(ctx)
		out := make([]Entry, len(rows))
		for i, r := range rows {
			out[i] = chain.Of(r)
		}
		return out, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	return out, nil
}

func (f Filter) where() []predicate.Audit {
	where := []predicate.Audit{entaudit.OrganizationIDIn(f.Organizations...)}
	add := func(limits bool, p predicate.Audit) {
		if limits {
			where = append(where, p)
		}
	}
	add(f.Workspace != "", entaudit.WorkspaceID(f.Workspace))
	add(f.Actor != "", entaudit.Or(entaudit.Actor(f.Actor), entaudit.ActorID(f.Actor), entaudit.ActorHasSuffix(":"+f.Actor)))
	add(f.Action != "", entaudit.Or(entaudit.Action(f.Action), entaudit.ActionHasPrefix(strings.TrimSuffix(f.Action, ".")+".")))
	quoted := `"` + f.Object + `"`
	add(f.Object != "", entaudit.Or(entaudit.Object(f.Object), entaudit.ObjectHasSuffix(" "+f.Object), entaudit.BeforeContains(quoted), entaudit.AfterContains(quoted)))
	add(f.WithoutReads, entaudit.Not(reads()))
	add(!f.Since.IsZero(), entaudit.AtGTE(database.Stored(f.Since)))
	add(!f.Until.IsZero(), entaudit.AtLT(database.Stored(f.Until)))
	add(f.Below > 0, entaudit.IDLT(f.Below))
	return where
}

// reads are the rows of capabilities that read: their details begin with the action.
func reads() predicate.Audit {
	var begins []predicate.Audit
	for _, a := range capability.Actions() {
		if a.Reads() {
			begins = append(begins, entaudit.Detail(string(a)), entaudit.DetailHasPrefix(string(a)+" "))
		}
	}
	return entaudit.And(entaudit.Action("capability.issue"), entaudit.Or(begins...))
}

// adoptions is how many rows one transaction brings into their chains.
const adoptions = 200

// Adopt brings the rows into their chains that a release without chains wrote, the oldest
// first, and returns how many. Whoever changed them before is not found out.
func (l *Log) Adopt(ctx context.Context) (int, error) {
	all := 0
	for {
		done := 0
		err := l.db.Write(ctx, "system:audit", func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
			rows, err := tx.Audit.Query().Where(entaudit.Number(0)).Order(ent.Asc(entaudit.FieldID)).Limit(adoptions).All(ctx)
			if err != nil {
				return database.Trail{}, err
			}
			for _, r := range rows {
				e, err := chain.Next(ctx, tx, chain.Of(r))
				if err != nil {
					return database.Trail{}, err
				}
				if err := tx.Audit.UpdateOne(r).SetNumber(e.Number).SetDigest(e.Digest).Exec(ctx); err != nil {
					return database.Trail{}, err
				}
			}
			done = len(rows)
			return database.Trail{}, nil
		})
		if err != nil {
			return all, fmt.Errorf("bring rows of the audit log into their chains: %w", err)
		}
		all += done
		if done < adoptions {
			return all, nil
		}
	}
}
