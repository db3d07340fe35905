package circuit_test

import (
	"testing"
	"time"

	"weir/dataplane/circuit"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]time.Duration{1: 2 * time.Second, 3: 8 * time.Second, 40: 5 * time.Minute, 1 << 30: 5 * time.Minute} {
		seen := map[time.Duration]bool{}
		for seed := range uint64(100) {
			wait := circuit.Backoff(n, seed)
			if wait <= 0 || wait > most {
				t.Errorf("Backoff(%d, %d) = %v, want in (0, %v]", n, seed, wait, most)
			}
			if wait != circuit.Backoff(n, seed) {
				t.Errorf("Backoff(%d, %d) is not the same twice", n, seed)
			}
			seen[wait] = true
		}
		if len(seen) < 90 {
			t.Errorf("Backoff(%d) has %d values for 100 seeds, want jitter", n, len(seen))
		}
	}
}

var start = time.Unix(1700000000, 0)

// fail lets n requests one after the other, each of which takes a second, go unanswered.
func fail(c *circuit.Circuit, now time.Time, n int) (_ time.Time, opened bool) {
	for range n {
		begun := now
		probe := c.Begin()
		now = now.Add(time.Second)
		_, did := c.Learn(circuit.Answer{Begun: begun, Probe: probe, Failed: true, Unreachable: true}, now, 1, 4)
		c.End()
		opened = opened || did
	}
	return now, opened
}

func TestACircuitOpensAfterManyFailuresAndClosesAfterOneAnswer(t *testing.T) {
	t.Parallel()
	c := circuit.Circuit{OpenAfter: 2 * time.Second, Seed: 3}
	now, opened := fail(&c, start, 7)
	if opened || c.Open() {
		t.Fatal("it is open after 7 failures")
	}
	if now, opened = fail(&c, now, 1); !opened || !c.Open() {
		t.Fatal("it is closed after 8 failures")
	}
	if wait := c.ProbeAt().Sub(now); wait <= 0 || wait > 5*time.Second {
		t.Errorf("the first probe is in %v, want in (0, 5 s]", wait)
	}
	if c.Allows(now, 0, 4) {
		t.Error("a request may go at once")
	}
	now = c.ProbeAt()
	if !c.Allows(now, 0, 4) {
		t.Error("no probe may go when it is due")
	}
	if !c.Begin() || c.Allows(now, 1, 4) {
		t.Error("two probes may go at once")
	}
	closed, _ := c.Learn(circuit.Answer{Begun: now, Probe: true, Answered: true}, now, 1, 4)
	c.End()
	if !closed || c.Open() || c.Most(4) != 1 || !c.Allows(now, 0, 4) || c.Allows(now, 1, 4) {
		t.Errorf("closed %v, open %v, %d at once; want it closed, with one request at a time", closed, c.Open(), c.Most(4))
	}
}

func TestFailuresThatAreNotOfTheDestinationOpenNothing(t *testing.T) {
	t.Parallel()
	var c circuit.Circuit
	for range 20 {
		if _, opened := c.Learn(circuit.Answer{Begun: start, Failed: true}, start.Add(time.Hour), 1, 4); opened {
			t.Fatal("a destination that stumbles over events counts as down")
		}
	}
	if c.Most(4) != 4 {
		t.Errorf("%d at once, want all 4", c.Most(4))
	}
}

func TestAPauseIsKept(t *testing.T) {
	t.Parallel()
	var c circuit.Circuit
	c.Learn(circuit.Answer{Begun: start, Failed: true, Pause: time.Minute}, start, 1, 4)
	c.Learn(circuit.Answer{Begun: start, Failed: true, Pause: time.Second}, start, 1, 4)
	if c.Allows(start.Add(59*time.Second), 0, 4) || c.Paused(start.Add(59*time.Second)) != time.Second || !c.Allows(start.Add(time.Minute), 0, 4) {
		t.Error("want no request for the minute that was asked for, and one after it")
	}
}

func TestConcurrencyFallsOnceForWhatWasUnderWayAndRisesAgain(t *testing.T) {
	t.Parallel()
	var c circuit.Circuit
	over := circuit.Answer{Begun: start, Failed: true, Unreachable: true}
	now := start.Add(time.Second)
	for range 3 {
		c.Learn(over, now, 9, 9)
	}
	if c.Most(9) != 6 {
		t.Errorf("%d at once after three requests that began together failed, want 6 of 9", c.Most(9))
	}
	for range 100 {
		c.Learn(circuit.Answer{Begun: now, Answered: true}, now, 1, 9)
	}
	if c.Most(9) != 6 {
		t.Errorf("%d at once after answers while one was under way, want 6 still", c.Most(9))
	}
	for range 100 {
		c.Learn(circuit.Answer{Begun: now, Answered: true}, now, 9, 9)
	}
	if c.Most(9) != 9 {
		t.Errorf("%d at once after many answers, want all 9", c.Most(9))
	}
}
