package transform_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/transform"
	"weir/shared/id"
)

// busy has so many chains of a workspace run calls of so many events, two of each at a
// time, until ctx ends.
func busy(ctx context.Context, all *sync.WaitGroup, x *transform.Schedule, ws id.Workspace, chains, events int) {
	for c := range chains {
		for range 2 {
			all.Go(func() {
				for ctx.Err() == nil {
					x.Apply(ws, fmt.Sprint(c), events)
				}
			})
		}
	}
}

// TestManySlowChainsDelayANeighbourForMoments has workspaces with up to 60 chains
// whose events take up to half a second. The calls of a neighbour with a light chain
// never wait for more than a slice and an event, and not at all while it goes on to
// make some.
func TestManySlowChainsDelayANeighbourForMoments(t *testing.T) {
	t.Parallel()
	for seed := range uint64(15) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			event := 5*time.Millisecond + time.Duration(rng.IntN(500))*time.Millisecond
			x := transform.NewSchedule(2+rng.IntN(6), func(ws id.Workspace) time.Duration {
				if ws == "good" {
					return 100 * time.Microsecond
				}
				return event
			})
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for w := range 1 + rng.IntN(3) {
				busy(ctx, &all, x, id.Workspace(fmt.Sprint("evil", w)), 1+rng.IntN(60), 100)
			}
			time.Sleep(time.Second)
			var before time.Time
			for range 100 {
				begun := time.Now()
				x.Apply("good", "light", 10)
				took, most := time.Since(begun), 100*time.Millisecond+event+time.Millisecond
				if begun.Sub(before) < 9*time.Second {
					most = time.Millisecond
				}
				if took > most {
					t.Errorf("seed %d: a call took %v, want %v at most", seed, took, most)
				}
				before = time.Now()
				time.Sleep(time.Duration(rng.IntN(12_000)) * time.Millisecond)
			}
			cancel()
			all.Wait()
			x.Close()
		})
	}
}

// TestCodeOfAnyCostDelaysAModerateNeighbourForTwentyMillisecondsAtMost has chains
// whose calls have one event, which takes a millisecond or many, on two workers.
func TestCodeOfAnyCostDelaysAModerateNeighbourForTwentyMillisecondsAtMost(t *testing.T) {
	t.Parallel()
	for _, event := range []time.Duration{time.Millisecond, 9 * time.Millisecond, 14 * time.Millisecond, 20 * time.Millisecond, 29 * time.Millisecond, 300 * time.Millisecond} {
		for _, events := range []int{1, 3, 100} {
			synctest.Test(t, func(t *testing.T) {
				x := transform.NewSchedule(2, func(ws id.Workspace) time.Duration {
					if ws == "good" {
						return 100 * time.Microsecond
					}
					return event
				})
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				busy(ctx, &all, x, "evil", 40, events)
				time.Sleep(time.Second)
				x.Apply("good", "light", 1) // it may come after a rest
				for range 1000 {
					begun := time.Now()
					x.Apply("good", "light", 1)
					if took := time.Since(begun); took > 20*time.Millisecond {
						t.Errorf("beside calls of %d events of %v a call took %v", events, event, took)
					}
					time.Sleep(7 * time.Millisecond)
				}
				cancel()
				all.Wait()
				x.Close()
			})
		}
	}
}

// TestWorkspacesGetEqualTime has workspaces with different numbers of chains, whose
// events take different times, that are all busy: each has the same time of the
// workers. A workspace that comes later is not made up for the time before.
func TestWorkspacesGetEqualTime(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var cost [5]time.Duration
			for i := range cost {
				cost[i] = 3*time.Millisecond + time.Duration(rng.IntN(300))*time.Millisecond
			}
			x := transform.NewSchedule(2+rng.IntN(3), func(ws id.Workspace) time.Duration { return cost[ws[0]-'0'] })
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			names := []id.Workspace{"0", "1", "2", "3", "4"}
			for _, ws := range names[:4] {
				busy(ctx, &all, x, ws, 3+rng.IntN(20), 100)
			}
			time.Sleep(10 * time.Minute)
			busy(ctx, &all, x, names[4], 5, 100)
			before := map[id.Workspace]time.Duration{}
			for _, ws := range names {
				before[ws] = x.Used(ws)
			}
			time.Sleep(10 * time.Minute)
			var early, late []time.Duration
			for _, ws := range names {
				if ws != "4" {
					early = append(early, before[ws])
				}
				late = append(late, x.Used(ws)-before[ws])
			}
			for _, used := range [][]time.Duration{early, late} {
				if least, most := slices.Min(used), slices.Max(used); float64(least) < 0.95*float64(most) {
					t.Errorf("seed %d: the workspaces had %v", seed, used)
				}
			}
			cancel()
			all.Wait()
			x.Close()
		})
	}
}

// TestASchedulerForgetsWhatIsLight has many workspaces pass.
func TestASchedulerForgetsWhatIsLight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := transform.NewSchedule(2, func(id.Workspace) time.Duration { return time.Microsecond })
		for n := range 12_000 {
			x.Apply(id.Workspace(fmt.Sprint(n)), "light", 3)
		}
		if queues, workspaces := x.Remembered(); queues > 10 || workspaces > 10_000 {
			t.Errorf("%d queues and %d workspaces are remembered", queues, workspaces)
		}
		x.Close()
	})
}
