package health

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weir/dataplane/deliver"
	"weir/dataplane/transform"
	"weir/shared/wire"
)

// What makes a part of a plane the one that the others wait for.
const (
	slowAge = 2 * time.Second // the oldest event that waits for a destination
	busyCPU = 0.9             // of the processors, since the last look
)

// limits names the limits: destinations that do not answer, those that take no
// more requests while events wait, transformations without a free worker, and
// processors without a free moment.
func limits(lanes []deliver.State, code transform.Load, cpu float64) map[wire.Code]uint64 {
	found := map[wire.Code]uint64{}
	for _, s := range lanes {
		switch {
		case s.Down:
			found["destination_down"]++
		case s.Age >= slowAge && (s.Paused > 0 || s.Sending >= s.Most):
			found["destination_slow"]++
		}
	}
	if code.Waiting > 0 && code.Running >= code.Workers {
		found["code_slow"] = uint64(code.Waiting)
	}
	if cpu >= busyCPU {
		found["processor_busy"] = uint64(100 * cpu)
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
		b.last = float64(used-b.used) / float64(passed) / float64(runtime.GOMAXPROCS(0))
	}
	b.at, b.used = now, used
	return b.last
}
