package health

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weir/dataplane/deliver"
	"weir/dataplane/transform"
	"weir/shared/egress"
	"weir/shared/processors"
	"weir/shared/wire"
)

// What makes a part of a plane the one that the others wait for.
const (
	slowAge    = 2 * time.Second // the oldest event that waits for a destination
	busyCPU    = 0.9             // of the processors, since the last look
	slowBodies = 50              // in a minute or two: mobile networks cut some
)

// limits names the limits: destinations that do not answer or may not be asked, those
// that take no more requests while events wait, workspaces whose transformations take long or
// else transformations without a free worker, and processors without a free moment.
func limits(lanes []deliver.State, code transform.Load, cpu float64) (found []concern) {
	for _, s := range lanes {
		switch {
		case s.Down && s.Reason == egress.Code:
			found = append(found, concern{code: "egress_denied", destination: s.Destination, count: 1})
		case s.Down:
			found = append(found, concern{code: "destination_down", destination: s.Destination, count: 1, reason: wire.Code(s.Reason)})
		case s.Age >= slowAge && (s.Paused > 0 || s.Sending >= s.Most):
			found = append(found, concern{code: "destination_slow", destination: s.Destination, count: 1})
		}
	}
	for ws, n := range code.Slow {
		found = append(found, concern{code: "code_slow", workspace: ws, count: uint64(n)})
	}
	if code.Waiting > 0 && code.Running >= code.Workers && len(code.Slow) == 0 {
		found = append(found, concern{code: "code_slow", count: uint64(code.Waiting)})
	}
	if cpu >= busyCPU {
		found = append(found, concern{code: "processor_busy", count: uint64(100 * cpu)})
	}
	return found
}

// busy measures how much of the processors the process takes.
type busy struct {
	mu   sync.Mutex
	at   time.Time
	used time.Duration
	last float64
}

// share is the part of the processors that was used since a look at least a
// second ago; 0 at first.
func (b *busy) share(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	passed := now.Sub(b.at)
	if passed < time.Second {
		return b.last
	}
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return b.last
	}
	used := time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	if !b.at.IsZero() {
		b.last = float64(used-b.used) / float64(passed) / float64(processors.Count())
	}
	b.at, b.used = now, used
	return b.last
}
