package history

import (
	"maps"
	"slices"
	"sync"
)

// Refusing is the tables that refuse rows. It is safe for concurrent use.
type Refusing struct {
	mu       sync.Mutex
	attempts map[string]int
}

// Add notes that a table refuses rows: by more, in how many attempts it refused every
// row, which it returns.
func (r *Refusing) Add(table string, more int) (attempts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.attempts == nil {
		r.attempts = map[string]int{}
	}
	r.attempts[table] += more
	return r.attempts[table]
}

// Takes notes that a table takes rows.
func (r *Refusing) Takes(table string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.attempts, table)
}

// Tables returns them, sorted.
func (r *Refusing) Tables() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.attempts))
}
