package load_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/load/history"
	"weir/shared/id"
)

// TestAWarehouseIsWokenAsOftenAsItMay loads one that fails at first: what is tried again,
// and what comes after, waits, unless somebody asks for it.
func TestAWarehouseIsWokenAsOftenAsItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{wakes: 10 * time.Minute, fail: func(_ context.Context, n int) error {
			if n < 3 {
				return errors.New("it is away")
			}
			return nil
		}}
		p := newPlane(t, 1, map[id.Destination]*lake{"lake": l})
		p.stage(0, "lake", "1")
		e := p.engine()
		tried := func(when string, want int) {
			t.Helper()
			if l.mu.Lock(); len(l.tries) != want {
				t.Errorf("%s: %d attempts, want %d", when, len(l.tries), want)
			}
			l.mu.Unlock()
		}
		p.run(e, func() {
			pass(9 * time.Minute)
			tried("at first", 1)
			pass(2 * time.Minute)
			tried("after ten minutes", 2)
			if err := e.Hasten("lake"); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			tried("when somebody asks", 3)
			p.stage(0, "lake", "2")
			pass(9 * time.Minute)
			tried("with further rows", 3)
			pass(2 * time.Minute)
			tried("after ten minutes more", 4)
			if got := l.sorted(); got != "1,2" {
				t.Errorf("loaded %s", got)
			}
			p.stage(0, "lake", "3")
			pass(time.Minute)
		})
		e = p.engine()
		p.run(e, func() {
			pass(time.Second)
			if got := e.Loads("lake"); len(got) != 2 || got[0].State != history.Done || got[1].Attempt != 3 {
				t.Errorf("a restart remembers %+v", got)
			}
			pass(7 * time.Minute)
			tried("after a restart", 4)
			pass(2 * time.Minute)
			tried("ten minutes after the load before the restart", 5)
		})
		p.empty()
	})
}
