package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/process"
	"weir/infra/weir/bench/report"
	"weir/infra/weir/bench/webhook"
)

const (
	drainGoal  = 3.0                    // events of a backlog, for each that comes in
	freshGoal  = 10.0                   // seconds from event to row, p95
	pollEvery  = 250 * time.Millisecond // between two queries
	isolations = 5                      // runs of each kind
	isolated   = 4 * time.Second        // the longest of them
	awayPhase  = "1000 events/s to a webhook that was away"
)

// beside measures, on a weir of its own, how soon events are rows of a warehouse
// and what webhooks that fail do to one that does not.
func (b *bench) beside(ctx context.Context, tmp string) error {
	urls := map[string]string{}
	for _, kind := range webhook.Failures() {
		h, err := webhook.New(ctx, kind)
		if err != nil {
			return err
		}
		defer h.Close()
		urls[kind.Key] = h.URL
	}
	late, err := webhook.New(ctx, webhook.Failure{Name: "late", Behave: webhook.Hang})
	if err != nil {
		return err
	}
	defer late.Close()
	if _, err := b.startWeir(ctx, tmp, partBeside, besideConfig(b.sink.URL, late.URL, urls)); err != nil {
		return err
	}
	if err := b.rows(ctx); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	if err := b.catchUp(ctx, late); err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	if err := b.isolation(ctx); err != nil {
		return fmt.Errorf("isolation: %w", err)
	}
	return nil
}

// catchUp sends to a webhook that gives no answers for the first third, and sees
// how fast its backlog goes while more comes in.
func (b *bench) catchUp(ctx context.Context, late *webhook.Webhook) error {
	b.phases++
	p := phase{number: b.phases, name: awayPhase, rate: 1000, batch: 1, lasts: 2 * b.paced, key: lateKey}
	b.progress("%s for %v", p.name, p.lasts)
	var well time.Time
	var mending sync.WaitGroup
	mending.Go(func() {
		select {
		case <-time.After(p.lasts / 3):
		case <-ctx.Done():
		}
		well = time.Now()
		late.Set(nil)
	})
	o, err := b.weirs(ctx, p)
	mending.Wait()
	if err != nil {
		return err
	}
	b.book(p, o)
	if err := b.settled(ctx, late, p, o); err != nil {
		return err
	}
	at := late.Times(p.number)
	var last int64 // arrival of what was sent before it was well
	for seq, planned := range o.Planned {
		if planned <= well.UnixNano() && seq < len(at) {
			last = max(last, at[seq])
		}
	}
	drained := 0
	for _, t := range at {
		if t > 0 && t <= last {
			drained++
		}
	}
	took := max(time.Unix(0, last).Sub(well), time.Millisecond)
	b.report.Least("backlog, delivered for each event that comes in", float64(drained)/took.Seconds()/p.rate, "", drainGoal, 0, fmt.Sprintf("%d within %.1f s, at %.0f events/s", drained, took.Seconds(), p.rate))
	return nil
}

// rows sends to a warehouse and asks it all the time which events are there.
func (b *bench) rows(ctx context.Context) error {
	b.phases++
	p := phase{number: b.phases, name: "200 events/s into DuckDB", rate: 200, batch: 1, lasts: b.paced}
	b.progress("%s for %v", p.name, p.lasts)
	t, err := b.via(rowsKey)
	if err != nil {
		return err
	}
	before, err := process.CPUTime(t.PID)
	if err != nil {
		return err
	}
	o := new(outcome)
	ctx, cancel := context.WithTimeout(ctx, p.lasts+drainTime)
	defer cancel()
	var sending sync.WaitGroup
	ended := make(chan struct{})
	sending.Go(func() {
		defer close(ended)
		o.Sent, err = load.Open(ctx, t, p.plan())
	})
	at, last := b.arriving(ctx, p, ended, func() int64 { return o.Events })
	sending.Wait()
	if err != nil {
		return err
	}
	after, err := process.CPUTime(t.PID)
	if err != nil {
		return err
	}
	o.cpu = after - before
	o.compare(at)
	if last != nil {
		b.report.Note("%s: the last query failed: %v", p.name, last)
	}
	b.report.Add("event to row, p50", report.Quantile(o.toEnd, 0.50).Seconds(), "s", 0, "syncEvery 5s; when `weir query` has returned it")
	b.report.Goal("event to row, p95", report.Quantile(o.toEnd, 0.95).Seconds(), "s", freshGoal, 0, fmt.Sprintf("at %.0f events/s, %.0f us/event of CPU with queries", p.rate, o.perEvent()))
	b.book(p, o)
	return nil
}

// arriving asks for rows until all of want are there after ended, or none came
// for stall. It returns when each was seen first, by sequence, and why the last
// query failed.
func (b *bench) arriving(ctx context.Context, p phase, ended <-chan struct{}, want func() int64) ([]int64, error) {
	at := make([]int64, int(p.rate*p.lasts.Seconds()))
	var seen int64
	var over bool
	var failed error
	for moved := time.Now(); !over || seen < want() && time.Since(moved) < b.stall; {
		ids, err := b.query(ctx, p.number)
		failed = err
		now := time.Now()
		for _, id := range ids {
			if number, seq, ok := load.ParseID(id); ok && number == p.number && int(seq) < len(at) && at[seq] == 0 {
				at[seq] = now.UnixNano()
				seen, moved = seen+1, now
			}
		}
		select {
		case <-ctx.Done():
			return at, ctx.Err()
		case <-time.After(pollEvery):
		}
		select {
		case <-ended:
			if !over {
				over, moved = true, time.Now()
			}
		default:
		}
	}
	return at, failed
}

// query asks weir for the ids of a phase in the warehouse. Before the first
// load there is no table, which is an error.
func (b *bench) query(ctx context.Context, number uint32) ([]string, error) {
	sql := fmt.Sprintf("select id from tracks where id like '%08x-%%'", number)
	cmd := exec.CommandContext(ctx, b.weir, "query", "lake", sql, "--output", "json", "--data-dir", b.data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	var ids []string
	for l := range bytes.Lines(out) {
		var row struct{ ID string }
		if err := json.Unmarshal(l, &row); err != nil {
			return nil, fmt.Errorf("a row of weir query: %w", err)
		}
		ids = append(ids, row.ID)
	}
	return ids, nil
}

// isolation sends to one webhook alone, and beside nine of each failure, in turn.
func (b *bench) isolation(ctx context.Context) error {
	kinds := append([]webhook.Failure{{Key: aloneKey}}, webhook.Failures()...)
	ends, acks := make([][]time.Duration, len(kinds)), make([][]time.Duration, len(kinds)) // p99 of each run
	lasts := min(isolated, b.paced)
	for range isolations {
		for i, kind := range kinds {
			b.phases++
			p := phase{number: b.phases, name: "beside " + kind.Name, rate: 200, batch: 1, lasts: lasts, key: kind.Key}
			if kind.Name == "" {
				p.name = "alone"
			}
			b.progress("%s for %v", p.name, p.lasts)
			o, err := b.weirs(ctx, p)
			if err != nil {
				return err
			}
			ends[i] = append(ends[i], report.Quantile(o.toEnd, 0.99))
			acks[i] = append(acks[i], report.Quantile(o.Latency, 0.99))
			b.book(p, o)
		}
	}
	note := fmt.Sprintf("200 events/s; medians of %d runs in turn; baseline: the webhook alone", isolations)
	for i, kind := range kinds[1:] {
		for _, what := range []struct {
			name string
			p99  [][]time.Duration
		}{{"send to arrival", ends}, {"acknowledged", acks}} {
			alone, beside := report.Millis(report.Quantile(what.p99[0], 0.5)), report.Millis(report.Quantile(what.p99[i+1], 0.5))
			b.report.Goal(fmt.Sprintf("beside nine %s, %s, p99", kind.Name, what.name), beside, "ms", alone+max(alone/10, 5), alone, note)
		}
	}
	return nil
}
