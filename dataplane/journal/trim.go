package journal

import (
	"context"
	"fmt"

	"weir/dataplane/queue"
)

// Trim purges what neither a recovery nor the index needs. A recovery needs what
// follows the newest checkpoint but one: one of its records may be damaged. The
// index needs the keys that it does not have durably. With Config.Keep also what
// is not older stays, as far as it fits into half of the log, well before it is full.
func (j *Journal) Trim(ctx context.Context) error {
	j.mu.Lock()
	limit := j.unneeded(j.st.former)
	j.mu.Unlock()
	st, err := j.cfg.Log.State(ctx)
	if err != nil {
		return fmt.Errorf("trim the journal: %w", err)
	}
	if j.cfg.Keep > 0 {
		young, err := queue.Since(ctx, j.cfg.Log, st.First, limit, j.cfg.Keep)
		if err != nil {
			return fmt.Errorf("trim the journal: %w", err)
		}
		if over := int64(st.Bytes) - j.cfg.Limit/2; j.cfg.Limit > 0 && over > 0 {
			young = max(young, st.First+uint64(float64(st.Records)*float64(over)/float64(st.Bytes)))
		}
		limit = min(limit, young)
	}
	if limit <= st.First {
		return nil
	}
	if err := j.cfg.Log.Purge(ctx, limit, ""); err != nil {
		return fmt.Errorf("trim the journal: %w", err)
	}
	return nil
}

// makeRoom purges what a full log can do without: all before the newest
// checkpoint, when the index has the keys; with Config.Keep the oldest sixteenth of
// that, so that keys are forgotten early. The writer alone calls it.
func (j *Journal) makeRoom(ctx context.Context) {
	j.cover(ctx)
	limit := j.unneeded(j.st.base)
	if j.cfg.Keep > 0 {
		st, err := j.cfg.Log.State(ctx)
		if err != nil {
			return // the append is tried again, and then this
		}
		limit = min(limit, st.First+st.Records/16+1)
	}
	if limit > 0 {
		_ = j.cfg.Log.Purge(ctx, limit, "")
	}
}

// unneeded returns the first record that is needed by a recovery from base or by
// the index. The caller holds mu, or is the writer.
func (j *Journal) unneeded(base uint64) uint64 {
	if covered := j.cfg.Index.Position(); covered < j.st.keyed {
		return min(covered+1, base)
	}
	return base
}
