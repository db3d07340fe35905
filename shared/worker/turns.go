package worker

import (
	"context"
	"slices"
	"sync"

	"weir/shared/fault"
)

// maxWaiting is how many of one tenant wait at most.
const maxWaiting = 64

// Turns lets a few at a time go on. Tenants take turns, however many of one wait,
// and no tenant has all of them while they are more than one. It is safe for
// concurrent use.
type Turns struct {
	most int

	mu      sync.Mutex
	busy    int
	running map[string]int
	waiting map[string][]chan struct{}
	ring    []string // tenants that wait, the next one first
}

// NewTurns returns Turns for so many at a time.
func NewTurns(most int) *Turns {
	return &Turns{most: most, running: map[string]int{}, waiting: map[string][]chan struct{}{}}
}

// Take waits for a turn of a tenant; done ends it and may be called once.
// fault.Limited: too many of this tenant wait. fault.Unavailable: ctx ended.
func (t *Turns) Take(ctx context.Context, tenant string) (done func(), err error) {
	t.mu.Lock()
	if len(t.waiting[tenant]) >= maxWaiting {
		t.mu.Unlock()
		return nil, fault.New(fault.Limited, "Too much of this workspace is at work already; try again in a moment.")
	}
	mine := make(chan struct{})
	if len(t.waiting[tenant]) == 0 {
		t.ring = append(t.ring, tenant)
	}
	t.waiting[tenant] = append(t.waiting[tenant], mine)
	t.next()
	t.mu.Unlock()
	done = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.busy--
		if t.running[tenant]--; t.running[tenant] == 0 {
			delete(t.running, tenant)
		}
		t.next()
	}
	select {
	case <-mine:
		return done, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(t.waiting[tenant], mine)
	if i >= 0 {
		t.leave(tenant, i)
	}
	t.mu.Unlock()
	if i < 0 { // the turn came at the same moment
		done()
	}
	return nil, fault.New(fault.Unavailable, "There was no turn in time.")
}

// next lets the next ones go on while there is room.
func (t *Turns) next() {
	for i := 0; i < len(t.ring) && t.busy < t.most; {
		tenant := t.ring[i]
		if t.most > 1 && t.running[tenant] >= t.most-1 {
			i++
			continue
		}
		t.busy++
		t.running[tenant]++
		close(t.waiting[tenant][0])
		t.ring = append(slices.Delete(t.ring, i, i+1), tenant)
		t.leave(tenant, 0)
	}
}

// leave takes the one at i of a tenant's out.
func (t *Turns) leave(tenant string, i int) {
	t.waiting[tenant] = slices.Delete(t.waiting[tenant], i, i+1)
	if len(t.waiting[tenant]) == 0 {
		delete(t.waiting, tenant)
		t.ring = slices.DeleteFunc(t.ring, func(w string) bool { return w == tenant })
	}
}
