package main

import (
	"context"
	"sync"
	"time"

	"weir/infra/weir/bench/process"
)

// sampleEvery is how often the memory of weir is looked at.
const sampleEvery = 500 * time.Millisecond

// watch samples weir's memory until stop and then once more, and takes CPU profiles of a full load.
func (b *bench) watch(ctx context.Context, p phase) (stop func() *cpuProfile) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for over := false; !over; {
			select {
			case <-ctx.Done():
				over = true
			case <-tick.C:
			}
			if now, err := process.Memory(b.own.PID); err == nil && now > b.peak {
				b.peak, b.peakAt = now, p.name
			}
		}
	})
	profiled := func() *cpuProfile { return nil }
	if b.metrics != "" && p.rate == 0 {
		profiled = b.profiling(ctx, p)
	}
	return func() *cpuProfile {
		c := profiled()
		cancel()
		wg.Wait()
		return c
	}
}
