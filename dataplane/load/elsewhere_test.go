package load_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/load/history"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// TestWhatAnotherProcessLoadedIsNotStaged: of two processes of a plane one loads what the other
// one staged, which finds nothing then, and counts nothing any more.
func TestWhatAnotherProcessLoadedIsNotStaged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{}
		one := newPlane(t, 2, map[id.Destination]*lake{"lake": l})
		two := *one
		two.c.Dir = t.TempDir()
		e := one.engine()
		staged := func() (n int64) {
			pass(10 * time.Millisecond) // a place of which nothing is known is read
			sums, whole := e.Staged()
			for _, m := range sums {
				n += m
			}
			if !whole {
				t.Error("what is staged is not counted")
			}
			return n
		}
		stage := func(p int, ids string) {
			events := []event.Event{{Source: "src", JSON: []byte(`{"type":"track","event":"Order Done","messageId":"` + ids + `","receivedAt":"2026-01-02T03:04:05.678Z"}`)}}
			seq, err := one.stages[p].Append(context.Background(), "lake", queue.EncodeFrame(events))
			e.Appended(p, "lake", events, seq, err)
		}
		one.run(e, func() {
			pass(500 * time.Millisecond)
			stage(0, "1")
			pass(5 * time.Second) // the first process loads it
			stage(0, "2")
			stage(1, "3")
			if n := staged(); n != 2 {
				t.Errorf("%d are staged, want 2", n)
			}
			two.run(two.engine(), func() { pass(time.Second) })
			if got := l.sorted(); got != "1,2,3" {
				t.Errorf("the second process loaded %s", got)
			}
			pass(5 * time.Second)
			if n := staged(); n != 0 {
				t.Errorf("%d are staged and not there", n)
			}
			stage(1, "4")
			if n := staged(); n != 1 {
				t.Errorf("of what is staged behind it %d are counted, want 1", n)
			}
			pass(5 * time.Second)
			if n := staged(); n != 0 || l.sorted() != "1,2,3,4" {
				t.Errorf("%d are staged, and loaded is %s", n, l.sorted())
			}
		})
	})
}

// process is one of the processes of a plane: what it keeps is its own, STAGE is all theirs.
func (p *plane) process(lakes map[id.Destination]*lake) *plane {
	p.t.Helper()
	other := newPlane(p.t, 0, lakes)
	other.stages, other.c.Stages, other.c.MaxEvents = p.stages, p.c.Stages, p.c.MaxEvents
	return other
}

// TestStagedFilesOfWhatAnotherProcessLoadedAreNotMerged: a process dies with a load in files, and
// with the next one; another one loads all of it, and rows are removed from the warehouse. The
// first one comes back: it merges none of them, and keeps none of the files, whether it loads
// again or not.
func TestStagedFilesOfWhatAnotherProcessLoadedAreNotMerged(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			held := func() bool { return true }
			dead := &lake{fail: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }}
			one := newPlane(t, 2, map[id.Destination]*lake{"lake": dead})
			one.c.Held, one.c.MaxEvents = held, 2
			there := &lake{}
			two := one.process(map[id.Destination]*lake{"lake": there})
			two.c.Held = held
			files := func() int {
				all, err := one.c.Blobs.List(context.Background(), "stage/lake")
				if err != nil {
					t.Fatal(err)
				}
				return len(all)
			}
			for n, ids := range []string{"1", "2", "3", "4"} {
				one.stage(n%2, "lake", ids)
			}
			e := one.engine()
			e.Taken(0)
			one.run(e, func() { pass(10 * time.Second) })
			if files() < 2 {
				t.Fatalf("%d files are staged when the first process dies, want those of two loads", files())
			}

			e = two.engine()
			e.Taken(0)
			two.run(e, func() {
				pass(30 * time.Second)
				if got := there.sorted(); got != "1,2,3,4" {
					t.Errorf("the second process loaded %s", got)
				}
			})
			one.empty()
			one.stage(1, "lake", "5")

			dead.fail = nil
			e = one.engine()
			one.run(e, func() {
				pass(10 * time.Second)
				if got := dead.sorted(); got != "" || files() != 0 {
					t.Errorf("a process that does not load merged %q and has %d files", got, files())
				}
			})
			if again {
				e = one.engine()
				e.Taken(0)
				one.run(e, func() {
					pass(10 * time.Second)
					if got := dead.sorted(); got != "5" {
						t.Errorf("the first process loaded %q when it was back, want only what came since", got)
					}
				})
				one.empty()
			}
		})
	}
}

// TestStagedFilesAreNotMergedByWhoLoadsAgainAtOnce is the same for a process that loads from
// the moment on in which it is back, and finds a part of its load in STAGE still.
func TestStagedFilesAreNotMergedByWhoLoadsAgainAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{fail: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }}
		one := newPlane(t, 1, map[id.Destination]*lake{"lake": l})
		one.c.Held = func() bool { return true }
		for _, ids := range []string{"1", "2", "3"} {
			one.stage(0, "lake", ids)
		}
		e := one.engine()
		e.Taken(0)
		one.run(e, func() { pass(10 * time.Second) })
		if err := one.stages[0].Purge(context.Background(), 3, "lake"); err != nil { // of a load of another process
			t.Fatal(err)
		}
		l.fail = nil
		e = one.engine()
		e.Taken(0)
		one.run(e, func() { pass(10 * time.Second) })
		if got := l.sorted(); got != "3" {
			t.Errorf("loaded %q, want only what no other process has", got)
		}
		one.empty()
	})
}

// TestLoadsEndBeforeAnotherProcessLoads: Left waits for the load under way, which is told to
// end, and none begins after it.
func TestLoadsEndBeforeAnotherProcessLoads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		merging := 0
		l := &lake{fail: func(ctx context.Context, n int) error {
			if n > 1 {
				return nil
			}
			merging++
			<-ctx.Done()
			time.Sleep(2 * time.Second) // until the warehouse has given it up
			merging--
			return ctx.Err()
		}}
		p := newPlane(t, 2, map[id.Destination]*lake{"lake": l})
		p.c.Held = func() bool { return true }
		p.stage(1, "lake", "1")
		e := p.engine()
		p.run(e, func() {
			pass(10 * time.Second)
			if merging != 0 {
				t.Error("a process loads that does not run the first partition")
			}
			if err := e.LoadNow(t.Context(), "lake"); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("LoadNow there: %v", err)
			}
			e.Taken(1)
			e.Taken(0)
			pass(time.Second)
			if merging != 1 {
				t.Error("the process that runs the first partition does not load")
			}
			if err := e.Left(t.Context(), 1); err != nil || merging != 1 {
				t.Errorf("a load ended with another partition: %v", err)
			}
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := e.Left(short, 0); err == nil {
				t.Error("Left returned while a load was under way")
			}
			if err := e.Left(t.Context(), 0); err != nil || merging != 0 {
				t.Errorf("%v, %d loads are under way", err, merging)
			}
			pass(time.Minute)
			if got := l.sorted(); got != "" {
				t.Errorf("loaded %s after it", got)
			}
			if x := e.Loads("lake"); len(x) != 1 || x[0].Code != history.Interrupted || x[0].Detail != "" {
				t.Errorf("loads are shown as %+v", x)
			}
			e.Taken(0)
			pass(time.Second)
			if got := l.sorted(); got != "1" {
				t.Errorf("loaded %q when it runs the first partition again", got)
			}
		})
		p.empty()
	})
}
