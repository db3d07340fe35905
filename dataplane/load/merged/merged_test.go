package merged_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/load/merged"
	"weir/shared/fault"
	"weir/shared/id"
)

// plane is processes that ask each other.
type plane struct{ answer atomic.Pointer[func() []byte] }

func (p *plane) Ask(context.Context, []byte) ([]byte, error) {
	if f := p.answer.Load(); f != nil {
		return (*f)(), nil
	}
	return nil, fault.New(fault.Unavailable, "Nobody answers.")
}

func (p *plane) Serve(ctx context.Context, answers func() bool, answer func(context.Context, []byte) []byte) {
	for ctx.Err() == nil {
		if answers() {
			f := func() []byte { return answer(ctx, nil) }
			p.answer.Store(&f)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestAllProcessesKnowWhatOneLoads, also when another one begins to load, and when it is a new
// life of the former one.
func TestAllProcessesKnowWhatOneLoads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &plane{}
		ctx, stop := context.WithCancel(context.Background())
		var one, two, three atomic.Int64
		var loads atomic.Int64
		counts := func(n int64, rows *atomic.Int64) *merged.Counts {
			c := merged.New(p, func() bool { return loads.Load() == n }, func() map[id.Destination]int64 { return map[id.Destination]int64{"lake": rows.Load()} })
			go c.Run(ctx)
			return c
		}
		counts(1, &one)
		counts(2, &two)
		c := counts(3, &three)
		wants := func(want int64) {
			t.Helper()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := c.Of("lake"); got != want {
				t.Errorf("%d rows are known, want %d", got, want)
			}
		}
		wants(0) // nobody loads
		loads.Store(1)
		one.Store(5)
		wants(5)
		one.Store(7)
		wants(7)
		loads.Store(2)
		two.Store(1)
		wants(8)
		loads.Store(3)
		three.Store(4)
		wants(12)
		stop()
		time.Sleep(time.Second) // until all have ended
	})
}
