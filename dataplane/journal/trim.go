package journal

import (
	"context"
	"fmt"
	"time"
)

// Trim purges what is older than window, and needed neither by a recovery nor by
// the dedupe index, which has the keys of the records up to covered.
func (j *Journal) Trim(ctx context.Context, covered uint64, window time.Duration) error {
	j.mu.Lock()
	limit := min(covered+1, j.st.base)
	j.mu.Unlock()
	st, err := j.cfg.Log.State(ctx)
	if err != nil {
		return fmt.Errorf("trim the journal: %w", err)
	}
	newest, err := j.cfg.Log.Last(ctx)
	if err != nil {
		return fmt.Errorf("trim the journal: %w", err)
	}
	now := time.Now() // the earlier of two clocks: one of them may have jumped
	if newest.At.Before(now) {
		now = newest.At
	}
	// The highest number whose record is too old, by halving.
	low, high := st.First, limit // below low all are old; from high on none may go
	for low < high {
		mid := low + (high-low)/2
		at := time.Time{}
		for rec, err := range j.cfg.Log.ReadTo(ctx, mid, "") {
			if err != nil {
				return fmt.Errorf("trim the journal: %w", err)
			}
			at = rec.At
			break
		}
		if at.IsZero() || now.Sub(at) <= window {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low <= st.First {
		return nil
	}
	if err := j.cfg.Log.Purge(ctx, low, ""); err != nil {
		return fmt.Errorf("trim the journal: %w", err)
	}
	return nil
}
