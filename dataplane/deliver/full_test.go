package deliver_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/parked"
)

// TestDeadLettersAtTheirLimitHoldOneLaneUp has one destination refuse everything until
// DEAD takes no more of it: its lane waits, and loses nothing. Another one goes on,
// its dead letters are kept, and discarding frees the first.
func TestDeadLettersAtTheirLimitHoldOneLaneUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const events = 400
		w := newHarness(t, 29, hook, other)
		w.deadLimit = 32 << 10
		w.start()
		defer func() { w.stop() }()
		w.server.set(hook, always(400, time.Millisecond))
		for i := range events {
			w.offer(fmt.Sprint("u", i), hook, other)
		}
		w.delivered(other)
		time.Sleep(time.Minute)
		full := w.settledAs(hook, delivery.EndDead)
		if full < 10 || full > events/2 {
			t.Fatalf("%d of %d are dead, want what DEAD takes", full, events)
		}
		time.Sleep(time.Minute)
		if n := w.settledAs(hook, delivery.EndDead); n != full {
			t.Errorf("%d are dead after a minute, want %d as before", n, full)
		}
		w.server.set(other, always(400, time.Millisecond))
		w.offer("u", other)
		w.wait("another destination's dead letter", func() bool { return w.settledAs(other, delivery.EndDead) == 1 })
		w.stop()
		w.start() // what DEAD does not take is parked
		discarded := 0
		for range 100 {
			n, err := w.lanes.Store().Discard(t.Context(), parked.Filter{Destination: hook})
			if err != nil {
				t.Fatal(err)
			}
			discarded += n
			if discarded == events {
				break
			}
			time.Sleep(time.Minute)
		}
		if discarded != events {
			t.Errorf("%d discarded, want %d", discarded, events)
		}
		w.wait("nothing parked", func() bool { return len(w.parked.Snapshot().Records) == 0 })
	})
}
