package health

import (
	"context"
	"sync"
	"time"

	"weir/shared/wire/condition"
)

// Condition is how this process does: how far its partitions are behind, and how full the disk
// is. What cannot be known within a second is 0.
func (m *Monitor) Condition() condition.Report {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var r condition.Report
	r.DiskSize, r.DiskFree, r.DiskNeeded = m.disk.room()
	r.DiskLastsS = uint64(m.disk.pace.lasts(time.Now(), r.DiskFree, r.DiskNeeded) / time.Second)
	for _, p := range m.cfg.Partitions() {
		s := p.Size(ctx)
		r.LagFrames += s.LagFrames
		r.LagMs = max(r.LagMs, uint64(s.LagAge.Milliseconds()))
	}
	return r
}

// How far apart the points are that a pace is taken from, for how long they are kept, and over
// how long it is a pace and no chance: segments of logs are made and removed in between.
const (
	paceEvery = time.Minute
	paceOver  = time.Hour
	paceLeast = 10 * time.Minute
)

// pace is how fast the disk fills.
type pace struct {
	mu     sync.Mutex
	points []point // of the last hour, one a minute
}

type point struct {
	at   time.Time
	free uint64 // bytes
}

// saw notes what was free at a time.
func (p *pace) saw(at time.Time, free uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.points); n > 0 && at.Sub(p.points[n-1].at) < paceEvery {
		return
	}
	for len(p.points) > 0 && at.Sub(p.points[0].at) > paceOver {
		p.points = p.points[1:]
	}
	p.points = append(p.points, point{at, free})
}

// lasts is how long it takes from at on, at the pace since the oldest point, until no more than
// least of what is free is left; 0 when that is not to be seen.
func (p *pace) lasts(at time.Time, free, least uint64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.points) == 0 || free <= least {
		return 0
	}
	first := p.points[0]
	over := at.Sub(first.at)
	if over < paceLeast || first.free <= free {
		return 0
	}
	left := float64(free-least) / float64(first.free-free) * over.Seconds()
	if left > farthest.Seconds() {
		return 0
	}
	return time.Duration(left * float64(time.Second))
}

// farthest is how far ahead a pace of an hour says anything.
const farthest = 90 * 24 * time.Hour
