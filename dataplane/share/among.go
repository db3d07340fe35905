package share

import (
	"sync"
	"time"
)

// Among tells whether several members need something that they share: what one keeps
// is at the expense of the others then. It is safe for concurrent use.
type Among[M comparable] struct {
	Alone, Beside int64 // how much one may hold; set before the first use

	mu      sync.Mutex
	last    M
	any     bool
	changed time.Time // when another member than the last one needed something
}

// besideFor is how long a member counts after it needed something.
const besideFor = 10 * time.Second

// Used notes that m needs something.
func (a *Among[M]) Used(m M, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.any && a.last != m {
		a.changed = now
	}
	a.last, a.any = m, true
}

// Most is how much a member may hold now.
func (a *Among[M]) Most(now time.Time) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.changed) < besideFor {
		return a.Beside
	}
	return a.Alone
}
