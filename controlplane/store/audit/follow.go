package audit

import (
	"context"
	"fmt"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	entaudit "weir/controlplane/store/ent/audit"
	"weir/controlplane/store/ent/auditchain"
)

// OnAppend has fn called after each write of this process that left a row. It must not
// block, and replaces a former one. Rows that other processes write are found by Newest.
func (l *Log) OnAppend(fn func()) { l.db.OnAppend(fn) }

// Newest returns the number of the newest row in the chain of each organization, "" for
// the installation's; 0 where there is none. A chain's rows become visible in the order of
// their numbers, whichever process writes them.
func (l *Log) Newest(ctx context.Context, organizations ...string) (map[string]uint64, error) {
	out := make(map[string]uint64, len(organizations))
	of := make(map[string]string, len(organizations)) // by the name of its chain
	names := make([]string, len(organizations))
	for i, org := range organizations {
		out[org], names[i] = 0, chain.Name(org)
		of[names[i]] = org
	}
	for start := 0; start < len(names); start += database.Batch {
		some := names[start:min(start+database.Batch, len(names))]
		rows, err := database.Read(ctx, func(ctx context.Context) ([]*ent.AuditChain, error) {
			return l.db.Ent().AuditChain.Query().Where(auditchain.IDIn(some...)).All(ctx)
		})
		if err != nil {
			return nil, fmt.Errorf("find the newest rows of the audit log: %w", err)
		}
		for _, r := range rows {
			out[of[r.ID]] = r.Number
		}
	}
	return out, nil
}

// After returns at most limit rows of the chain of an organization behind a number, the
// oldest first.
func (l *Log) After(ctx context.Context, organization string, number uint64, limit int) ([]Entry, error) {
	out, err := database.Read(ctx, func(ctx context.Context) ([]Entry, error) {
		rows, err := l.db.Ent().Audit.Query().Where(entaudit.OrganizationID(organization), entaudit.NumberGT(number)).
			Order(ent.Asc(entaudit.FieldNumber)).Limit(limit).All(ctx)
		out := make([]Entry, len(rows))
		for i, r := range rows {
			out[i] = chain.Of(r)
		}
		return out, err
	})
	if err != nil {
		return nil, fmt.Errorf("follow the audit log: %w", err)
	}
	return out, nil
}
