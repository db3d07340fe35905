package queuetest

import (
	"flag"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	only  = flag.Uint64("seed", 0, "run only this seed of a simulation")
	from  = flag.Uint64("from", 1, "the first seed of a simulation")
	seeds = flag.Int64("seeds", -1, "how many seeds a simulation runs; 0: until it is stopped; -1: as many as it usually does")
)

// hangs is how long one seed may take by the clock on the wall; it takes some ten milliseconds.
const hangs = 2 * time.Minute

// progress is how many seeds pass between two reports of a simulation.
const progress = 1000

// Simulate runs a simulation with usual seeds, or as many as -seeds says, from
// the one of -from on, or the one of -seed alone; each in a bubble of its own. It
// ends soon after a seed that fails, with -failfast at once. One that never ends
// is named, with what waits for what.
func Simulate(t *testing.T, usual int64, run func(t testing.TB, seed uint64)) {
	if *only != 0 {
		bubble(t, *only, func(t *testing.T) { run(t, *only) })
		return
	}
	count := uint64(usual)
	if *seeds >= 0 {
		count = uint64(*seeds)
	}
	var failed atomic.Bool
	const group = 100
	for done := uint64(0); !t.Failed() && (*seeds == 0 || done < count); {
		first, size := *from+done, uint64(group)
		if *seeds != 0 {
			size = min(size, count-done)
		}
		t.Run(fmt.Sprint("from ", first), func(t *testing.T) {
			for seed := first; seed < first+size; seed++ {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					t.Parallel()
					if failFast() && failed.Load() {
						return
					}
					defer func() { failed.Store(failed.Load() || t.Failed()) }()
					bubble(t, seed, func(t *testing.T) { run(t, seed) })
				})
			}
		})
		if done += size; done%progress == 0 && !t.Failed() {
			fmt.Printf("%s: seeds %d to %d hold\n", time.Now().Format(time.TimeOnly), *from, first+size-1)
		}
	}
}

// failFast reports whether one failure is enough. The flag itself keeps no test
// from going on that is under way, as all seeds of a group are.
func failFast() bool { return flag.Lookup("test.failfast").Value.String() == "true" }

// bubble runs one seed.
func bubble(t *testing.T, seed uint64, run func(t *testing.T)) {
	defer time.AfterFunc(hangs, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("seed %d hangs", seed))
	}).Stop()
	synctest.Test(t, run)
}
