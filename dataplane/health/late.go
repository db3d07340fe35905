package health

import (
	"runtime/metrics"
	"time"
)

// SchedulingDelay returns a function that tells how long, at least, one of ten
// goroutines that could run waited for a processor since it was called last.
// The runtime counts one of eight of them.
func SchedulingDelay() func() time.Duration {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	var before []uint64
	return func() time.Duration {
		metrics.Read(sample)
		h := sample[0].Value.Float64Histogram()
		if before == nil {
			before = make([]uint64, len(h.Counts))
		}
		var all, above uint64
		for i, n := range h.Counts {
			all += n - before[i]
		}
		i := len(h.Counts)
		for above*10 <= all && i > 0 {
			i--
			above += h.Counts[i] - before[i]
		}
		copy(before, h.Counts)
		if all == 0 {
			return 0
		}
		return time.Duration(h.Buckets[i] * float64(time.Second))
	}
}
