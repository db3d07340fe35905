// Package retention says from when on what a plane keeps for people, quarantined
// events and dead letters, is too old to be kept. It does not believe a clock that
// jumped: nothing is removed because of a wrong one.
package retention

import (
	"sync"
	"time"
)

// Kept is how long quarantined events and dead letters are kept.
const Kept = 30 * 24 * time.Hour

// How far the clock may be from where it should be, and how long it has to run
// evenly before it is believed again.
const (
	slack = 24 * time.Hour
	doubt = 24 * time.Hour
)

// Clock tells what is too old. It is safe for concurrent use.
type Clock struct {
	now func() time.Time

	mu      sync.Mutex
	told    time.Time // what now said at the last look
	looked  time.Time // when that was, by the monotonic clock
	trusted time.Time // from when on now is believed, by the monotonic clock
}

// NewClock returns a clock that asks now for the time. newest is when the plane
// last wrote something; a time far from it, or no time at all (zero), is believed
// only after a day.
func NewClock(now func() time.Time, newest time.Time) *Clock {
	c := &Clock{now: now, told: now().Round(0), looked: time.Now()}
	c.trusted = c.looked
	if newest.IsZero() || c.told.Sub(newest).Abs() > slack {
		c.trusted = c.looked.Add(doubt)
	}
	return c
}

// Oldest returns the time before which nothing is kept. sure is false while the
// clock is not believed: then nothing is to be removed.
func (c *Clock) Oldest() (oldest time.Time, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	told, looked := c.now().Round(0), time.Now() // Round takes the monotonic time away
	if (told.Sub(c.told) - looked.Sub(c.looked)).Abs() > slack {
		c.trusted = looked.Add(doubt)
	}
	c.told, c.looked = told, looked
	return told.Add(-Kept), !looked.Before(c.trusted)
}
