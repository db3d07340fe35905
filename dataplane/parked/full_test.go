package parked_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/overflow"
	"weir/dataplane/parked"
	"weir/dataplane/queue/queuetest"
	"weir/shared/id"
)

// limited is a log of so many bytes of which each key has a share, without a blob store.
func limited(t *testing.T, log *queuetest.Log, bytes int64) *overflow.Log {
	t.Helper()
	o, err := overflow.New(t.Context(), overflow.Config{Log: log, Limit: bytes})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); o.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return o
}

// lane is one more destination of a harness.
type lane struct {
	*harness
	dest id.Destination
}

func (l lane) Destination() id.Destination { return l.dest }

// TestWhatParkedDoesNotTakeHoldsNobodyElseUp parks one destination's deliveries until
// PARKED takes no more of them; those of another one are written, and the first ones
// once there is room, in their order.
func TestWhatParkedDoesNotTakeHoldsNobodyElseUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		shared := limited(t, h.parked, 64<<10)
		h.wrap = func(cfg *parked.Config) { cfg.Parked = shared }
		h.start()
		defer func() { h.stop() }()
		text := strings.Repeat("x", 100)
		for n := range 2000 {
			it := made(uint64(n+1), fmt.Sprintf(`{"n":%d,"x":%q}`, n, text+fmt.Sprint(n*n)))
			h.store.Park(h, (*entry)(&it))
			if n%20 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Minute)
		if n := len(h.reports()); n == 0 || n == 2000 || !h.store.Full(h) {
			t.Fatalf("%d of 2000 are parked, want what PARKED takes", n)
		}
		if other := (lane{h, "dst_other"}); h.store.Full(other) {
			t.Error("another lane is full, too")
		} else {
			it := made(9000, "{}")
			h.store.Park(other, (*entry)(&it))
		}
		time.Sleep(time.Second)
		if !slices.ContainsFunc(h.reports(), func(r string) bool { return strings.HasPrefix(r, "9000:") }) {
			t.Error("another destination's delivery is not parked")
		}
		for range 100 {
			last, err := shared.Last(t.Context())
			if err == nil {
				err = shared.Purge(t.Context(), last.Seq+1, string(hook))
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		var frames []string
		for _, r := range h.reports() {
			if frame, _, _ := strings.Cut(r, ":"); frame != "9000" {
				frames = append(frames, frame)
			}
		}
		if len(frames) != 2000 || frames[0] != "1" || frames[1999] != "2000" {
			t.Errorf("%d are parked, from %v", len(frames), frames[:min(3, len(frames))])
		}
	})
}

// TestAFullDeadIsEmptied: what says that letters left needs none of the room that they
// take.
func TestAFullDeadIsEmptied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.dead.SetFaults(queuetest.Faults{MaxBytes: 64 << 10})
		shared := limited(t, h.dead, 64<<10)
		h.wrap = func(cfg *parked.Config) {
			cfg.Dead = shared
			cfg.Drained = func(d id.Destination, floor uint64) { h.store.Confirmed(d, floor) }
		}
		h.start()
		defer func() { h.stop() }()
		letters := 0
		for h.store.TakesDead(hook, 300) {
			letters++
			h.bury(refused(uint64(letters), fmt.Sprintf(`{"n":%d}`, letters)))
		}
		if letters < 50 {
			t.Fatalf("DEAD takes %d letters", letters)
		}
		redriven, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook, Places: []delivery.Place{{Seq: 1}, {Seq: 2}}})
		if err != nil || redriven != 2 {
			t.Errorf("Redrive = %d, %v, want 2", redriven, err)
		}
		if n, err := h.store.Discard(t.Context(), parked.Filter{Destination: hook}); err != nil || n != letters-2 {
			t.Errorf("Discard = %d, %v, want %d", n, err, letters-2)
		}
		time.Sleep(5 * time.Second)
		if n := len(h.dead.Snapshot().Records); n != 0 || !h.store.TakesDead(hook, 300) {
			t.Errorf("%d records are left, and there is room: %t", n, h.store.TakesDead(hook, 300))
		}
	})
}
