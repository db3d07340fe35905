package term_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/load/term"
	"weir/shared/fault"
)

// TestWorkEndsWithTheTerm: nothing begins before a term, what works when it ends is told to and
// awaited, and what works when another process may load ends by itself.
func TestWorkEndsWithTheTerm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var held atomic.Bool
		held.Store(true)
		x := term.New(held.Load)
		nothing := func(context.Context) error { return nil }
		if err := x.Within(t.Context(), nothing); fault.KindOf(err) != fault.Unavailable || x.Mine() {
			t.Errorf("before a term: %v", err)
		}
		x.Begin()
		if err := x.Within(t.Context(), nothing); err != nil || !x.Mine() {
			t.Errorf("in a term: %v", err)
		}
		ended := make(chan error, 1)
		work := func(slow time.Duration) {
			go func() {
				ended <- x.Within(context.Background(), func(ctx context.Context) error {
					<-ctx.Done()
					time.Sleep(slow)
					return ctx.Err()
				})
			}()
			synctest.Wait()
		}
		work(3 * time.Second)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := x.End(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the end of a term in which work goes on: %v", err)
		}
		if err := x.End(t.Context()); err != nil {
			t.Errorf("the end of a term: %v", err)
		}
		select {
		case err := <-ended:
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("work ended with %v", err)
			}
		default:
			t.Error("work goes on after the term")
		}
		x.Begin()
		work(0)
		held.Store(false)
		time.Sleep(time.Second)
		if err := <-ended; fault.KindOf(err) != fault.Unavailable || x.Mine() {
			t.Errorf("work ended with %v when another process had the term", err)
		}
	})
}

// TestTheOnlyProcessAlwaysLoads, whatever its partitions do.
func TestTheOnlyProcessAlwaysLoads(t *testing.T) {
	t.Parallel()
	x := term.New(nil)
	if err := x.End(t.Context()); err != nil || !x.Mine() || x.Shared() {
		t.Errorf("%v, it loads: %v", err, x.Mine())
	}
	if err := x.Within(t.Context(), func(context.Context) error { return x.End(t.Context()) }); err != nil {
		t.Error(err)
	}
}
