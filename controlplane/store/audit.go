package store

import (
	"context"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/audit"
)

// Entry is one row of the audit log.
type Entry struct {
	Seq    uint64 // grows with time; the cursor
	At     time.Time
	Actor  string // "kind:name"
	Action string // "workspace.commit"
	Object string // "workspace ws_..."
	Detail string // numbers and codes; never a secret
}

// Record writes an audit row for something that changes no other row, such as a
// refused sign-in.
func (s *Store) Record(ctx context.Context, who Actor, action, object, detail string) error {
	err := s.write(ctx, who, func(context.Context, *ent.Tx) (trail, error) {
		return trail{action, object, detail}, nil
	})
	return wrap(err, "record %s", action)
}

// page is how many rows a list gives when its caller does not say.
const page = 100

// Audit returns at most limit entries of some organizations, "" for what is about none in
// particular, below a Seq (0: from the newest), newest
// first. A limit of 0 is 100.
func (s *Store) Audit(ctx context.Context, of []OrganizationID, below uint64, limit int) ([]Entry, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Entry, error) {
		orgs := make([]string, len(of))
		for i, o := range of {
			orgs[i] = string(o)
		}
		q := s.ent.Audit.Query().Where(audit.OrganizationIDIn(orgs...)).Order(ent.Desc(audit.FieldID)).Limit(or(limit, page))
		if below > 0 {
			q = q.Where(audit.IDLT(below))
		}
		rows, err := q.All(ctx)
		return each(rows, func(r *ent.Audit) Entry {
			return Entry{Seq: r.ID, At: r.At.UTC(), Actor: r.Actor, Action: r.Action, Object: r.Object, Detail: r.Detail}
		}), err
	})
}

func or(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}
