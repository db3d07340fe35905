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
	"weir/shared/fault"
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

// TestParkedTakesMoreThanItsShare: what waits for one destination was acknowledged, so
// all of it is parked, in its order, and so is what waits for another. Redriving, which
// can wait, does.
func TestParkedTakesMoreThanItsShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		shared := limited(t, h.parked, 32<<10)
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
		it := made(9000, "{}")
		h.store.Park(lane{h, "dst_other"}, (*entry)(&it))
		time.Sleep(time.Minute)
		var frames []string
		for _, r := range h.reports() {
			frame, _, _ := strings.Cut(r, ":")
			frames = append(frames, frame)
		}
		if len(frames) != 2001 || frames[0] != "1" || frames[1999] != "2000" || frames[2000] != "9000" || h.store.Full() {
			t.Errorf("%d are parked, from %v", len(frames), frames[:min(3, len(frames))])
		}
		if st, err := h.parked.State(t.Context()); err != nil || st.Bytes < 32<<10 || !slices.Equal(shared.Full(), []string{string(hook)}) {
			t.Errorf("PARKED has %d bytes, %v, and is full of %v; want more than its share, and hook's", st.Bytes, err, shared.Full())
		}
		h.bury(refused(1, "{}"))
		if n, err := h.store.Redrive(t.Context(), parked.Filter{Destination: hook}); n != 0 || fault.KindOf(err) != fault.Limited {
			t.Errorf("Redrive = %d, %v, want kind %v", n, err, fault.Limited)
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
