package deliver_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/backlog"
	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
)

// TestLateDeliveriesGiveWay drains a backlog beside fresh deliveries in a process
// that has time at first, then has none, then has some again.
func TestLateDeliveriesGiveWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 60_000
		w := newHarness(t, 31, hook, other)
		var wait atomic.Int64 // for a processor
		yield := backlog.NewYield(func() time.Duration { return time.Duration(wait.Load()) })
		w.config = func(c *deliver.Config) { c.Yield = yield }
		w.change(hook, func(d *destination.Target) { d.Disabled, d.Limits.Concurrency = true, 40 })
		w.server.set(hook, always(200, 10*time.Millisecond)) // 2000/s: 20 for each of two owners
		w.start()
		defer func() { w.stop() }()
		for i := range many {
			w.offer(fmt.Sprint("u", i%1000), hook)
		}
		w.wait("all parked", func() bool { return w.settledAs(hook, delivery.EndParked) == many })
		time.Sleep(time.Minute)
		w.change(hook, func(d *destination.Target) { d.Disabled = false })

		// within returns how many of the backlog were delivered in a second, beside
		// 400 fresh ones of which each arrives at once.
		within := func() int {
			before := w.server.count(hook)
			for range 100 {
				for range 4 {
					w.offer("fresh", other)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if came, sent := w.server.count(other), len(w.order)-many; came < sent-10 {
				t.Errorf("%d of %d fresh ones arrived", came, sent)
			}
			return w.server.count(hook) - before
		}
		within()
		if n := within(); n < 1800 || yield.Bound() != 0 {
			t.Errorf("%d/s of the backlog, bound %d, in a process that has time, want what the webhook bears", n, yield.Bound())
		}
		wait.Store(int64(10 * time.Millisecond))
		for range 3 {
			within()
		}
		if n := within(); n < 450 || n > 600 || yield.Bound() != 4 {
			t.Errorf("%d/s of the backlog, bound %d, in a process that has no time, want 500", n, yield.Bound())
		}

		const recent = 2000 // parked just now: not late, so not held up
		w.change(other, func(d *destination.Target) { d.Disabled = true })
		for i := range recent {
			w.offer(fmt.Sprint("u", i%1000), other)
		}
		time.Sleep(time.Second)
		w.change(other, func(d *destination.Target) { d.Disabled = false })
		began := time.Now()
		w.delivered(other)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a backlog of a second took %v", took)
		}

		wait.Store(0)
		for range 10 {
			within()
		}
		if n := within(); n < 1800 {
			t.Errorf("%d/s of the backlog when there is time again, want what the webhook bears", n)
		}
		w.delivered(hook)
		w.check(hook, 0)
		w.check(other, 0)
	})
}
