package deliver_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/parked"
	"weir/dataplane/queue/queuetest"
	"weir/shared/mutationtest"
)

// TestSimulation runs a partition with two destinations through outages, slow
// and flaky answers, logs that fail, disabling, redrives, and deaths of the
// process at any moment with a journal that is behind. In the end everything is
// delivered, in order per user, and the books agree at every step.
func TestSimulation(t *testing.T) {
	t.Parallel()
	queuetest.Simulate(t, 100, simulate)
}

// TestMutantsAreFound wants each found in 1,000 seeds.
func TestMutantsAreFound(t *testing.T) {
	t.Parallel()
	mutationtest.Run(t, mutationtest.Tests{Pattern: "^TestSimulation$", Args: []string{"-seeds", "6000"}, Control: []string{"-seeds", "3"}})
}

func simulate(t testing.TB, seed uint64) {
	w := newHarness(t, seed, hook, other)
	w.delay = true
	switch seed % 3 {
	case 1:
		w.change(hook, func(d *destination.Target) {
			d.HTTP, d.Limits.BatchSize, d.Limits.BatchWait = array{plain{hook}}, 5, 100*time.Millisecond
		})
	case 2: // several requests from one batch
		w.change(hook, func(d *destination.Target) { d.Limits.BatchSize, d.Limits.BatchWait = 5, 100*time.Millisecond })
	}
	w.config = func(c *deliver.Config) {
		if seed%4 < 2 {
			c.LaneBytes, c.MemoryBytes, c.Backlog = 8<<10, 12<<10, 12<<10
		}
		if seed%5 < 2 { // what fails again and again is sent out of memory and read again
			c.Narrow(4+int(seed%7), 60)
		}
	}
	if seed%8 == 3 { // the oldest of what is parked goes to the blob store
		w.quota, w.blobs = 6<<10, t.TempDir()
	}
	if seed%8 == 4 { // DEAD takes no more of hook before all is over
		w.deadLimit = 8 << 10
	}
	faults := queuetest.Faults{Lost: 5, Refused: 5, Delayed: 20, Slow: 10, Delay: time.Duration(50+seed%5*1000) * time.Millisecond}
	w.parked.SetFaults(faults)
	w.dead.SetFaults(faults)
	crashes := 0
	w.start()
	defer func() { w.stop() }()
	for range 60 {
		crashes += w.disturb(crashes)
		for range w.rng.IntN(40) {
			w.offer(fmt.Sprint("u", w.rng.IntN(6)), hook, other)
			w.bounded()
			time.Sleep(time.Duration(w.rng.IntN(100)) * time.Millisecond)
		}
		w.mu.Lock()
		w.flushN(w.rng.IntN(len(w.pending) + 1))
		w.mu.Unlock()
		time.Sleep(time.Duration(w.rng.IntN(2000)) * time.Millisecond)
	}
	w.settle(crashes)
}

// bounded wants no more in memory than was configured: live deliveries to the
// byte, of PARKED at most a record beyond, which is what waited once, and of what
// waits at most all that lanes gave up at once beyond.
func (w *harness) bounded() {
	live, parked, waiting, most, backlog := w.lanes.Memory()
	if live > most || parked > most+most+backlog || waiting > most+backlog {
		w.t.Errorf("seed %d: %d bytes live and %d of PARKED in lanes of %d, %d wait where %d may", w.seed, live, parked, most, waiting, backlog)
	}
}

// disturb does something to the destination hook, or to the process. It returns
// how often it crashed it.
func (w *harness) disturb(crashes int) int {
	switch w.rng.IntN(14) {
	case 0:
		w.server.set(hook, always(503, time.Millisecond))
	case 1:
		w.server.set(hook, always(200, time.Duration(w.rng.IntN(40_000))*time.Millisecond))
	case 2:
		w.server.set(hook, w.flaky())
	case 3, 4:
		w.server.set(hook, nil)
	case 5:
		if w.seed%2 == 0 {
			w.server.set(hook, w.refuses(3000))
		} else {
			w.poison = true
			w.server.set(hook, w.strict())
		}
	case 10:
		w.server.set(hook, w.against(fmt.Sprint("u", w.rng.IntN(3))))
	case 11: // after they were parked, too
		if w.seed%2 == 0 {
			w.server.set(hook, w.refuses(10_000))
		}
	case 6:
		off := w.rng.IntN(2) == 0
		w.change(hook, func(d *destination.Target) { d.Disabled = off })
	case 7:
		_, _ = w.lanes.Store().Redrive(w.t.Context(), parked.Filter{Destination: hook}) // a faulty log may stop it; the last one counts
	case 8:
		p := destination.Unknown
		if w.rng.IntN(2) == 0 {
			p = destination.Present
		}
		w.setPresence(hook, p)
	case 9:
		if crashes < 6 {
			w.crash()
			w.start()
			w.reoffer()
			return 1
		}
	case 12: // of a batch, some
		if w.seed%12 == 1 {
			w.refused = true
			w.server.set(hook, always(http.StatusMultiStatus, time.Millisecond))
		}
	}
	return 0
}

// settle ends all trouble and wants everything delivered, in order, and booked.
func (w *harness) settle(crashes int) {
	w.server.set(hook, nil)
	w.setPresence(hook, destination.Present)
	w.change(hook, func(d *destination.Target) { d.Disabled = false })
	w.parked.SetFaults(queuetest.Faults{})
	w.dead.SetFaults(queuetest.Faults{})
	w.wait("everything ended", func() bool {
		return w.settledAs(hook, delivery.EndDelivered)+w.settledAs(hook, delivery.EndDead) == len(w.order)/2
	})
	w.delivered(other)
	letters := w.settledAs(hook, delivery.EndDead)
	if n, err := w.lanes.Store().Redrive(w.t.Context(), parked.Filter{Destination: hook}); err != nil || n != letters {
		w.t.Errorf("seed %d: Redrive = %d, %v, want %d", w.seed, n, err, letters)
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
	if w.refused { // redriven ones come late by their nature
		w.checkBooks()
	} else {
		w.check(hook, repeats)
	}
	w.offer("last", hook)
	w.delivered(hook)
	w.wait("PARKED purged", func() bool {
		objects, _ := filepath.Glob(filepath.Join(w.blobs, "*/*/*")) // the pattern is sound
		return len(w.parked.Snapshot().Records) == 0 && (w.quota == 0 || len(objects) == 0)
	})
	w.wait("DEAD swept", func() bool {
		letters, err := w.lanes.Store().List(w.t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 10)
		return err == nil && len(letters) == 0
	})
}

// flaky fails a third of the requests, some by breaking the connection.
func (w *harness) flaky() func(string) (int, time.Duration) {
	return w.dice(300, 200, 200, 200, 200, 500, 0)
}

// against fails whatever is of user.
func (w *harness) against(user string) func(string) (int, time.Duration) {
	return func(body string) (int, time.Duration) {
		if strings.Contains(body, user+"/") {
			return 500, time.Millisecond
		}
		return 200, time.Millisecond
	}
}

// refuses answers some requests with 400, within ms milliseconds.
func (w *harness) refuses(ms int) func(string) (int, time.Duration) {
	w.refused = true
	return w.dice(ms, 200, 200, 400)
}

// poisonous tells of an event that a strict server refuses.
func poisonous(body string) bool { return strings.HasSuffix(body, "7") }

// strict refuses a request with more than three events with 413, and one with an
// event that is poisonous with 400. Some answers are lost.
func (w *harness) strict() func(string) (int, time.Duration) {
	dice := w.dice(300, 200, 200, 200, 200, 200, 503, 0)
	return func(body string) (int, time.Duration) {
		events := strings.Split(body, "\n")
		status, wait := dice(body)
		switch {
		case status != 200:
		case len(events) > 3:
			status = http.StatusRequestEntityTooLarge
		case slices.ContainsFunc(events, poisonous):
			status = http.StatusBadRequest
		}
		return status, wait
	}
}

// dice answers with one of statuses within ms milliseconds.
func (w *harness) dice(ms int, statuses ...int) func(string) (int, time.Duration) {
	return func(string) (int, time.Duration) {
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		return statuses[w.server.rng.IntN(len(statuses))], time.Duration(w.server.rng.IntN(ms)) * time.Millisecond
	}
}
