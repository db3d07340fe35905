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
	lookEvery  = 5 * time.Second
)

// BoundMemory lets the collector rest while the process is small, and work
// before it grows. A process whose living memory needs more than the limit gets
// half as much again, or the collector would take half of the CPU time. It ends with
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
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				metrics.Read(live)
				debug.SetMemoryLimit(max(softMemory, int64(live[0].Value.Uint64())*3/2))
			}
		}
	}()
}
