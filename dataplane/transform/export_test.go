package transform

import (
	"sync"
	"time"

	"weir/dataplane/event"
	"weir/shared/id"
)

// Schedule runs a scheduler whose workers sleep for each event as long as cost says,
// a slice of 100 ms at a time, instead of running code.
type Schedule struct {
	s       *scheduler
	cost    func(id.Workspace) time.Duration
	workers sync.WaitGroup

	mu   sync.Mutex
	used map[id.Workspace]time.Duration
}

// NewSchedule starts the workers.
func NewSchedule(workers int, cost func(id.Workspace) time.Duration) *Schedule {
	x := &Schedule{s: newScheduler(workers), cost: cost, used: map[id.Workspace]time.Duration{}}
	for range workers {
		x.workers.Go(x.work)
	}
	return x
}

func (x *Schedule) work() {
	for {
		j := x.s.take()
		if j == nil {
			return
		}
		begun, n := time.Now(), 0
		for ; j.from+n < j.to && time.Since(begun) < 100*time.Millisecond; n++ {
			time.Sleep(x.cost(j.key.workspace))
		}
		x.mu.Lock()
		x.used[j.key.workspace] += time.Since(begun)
		x.mu.Unlock()
		j.advance(n)
		x.s.putBack(j, make([]string, n))
	}
}

// Apply runs events of a workspace through a chain.
func (x *Schedule) Apply(ws id.Workspace, chain string, events int) {
	k := &call{in: make([]event.Event, events), done: make(chan struct{})}
	jobs := k.cut(0, events)
	for _, j := range jobs {
		j.key = queueKey{ws, chain}
	}
	k.left = len(jobs)
	x.s.put(jobs)
	<-k.done
}

// Used returns the time that workers had for a workspace.
func (x *Schedule) Used(ws id.Workspace) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.used[ws]
}

// Remembered is how many queues and workspaces the scheduler knows.
func (x *Schedule) Remembered() (queues, workspaces int) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	return len(x.s.queues), len(x.s.tenants)
}

// Close ends the workers.
func (x *Schedule) Close() {
	x.s.close()
	x.workers.Wait()
}
