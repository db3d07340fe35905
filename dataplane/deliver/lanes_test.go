package deliver_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/parked"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
	"weir/shared/id"
)

const hook, other id.Destination = "dst_hook", "dst_other"

func TestHealthyDeliveryWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 1, hook)
		w.start()
		defer w.stop()
		for i := range 500 {
			w.offer(fmt.Sprint("u", i%40), hook)
		}
		w.delivered(hook)
		w.check(hook, 0)
		if n := w.parked.Snapshot().Last; n != 0 {
			t.Errorf("PARKED has %d records, want none on the healthy path", n)
		}
	})
}

func TestOneUserGoesOneAtATimeInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 2, hook)
		flying := 0
		w.server.set(hook, func(string) (int, time.Duration) {
			w.server.mu.Lock()
			flying++
			if flying > 1 {
				t.Errorf("%d requests of one user at once", flying)
			}
			w.server.mu.Unlock()
			time.Sleep(time.Millisecond)
			w.server.mu.Lock()
			flying--
			w.server.mu.Unlock()
			return 200, 0
		})
		w.start()
		defer w.stop()
		for range 100 {
			w.offer("one", hook)
		}
		w.delivered(hook)
		w.check(hook, 0)
	})
}

func TestHangingDestinationParksAndDelaysNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 3, hook, other)
		w.server.set(hook, always(200, time.Hour))
		w.start()
		defer w.stop()
		for i := range 600 { // a minute
			w.offer(fmt.Sprint("u", i%7), hook, other)
			time.Sleep(100 * time.Millisecond)
			if i%50 == 49 {
				if n := len(w.server.got(other)); n < i {
					t.Fatalf("after %d events the other destination has %d", i+1, n)
				}
			}
		}
		if n := w.settledAs(hook, delivery.EndParked); n < 550 {
			t.Errorf("%d deliveries are parked, want nearly all of 600", n)
		}
		if n := w.server.count(hook); n > 40 {
			t.Errorf("a hanging destination got %d requests in a minute, want probes only", n)
		}
		w.server.set(hook, nil)
		began := time.Now()
		w.delivered(hook)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("delivered %v after it was back, want within a minute", took)
		}
		w.delivered(other)
		w.check(hook, 0)
		w.check(other, 0)
		before := w.parked.Snapshot().Last
		w.offer("u1", hook)
		w.delivered(hook)
		if after := w.parked.Snapshot(); after.Last != before {
			t.Errorf("PARKED went from %d to %d, want a lane that is live again", before, after.Last)
		}
		w.wait("PARKED purged", func() bool { return len(w.parked.Snapshot().Records) == 0 })
	})
}

func TestRefusedEventsGoToDeadAndBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 4, hook)
		w.server.set(hook, func(body string) (int, time.Duration) {
			if strings.HasPrefix(body, "bad") {
				return 422, time.Millisecond
			}
			return 200, time.Millisecond
		})
		w.start()
		defer func() { w.stop() }()
		for range 10 {
			w.offer("bad", hook)
			w.offer("good", hook)
		}
		w.wait("ten dead", func() bool { return w.settledAs(hook, delivery.EndDead) == 10 })
		ctx := t.Context()
		letters, err := w.lanes.Store().List(ctx, parked.Filter{Destination: hook}, delivery.Place{}, 100)
		if err != nil || len(letters) != 10 {
			t.Fatalf("List = %d letters, %v, want 10", len(letters), err)
		}
		if l := letters[0]; l.Code != "rejected_422" || l.Status != 422 || l.Detail != "answer" || l.Delivery.Event.User != "bad" || l.Delivery.Revision != 3 ||
			string(l.Delivery.Event.JSON) != "bad/000001" || l.Delivery.Event.Source != "src_web" || l.Delivery.Destination != hook || l.At.IsZero() {
			t.Errorf("first letter = %+v", l)
		}
		page, err := w.lanes.Store().List(ctx, parked.Filter{Destination: hook}, letters[3].Place, 4)
		if err != nil || len(page) != 4 || page[0].Place != letters[4].Place {
			t.Errorf("second page = %v, %v, want 4 from %v", page, err, letters[4].Place)
		}
		if n, err := w.lanes.Store().Discard(ctx, parked.Filter{Destination: hook, Places: []delivery.Place{letters[0].Place, letters[1].Place}}); n != 2 || err != nil {
			t.Errorf("Discard = %d, %v, want 2", n, err)
		}
		if n, err := w.lanes.Store().Redrive(ctx, parked.Filter{Destination: hook, Code: "rejected_400"}); n != 0 || err != nil {
			t.Errorf("Redrive of another code = %d, %v, want 0", n, err)
		}
		w.server.set(hook, nil)
		if n, err := w.lanes.Store().Redrive(ctx, parked.Filter{Destination: hook, Code: "rejected_422"}); n != 8 || err != nil {
			t.Errorf("Redrive = %d, %v, want 8", n, err)
		}
		w.wait("redriven ones delivered", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 18 })
		if n := w.settledAs(hook, delivery.EndDropped); n != 2 {
			t.Errorf("%d dropped, want the 2 discarded", n)
		}
		letters, err = w.lanes.Store().List(ctx, parked.Filter{Destination: hook}, delivery.Place{}, 100)
		if err != nil || len(letters) != 0 {
			t.Errorf("List after = %v, %v, want none", letters, err)
		}
		w.check(hook, 0)
		w.wait("DEAD swept", func() bool { return len(w.dead.Snapshot().Records) == 0 })
		w.crash()
		w.start()
		if letters, err := w.lanes.Store().List(ctx, parked.Filter{Destination: hook}, delivery.Place{}, 100); err != nil || len(letters) != 0 {
			t.Errorf("List after a restart = %v, %v, want none", letters, err)
		}
		w.check(hook, 0)
		if _, err := w.lanes.Store().List(ctx, parked.Filter{}, delivery.Place{}, 1); fault.KindOf(err) != fault.Invalid {
			t.Errorf("List without destination = %v, want fault.Invalid", err)
		}
	})
}

func TestRemovedDestinationDropsWhatItHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 5, hook)
		w.server.set(hook, always(503, time.Millisecond))
		w.start()
		defer w.stop()
		for i := range 300 {
			w.offer(fmt.Sprint("u", i%9), hook)
			time.Sleep(20 * time.Millisecond)
		}
		if w.settledAs(hook, delivery.EndParked) == 0 {
			t.Error("nothing is parked")
		}
		w.setPresence(hook, destination.Unknown)
		time.Sleep(10 * time.Second)
		if n := w.settledAs(hook, delivery.EndDropped); n != 0 {
			t.Errorf("%d dropped while the workspace was not loaded, want 0", n)
		}
		w.setPresence(hook, destination.Removed)
		w.offer("late", hook)
		w.wait("all dropped", func() bool { return w.settledAs(hook, delivery.EndDropped) == 301 })
		for out, code := range w.books.codes {
			if code != delivery.CodeRemoved {
				t.Fatalf("%v dropped as %q", out, code)
			}
		}
		w.wait("PARKED purged", func() bool { return len(w.parked.Snapshot().Records) == 0 })
		w.check(hook, 0)
	})
}

func TestDisabledDestinationParksAtOnceAndSendsLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 6, hook)
		w.change(hook, func(d *destination.Target) { d.Disabled = true })
		w.start()
		defer func() { w.stop() }()
		for i := range 50 {
			w.offer(fmt.Sprint("u", i%3), hook)
		}
		time.Sleep(time.Second) // simulated time: parking gathers for a while; live deliveries are parked after two seconds
		if n := w.settledAs(hook, delivery.EndParked); n != 50 {
			t.Errorf("%d parked after a second, want all 50", n)
		}
		w.crash()
		w.start()
		for i := range 50 {
			w.offer(fmt.Sprint("u", i%3), hook)
		}
		time.Sleep(time.Hour)
		if n := w.server.count(hook); n != 0 {
			t.Errorf("a disabled destination got %d requests", n)
		}
		w.change(hook, func(d *destination.Target) { d.Disabled = false })
		w.delivered(hook)
		w.check(hook, 0)
	})
}

func TestAnswerThatComesAfterParkingCounts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		want   delivery.End
	}{
		"accepted late": {200, delivery.EndDelivered},
		"refused late":  {400, delivery.EndDead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newHarness(t, 7, hook)
				w.server.set(hook, always(tc.status, 10*time.Second))
				w.start()
				defer w.stop()
				w.offer("u", hook)
				time.Sleep(5 * time.Second)
				if n := w.settledAs(hook, delivery.EndParked); n != 1 {
					t.Errorf("%d parked after 5 s, want 1", n)
				}
				w.wait("settled by the first answer", func() bool { return w.settledAs(hook, tc.want) == 1 })
				time.Sleep(time.Minute)
				if n := w.server.count(hook); n != 1 {
					t.Errorf("%d requests, want 1: its answer counts", n)
				}
				w.check(hook, 0)
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 9, hook)
		w.start()
		defer w.stop()
		var first, second time.Time
		calls := 0
		w.server.set(hook, func(string) (int, time.Duration) {
			w.server.mu.Lock()
			defer w.server.mu.Unlock()
			calls++
			if calls == 1 {
				first = time.Now()
				return 429, 0
			}
			if second.IsZero() {
				second = time.Now()
			}
			return 200, 0
		})
		w.retryAfter("20")
		w.offer("u", hook)
		w.delivered(hook)
		if wait := second.Sub(first); wait < 20*time.Second || wait > 2*time.Minute {
			t.Errorf("second request %v after the first, want 20 s or a little more", wait)
		}
		w.check(hook, 0)
	})
}

func TestRestartKeepsParkedUsersBehindTheirParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 15, hook)
		w.server.set(hook, always(503, time.Millisecond))
		w.start()
		defer func() { w.stop() }()
		for i := range 3000 {
			w.offer(fmt.Sprint("u", i%5), hook)
		}
		w.wait("all parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 3000 })
		w.crash()
		w.server.set(hook, always(200, 5*time.Millisecond))
		w.start()
		for i := range 50 {
			w.offer(fmt.Sprint("u", i%5), hook)
			time.Sleep(10 * time.Millisecond)
		}
		w.delivered(hook)
		w.check(hook, 0)
	})
}

func TestLongOutageOfASingleUserEndsSoonAfterTheDestinationIsBack(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"same owner": false, "new owner": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newHarness(t, 20, hook)
				w.server.set(hook, always(503, time.Millisecond))
				w.start()
				defer func() { w.stop() }()
				w.offer("u", hook)
				time.Sleep(10 * time.Second)
				if restart {
					w.crash()
					w.start()
				}
				time.Sleep(10 * time.Hour)
				if n := w.server.count(hook); n > 20_000 {
					t.Errorf("%d requests in ten hours", n)
				}
				w.server.set(hook, nil)
				began := time.Now()
				w.delivered(hook)
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("delivered %v after the destination was back", took)
				}
				w.check(hook, 0)
			})
		})
	}
}

func TestNothingIsSentWithoutTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 10, hook)
		held := false
		w.config = func(c *deliver.Config) {
			c.Held = func() bool { w.mu.Lock(); defer w.mu.Unlock(); return held }
		}
		w.start()
		defer w.stop()
		w.offer("u", hook)
		time.Sleep(time.Minute)
		if n := w.server.count(hook); n != 0 {
			t.Errorf("%d requests without the lease, want 0", n)
		}
		w.mu.Lock()
		held = true
		w.mu.Unlock()
		w.delivered(hook)
		w.check(hook, 0)
	})
}

func TestStaleOwnerCannotPark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 11, hook)
		w.change(hook, func(d *destination.Target) { d.Disabled = true })
		lanes, err := deliver.New(deliver.Config{Parked: whole(t, w.parked), Dead: whole(t, w.dead), Lookup: w.lookup, Do: w.server.do, Settle: func([]delivery.Settled) { t.Error("the stale owner settled something") }})
		if err != nil {
			t.Fatal(err)
		}
		if err := lanes.Recover(t.Context(), delivery.Recovery{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.parked.Append(t.Context(), string(hook), []byte("of the new owner")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := lanes.Offer(ctx, []delivery.Delivery{{Destination: hook, Read: time.Now()}}); err != nil {
			t.Fatal(err)
		}
		if err := lanes.Run(ctx); fault.KindOf(err) != fault.Conflict {
			t.Errorf("Run = %v, want fault.Conflict", err)
		}
	})
}

func TestMemoryIsBoundedByParking(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lane, all   int64
		beside      bool // another destination gets events too
		least, most int  // events parked, of 500 that need about 300 KiB
	}{
		"past what all lanes may hold":       {1 << 40, 64 << 10, false, 300, 500},
		"beside another, past its own bound": {64 << 10, 1 << 40, true, 300, 500},
		"alone, past its own bound":          {64 << 10, 1 << 40, false, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newHarness(t, 12, hook, other)
				w.config = func(d *deliver.Config) { d.LaneBytes, d.MemoryBytes = c.lane, c.all }
				w.server.set(hook, always(200, time.Second))
				w.start()
				defer w.stop()
				if c.beside {
					w.offer("u", other)
				}
				for i := range 500 {
					w.offer(fmt.Sprint("u", i), hook)
				}
				time.Sleep(300 * time.Millisecond)
				if n := w.settledAs(hook, delivery.EndParked); n < c.least || n > c.most {
					t.Errorf("%d parked, want %d to %d", n, c.least, c.most)
				}
				w.server.set(hook, nil)
				w.delivered(hook)
				w.check(hook, 0)
			})
		})
	}
}

// TestLanesOfAWorkspaceLeaveMemoryToAnother has a workspace with many slow
// destinations, which hold all the memory that they get. What a neighbour gets
// meanwhile is not parked.
func TestLanesOfAWorkspaceLeaveMemoryToAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dests := []id.Destination{other}
		for n := range 20 {
			dests = append(dests, id.Destination(fmt.Sprint("slow", n)))
		}
		w := newHarness(t, 15, dests...)
		w.owner = map[id.Destination]id.Workspace{other: "neighbour"}
		// An empty window takes a whole record of PARKED whatever the limit is: it holds one for each lane.
		w.config = func(c *deliver.Config) { c.LaneBytes, c.MemoryBytes = 256<<10, 1<<20 }
		for _, d := range dests[1:] {
			w.server.set(d, always(200, 1500*time.Millisecond))
		}
		w.server.set(other, always(200, 100*time.Millisecond))
		w.start()
		defer w.stop()
		for n := range 200 {
			for _, d := range dests[1:] {
				w.offer(fmt.Sprint("u", n), d)
			}
			if n%10 == 0 {
				for u := range 8 { // as many as the destination takes at once
					w.offer(fmt.Sprint("u", u), other)
				}
				time.Sleep(200 * time.Millisecond)
			}
		}
		parked := 0
		for _, d := range dests[1:] {
			parked += w.settledAs(d, delivery.EndParked)
		}
		if n := w.settledAs(other, delivery.EndParked); n > 0 || parked == 0 {
			t.Errorf("%d of the neighbour and %d of the others are parked, want none and some", n, parked)
		}
		for _, d := range dests {
			w.server.set(d, nil)
		}
		for _, d := range dests {
			w.delivered(d)
			w.check(d, 0)
		}
	})
}

func TestFullParkedLogHoldsOfferUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 13, hook)
		w.config = func(c *deliver.Config) { c.Backlog = 16 << 10 }
		w.change(hook, func(d *destination.Target) { d.Disabled = true })
		w.parked.SetFaults(queuetest.Faults{MaxBytes: 1})
		w.start()
		defer w.stop()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 200 {
				w.offer("u", hook)
			}
		}()
		time.Sleep(time.Minute)
		select {
		case <-done:
			t.Error("200 deliveries were taken while PARKED takes nothing, want Offer to wait")
		default:
		}
		w.parked.SetFaults(queuetest.Faults{})
		<-done
		w.change(hook, func(d *destination.Target) { d.Disabled = false })
		w.delivered(hook)
		w.check(hook, 0)
	})
}

func TestBatchesKeepOrderAndFlushInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 14, hook)
		w.change(hook, func(d *destination.Target) {
			d.HTTP, d.Limits.BatchSize, d.Limits.BatchWait = array{plain{hook}}, 10, 200*time.Millisecond
		})
		w.start()
		defer w.stop()
		for i := range 95 {
			w.offer(fmt.Sprint("u", i%4), hook)
		}
		began := time.Now()
		w.delivered(hook)
		if took := time.Since(began); took > time.Second {
			t.Errorf("the last batch took %v, want about 200 ms", took)
		}
		if n := w.server.count(hook); n > 40 {
			t.Errorf("%d requests for 95 events in batches of 10", n)
		}
		w.check(hook, 0)
	})
}

func TestWhatIsParkedGathersIntoFewRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 1, hook)
		w.change(hook, func(d *destination.Target) { d.Disabled = true })
		w.start()
		const events = 400
		for i := range events {
			w.offer(fmt.Sprint("u", i), hook)
			time.Sleep(5 * time.Millisecond)
		}
		w.wait("parked", func() bool { return w.settledAs(hook, delivery.EndParked) == events })
		if n := len(w.parked.Snapshot().Records); n > 15 {
			t.Errorf("%d events within 2 s were parked in %d records, want one for every 200 ms", events, n)
		}
		w.stop()
	})
}

// TestConcurrencyFollowsWhatADestinationBears: one that refuses more than four
// requests at a time gets about as many, and all that it is allowed once it
// takes them.
func TestConcurrencyFollowsWhatADestinationBears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const allowed, bears = 32, 4
		w := newHarness(t, 21, hook)
		w.change(hook, func(d *destination.Target) { d.Limits.Concurrency = allowed })
		w.config = func(c *deliver.Config) { c.Owners, c.ParkAfter = 1, time.Hour }
		var under, most, refused, asked atomic.Int64
		var limit atomic.Int64
		limit.Store(bears)
		w.server.set(hook, func(string) (int, time.Duration) {
			asked.Add(1)
			now := under.Add(1)
			time.AfterFunc(9*time.Millisecond, func() { under.Add(-1) }) // before its client has the answer
			if now > limit.Load() {
				refused.Add(1)
				return 503, 10 * time.Millisecond
			}
			most.Store(max(most.Load(), now))
			return 200, 10 * time.Millisecond
		})
		w.start()
		defer w.stop()
		flow := func(seconds int) {
			for range 100 * seconds {
				for range 10 {
					w.offer(fmt.Sprint("u", w.rng.IntN(1000)), hook)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		flow(5)
		asked.Store(0)
		refused.Store(0)
		flow(5)
		if a, r := asked.Load(), refused.Load(); r*4 > a || a-r < 1000 {
			t.Errorf("%d of %d requests were more than the destination bears, want a quarter at most, and %d served a second", r, a, bears*100/2)
		}
		limit.Store(allowed)
		most.Store(0)
		flow(5)
		if most.Load() < allowed*3/4 {
			t.Errorf("%d requests at a time once it bears %d", most.Load(), allowed)
		}
		w.delivered(hook)
		w.check(hook, 0)
	})
}
