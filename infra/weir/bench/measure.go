package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
	"weir/infra/weir/bench/api"
	"weir/infra/weir/bench/fresh"
	"weir/infra/weir/bench/kinds"
	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/neighbours"
	"weir/infra/weir/bench/process"
	"weir/infra/weir/bench/pulls"
	"weir/infra/weir/bench/report"
	"weir/infra/weir/bench/rows"
	"weir/infra/weir/bench/webhook"
)

const (
	startTime = 60 * time.Second // for a child to be ready
	endTime   = 20 * time.Second // for weir to end after SIGTERM
	idleTime  = 3 * time.Second  // from ready to the measure of memory
	drainTime = 4 * time.Minute  // for one phase to arrive
	writeKey  = "wk_bench"
	megabyte  = 1e6
	rounds    = 3 // of loads whose ratio to the bare handler counts: a shared machine changes its speed
)

// Targets of the product: on one node, at most.
const (
	readyGoal  = 3.0   // seconds
	memoryGoal = 200.0 // MB, idle
	fullGoal   = 512.0 // MB, at saturation
	p50Goal    = 5.0   // milliseconds
	p99Goal    = 30.0
)

// bench is one run.
type bench struct {
	weir        string
	paced, full time.Duration // of a phase
	stall       time.Duration // without an arrival, a drain is given up
	profiles    string        // directory; "" is none
	only        string        // a part; "" is all but neighbours and the soak
	kind        string        // of harm, in neighbours
	events      uint32        // of rows
	soaks       time.Duration // how long
	errs        io.Writer
	report      report.Report

	handler, sink webhook.Remote // baseline and webhook
	product       *process.Process
	data          string // weir's data directory
	bare, own     load.Target
	gateway       string // of weir
	metrics       string
	phases        uint32 // how many there were
	peak          int64  // memory of weir under load
	peakAt        string // the phase
	drains        drains
}

// drains sums up what became of everything that weir acknowledged.
type drains struct {
	acked, arrived, duplicates int64
	longest, sum               time.Duration
}

// phase is one load.
type phase struct {
	number uint32 // in every messageId
	name   string
	rate   float64 // events a second; 0: a closed loop
	conns  int
	batch  int
	lasts  time.Duration
	key    string // the write key of its source; "" is writeKey
	rounds int    // of the bare handler and weir in turn, of which the middle one counts; 0: one

	// Targets; 0 is none.
	least     float64 // events/s acknowledged
	share     float64 // of the bare handler's, in %
	delivered float64 // events/s at the sink
	mostCPU   float64 // us/event
	mostDisk  float64 // B/event
}

// plan is what the generator is told of p.
func (p phase) plan() load.Plan {
	return load.Plan{Number: p.number, Rate: p.rate, Conns: p.conns, Batch: p.batch, Lasts: p.lasts}
}

// measure runs everything in a new directory under dir and fills the report.
func (b *bench) measure(ctx context.Context, dir string) (err error) {
	tmp, err := os.MkdirTemp(dir, "weir-bench-")
	if err != nil {
		return fmt.Errorf("make the run's directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if b.report.Machine, err = report.Look(tmp); err != nil {
		return err
	}
	defer func() {
		for _, c := range []*process.Process{b.handler.Process, b.sink.Process} {
			if c != nil {
				c.Stop(endTime)
			}
		}
	}()
	var bareReady time.Duration
	if b.sink, _, err = webhook.Start(ctx, webhook.Sink); err != nil {
		return err
	}
	if b.only == partNeighbours {
		return neighbours.Run(ctx, neighbours.Config{Weir: b.weir, Dir: tmp, Sink: b.sink, Lasts: b.paced, Stall: b.stall, Kind: b.kind, Progress: b.progress}, &b.report)
	}
	if b.only == partRows {
		return rows.Run(ctx, rows.Config{Weir: b.weir, Dir: tmp, Events: b.events, Stall: b.stall, Progress: b.progress}, &b.report)
	}
	if b.only == partFreshness {
		return fresh.Run(ctx, fresh.Config{Weir: b.weir, Dir: tmp, Lasts: b.paced, Stall: b.stall, Kind: b.kind, Progress: b.progress}, &b.report)
	}
	if b.only == partPulls {
		return pulls.Run(ctx, pulls.Config{Weir: b.weir, Dir: tmp, Sink: b.sink, Rows: int64(b.events), Lasts: b.paced, Stall: b.stall, Progress: b.progress}, &b.report)
	}
	if b.only == partAPI {
		return api.Run(ctx, api.Config{Weir: b.weir, Dir: tmp, Lasts: b.paced, Kind: b.kind, Profiles: b.profiles, Progress: b.progress}, &b.report)
	}
	if b.only == partKinds {
		return kinds.Run(ctx, kinds.Config{Weir: b.weir, Dir: tmp, Sink: b.sink, Lasts: b.full, Stall: b.stall, Kind: b.kind, Progress: b.progress}, &b.report)
	}
	if b.handler, bareReady, err = webhook.Start(ctx, webhook.Handler); err != nil {
		return err
	}
	if b.bare, err = load.NewTarget(b.handler.URL, writeKey, b.handler.PID()); err != nil {
		return err
	}
	defer b.endWeir()
	if b.only == partSoak {
		return b.soak(ctx, tmp)
	}
	if b.only != partBeside {
		if err := b.webhook(ctx, tmp, bareReady); err != nil {
			return err
		}
		b.endWeir()
	}
	if b.only == partWebhook {
		return nil
	}
	return b.beside(ctx, tmp)
}

// webhook measures what goes to one webhook.
func (b *bench) webhook(ctx context.Context, tmp string, bareReady time.Duration) error {
	took, err := b.startWeir(ctx, tmp, partWebhook, fmt.Appendf(nil, webhookConfig, b.sink.URL))
	if err != nil {
		return err
	}
	b.report.Goal("ready, from start of the binary", took.Seconds(), "s", readyGoal, bareReady.Seconds(), "")
	if err := b.idle(ctx); err != nil {
		return err
	}
	for _, p := range []phase{
		{name: "200 events/s", rate: 200, batch: 1, lasts: b.paced},
		{name: "single events, 64 connections", conns: 64, batch: 1, lasts: b.full},
		{name: "single events, 512 connections", conns: 512, batch: 1, lasts: b.full, rounds: rounds, least: 15000, share: 60, delivered: 12000, mostCPU: 65, mostDisk: 600},
		{name: "batches of 100, 16 connections", conns: 16, batch: 100, lasts: b.full, least: 100000},
		{name: "20-line transformation, 512 connections", conns: 512, batch: 1, lasts: b.full, rounds: rounds, key: codeKey, delivered: 6000},
	} {
		o, err := b.load(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if p.share == 0 {
			continue
		}
		p = phase{name: "70 % load", rate: max(1, 0.7*o.through()), batch: 1, lasts: b.full, rounds: rounds}
		if _, err := b.load(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.report.Goal("memory at most under load (PSS)", float64(b.peak)/megabyte, "MB", fullGoal, 0, "sampled twice a second, with workers; "+b.peakAt)
	b.balance(ctx)
	return nil
}

func (b *bench) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(b.errs, "bench: "+format+"\n", args...)
}

// startWeir starts the product on an empty directory under tmp and returns how
// long it took until it was ready.
func (b *bench) startWeir(ctx context.Context, tmp, name string, configuration []byte) (time.Duration, error) {
	b.progress("start %s", b.weir)
	config := filepath.Join(tmp, name+".yaml")
	if err := os.WriteFile(config, configuration, 0o600); err != nil {
		return 0, fmt.Errorf("write the configuration: %w", err)
	}
	b.data = filepath.Join(tmp, name)
	const free = "127.0.0.1:0"
	var err error
	b.product, err = process.Start("weir", exec.Command(b.weir, "dev", "--no-temporal", "--data-dir", b.data, "--config", config,
		"--http", free, "--gateway", free, "--view", free, "--metrics", free, "--hub", free), func(l string) bool { return l == "ready" })
	if err != nil {
		return 0, err
	}
	_, took, err := b.product.Await(ctx, startTime)
	if err != nil {
		return 0, err
	}
	var in struct {
		Gateway string `json:"gateway"`
		Metrics string `json:"metrics"`
	}
	text, err := os.ReadFile(filepath.Join(b.data, "dev.json"))
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil {
		return 0, fmt.Errorf("weir is ready and dev.json is not: %w", err)
	}
	b.gateway, b.metrics = in.Gateway, in.Metrics
	if b.own, err = b.via(writeKey); err != nil {
		return 0, fmt.Errorf("dev.json: %w", err)
	}
	return took, nil
}

// via is weir's gateway with the write key of a source.
func (b *bench) via(key string) (load.Target, error) {
	return load.NewTarget(b.gateway, key, b.product.PID())
}

// endWeir stops the product and keeps what it had to say.
func (b *bench) endWeir() {
	if b.product == nil {
		return
	}
	if how := b.product.Stop(endTime); how != "" {
		b.report.Note("%s", how)
	}
	b.report.Logged = append(b.report.Logged, b.product.Stderr()...)
	b.product = nil
}

// idle measures memory and CPU while nothing happens.
func (b *bench) idle(ctx context.Context) error {
	b.progress("idle")
	before, err := process.CPUTime(b.own.PID)
	if err != nil {
		return err
	}
	wait := min(idleTime, b.full)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
	}
	after, err := process.CPUTime(b.own.PID)
	if err != nil {
		return err
	}
	own, err := process.Memory(b.own.PID)
	if err != nil {
		return err
	}
	bare, err := process.Memory(b.bare.PID)
	if err != nil {
		return err
	}
	busy := fmt.Sprintf("%.1f %% of a core", 100*(after-before).Seconds()/wait.Seconds())
	b.report.Goal("memory when idle (PSS)", float64(own)/megabyte, "MB", memoryGoal, float64(bare)/megabyte, busy)
	return nil
}

// outcome is one phase against one target.
type outcome struct {
	*load.Sent
	written  int64         // bytes on the disk, until all had arrived
	cpu      time.Duration // of the target's process tree, until all had arrived
	toEnd    []time.Duration
	lost     int64
	twice    int64
	draining time.Duration // from the end of the load to the last arrival
	stages   string        // where its CPU time went; "" is unknown
}

// load runs a phase against the bare handler, then against weir, and adds its
// rows. It returns weir's outcome.
func (b *bench) load(ctx context.Context, p phase) (*outcome, error) {
	b.progress("%s for %v: bare handler, then weir", p.name, p.lasts)
	type pair struct{ bare, own *outcome }
	var all []pair
	for range max(1, p.rounds) {
		b.phases++
		p.number = b.phases
		bare, err := b.against(ctx, b.bare, b.handler, p)
		if err != nil {
			return nil, fmt.Errorf("bare handler: %w", err)
		}
		if bare.lost > 0 || len(bare.Trouble) > 0 {
			b.report.Note("%s: the bare handler lost %d, trouble %v: do not trust this run", p.name, bare.lost, bare.Trouble)
		}
		own, err := b.weirs(ctx, p)
		if err != nil {
			return nil, err
		}
		b.book(p, own)
		all = append(all, pair{bare, own})
	}
	slices.SortFunc(all, func(x, y pair) int {
		if p.rate > 0 {
			return cmp.Compare(report.Quantile(x.own.toEnd, 0.99), report.Quantile(y.own.toEnd, 0.99))
		}
		return cmp.Compare(x.own.rate()/x.bare.rate(), y.own.rate()/y.bare.rate())
	})
	middle := all[len(all)/2]
	b.tell(p, middle.bare, middle.own)
	return middle.own, nil
}

// weirs runs a phase against weir, which is watched meanwhile.
func (b *bench) weirs(ctx context.Context, p phase) (*outcome, error) {
	t := b.own
	if p.key != "" {
		var err error
		if t, err = b.via(p.key); err != nil {
			return nil, err
		}
	}
	stop := b.watch(ctx, p)
	o, err := b.against(ctx, t, b.sink, p)
	where := stop()
	if err == nil && where != nil {
		o.stages = where.byStage(o.Events)
	}
	if err != nil && !b.product.Alive() {
		return nil, fmt.Errorf("weir ended by itself: %v", b.product.Err())
	}
	return o, err
}

// tell adds the rows of a phase.
func (b *bench) tell(p phase, bare, own *outcome) {
	if p.rate > 0 {
		late := fmt.Sprintf("generator late by p99 %.2g ms", report.Millis(report.Quantile(own.Late, 0.99)))
		b.report.Goal(p.name+", send to arrival, p50", report.Millis(report.Quantile(own.toEnd, 0.50)), "ms", p50Goal, report.Millis(report.Quantile(bare.toEnd, 0.50)), "")
		b.report.Goal(p.name+", send to arrival, p99", report.Millis(report.Quantile(own.toEnd, 0.99)), "ms", p99Goal, report.Millis(report.Quantile(bare.toEnd, 0.99)), late)
		b.report.Goal(p.name+", acknowledged, p50", report.Millis(report.Quantile(own.Latency, 0.50)), "ms", p50Goal, report.Millis(report.Quantile(bare.Latency, 0.50)), fmt.Sprintf("at %.0f events/s", p.rate))
		b.report.Goal(p.name+", acknowledged, p99", report.Millis(report.Quantile(own.Latency, 0.99)), "ms", p99Goal, report.Millis(report.Quantile(bare.Latency, 0.99)), "")
		b.report.Most(p.name+", CPU", own.perEvent(), "us/event", 0, bare.perEvent(), "until delivered")
	} else {
		waits := fmt.Sprintf("answer p50 %.3g ms, p99 %.3g ms", report.Millis(report.Quantile(own.Latency, 0.50)), report.Millis(report.Quantile(own.Latency, 0.99)))
		b.report.Least(p.name, own.rate(), "events/s", p.least, bare.rate(), waits)
		if p.share > 0 {
			b.report.Least(p.name+", of the bare handler's", 100*own.rate()/bare.rate(), "%", p.share, 0, "")
		}
		b.report.Least(p.name+", delivered", own.through(), "events/s", p.delivered, 0, fmt.Sprintf("drained after %.3g s", own.draining.Seconds()))
		b.report.Most(p.name+", CPU", own.perEvent(), "us/event", p.mostCPU, bare.perEvent(), "weir's with workers, until delivered; sampled, without workers: "+own.stages)
		b.report.Most(p.name+", disk", float64(own.written)/float64(max(own.Events, 1)), "B/event", p.mostDisk, 0, "write_bytes of /proc, what was purged since included")
	}
}

// book sums up what became of a phase, and notes what was odd.
func (b *bench) book(p phase, own *outcome) {
	if len(own.Trouble) > 0 {
		b.report.Note("%s: of %d requests, %v", p.name, own.Requests, own.Trouble)
	}
	if own.lost > 0 {
		b.report.Note("%s: %d of %d acknowledged events did not arrive; weir ran on: %v", p.name, own.lost, own.Events, b.product.Alive())
	}
	b.report.Lost += own.lost
	d := &b.drains
	d.acked += own.Events
	d.arrived += own.Events - own.lost
	d.duplicates += own.twice
	d.longest = max(d.longest, own.draining)
	d.sum += own.draining
}

// through is how many events a second went from request to sink.
func (o *outcome) through() float64 {
	return float64(o.Events) / (o.Took + o.draining).Seconds()
}

func (o *outcome) rate() float64 { return float64(o.Events) / o.Took.Seconds() }

func (o *outcome) perEvent() float64 {
	if o.Events == 0 {
		return 0
	}
	return float64(o.cpu) / float64(time.Microsecond) / float64(o.Events)
}

// against runs a phase and waits until all of it has arrived at the end, or
// does not any more.
func (b *bench) against(ctx context.Context, t load.Target, end webhook.Remote, p phase) (*outcome, error) {
	before, err := process.CPUTime(t.PID)
	if err != nil {
		return nil, err
	}
	disk, err := process.Written(t.PID)
	if err != nil {
		return nil, err
	}
	o := new(outcome)
	if p.rate > 0 {
		o.Sent, err = load.Open(ctx, t, p.plan())
	} else {
		o.Sent, err = load.Closed(ctx, t, p.plan())
	}
	if err != nil {
		return nil, err
	}
	stopped := time.Now()
	c, err := end.Drained(ctx, p.number, o.Events, b.stall)
	if err != nil {
		return nil, err
	}
	after, err := process.CPUTime(t.PID)
	if err != nil {
		return nil, err
	}
	o.cpu = after - before
	if o.written, err = process.Written(t.PID); err != nil {
		return nil, err
	}
	o.written -= disk
	o.draining = max(0, time.Unix(0, c.Last).Sub(stopped))
	o.twice = c.Duplicates
	at, err := end.Arrivals(ctx, p.number)
	if err != nil {
		return nil, err
	}
	o.compare(at)
	return o, nil
}

// compare looks for each acknowledged event among the arrivals.
func (o *outcome) compare(at []int64) {
	for _, s := range o.Acked {
		for seq := int(s.Seq); seq < int(s.Seq)+int(s.N); seq++ {
			if seq >= len(at) || at[seq] == 0 {
				o.lost++
			} else if o.Planned != nil {
				o.toEnd = append(o.toEnd, time.Duration(at[seq]-o.Planned[seq]))
			}
		}
	}
}
