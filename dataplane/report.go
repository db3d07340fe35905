package dataplane

import (
	"maps"
	"slices"

	"weir/dataplane/agent"
	"weir/dataplane/ledger"
	"weir/dataplane/load"
	"weir/shared/wire"
)

// rows returns the books of all partitions, added up.
func (d *DataPlane) rows() []ledger.Row {
	parts := make([][]ledger.Row, 0, len(d.partitions))
	for _, p := range d.partitions {
		parts = append(parts, p.books())
	}
	return ledger.Merge(parts...)
}

// status is what a beat says.
func (d *DataPlane) status() agent.Status {
	s := agent.Status{Healthy: d.ready() == nil}
	unbalanced := uint64(0)
	for _, r := range d.rows() {
		if !r.Balanced {
			unbalanced++
		}
		s.Counts = append(s.Counts, count(r))
	}
	alarm := func(code wire.Code, n uint64) {
		if n > 0 {
			s.Alarms = append(s.Alarms, wire.Alarm{Code: code, Count: n})
		}
	}
	var stopped uint64
	raised := map[wire.Code]uint64{}
	for _, p := range d.partitions {
		stopped += p.stopped.Load()
		s.Healthy = s.Healthy && p.running.Load()
		for code, n := range p.alarms() {
			raised[code] += n
		}
	}
	for _, w := range d.plans.Warehouses() {
		if newest := d.loading.Loads(w.ID); len(newest) > 0 && newest[0].State == load.Failing {
			raised[wire.Code(newest[0].Code)]++
		}
	}
	for _, code := range slices.Sorted(maps.Keys(raised)) {
		alarm(code, raised[code])
	}
	for code, n := range d.slow() {
		alarm(code, n)
	}
	alarm("partition_stopped", stopped)
	alarm("ledger_unbalanced", unbalanced)
	if d.disk.check() != nil {
		alarm("disk_low", 1)
	}
	if d.quota.refusing() {
		alarm("parked_full", 1)
	}
	if d.store.Healthy() != nil {
		alarm("queue_unavailable", 1)
	}
	return s
}

// count is a book as it goes up.
func count(r ledger.Row) wire.Count {
	c := wire.Count{
		Workspace: r.Workspace, Source: r.Source, Destination: r.Destination,
		Accepted: above(r.Accepted), Replayed: above(r.Replayed), Duplicate: above(r.Duplicate), Quarantined: above(r.Quarantined),
		Unrouted: above(r.Unrouted), Routed: above(r.Routed), Added: above(r.Added), Delivered: above(r.Delivered),
		Parked: above(r.Parked), Dead: above(r.Dead), InFlight: above(r.InFlight), Balanced: r.Balanced,
	}
	if r.Destination == "" {
		c.Routed = above(r.SourceRouted)
	}
	for code, n := range r.Dropped {
		if n > 0 {
			if c.Dropped == nil {
				c.Dropped = map[wire.Code]uint64{}
			}
			c.Dropped[wire.Code(code)] += uint64(n)
		}
	}
	return c
}

// above is n, 0 for what only a damaged book has.
func above(n int64) uint64 { return uint64(max(n, 0)) }
