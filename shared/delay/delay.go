// Package delay waits for a time or for the end of a context, whichever is first.
package delay

import (
	"context"
	"time"
)

// For waits for d; false: ctx ended before.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
