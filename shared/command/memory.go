package command

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The collector of a data plane. Memory that GOGC or GOMEMLIMIT set is the
// operator's affair.
const (
	garbage    = 250       // percent of what lives, while the process is small
	softMemory = 380 << 20 // bytes; from there on the collector works harder, for the garbage of a burst
	lookEvery  = time.Second
)

// When memory goes back to the system at once: little is allocated, and much is free.
const (
	quiet    = 4 << 20  // bytes allocated since the last look, at most
	muchFree = 32 << 20 // bytes that are free or garbage
)

// BoundMemory lets the collector rest while the process is small, and work
// before it grows. A process whose living memory needs more than the limit gets
// half as much again, or the collector would take half of the CPU time. What a start
// or a burst leaves goes back to the system when the process rests. It ends with
// ctx.
func (p Process) BoundMemory(ctx context.Context) {
	if p.variable("GOGC") != "" || p.variable("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(garbage)
	debug.SetMemoryLimit(softMemory)
	go func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		var before heap
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				now := look()
				debug.SetMemoryLimit(max(softMemory, int64(now.live)*3/2))
				if before.rests(now) {
					debug.FreeOSMemory()
				}
				before = now
			}
		}
	}()
}

// heap is what the heap holds, in bytes.
type heap struct {
	live      uint64 // of which the last collection found that it lives
	allocated uint64 // since the start of the process
	used      uint64 // by objects, garbage too
	free      uint64 // by none, and not yet with the system
}

func look() heap {
	all := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(all)
	return heap{all[0].Value.Uint64(), all[1].Value.Uint64(), all[2].Value.Uint64(), all[3].Value.Uint64()}
}

// rests reports whether little was allocated between h and now, and memory is there that
// is worth a collection.
func (h heap) rests(now heap) bool {
	garbage := now.used - min(now.used, now.live)
	return h.allocated > 0 && now.allocated-h.allocated <= quiet && now.free+garbage >= muchFree
}
