package load_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/queue"
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
