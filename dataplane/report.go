package dataplane

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/dataplane/agent"
	"weir/dataplane/ingest"
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
	alarm("partition_stopped", stopped)
	alarm("ledger_unbalanced", unbalanced)
	if d.disk.check() != nil {
		alarm("disk_low", 1)
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

// collector gives the books of the whole plane to Prometheus.
type collector struct {
	plane *DataPlane
	books *prometheus.Desc
	lag   *prometheus.Desc
	stops *prometheus.Desc
	doors *prometheus.Desc
}

func newCollector(d *DataPlane) *collector {
	labels := prometheus.Labels{"plane": string(d.plane.Plane)}
	return &collector{
		plane: d,
		books: prometheus.NewDesc("weir_ledger_events", "Events by what became of them.", []string{"kind"}, labels),
		lag:   prometheus.NewDesc("weir_pipeline_lag_frames", "Frames that are not settled.", nil, labels),
		stops: prometheus.NewDesc("weir_pipeline_stops_total", "How often a partition stopped by itself.", nil, labels),
		doors: prometheus.NewDesc("weir_ingest_events_total", "Events that were sent, by what the gateway did: received = refused + accepted; rate_limited is part of refused.", []string{"kind"}, labels),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.books
	ch <- c.lag
	ch <- c.stops
	ch <- c.doors
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	sums := map[string]int64{}
	for _, r := range c.plane.rows() {
		for kind, n := range map[string]int64{"accepted": r.Accepted, "duplicate": r.Duplicate, "quarantined": r.Quarantined, "unrouted": r.Unrouted,
			"routed": r.Routed, "delivered": r.Delivered, "parked": r.Parked, "dead": r.Dead, "in_flight": r.InFlight} {
			sums[kind] += n
		}
		for _, n := range r.Dropped {
			sums["dropped"] += n
		}
	}
	for kind, n := range sums {
		ch <- prometheus.MustNewConstMetric(c.books, prometheus.GaugeValue, float64(n), kind)
	}
	var all ingest.Count
	for _, n := range c.plane.gateway.Counts() {
		all.Received += n.Received
		all.Refused += n.Refused
		all.Accepted += n.Accepted
		all.RateLimited += n.RateLimited
	}
	for kind, n := range map[string]uint64{"received": all.Received, "refused": all.Refused, "accepted": all.Accepted, "rate_limited": all.RateLimited} {
		ch <- prometheus.MustNewConstMetric(c.doors, prometheus.CounterValue, float64(n), kind)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var lag, stops float64
	for _, p := range c.plane.partitions {
		if last := p.last(); last != nil {
			if behind, err := last.Lag(ctx); err == nil { // a log that is away has its own alarm
				lag += float64(behind.Frames)
			}
		}
		stops += float64(p.stopped.Load())
	}
	ch <- prometheus.MustNewConstMetric(c.lag, prometheus.GaugeValue, lag)
	ch <- prometheus.MustNewConstMetric(c.stops, prometheus.CounterValue, stops)
}
