package deliver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/shared/fault"
	"weir/shared/id"
)

// waiting lists what is parked, by so many a call.
func (w *harness) waiting(of id.Workspace, dest id.Destination, limit, bytes int) (texts []string) {
	w.t.Helper()
	after := delivery.Place{}
	for range 1000 {
		found, next, err := w.lanes.Store().Waiting(w.t.Context(), of, dest, after, limit, bytes)
		if err != nil || len(found) > limit {
			w.t.Fatalf("Waiting: %d, %v", len(found), err)
		}
		for _, f := range found {
			texts = append(texts, string(f.Delivery.Event.MessageID))
		}
		if next == (delivery.Place{}) {
			return texts
		}
		after = next
	}
	w.t.Fatal("Waiting never ends")
	return nil
}

func TestWhatIsParkedIsListedUntilItIsDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 11, hook, other)
		w.change(hook, func(d *destination.Target) { d.Disabled = true })
		w.start()
		defer func() { w.stop() }()
		for i := range 30 {
			w.offer(fmt.Sprint("u", i%3), hook, other)
			time.Sleep(time.Millisecond)
		}
		w.delivered(other)
		w.wait("parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 30 })
		all := w.waiting(ws, hook, 1000, 1<<20)
		if len(all) != 30 {
			t.Fatalf("%d are listed, want 30", len(all))
		}
		for _, by := range [][2]int{{1, 1 << 20}, {7, 1 << 20}, {1000, 1}} {
			if got := w.waiting(ws, hook, by[0], by[1]); !slices.Equal(got, all) {
				t.Errorf("by %d and %d bytes: %v, want %v", by[0], by[1], got, all)
			}
		}
		if got := w.waiting(ws, other, 10, 1<<20); len(got) != 0 {
			t.Errorf("of what is delivered %v is listed", got)
		}
		if got := w.waiting("ws_other", hook, 10, 1<<20); len(got) != 0 {
			t.Errorf("another workspace sees %v", got)
		}
		if _, _, err := w.lanes.Store().Waiting(t.Context(), ws, "", delivery.Place{}, 1, 1); fault.KindOf(err) != fault.Invalid {
			t.Errorf("of no destination: %v, want Invalid", err)
		}
		w.server.set(hook, func(body string) (int, time.Duration) { // one user's first goes, the others hang
			if strings.Contains(body, `u1`) {
				return 200, 0
			}
			return 503, 0
		})
		w.change(hook, func(d *destination.Target) { d.Disabled = false })
		w.wait("one user's deliveries", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 10 })
		if got := w.waiting(ws, hook, 1000, 1<<20); len(got) != 20 {
			t.Errorf("%d are listed after 10 of 30 were delivered, want 20", len(got))
		}
		w.server.set(hook, always(200, 0))
		w.delivered(hook)
		if got := w.waiting(ws, hook, 1000, 1<<20); len(got) != 0 {
			t.Errorf("all are delivered, and %v is listed", got)
		}
	})
}

// TestWhyDeliveriesAreParkedOutlivesARestart: also of a destination that is disabled, so
// that nothing is tried again.
func TestWhyDeliveriesAreParkedOutlivesARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 31, hook)
		w.start()
		defer func() { w.stop() }()
		w.server.set(hook, always(503, time.Millisecond))
		for range 20 {
			w.offer("u", hook)
		}
		w.wait("all are parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 20 })
		state := func() deliver.State {
			all := w.lanes.States(time.Now())
			if len(all) != 1 {
				t.Fatalf("%d destinations have a state, want 1", len(all))
			}
			return all[0]
		}
		before := state()
		if before.Reason == "" {
			t.Fatalf("the state is %+v, want a reason", before)
		}
		w.change(hook, func(d *destination.Target) { d.Disabled = true })
		for range 2 {
			w.stop()
			w.start()
			if now := state(); now.Reason != before.Reason || now.Detail != before.Detail {
				t.Errorf("after a restart the reason is %q, %q; want %q, %q", now.Reason, now.Detail, before.Reason, before.Detail)
			}
		}
		w.server.set(hook, nil)
		w.change(hook, func(d *destination.Target) { d.Disabled = false })
		w.delivered(hook)
		w.check(hook, 0)
	})
}
