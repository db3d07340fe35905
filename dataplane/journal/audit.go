package journal

import (
	"context"
	"errors"
	"fmt"

	"weir/dataplane/ledger"
	"weir/dataplane/queue"
)

// Findings is what an audit of a journal found.
type Findings struct {
	Entries []ledger.Row // the ledger at the journal's end, with what is in flight
	Flaws   int64        // failed checks: since the oldest checkpoint that is there, and before
}

// Sound reports whether every check held.
func (f Findings) Sound() bool {
	for _, r := range f.Entries {
		if !r.Balanced {
			return false
		}
	}
	return f.Flaws == 0
}

// Audit checks a journal from its beginning, or the oldest whole checkpoint that
// is there: that counters follow each other, that every record's counts are
// those of its settlements, that its floor is that of its frames, and that the
// ledger balances with what is counted in open frames. It changes nothing and
// may run beside the owner.
//
// fault.Unavailable: the log is unreachable, or the journal is of a newer version.
func Audit(ctx context.Context, journal queue.Log) (Findings, error) {
	for {
		st := newState()
		before, err := journal.State(ctx)
		if err == nil {
			err = replay(ctx, journal, nil, 0, st)
		}
		if !st.whole && st.started {
			st.flaw(flawDamaged)
		}
		after, failed := journal.State(ctx)
		if err = errors.Join(err, failed); err != nil {
			return Findings{}, fmt.Errorf("audit: %w", err)
		}
		if after.First == before.First { // else the owner trimmed it, and records in the middle were missing
			return Findings{Entries: st.entries(), Flaws: st.failed}, nil
		}
	}
}
