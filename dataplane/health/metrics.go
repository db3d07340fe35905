package health

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/dataplane/ingest"
	"weir/dataplane/ledger"
	"weir/dataplane/partition"
	"weir/dataplane/queue"
	"weir/shared/id"
	"weir/shared/wire"
)

// Meters are what a collector reads beside a monitor.
type Meters struct {
	Requests     func() []ingest.Count      // of the gateway, by source
	Latency      func() ingest.Latency      // of the gateway's answers
	Written      func() queue.Written       // to EVENTS
	BacklogBound func() int                 // requests with old deliveries that may be under way; 0: no bound
	Merged       func(id.Destination) int64 // rows that were loaded into a warehouse
	Discarded    func() int64               // events whose warehouse was removed before the load
}

// collector gives a plane's counts to Prometheus. Labels are kinds of counts and
// ids of destinations, which configurations hold: as many as there are.
type collector struct {
	monitor *Monitor
	meters  Meters

	events, destinations, requests, latency               *prometheus.Desc
	lagFrames, lagSeconds, stops                          *prometheus.Desc
	sending, concurrency, allowed, down, laneBytes, aging *prometheus.Desc
	backlog, overflow                                     *prometheus.Desc
	logBytes, logLimit, logFull                           *prometheus.Desc
	appends, appendEvents, appendBytes                    *prometheus.Desc
	keys, runs, keyBytes, keyWindow, keysDamaged          *prometheus.Desc
	rows, failing, discarded                              *prometheus.Desc
	codeWaiting, codeRunning, codeWorkers                 *prometheus.Desc
	free, needed                                          *prometheus.Desc
	alarms                                                *prometheus.Desc
}

// NewCollector returns the metrics of a plane.
func NewCollector(p id.Plane, monitor *Monitor, meters Meters) prometheus.Collector {
	plane := prometheus.Labels{"plane": string(p)}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, plane)
	}
	return &collector{
		monitor:      monitor,
		meters:       meters,
		appends:      desc("weir_queue_append_seconds", "How long frames of events took to be durable, from when they were put together."),
		appendEvents: desc("weir_queue_append_events_total", "Events in frames that are durable."),
		appendBytes:  desc("weir_queue_append_bytes_total", "Bytes of frames that are durable."),
		keys:         desc("weir_dedupe_keys", "Keys of the dedupe index that are on the disk."),
		runs:         desc("weir_dedupe_runs", "Files that hold them."),
		keyBytes:     desc("weir_dedupe_bytes", "What these files take."),
		keyWindow:    desc("weir_dedupe_window_seconds", "How long keys are remembered: the whole window, or what the workspace has left whose keys were forgotten most for lack of room."),
		keysDamaged:  desc("weir_dedupe_damaged_keys", "Keys that were lost with damaged files since the index was opened."),
		rows:         desc("weir_load_rows_total", "Rows that were loaded into a warehouse.", "destination"),
		discarded:    desc("weir_load_discarded_events_total", "Events that waited for a load when their warehouse was removed."),
		failing:      desc("weir_load_failing", "1 while the newest load of a warehouse fails.", "destination"),
		backlog:      desc("weir_deliver_backlog_bound", "Requests with deliveries from before half a minute that may be under way while work waits for a processor; 0: there is no bound."),
		overflow:     desc("weir_log_moved_bytes", "What is past the shares of keys, in the blob store.", "log"),
		logBytes:     desc("weir_log_bytes", "What a kind of log holds, without what is in the blob store.", "log"),
		logLimit:     desc("weir_log_limit_bytes", "What it takes at most; 0: there is no limit.", "log"),
		logFull:      desc("weir_log_full_keys", "Destinations or sources with more than their share of it, whose senders are refused.", "log"),
		events:       desc("weir_ledger_events", "Events by what became of them.", "kind"),
		destinations: desc("weir_ledger_destination_events", "Events of a destination by what became of them.", "destination", "kind"),
		requests:     desc("weir_ingest_events_total", "Events that were sent, by what the gateway did: received = refused + accepted; rate_limited is part of refused.", "kind"),
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
		c.events, c.destinations, c.requests, c.latency, c.lagFrames, c.lagSeconds, c.stops, c.sending, c.concurrency, c.allowed, c.down,
		c.backlog, c.overflow, c.logBytes, c.logLimit, c.logFull, c.appends, c.appendEvents, c.appendBytes, c.keys, c.runs, c.keyBytes, c.keyWindow, c.keysDamaged, c.rows, c.failing,
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
	states := c.monitor.states(time.Now())
	books := c.monitor.cfg.Ledger()
	c.ledger(books, gauge)
	c.gateway(ch, counter)
	c.partitions(states, gauge, counter)
	for _, s := range c.monitor.present(lanes(states), books) {
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
	gauge(c.backlog, float64(c.meters.BacklogBound()))
	c.warehouses(gauge, counter)
	c.logs(gauge)
	code := c.monitor.cfg.Code()
	gauge(c.codeWaiting, float64(code.Waiting))
	gauge(c.codeRunning, float64(code.Running))
	gauge(c.codeWorkers, float64(code.Workers))
	_, free, needed := c.monitor.disk.room()
	gauge(c.free, float64(free))
	gauge(c.needed, float64(needed))
	on := map[wire.Code]uint64{ // these are there at all times, so that rules can count on them
		"disk_low": 0, "queue_unavailable": 0, "events_degraded": 0, "partition_stopped": 0, "ledger_unbalanced": 0,
		"destination_down": 0, "egress_denied": 0, "destination_slow": 0, "code_slow": 0, "processor_busy": 0, "dedupe_window_short": 0, "dedupe_damaged": 0,
	}
	for _, full := range logsFull {
		on[full.code] = 0
	}
	for _, a := range c.monitor.alarms(states) {
		on[a.Code] += a.Count
	}
	for code, n := range on {
		gauge(c.alarms, float64(n), string(code))
	}
}

// logs gives how full the logs are. While one is away, which has its own alarm, there
// are none.
func (c *collector) logs(gauge func(*prometheus.Desc, float64, ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	all, err := c.monitor.cfg.Logs(ctx)
	if err != nil {
		return
	}
	for _, l := range all {
		log := l.Kind.String()
		gauge(c.overflow, float64(l.Stored), log)
		gauge(c.logBytes, float64(l.Bytes), log)
		gauge(c.logLimit, float64(l.Limit), log)
		gauge(c.logFull, float64(len(l.Full)), log)
	}
}

// ofSources are the kinds of counts that only sources have.
var ofSources = []string{"accepted", "replayed", "waiting", "duplicate", "unrouted"}

// ledger gives the sums of all books, and those of destinations that are not removed.
func (c *collector) ledger(books []ledger.Row, gauge func(*prometheus.Desc, float64, ...string)) {
	type at struct {
		destination id.Destination
		kind        string
	}
	sums, of := map[string]int64{}, map[at]int64{}
	for _, r := range books {
		kinds := map[string]int64{"accepted": r.Accepted, "replayed": r.Replayed, "waiting": r.Waiting, "duplicate": r.Duplicate, "quarantined": r.Quarantined, "unrouted": r.Unrouted,
			"routed": r.Routed, "delivered": r.Delivered, "staged": r.Staged, "parked": r.Parked, "dead": r.Dead, "in_flight": r.InFlight}
		for _, n := range r.Dropped {
			kinds["dropped"] += n
		}
		present := r.Destination != "" && !c.monitor.cfg.Removed(r.Workspace, string(r.Destination))
		for kind, n := range kinds {
			sums[kind] += n
			if present && !slices.Contains(ofSources, kind) {
				of[at{r.Destination, kind}] += n
			}
		}
	}
	for kind, n := range sums {
		gauge(c.events, float64(n), kind)
	}
	for key, n := range of {
		gauge(c.destinations, float64(n), string(key.destination), key.kind)
	}
}

func (c *collector) gateway(ch chan<- prometheus.Metric, counter func(*prometheus.Desc, float64, ...string)) {
	var all ingest.Count
	for _, n := range c.meters.Requests() {
		all.Received += n.Received
		all.Refused += n.Refused
		all.Accepted += n.Accepted
		all.RateLimited += n.RateLimited
	}
	for kind, n := range map[string]uint64{"received": all.Received, "refused": all.Refused, "accepted": all.Accepted, "rate_limited": all.RateLimited} {
		counter(c.requests, float64(n), kind)
	}
	w := c.meters.Written()
	ch <- prometheus.MustNewConstSummary(c.appends, w.Frames, w.Took.Seconds(), nil)
	counter(c.appendEvents, float64(w.Events))
	counter(c.appendBytes, float64(w.Bytes))
	l := c.meters.Latency()
	ch <- prometheus.MustNewConstHistogram(c.latency, l.Count, l.Sum.Seconds(), l.Below)
}

func (c *collector) partitions(states []partition.State, gauge, counter func(*prometheus.Desc, float64, ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var sum partition.Size
	for _, p := range c.monitor.cfg.Partitions() {
		s := p.Size(ctx)
		sum.LagFrames += s.LagFrames
		sum.LagAge = max(sum.LagAge, s.LagAge)
		sum.Keys.Keys += s.Keys.Keys
		sum.Keys.Runs += s.Keys.Runs
		sum.Keys.Bytes += s.Keys.Bytes
		sum.Keys.Damaged += s.Keys.Damaged
		if held := s.Keys.Held; held > 0 && (sum.Keys.Held == 0 || held < sum.Keys.Held) {
			sum.Keys.Held = held
		}
	}
	var stops uint64
	for _, s := range states {
		stops += s.Stops
	}
	gauge(c.keys, float64(sum.Keys.Keys))
	gauge(c.runs, float64(sum.Keys.Runs))
	gauge(c.keyBytes, float64(sum.Keys.Bytes))
	gauge(c.keyWindow, sum.Keys.Held.Seconds())
	gauge(c.keysDamaged, float64(sum.Keys.Damaged))
	gauge(c.lagFrames, float64(sum.LagFrames))
	gauge(c.lagSeconds, sum.LagAge.Seconds())
	counter(c.stops, float64(stops))
}

func (c *collector) warehouses(gauge, counter func(*prometheus.Desc, float64, ...string)) {
	counter(c.discarded, float64(c.meters.Discarded()))
	for _, w := range c.monitor.cfg.Warehouses() {
		d, failing := string(w.ID), 0.0
		if w.Failure != "" {
			failing = 1
		}
		counter(c.rows, float64(c.meters.Merged(w.ID)), d)
		gauge(c.failing, failing, d)
	}
}
