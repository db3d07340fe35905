package ingest

import (
	"sync/atomic"
	"time"
)

// latencyBounds are the upper ends of the buckets of Latency.
var latencyBounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second,
}

// latencies count how long acknowledged requests took.
type latencies struct {
	buckets [len(latencyBounds) + 1]atomic.Uint64
	nanos   atomic.Int64
}

func (l *latencies) add(d time.Duration) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	l.buckets[i].Add(1)
	l.nanos.Add(int64(d))
}

// Latency is how long requests took whose events were acknowledged, from when
// their head was read.
type Latency struct {
	Count uint64
	Sum   time.Duration
	Below map[float64]uint64 // requests by upper bound in seconds, cumulative
}

// Latency returns the latency of all requests since the start.
func (g *Gateway) Latency() Latency {
	l := Latency{Below: make(map[float64]uint64, len(latencyBounds)), Sum: time.Duration(g.latencies.nanos.Load())}
	for i := range g.latencies.buckets {
		l.Count += g.latencies.buckets[i].Load()
		if i < len(latencyBounds) {
			l.Below[latencyBounds[i].Seconds()] = l.Count
		}
	}
	return l
}
