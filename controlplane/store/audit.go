package store

import (
	"context"
	"time"
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
	return errEmpty
}

// Audit returns at most limit entries below a Seq (0: from the newest), newest
// first. A limit of 0 is 100.
func (s *Store) Audit(ctx context.Context, below uint64, limit int) ([]Entry, error) {
	return nil, errEmpty
}
