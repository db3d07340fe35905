package command_test

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"weir/shared/command"
)

// TestMemoryOfABurstGoesBackWhenTheProcessRests: the system has it again, without a
// collection that the process itself would have come to.
func TestMemoryOfABurstGoesBackWhenTheProcessRests(t *testing.T) { // not parallel: others would keep the process busy
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	ctx, stop := context.WithCancel(t.Context())
	defer func() {
		stop()
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	released := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	const burst = 128 << 20
	debug.SetGCPercent(-1)
	for range burst >> 20 {
		sink = make([]byte, 1<<20)
		for i := 0; i < len(sink); i += 4096 {
			sink[i] = 1
		}
	}
	sink = nil
	before := released()
	command.Process{Env: func(string) (string, bool) { return "", false }}.BoundMemory(ctx)
	tick, end := time.NewTicker(50*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for released() < before+burst/2 {
		select {
		case <-end:
			t.Fatalf("%d MiB are back with the system, before it were %d", released()>>20, before>>20)
		case <-tick.C:
		}
	}
}

// sink keeps the compiler from leaving allocations out.
var sink []byte
