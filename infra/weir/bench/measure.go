package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
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
	only        string        // a part; "" is all but the soak
	soaks       time.Duration // how long
	errs        io.Writer
	report      report

	handler, sink remote // baseline and webhook
	product       *child
	data          string // weir's data directory
	bare, own     target
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

// measure runs everything in a new directory under dir and fills the report.
func (b *bench) measure(ctx context.Context, dir string) (err error) {
	tmp, err := os.MkdirTemp(dir, "weir-bench-")
	if err != nil {
		return fmt.Errorf("make the run's directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if b.report.Machine, err = look(tmp); err != nil {
		return err
	}
	defer func() {
		for _, c := range []*child{b.handler.child, b.sink.child} {
			if c != nil {
				c.stop(endTime)
			}
		}
	}()
	var bareReady time.Duration
	if b.sink, _, err = startReceiver(ctx, asSink); err != nil {
		return err
	}
	if b.handler, bareReady, err = startReceiver(ctx, asHandler); err != nil {
		return err
	}
	if b.bare, err = newTarget(b.handler.url, writeKey, b.handler.child.cmd.Process.Pid); err != nil {
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
	took, err := b.startWeir(ctx, tmp, partWebhook, fmt.Appendf(nil, webhookConfig, b.sink.url))
	if err != nil {
		return err
	}
	b.report.goal("ready, from start of the binary", took.Seconds(), "s", readyGoal, bareReady.Seconds(), "")
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
	b.report.goal("memory at most under load (PSS)", float64(b.peak)/megabyte, "MB", fullGoal, 0, "sampled twice a second, with workers; "+b.peakAt)
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
	b.product, err = spawn("weir", exec.Command(b.weir, "dev", "--no-temporal", "--data-dir", b.data, "--config", config,
		"--http", free, "--gateway", free, "--view", free, "--metrics", free, "--hub", free), func(l string) bool { return l == "ready" })
	if err != nil {
		return 0, err
	}
	_, took, err := b.product.await(ctx, startTime)
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
func (b *bench) via(key string) (target, error) {
	return newTarget(b.gateway, key, b.product.cmd.Process.Pid)
}

// endWeir stops the product and keeps what it had to say.
func (b *bench) endWeir() {
	if b.product == nil {
		return
	}
	if how := b.product.stop(endTime); how != "" {
		b.report.note("%s", how)
	}
	b.report.Logged = append(b.report.Logged, b.product.stderr()...)
	b.product = nil
}

// idle measures memory and CPU while nothing happens.
func (b *bench) idle(ctx context.Context) error {
	b.progress("idle")
	before, err := cpuTime(b.own.pid)
	if err != nil {
		return err
	}
	wait := min(idleTime, b.full)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
	}
	after, err := cpuTime(b.own.pid)
	if err != nil {
		return err
	}
	own, err := memory(b.own.pid)
	if err != nil {
		return err
	}
	bare, err := memory(b.bare.pid)
	if err != nil {
		return err
	}
	busy := fmt.Sprintf("%.1f %% of a core", 100*(after-before).Seconds()/wait.Seconds())
	b.report.goal("memory when idle (PSS)", float64(own)/megabyte, "MB", memoryGoal, float64(bare)/megabyte, busy)
	return nil
}

// outcome is one phase against one target.
type outcome struct {
	*sent
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
		if bare.lost > 0 || len(bare.trouble) > 0 {
			b.report.note("%s: the bare handler lost %d, trouble %v: do not trust this run", p.name, bare.lost, bare.trouble)
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
			return cmp.Compare(quantile(x.own.toEnd, 0.99), quantile(y.own.toEnd, 0.99))
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
		o.stages = where.byStage(o.events)
	}
	if err != nil && !b.product.alive() {
		return nil, fmt.Errorf("weir ended by itself: %v", b.product.err)
	}
	return o, err
}

// tell adds the rows of a phase.
func (b *bench) tell(p phase, bare, own *outcome) {
	if p.rate > 0 {
		late := fmt.Sprintf("generator late by p99 %.2g ms", millis(quantile(own.late, 0.99)))
		b.report.goal(p.name+", send to arrival, p50", millis(quantile(own.toEnd, 0.50)), "ms", p50Goal, millis(quantile(bare.toEnd, 0.50)), "")
		b.report.goal(p.name+", send to arrival, p99", millis(quantile(own.toEnd, 0.99)), "ms", p99Goal, millis(quantile(bare.toEnd, 0.99)), late)
		b.report.goal(p.name+", acknowledged, p50", millis(quantile(own.latency, 0.50)), "ms", p50Goal, millis(quantile(bare.latency, 0.50)), fmt.Sprintf("at %.0f events/s", p.rate))
		b.report.goal(p.name+", acknowledged, p99", millis(quantile(own.latency, 0.99)), "ms", p99Goal, millis(quantile(bare.latency, 0.99)), "")
		b.report.most(p.name+", CPU", own.perEvent(), "us/event", 0, bare.perEvent(), "until delivered")
	} else {
		waits := fmt.Sprintf("answer p50 %.3g ms, p99 %.3g ms", millis(quantile(own.latency, 0.50)), millis(quantile(own.latency, 0.99)))
		b.report.least(p.name, own.rate(), "events/s", p.least, bare.rate(), waits)
		if p.share > 0 {
			b.report.least(p.name+", of the bare handler's", 100*own.rate()/bare.rate(), "%", p.share, 0, "")
		}
		b.report.least(p.name+", delivered", own.through(), "events/s", p.delivered, 0, fmt.Sprintf("drained after %.3g s", own.draining.Seconds()))
		b.report.most(p.name+", CPU", own.perEvent(), "us/event", p.mostCPU, bare.perEvent(), "weir's with workers, until delivered; sampled, without workers: "+own.stages)
		b.report.most(p.name+", disk", float64(own.written)/float64(max(own.events, 1)), "B/event", p.mostDisk, 0, "write_bytes of /proc, what was purged since included")
	}
}

// book sums up what became of a phase, and notes what was odd.
func (b *bench) book(p phase, own *outcome) {
	if len(own.trouble) > 0 {
		b.report.note("%s: of %d requests, %v", p.name, own.requests, own.trouble)
	}
	if own.lost > 0 {
		b.report.note("%s: %d of %d acknowledged events did not arrive; weir ran on: %v", p.name, own.lost, own.events, b.product.alive())
	}
	b.report.Lost += own.lost
	d := &b.drains
	d.acked += own.events
	d.arrived += own.events - own.lost
	d.duplicates += own.twice
	d.longest = max(d.longest, own.draining)
	d.sum += own.draining
}

// through is how many events a second went from request to sink.
func (o *outcome) through() float64 {
	return float64(o.events) / (o.took + o.draining).Seconds()
}

func (o *outcome) rate() float64 { return float64(o.events) / o.took.Seconds() }

func (o *outcome) perEvent() float64 {
	if o.events == 0 {
		return 0
	}
	return float64(o.cpu) / float64(time.Microsecond) / float64(o.events)
}

// against runs a phase and waits until all of it has arrived at the end, or
// does not any more.
func (b *bench) against(ctx context.Context, t target, end remote, p phase) (*outcome, error) {
	before, err := cpuTime(t.pid)
	if err != nil {
		return nil, err
	}
	disk, err := written(t.pid)
	if err != nil {
		return nil, err
	}
	o := new(outcome)
	if p.rate > 0 {
		o.sent, err = openLoop(ctx, t, p)
	} else {
		o.sent, err = closedLoop(ctx, t, p)
	}
	if err != nil {
		return nil, err
	}
	stopped := time.Now()
	c, err := end.drained(ctx, p.number, o.events, b.stall)
	if err != nil {
		return nil, err
	}
	after, err := cpuTime(t.pid)
	if err != nil {
		return nil, err
	}
	o.cpu = after - before
	if o.written, err = written(t.pid); err != nil {
		return nil, err
	}
	o.written -= disk
	o.draining = max(0, time.Unix(0, c.Last).Sub(stopped))
	o.twice = c.Duplicates
	at, err := end.arrivals(ctx, p.number)
	if err != nil {
		return nil, err
	}
	o.compare(at)
	return o, nil
}

// compare looks for each acknowledged event among the arrivals.
func (o *outcome) compare(at []int64) {
	for _, s := range o.acked {
		for seq := int(s.seq); seq < int(s.seq)+int(s.n); seq++ {
			if seq >= len(at) || at[seq] == 0 {
				o.lost++
			} else if o.planned != nil {
				o.toEnd = append(o.toEnd, time.Duration(at[seq]-o.planned[seq]))
			}
		}
	}
}

// remote is a receiver in its own process.
type remote struct {
	*child
	url string
}

func startReceiver(ctx context.Context, kind string) (remote, time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return remote{}, 0, fmt.Errorf("find this binary: %w", err)
	}
	c, err := spawn(kind, exec.Command(self, receiveCommand, kind), func(string) bool { return true })
	if err != nil {
		return remote{}, 0, err
	}
	url, took, err := c.await(ctx, startTime)
	return remote{c, url}, took, err
}

func (r remote) get(ctx context.Context, path string, phase uint32) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s%s?phase=%d", r.url, path, phase), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the %s: %w", r.name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// arrivals returns when each event of a phase arrived first, by sequence.
func (r remote) arrivals(ctx context.Context, phase uint32) ([]int64, error) {
	text, err := r.get(ctx, "/arrivals", phase)
	if err != nil {
		return nil, err
	}
	at := make([]int64, len(text)/8)
	if err := binary.Read(bytes.NewReader(text), binary.LittleEndian, at); err != nil {
		return nil, fmt.Errorf("arrivals: %w", err)
	}
	return at, nil
}

// drained waits until want events of a phase have arrived, or none did for stall.
func (r remote) drained(ctx context.Context, phase uint32, want int64, stall time.Duration) (counts, error) {
	var c counts
	var seen int64
	began := time.Now()
	for moved := began; time.Since(moved) < stall && time.Since(began) < drainTime; {
		text, err := r.get(ctx, "/counts", phase)
		if err == nil {
			err = json.Unmarshal(text, &c)
		}
		if err != nil {
			return c, err
		}
		if c.Distinct >= want {
			break
		}
		if c.Distinct > seen {
			seen, moved = c.Distinct, time.Now()
		}
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return c, nil
}
