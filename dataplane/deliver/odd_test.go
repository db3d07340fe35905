package deliver_test

import (
	"cmp"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/parked"
	"weir/shared/fault"
)

func TestLaterRequestsOfABatchWaitForAFailedOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 16, hook)
		w.change(hook, func(d *destination.Target) { d.Limits.BatchSize, d.Limits.BatchWait = 10, 100*time.Millisecond }) // plain makes a request of each
		failed := false
		w.server.set(hook, func(string) (int, time.Duration) {
			w.server.mu.Lock()
			defer w.server.mu.Unlock()
			if !failed {
				failed = true
				return 500, 0
			}
			return 200, 0
		})
		w.start()
		defer w.stop()
		for range 10 {
			w.offer("u", hook)
		}
		w.delivered(hook)
		w.check(hook, 0)
	})
}

func TestSinkGetsBatchesAndIsReopenedWhenItChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 17, hook)
		var opened, closed, wrote int
		asSink := func(fail bool) func(d *destination.Target) {
			return func(d *destination.Target) {
				d.HTTP = nil
				d.Sink = func(context.Context, destination.Deps) (destination.Sink, error) {
					opened++
					return &sink{fail: fail, wrote: &wrote, closed: &closed}, nil
				}
			}
		}
		w.change(hook, asSink(true))
		w.start()
		for range 20 {
			w.offer("u", hook)
		}
		time.Sleep(time.Second)
		if wrote != 0 {
			t.Errorf("%d written by a sink that fails", wrote)
		}
		w.change(hook, asSink(false))
		w.wait("all delivered", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 20 })
		w.stop()
		if opened != 2 || closed != 2 || wrote != 20 {
			t.Errorf("opened %d, closed %d, wrote %d, want 2, 2, 20", opened, closed, wrote)
		}
		w.checkBooks()
	})
}

// TestAFullStageParksItsOwnDeliveriesAlone: a warehouse of which STAGE takes nothing
// has its deliveries parked, its neighbour's go on at once, and all are staged when
// there is room.
func TestAFullStageParksItsOwnDeliveriesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 19, hook, other)
		var wrote, closed int
		asSink := func(full bool) func(d *destination.Target) {
			return func(d *destination.Target) {
				d.HTTP = nil
				d.Sink = func(context.Context, destination.Deps) (destination.Sink, error) {
					return &sink{fail: full, kind: fault.Limited, wrote: &wrote, closed: &closed}, nil
				}
			}
		}
		w.change(hook, asSink(true))
		w.start()
		for range 200 {
			w.offer("u", hook, other)
		}
		w.wait("the neighbour's are delivered", func() bool { return w.settledAs(other, delivery.EndDelivered) == 200 })
		w.wait("its own are parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 200 })
		if wrote != 0 {
			t.Errorf("%d are staged, want none", wrote)
		}
		w.change(hook, asSink(false))
		w.wait("its own are staged", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 200 })
		w.stop()
		w.checkBooks()
	})
}

// sink counts what it gets, or fails.
type sink struct {
	fail          bool
	kind          fault.Kind // of its failures; zero means Unavailable
	wrote, closed *int
}

func (s *sink) Write(_ context.Context, b destination.Batch) ([]destination.Verdict, error) {
	if s.fail {
		return nil, fault.New(cmp.Or(s.kind, fault.Unavailable), "away")
	}
	*s.wrote += len(b.Items)
	all := make([]destination.Verdict, len(b.Items))
	for i := range all {
		all[i] = destination.Verdict{Item: i, Outcome: destination.Delivered}
	}
	return all, nil
}

func (s *sink) Close() error { *s.closed++; return nil }

func TestDamagedParkedRecordIsKeptAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 18, hook)
		if _, err := w.parked.Append(t.Context(), string(hook), []byte("not a record")); err != nil {
			t.Fatal(err)
		}
		w.start()
		defer w.stop()
		w.offer("u", hook)
		w.delivered(hook)
		w.wait("PARKED purged", func() bool { return len(w.parked.Snapshot().Records) == 0 })
		if n := len(w.dead.Snapshot().Records); n != 1 {
			t.Errorf("DEAD has %d records, want the damaged one", n)
		}
		w.check(hook, 0)
	})
}

func TestARedriveEndsAnOwnerThatLostDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 19, hook)
		w.server.set(hook, always(422, time.Millisecond))
		lanes, err := deliver.New(deliver.Config{Parked: whole(t, w.parked), Dead: whole(t, w.dead), Lookup: w.lookup, Do: w.server.do, Settle: func([]delivery.Settled) {}, Grace: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- lanes.Run(t.Context()) }()
		if err := lanes.Offer(t.Context(), []delivery.Delivery{{Destination: hook, Read: time.Now(), Event: event.Event{Workspace: ws, User: "u", JSON: []byte("u/000001")}}}); err != nil {
			t.Fatal(err)
		}
		w.wait("a dead letter", func() bool { return len(w.dead.Snapshot().Records) == 1 })
		if _, err := w.dead.Append(t.Context(), string(hook), []byte("of the new owner")); err != nil {
			t.Fatal(err)
		}
		if n, err := lanes.Store().Redrive(t.Context(), parked.Filter{Destination: hook}); n != 0 || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Redrive = %d, %v, want fault.Unavailable", n, err)
		}
		if err := <-ran; fault.KindOf(err) != fault.Conflict {
			t.Errorf("Run = %v, want fault.Conflict", err)
		}
	})
}
