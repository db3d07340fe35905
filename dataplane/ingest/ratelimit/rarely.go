package ratelimit

import (
	"sync/atomic"
	"time"
)

// Rarely says what happens often at most every 10 s. It is safe for concurrent use.
type Rarely struct{ last atomic.Int64 } // Unix seconds

// Now reports whether it is time to say it.
func (r *Rarely) Now() bool {
	now, then := time.Now().Unix(), r.last.Load()
	return now-then >= 10 && r.last.CompareAndSwap(then, now)
}
