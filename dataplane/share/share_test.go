package share_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/share"
	"weir/shared/fault"
	"weir/shared/id"
)

// use takes slots for a workspace, one after the other, until ctx ends, keeps each
// for as long as hold says and waits for pause between. It returns the longest time
// for which it waited for one and how many it had.
func use(ctx context.Context, s *share.Slots, ws id.Workspace, hold, pause func() time.Duration) (longest time.Duration, had int) {
	for ctx.Err() == nil {
		asked := time.Now()
		release, err := s.Acquire(ctx, ws)
		longest = max(longest, time.Since(asked))
		if err != nil {
			return longest, had
		}
		had++
		wait(ctx, hold())
		release()
		wait(ctx, pause())
	}
	return longest, had
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func always(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// TestOneWorkspaceDelaysAnotherByPatienceAtMost lets one workspace do its worst: any
// number of calls that hang for any time, begun at any moments. Another one, whose
// calls are short, never waits for longer than the patience with who is slow.
func TestOneWorkspaceDelaysAnotherByPatienceAtMost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			c := share.Config{Slots: 2 + rng.IntN(5), Aside: 2 + rng.IntN(5), Patience: time.Second}
			s := share.New(c)
			ctx, cancel := context.WithCancel(t.Context())
			var evil, good sync.WaitGroup
			for n := range 1 + rng.IntN(40) {
				own := rand.New(rand.NewPCG(seed, uint64(n)+2))
				evil.Go(func() {
					wait(ctx, time.Duration(own.IntN(20_000))*time.Millisecond)
					hang := time.Duration(1+own.IntN(100)) * time.Second
					use(ctx, s, "evil", func() time.Duration { return time.Duration(own.Int64N(int64(hang))) }, always(time.Duration(own.IntN(5000))*time.Millisecond))
				})
			}
			good.Go(func() {
				wait(ctx, time.Duration(rng.IntN(100_000))*time.Millisecond)
				if longest, had := use(ctx, s, "good", always(50*time.Millisecond), func() time.Duration { return time.Duration(rng.IntN(200_000)) * time.Millisecond }); longest > c.Patience || had == 0 {
					t.Errorf("seed %d: %+v: the good one had %d slots and waited %v for one", seed, c, had, longest)
				}
			})
			time.Sleep(20 * time.Minute)
			cancel()
			evil.Wait()
			good.Wait()
			whole(t, s, c)
		})
	}
}

// whole fails unless every slot can be had.
func whole(t *testing.T, s *share.Slots, c share.Config) {
	t.Helper()
	time.Sleep(time.Hour) // nobody is slow any more
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	for n := range c.Slots {
		if _, err := s.Acquire(ctx, "whoever"); err != nil {
			t.Errorf("slot %d of %d: %v", n+1, c.Slots, err)
		}
	}
}

// TestSharesAreEqual has workspaces with different numbers of calls that all want
// slots all the time: each has the same share of the time.
func TestSharesAreEqual(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			s := share.New(share.Config{Slots: 4})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			var mu sync.Mutex
			used := make([]time.Duration, 2+rng.IntN(6))
			var all sync.WaitGroup
			for w := range used {
				hold := time.Duration(50+rng.IntN(1500)) * time.Millisecond // shorter than the patience
				for range max(4, rng.IntN(40)) {
					all.Go(func() {
						_, had := use(ctx, s, id.Workspace(fmt.Sprint(w)), always(hold), always(0))
						mu.Lock()
						defer mu.Unlock()
						used[w] += time.Duration(had) * hold
					})
				}
			}
			all.Wait()
			if least, most := slices.Min(used), slices.Max(used); float64(least) < 0.9*float64(most) {
				t.Errorf("seed %d: used %v", seed, used)
			}
		})
	}
}

// TestAWorkspaceAloneUsesAll has one workspace, and a second one that comes later.
func TestAWorkspaceAloneUsesAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := share.New(share.Config{Slots: 4, Aside: 4})
		for range 4 {
			if _, err := s.Acquire(t.Context(), "first"); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		release, err := s.Acquire(t.Context(), "second")
		if took := time.Since(begun); err != nil || took != 2*time.Second {
			t.Fatalf("the second waited %v, err %v", took, err)
		}
		if slow := s.Slow(); !slices.Equal(slow, []id.Workspace{"first"}) {
			t.Errorf("slow are %v", slow)
		}
		release()
		time.Sleep(2 * time.Minute)
		if slow := s.Slow(); len(slow) > 0 {
			t.Errorf("later slow are %v", slow)
		}
	})
}

// TestAsideNobodyHasMoreThanHalf fills the slots aside.
func TestAsideNobodyHasMoreThanHalf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := share.New(share.Config{Slots: 1, Aside: 4})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var had []string
		for _, ws := range []id.Workspace{"a", "a", "a", "b", "b", "b", "c"} {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			if _, err := s.AcquireAside(ctx, ws); err == nil {
				had = append(had, string(ws))
			}
			cancel()
		}
		if got := fmt.Sprint(had); got != "[a a b b]" {
			t.Errorf("got slots: %s", got)
		}
		if _, err := s.Acquire(ctx, "a"); err != nil {
			t.Errorf("an ordinary slot: %v", err)
		}
	})
}

func TestCallsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := share.New(share.Config{Slots: 1, Waiting: 2})
		release, err := s.Acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() {
				if _, err := s.Acquire(ctx, "a"); err == nil || err.Error() != "enough" {
					t.Errorf("a call whose context ended: %v", err)
				}
			})
		}
		synctest.Wait()
		if _, err := s.Acquire(ctx, "a"); fault.KindOf(err) != fault.Limited {
			t.Errorf("one call too many: %v", err)
		}
		cancel(errors.New("enough"))
		waiting.Wait()
		release()
		release()
		for _, want := range []bool{true, false} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := s.Acquire(ctx, "b")
			if cancel(); (err == nil) != want {
				t.Errorf("after all were given back twice: %v", err)
			}
		}
	})
}

// TestBusyNamesWhoKeepsASlotMostOfTheTime: one workspace keeps a slot half of the time with
// nobody else waiting, another one has a call every ten seconds. The first is busy by the
// bound of a third of the minute, and no more once it did nothing for three minutes.
func TestBusyNamesWhoKeepsASlotMostOfTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := share.New(share.Config{Slots: 4, Aside: 4})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { use(ctx, s, "heavy", always(5*time.Second), always(5*time.Second)) })
		all.Go(func() { use(ctx, s, "light", always(time.Second), always(9*time.Second)) })
		all.Wait()
		if busy := s.Busy(20 * time.Second); !slices.Equal(busy, []id.Workspace{"heavy"}) {
			t.Errorf("busy is %q, want heavy alone", busy)
		}
		if slow := s.Slow(); len(slow) > 0 {
			t.Errorf("slow is %q, though nobody waited", slow)
		}
		time.Sleep(3 * time.Minute)
		if busy := s.Busy(20 * time.Second); len(busy) > 0 {
			t.Errorf("busy is %q three minutes later, want nobody", busy)
		}
	})
}
