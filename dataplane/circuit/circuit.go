// Package circuit decides whether a destination gets another request now, and how
// many at once: a circuit breaker beside a concurrency that follows what the
// destination is seen to bear, and the times after which something is tried again.
//
// The circuit opens when the destination does not answer. One request at a time
// probes then, until one is answered. It knows nothing of requests, sends none and
// has no timer: whoever sends them asks it, and says what became of them.
package circuit

import "time"

// manyFailures in a row, over at least Circuit.OpenAfter, open the circuit.
const manyFailures = 8

// maxProbe is the longest time between two probes of an open circuit.
const maxProbe = 5 * time.Second

// Circuit is what is known of one destination's health. It is used by one goroutine
// at a time.
type Circuit struct {
	OpenAfter time.Duration // how long requests fail at least before the circuit opens
	Seed      uint64        // of the jitter between probes

	open         bool
	probing      bool
	failures     int // in a row
	failingSince time.Time
	lastAnswer   time.Time
	probeAt      time.Time
	pausedUntil  time.Time // the destination asked for it
	concurrency  concurrency
	opened       uint64 // how often
}

// Answer is what became of one request, or of the requests of one batch.
type Answer struct {
	Begun       time.Time
	Probe       bool          // what Begin returned
	Answered    bool          // the destination took or refused something
	Failed      bool          // it did not answer, or asked to come again
	Unreachable bool          // it failed as one that is down does, not as one that stumbles over an event (500)
	Pause       time.Duration // it asked for no request for so long; 0: it did not
}

// Open reports whether the destination counts as down.
func (c *Circuit) Open() bool { return c.open }

// Paused is for how long from now the destination asked for no request.
func (c *Circuit) Paused(now time.Time) time.Duration { return max(0, c.pausedUntil.Sub(now)) }

// ProbeAt is when the next probe of an open circuit is due.
func (c *Circuit) ProbeAt() time.Time { return c.probeAt }

// AnsweredSince reports whether the destination answered at that time or later.
func (c *Circuit) AnsweredSince(at time.Time) bool { return !c.lastAnswer.Before(at) }

// Most is how many requests may be under way, of allowed; at least one.
func (c *Circuit) Most(allowed int) int { return c.concurrency.most(allowed) }

// Allows reports whether another request may go while sending are under way.
func (c *Circuit) Allows(now time.Time, sending, allowed int) bool {
	if now.Before(c.pausedUntil) {
		return false
	}
	if c.open {
		return !c.probing && !now.Before(c.probeAt)
	}
	return sending < c.concurrency.most(allowed)
}

// Begin notes that a request goes. probe: it is that of an open circuit, and End
// has to follow.
func (c *Circuit) Begin() (probe bool) {
	c.probing = c.probing || c.open
	return c.open
}

// End allows the next probe.
func (c *Circuit) End() { c.probing = false }

// Trip opens the circuit. It reports whether it was closed.
func (c *Circuit) Trip(now time.Time) bool {
	if c.open {
		return false
	}
	c.open = true
	c.opened++
	c.probeAt = now.Add(Jitter(time.Second, maxProbe, 0, c.Seed+c.opened))
	return true
}

// Reset closes the circuit without an answer.
func (c *Circuit) Reset() { c.open = false }

// Learn takes in an answer that came while sending requests were under way. It
// reports whether it closed an open circuit, or opened a closed one.
func (c *Circuit) Learn(a Answer, now time.Time, sending, allowed int) (closed, opened bool) {
	if until := now.Add(a.Pause); a.Pause > 0 && until.After(c.pausedUntil) {
		c.pausedUntil = until
	}
	switch {
	case a.Unreachable:
		c.concurrency.overloaded(a.Begun, now, allowed)
	case a.Answered:
		c.concurrency.answered(sending, allowed)
	}
	switch {
	case a.Answered:
		c.lastAnswer, c.failures = now, 0
		if closed = c.open; closed {
			c.open = false
			c.concurrency.reopened()
		}
	case a.Failed:
		if c.failures++; c.failures == 1 {
			c.failingSince = now
		}
		if a.Unreachable && c.failures >= manyFailures && now.Sub(c.failingSince) >= c.OpenAfter {
			opened = c.Trip(now)
		}
		if c.open && a.Probe {
			c.probeAt = now.Add(Jitter(time.Second, maxProbe, c.failures, c.Seed+c.opened))
		}
	}
	return closed, opened
}
