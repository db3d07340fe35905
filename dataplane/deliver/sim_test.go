package deliver_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/queue/queuetest"
	"weir/shared/id"
)

// TestSimulation runs a partition with two destinations through outages, slow
// and flaky answers, logs that fail, disabling, redrives, and deaths of the
// process at any moment with a journal that is behind. In the end everything is
// delivered, in order per user, and the books agree at every step.
func TestSimulation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	w := newWorld(t, seed, hook, other)
	w.delay = true
	switch seed % 3 {
	case 1:
		w.change(hook, func(d *deliver.Target) {
			d.HTTP, d.Limits.BatchSize, d.Limits.BatchWait = array{plain{hook}}, 5, 100*time.Millisecond
		})
	}
	if seed%4 < 2 {
		w.config = func(c *deliver.Config) { c.LaneBytes, c.MemoryBytes = 10<<10, 60<<10 }
	}
	faults := queuetest.Faults{Lost: 5, Refused: 5, Delayed: 20, Delay: time.Duration(50+seed%5*1000) * time.Millisecond}
	w.parked.SetFaults(faults)
	w.dead.SetFaults(faults)
	crashes := 0
	w.start()
	defer func() { w.stop() }()
	for range 60 {
		switch w.rng.IntN(12) {
		case 0:
			w.server.set(hook, always(503, time.Millisecond))
		case 1:
			w.server.set(hook, always(200, time.Duration(w.rng.IntN(40_000))*time.Millisecond))
		case 2:
			w.server.set(hook, w.flaky())
		case 3, 4:
			w.server.set(hook, nil)
		case 5:
			if seed%2 == 0 {
				w.server.set(hook, w.refuses())
			}
		case 6:
			off := w.rng.IntN(2) == 0
			w.change(hook, func(d *deliver.Target) { d.Disabled = off })
		case 7:
			_, _ = w.lanes.Redrive(t.Context(), deliver.Filter{Destination: hook}) // a faulty log may stop it; the last one counts
		case 8:
			p := deliver.Unknown
			if w.rng.IntN(2) == 0 {
				p = deliver.Present
			}
			w.setPresence(hook, p)
		case 9:
			if crashes < 6 {
				crashes++
				w.crash()
				w.start()
				w.reoffer()
			}
		}
		for range w.rng.IntN(40) {
			w.offer(fmt.Sprint("u", w.rng.IntN(6)), hook, other)
			time.Sleep(time.Duration(w.rng.IntN(100)) * time.Millisecond)
		}
		w.mu.Lock()
		w.flushN(w.rng.IntN(len(w.pending) + 1))
		w.mu.Unlock()
		time.Sleep(time.Duration(w.rng.IntN(2000)) * time.Millisecond)
	}
	w.server.set(hook, nil)
	w.setPresence(hook, deliver.Present)
	w.change(hook, func(d *deliver.Target) { d.Disabled = false })
	w.parked.SetFaults(queuetest.Faults{})
	w.dead.SetFaults(queuetest.Faults{})
	ended := func(dest id.Destination) func() bool {
		return func() bool {
			return w.settledAs(dest, deliver.EndDelivered)+w.settledAs(dest, deliver.EndDead) == len(w.order)/2
		}
	}
	w.wait("everything ended", ended(hook))
	w.delivered(other)
	letters := w.settledAs(hook, deliver.EndDead)
	if n, err := w.lanes.Redrive(t.Context(), deliver.Filter{Destination: hook}); err != nil || n != letters {
		t.Errorf("seed %d: Redrive = %d, %v, want %d", seed, n, err, letters)
	}
	w.delivered(hook)
	w.mu.Lock()
	w.delay = false
	w.flushN(len(w.pending))
	w.mu.Unlock()
	// A crash repeats what was in flight, and what was not journaled: here up to
	// everything since the last flush.
	repeats := len(w.order)
	if crashes == 0 {
		repeats = 0
	}
	w.check(other, repeats)
	if letters == 0 && !w.refused { // redriven ones come late by their nature
		w.check(hook, repeats)
	} else {
		w.checkBooks()
	}
	w.offer("last", hook)
	w.delivered(hook)
	w.wait("PARKED purged", func() bool { return len(w.parked.Snapshot().Records) == 0 })
	w.wait("DEAD swept", func() bool {
		letters, err := w.lanes.List(t.Context(), deliver.Filter{Destination: hook}, deliver.Place{}, 10)
		return err == nil && len(letters) == 0
	})
}

// flaky fails a third of the requests, some by breaking the connection.
func (w *world) flaky() func(*http.Request, string) (int, time.Duration) {
	return func(*http.Request, string) (int, time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		status := []int{200, 200, 200, 200, 500, 0}[w.rng.IntN(6)]
		return status, time.Duration(w.rng.IntN(300)) * time.Millisecond
	}
}

// refuses answers some requests with 400.
func (w *world) refuses() func(*http.Request, string) (int, time.Duration) {
	w.refused = true
	return func(*http.Request, string) (int, time.Duration) {
		w.mu.Lock()
		defer w.mu.Unlock()
		status := []int{200, 200, 400}[w.rng.IntN(3)]
		return status, time.Duration(w.rng.IntN(3000)) * time.Millisecond
	}
}
