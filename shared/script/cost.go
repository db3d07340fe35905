package script

import (
	"maps"
	"sync"
	"time"
)

// When the code of a tenant counts as costly.
const (
	costlyFrom  = 5 * time.Second  // of processor time that is not forgotten yet
	costOfDeath = 10 * time.Second // at least, of a file that no process survived
	forgotten   = time.Minute      // after which a cost counts no more; it fades until then
)

// costs is what compiling cost lately, by tenant. It is safe for concurrent use.
type costs struct {
	mu  sync.Mutex
	all map[string]cost
}

type cost struct {
	cpu time.Duration
	at  time.Time
}

// left is what counts of a cost now.
func (c cost) left(now time.Time) time.Duration {
	gone := min(max(now.Sub(c.at), 0), forgotten)
	return c.cpu - time.Duration(float64(c.cpu)*float64(gone)/float64(forgotten))
}

func (c *costs) add(tenant string, cpu time.Duration, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]cost{}
	}
	maps.DeleteFunc(c.all, func(_ string, k cost) bool { return k.left(now) == 0 })
	c.all[tenant] = cost{c.all[tenant].left(now) + cpu, now}
}

// Costly reports whether a tenant's code took seconds of processor time to compile
// within the last minute, or could not be compiled within the limits.
func (c *Compiler) Costly(tenant string) bool {
	c.costs.mu.Lock()
	defer c.costs.mu.Unlock()
	return c.costs.all[tenant].left(time.Now()) >= costlyFrom
}
