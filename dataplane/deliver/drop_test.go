package deliver_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/parked"
)

// TestWhatIsParkedOfAPersonIsDropped has a destination that is down, or disabled, with more
// parked than its window holds. What is dropped stays so after a crash, is never sent, and
// holds nobody up.
func TestWhatIsParkedOfAPersonIsDropped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ ordered, disabled, crash bool }{
		"ordered, down":                          {true, false, false},
		"unordered, down":                        {false, false, false},
		"ordered, disabled":                      {true, true, false},
		"ordered, down, and a crash before":      {true, false, true},
		"unordered, down, and a crash before":    {false, false, true},
		"unordered, disabled and a crash before": {false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const rounds = 150
				w := newHarness(t, 31, hook)
				w.server.set(hook, always(500, time.Millisecond))
				w.change(hook, func(d *destination.Target) { d.Limits.Ordered, d.Disabled = tc.ordered, tc.disabled })
				w.start()
				defer func() { w.stop() }()
				for i := range rounds {
					w.offer("gone", hook)
					for j := range 9 {
						w.offer(fmt.Sprint("u", (i+j)%10), hook)
					}
				}
				w.wait("all parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 10*rounds })
				if tc.crash {
					w.crash()
					w.start()
				}
				drop := func(dry bool) (n int) {
					t.Helper()
					f := parked.Filter{Workspace: ws, Destination: hook, Is: func(e *event.Event) bool { return e.User == "gone" }}
					for busy := 1; busy > 0; {
						var one int
						var err error
						if one, busy, err = w.lanes.Store().DropWaiting(context.Background(), f, delivery.CodeErased, dry); err != nil {
							t.Fatal(err)
						}
						n += one
						time.Sleep(time.Second)
					}
					return n
				}
				if n := drop(true); n != rounds {
					t.Errorf("%d deliveries of the person are parked, want %d", n, rounds)
				}
				if n := drop(false); n != rounds {
					t.Errorf("dropped %d deliveries, want %d", n, rounds)
				}
				if n := drop(false); n != 0 {
					t.Errorf("dropped %d more, want none", n)
				}
				w.crash()
				w.start()
				w.server.set(hook, nil)
				w.change(hook, func(d *destination.Target) { d.Disabled = false })
				w.wait("all others delivered", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 9*rounds })
				if n := w.settledAs(hook, delivery.EndDropped); n != rounds {
					t.Errorf("%d deliveries are booked as dropped, want %d", n, rounds)
				}
				for _, body := range w.server.got(hook) {
					if strings.HasPrefix(body, "gone/") {
						t.Errorf("%s was sent", body)
					}
				}
				if w.checkBooks(); tc.ordered {
					w.check(hook, 0)
				}
				w.wait("PARKED is purged", func() bool { st, err := w.parked.State(context.Background()); return err == nil && st.Records == 0 })
			})
		})
	}
}
