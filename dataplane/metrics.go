package dataplane

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/dataplane/deliver"
	"weir/dataplane/ingest"
	"weir/dataplane/load"
	"weir/dataplane/queue"
	"weir/shared/id"
	"weir/shared/wire"
)

// collector gives a plane's counts to Prometheus. Labels are kinds of counts and
// ids of destinations, which configurations hold: as many as there are.
type collector struct {
	plane  *DataPlane
	writer *queue.Writer

	books, destinations, doors, latency                   *prometheus.Desc
	lagFrames, lagSeconds, stops                          *prometheus.Desc
	sending, concurrency, allowed, down, laneBytes, aging *prometheus.Desc
	backlog, moved                                        *prometheus.Desc
	appends, appendEvents, appendBytes                    *prometheus.Desc
	keys, runs                                            *prometheus.Desc
	rows, failing, discarded                              *prometheus.Desc
	codeWaiting, codeRunning, codeWorkers                 *prometheus.Desc
	free, needed                                          *prometheus.Desc
	alarms                                                *prometheus.Desc
}

func newCollector(d *DataPlane, w *queue.Writer) *collector {
	plane := prometheus.Labels{"plane": string(d.plane.Plane)}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, plane)
	}
	return &collector{
		plane:        d,
		writer:       w,
		appends:      desc("weir_queue_append_seconds", "How long frames of events took to be durable, from when they were put together."),
		appendEvents: desc("weir_queue_append_events_total", "Events in frames that are durable."),
		appendBytes:  desc("weir_queue_append_bytes_total", "Bytes of frames that are durable."),
		keys:         desc("weir_dedupe_keys", "Keys of the dedupe index that are on the disk."),
		runs:         desc("weir_dedupe_runs", "Files that hold them."),
		rows:         desc("weir_load_rows_total", "Rows that were loaded into a warehouse.", "destination"),
		discarded:    desc("weir_load_discarded_events_total", "Events that waited for a load when their warehouse was removed."),
		failing:      desc("weir_load_failing", "1 while the newest load of a warehouse fails.", "destination"),
		backlog:      desc("weir_deliver_backlog_bound", "Requests with deliveries from before half a minute that may be under way while work waits for a processor; 0: there is no bound."),
		moved:        desc("weir_deliver_moved_bytes", "What is parked past the quotas of destinations, in the blob store."),
		books:        desc("weir_ledger_events", "Events by what became of them.", "kind"),
		destinations: desc("weir_ledger_destination_events", "Events of a destination by what became of them.", "destination", "kind"),
		doors:        desc("weir_ingest_events_total", "Events that were sent, by what the gateway did: received = refused + accepted; rate_limited is part of refused.", "kind"),
		latency:      desc("weir_ingest_answer_seconds", "How long requests took whose events were acknowledged."),
		lagFrames:    desc("weir_pipeline_lag_frames", "Frames that are not settled."),
		lagSeconds:   desc("weir_pipeline_lag_seconds", "Age of the oldest frame that is read and not settled."),
		stops:        desc("weir_pipeline_stops_total", "How often a partition stopped by itself."),
		sending:      desc("weir_deliver_requests", "Requests under way.", "destination"),
		concurrency:  desc("weir_deliver_concurrency", "Requests that may be under way, by what the destination bears.", "destination"),
		allowed:      desc("weir_deliver_concurrency_allowed", "Requests that may be under way at most, as configured.", "destination"),
		down:         desc("weir_deliver_down", "1 while a destination does not answer and its events are parked.", "destination"),
		laneBytes:    desc("weir_deliver_memory_bytes", "Events that wait in memory.", "destination"),
		aging:        desc("weir_deliver_oldest_seconds", "Age of the oldest event that waits in memory.", "destination"),
		codeWaiting:  desc("weir_transform_waiting", "Pieces of work for transformations that no worker has."),
		codeRunning:  desc("weir_transform_running", "Pieces of work that a worker has."),
		codeWorkers:  desc("weir_transform_workers", "Workers that run."),
		free:         desc("weir_disk_free_bytes", "What is free on the disk of the data directory."),
		needed:       desc("weir_disk_needed_bytes", "What has to be free for events to be taken."),
		alarms:       desc("weir_plane_alarms", "Alarms that are on, by code, as weir status shows them.", "code"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.books, c.destinations, c.doors, c.latency, c.lagFrames, c.lagSeconds, c.stops, c.sending, c.concurrency, c.allowed, c.down,
		c.backlog, c.moved, c.appends, c.appendEvents, c.appendBytes, c.keys, c.runs, c.rows, c.failing,
		c.laneBytes, c.aging, c.codeWaiting, c.codeRunning, c.codeWorkers, c.free, c.needed, c.alarms,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	c.ledger(gauge)
	c.gateway(ch, counter)
	c.pipelines(gauge, counter)
	for _, s := range c.plane.lanes(time.Now()) {
		dest, down := string(s.Destination), 0.0
		if s.Down {
			down = 1
		}
		gauge(c.sending, float64(s.Sending), dest)
		gauge(c.concurrency, float64(s.Most), dest)
		gauge(c.allowed, float64(s.Allowed), dest)
		gauge(c.down, down, dest)
		gauge(c.laneBytes, float64(s.Bytes), dest)
		gauge(c.aging, s.Age.Seconds(), dest)
	}
	gauge(c.backlog, float64(c.plane.yield.Bound()))
	var moved int64
	for _, p := range c.plane.partitions {
		if o := p.moved.Load(); o != nil {
			moved += o.Bytes()
		}
	}
	gauge(c.moved, float64(moved))
	c.warehouses(gauge, counter)
	code := c.plane.code.Load()
	gauge(c.codeWaiting, float64(code.Waiting))
	gauge(c.codeRunning, float64(code.Running))
	gauge(c.codeWorkers, float64(code.Workers))
	free, needed := c.plane.disk.room()
	gauge(c.free, float64(free))
	gauge(c.needed, float64(needed))
	on := map[wire.Code]uint64{ // these are there at all times, so that rules can count on them
		"disk_low": 0, "queue_unavailable": 0, "partition_stopped": 0, "parked_full": 0, "ledger_unbalanced": 0,
		"destination_down": 0, "destination_slow": 0, "code_slow": 0, "processor_busy": 0,
	}
	for _, a := range c.plane.status().Alarms {
		on[a.Code] = a.Count
	}
	for code, n := range on {
		gauge(c.alarms, float64(n), string(code))
	}
}

func (c *collector) ledger(gauge func(*prometheus.Desc, float64, ...string)) {
	type at struct {
		destination id.Destination
		kind        string
	}
	sums, of := map[string]int64{}, map[at]int64{}
	for _, r := range c.plane.rows() {
		kinds := map[string]int64{"accepted": r.Accepted, "duplicate": r.Duplicate, "quarantined": r.Quarantined, "unrouted": r.Unrouted,
			"routed": r.Routed, "delivered": r.Delivered, "parked": r.Parked, "dead": r.Dead, "in_flight": r.InFlight}
		for _, n := range r.Dropped {
			kinds["dropped"] += n
		}
		for kind, n := range kinds {
			sums[kind] += n
			if r.Destination != "" && kind != "accepted" && kind != "duplicate" && kind != "unrouted" { // those are the source's
				of[at{r.Destination, kind}] += n
			}
		}
	}
	for kind, n := range sums {
		gauge(c.books, float64(n), kind)
	}
	for key, n := range of {
		gauge(c.destinations, float64(n), string(key.destination), key.kind)
	}
}

func (c *collector) gateway(ch chan<- prometheus.Metric, counter func(*prometheus.Desc, float64, ...string)) {
	var all ingest.Count
	for _, n := range c.plane.gateway.Counts() {
		all.Received += n.Received
		all.Refused += n.Refused
		all.Accepted += n.Accepted
		all.RateLimited += n.RateLimited
	}
	for kind, n := range map[string]uint64{"received": all.Received, "refused": all.Refused, "accepted": all.Accepted, "rate_limited": all.RateLimited} {
		counter(c.doors, float64(n), kind)
	}
	w := c.writer.Written()
	ch <- prometheus.MustNewConstSummary(c.appends, w.Frames, w.Took.Seconds(), nil)
	counter(c.appendEvents, float64(w.Events))
	counter(c.appendBytes, float64(w.Bytes))
	l := c.plane.gateway.Latency()
	ch <- prometheus.MustNewConstHistogram(c.latency, l.Count, l.Sum.Seconds(), l.Below)
}

func (c *collector) pipelines(gauge, counter func(*prometheus.Desc, float64, ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var frames, stops, keys, runs float64
	var age time.Duration
	for _, p := range c.plane.partitions {
		if last := p.last(); last != nil {
			if behind, err := last.Lag(ctx); err == nil { // a log that is away has its own alarm
				frames += float64(behind.Frames)
				age = max(age, behind.Age)
			}
		}
		stops += float64(p.stopped.Load())
		if seen := p.seen.Load(); seen != nil {
			k, r := seen.Keys()
			keys, runs = keys+float64(k), runs+float64(r)
		}
	}
	gauge(c.keys, keys)
	gauge(c.runs, runs)
	gauge(c.lagFrames, frames)
	gauge(c.lagSeconds, age.Seconds())
	counter(c.stops, stops)
}

func (c *collector) warehouses(gauge, counter func(*prometheus.Desc, float64, ...string)) {
	counter(c.discarded, float64(c.plane.loading.Discarded()))
	for _, w := range c.plane.plans.Warehouses() {
		d, failing := string(w.ID), 0.0
		if newest := c.plane.loading.Loads(w.ID); len(newest) > 0 && newest[0].State == load.Failing {
			failing = 1
		}
		counter(c.rows, float64(c.plane.loading.Merged(w.ID)), d)
		gauge(c.failing, failing, d)
	}
}

// lanes returns how every destination does, over all partitions.
func (d *DataPlane) lanes(now time.Time) []deliver.State {
	all := map[id.Destination]deliver.State{}
	for _, p := range d.partitions {
		lanes := p.lanes.Load()
		if lanes == nil {
			continue
		}
		for _, s := range lanes.States(now) {
			sum := all[s.Destination]
			all[s.Destination] = deliver.State{
				Destination: s.Destination, Sending: sum.Sending + s.Sending, Most: sum.Most + s.Most, Allowed: sum.Allowed + s.Allowed,
				Down: sum.Down || s.Down, Paused: max(sum.Paused, s.Paused), Bytes: sum.Bytes + s.Bytes, Age: max(sum.Age, s.Age),
			}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b deliver.State) int {
		if a.Destination < b.Destination {
			return -1
		}
		return 1
	})
}
