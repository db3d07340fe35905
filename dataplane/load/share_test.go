package load_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/load/history"
	"weir/dataplane/warehouse"
	"weir/shared/id"
)

func hang(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// TestWarehousesThatHangDelayNobody has a workspace with many warehouses that hang,
// when they are opened or within a merge. The loads of another workspace go on at
// their pace, the plane says who is slow, and all is loaded once they are well.
func TestWarehousesThatHangDelayNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		ill.Store(true)
		lakes := map[id.Destination]*lake{"good": {owner: "good"}}
		for n := range 20 {
			l := &lake{owner: "evil"}
			if n%2 == 0 {
				l.opens = func(ctx context.Context) error {
					if ill.Load() {
						return hang(ctx)
					}
					return nil
				}
			} else {
				l.fail = func(ctx context.Context, _ int) error {
					if ill.Load() {
						return hang(ctx)
					}
					return nil
				}
			}
			lakes[id.Destination(fmt.Sprint("evil", n))] = l
		}
		p := newPlane(t, 1, lakes)
		for d := range lakes {
			if d != "good" {
				p.stage(0, d, "1")
			}
		}
		e := p.engine()
		p.run(e, func() {
			good := lakes["good"]
			for i := range 20 {
				p.stage(0, "good", fmt.Sprint(i))
				pass(7200 * time.Millisecond) // syncEvery, and the patience of slots
				if n := len(strings.Split(good.sorted(), ",")); n != i+1 {
					t.Fatalf("after %d events %d rows are there", i+1, n)
				}
				if slow := e.Slow(); i < 5 && !slices.Equal(slow, []id.Workspace{"evil"}) {
					t.Errorf("slow are %v", slow)
				}
			}
			ill.Store(false)
			pass(20 * time.Minute)
		})
		for d, l := range lakes {
			if d != "good" && l.sorted() != "1" {
				t.Errorf("%s has %q", d, l.sorted())
			}
		}
		p.empty()
	})
}

// TestAStepHasMoreTimeAfterItWasCut has a merge that takes longer than the first
// deadlines: it is cut, called slow, and done in the end.
func TestAStepHasMoreTimeAfterItWasCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{fail: func(ctx context.Context, _ int) error {
			select {
			case <-time.After(100 * time.Second):
				return nil
			case <-ctx.Done():
				return errors.New("the connection was cut")
			}
		}}
		p := newPlane(t, 1, map[id.Destination]*lake{"lake": l})
		p.stage(0, "lake", "1")
		e := p.engine()
		p.run(e, func() {
			pass(31 * time.Second)
			if x := e.Loads("lake")[0]; x.State != history.Failing || x.Code != warehouse.CodeSlow {
				t.Errorf("load %+v", x)
			}
			pass(10 * time.Minute)
		})
		if x := e.Loads("lake"); len(x) != 1 || x[0].State != history.Done || x[0].Attempt != 3 || l.sorted() != "1" {
			t.Errorf("loads %+v of %s", x, l.sorted())
		}
		p.empty()
	})
}
