package body

import (
	"sync"
	"time"
)

// lately counts what happened in the last minute, and up to a minute before. It is safe
// for concurrent use.
type lately struct {
	mu          sync.Mutex
	begun       time.Time // of the minute that now counts
	now, before int
}

func (l *lately) note(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(at)
	l.now++
}

func (l *lately) count(at time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(at)
	return l.now + l.before
}

// turn begins another minute when one is over; mu is held.
func (l *lately) turn(at time.Time) {
	switch passed := at.Sub(l.begun); {
	case passed < time.Minute:
	case passed < 2*time.Minute:
		l.begun, l.before, l.now = l.begun.Add(time.Minute), l.now, 0
	default:
		l.begun, l.before, l.now = at, 0, 0
	}
}
