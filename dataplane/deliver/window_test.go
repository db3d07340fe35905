package deliver_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/queue"
	"weir/shared/fault"
)

func TestOnePoisonUserBlocksOnlyHimself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 8, hook)
		w.server.set(hook, w.against("poison"))
		w.start()
		defer w.stop()
		for i := range 2000 {
			w.offer("poison", hook)
			w.offer(fmt.Sprint("u", i%10), hook)
			time.Sleep(10 * time.Millisecond)
		}
		w.wait("all others delivered", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 2000 })
		w.server.set(hook, nil)
		w.delivered(hook)
		w.check(hook, 0)
	})
}

func TestPoisonThatFillsTheWindowBlocksNobodyAfterARestart(t *testing.T) {
	t.Parallel()
	for name, ordered := range map[string]bool{"ordered": true, "unordered": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newHarness(t, 19, hook)
				w.change(hook, func(d *destination.Target) { d.Limits.Ordered, d.Disabled = ordered, true })
				w.start()
				defer func() { w.stop() }()
				for range 3000 {
					w.offer("poison", hook)
				}
				for i := range 300 {
					w.offer(fmt.Sprint("u", i%10), hook)
				}
				w.wait("all parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 3300 })
				w.crash()
				w.server.set(hook, w.against("poison"))
				w.change(hook, func(d *destination.Target) { d.Disabled = false })
				w.start()
				w.offer("fresh", hook)
				began := time.Now()
				w.wait("all others delivered", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 301 })
				if took := time.Since(began); took > 20*time.Minute {
					t.Errorf("the others took %v", took)
				}
				w.server.set(hook, nil)
				w.delivered(hook)
				if ordered {
					w.check(hook, 0)
				} else {
					w.checkBooks()
				}
			})
		})
	}
}

// TestFailuresThatFillTheSpanAreReadAgain has more parked than may lie between the
// oldest that is not settled and the newest that is read. Those that fail are sent
// out of the window, and hold the reader up until they are taken. Every other time
// the log that is read breaks.
func TestFailuresThatFillTheSpanAreReadAgain(t *testing.T) {
	t.Parallel()
	for name, ordered := range map[string]bool{"ordered": true, "unordered": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const events = 9000
				w := newHarness(t, 23, hook)
				w.config = func(c *deliver.Config) {
					c.Narrow(1024, 4000)
					c.Parked = whole(t, &breaking{Log: w.parked})
				}
				w.change(hook, func(d *destination.Target) { d.Limits.Ordered, d.Disabled = ordered, true })
				w.start()
				defer func() { w.stop() }()
				for i := range events {
					w.offer(fmt.Sprint("u", i), hook)
				}
				w.wait("all parked", func() bool { return w.settledAs(hook, delivery.EndParked) == events })
				w.server.set(hook, func(body string) (int, time.Duration) {
					if body[len(body)-1] < '3' { // three of ten
						return 500, time.Millisecond
					}
					return 200, time.Millisecond
				})
				w.change(hook, func(d *destination.Target) { d.Disabled = false })
				time.Sleep(10 * time.Minute) // of the bubble's clock: the span is full of what failed
				w.server.set(hook, nil)
				w.delivered(hook)
				w.checkBooks()
			})
		})
	}
}

// breaking is a log of which every other reader ends after a record.
type breaking struct {
	queue.Log
	readers atomic.Int64
}

func (b *breaking) ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		breaks := b.readers.Add(1)%2 == 0
		for rec, err := range b.Log.ReadTo(ctx, from, key) {
			if !yield(rec, err) {
				return
			}
			if breaks {
				yield(queue.Record{}, fault.New(fault.Unavailable, "The log is away."))
				return
			}
		}
	}
}

func TestABacklogGoesWhileThreeOfTenRequestsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const backlog, people = 8000, 1500
		w := newHarness(t, 37, hook)
		w.server.set(hook, always(503, time.Millisecond))
		w.start()
		defer func() { w.stop() }()
		for i := range backlog {
			w.offer(fmt.Sprint("u", i%people), hook)
			if i%100 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		w.wait("all parked", func() bool { return w.settledAs(hook, delivery.EndParked) == backlog })
		w.server.set(hook, w.dice(3, 200, 200, 200, 200, 200, 200, 200, 500, 500, 500))
		began := time.Now()
		w.delivered(hook)
		if took := time.Since(began); took > 15*time.Minute {
			t.Errorf("delivered after %v", took)
		}
		w.check(hook, 0)
	})
}
