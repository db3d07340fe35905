package moves

import (
	"time"

	"weir/dataplane/delivery"
)

// How fast a paced job may catch up, and how it divides its time: a step looks through
// a whole log, so it moves what was saved up for at least a tenth of a second, and rests
// three times as long as it took.
const (
	paceSaved = 60 // seconds of its rate
	paceParts = 10 // steps in a second
	paceRest  = 3
)

// pace is how many events a job may move now.
type pace struct {
	saved float64
	at    time.Time
}

// take returns how many events may be moved at rate a second, and takes them; when that
// are too few, how long to wait.
func (p *pace) take(rate float64, now time.Time) (n int, wait time.Duration) {
	p.saved = min(p.saved+rate*now.Sub(p.at).Seconds(), rate*paceSaved)
	p.at = now
	if least := max(1, rate/paceParts); p.saved < least {
		return 0, max(time.Duration((least-p.saved)/rate*float64(time.Second)), time.Millisecond)
	}
	n = int(p.saved)
	p.saved -= float64(n)
	return n, 0
}

// work is what a process remembers of a job that runs.
type work struct {
	pace
	parts []partWork
}

// partWork is that of a part; only the part's loop uses it.
type partWork struct {
	counted  bool                      // its events were counted by this process
	failures int                       // in a row
	sent     map[delivery.Ref]struct{} // see parked.Filter.Sent
}

func newWork(partitions int, now time.Time) *work {
	return &work{pace: pace{at: now}, parts: make([]partWork, partitions)}
}
