package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	freshGoal  = 10.0                   // seconds from event to row, p95
	pollEvery  = 250 * time.Millisecond // between two queries
	isolations = 5                      // runs of each kind
	isolated   = 4 * time.Second        // the longest of them
)

// beside measures, on a weir of its own, how soon events are rows of a warehouse
// and what webhooks that never answer do to one that does.
func (b *bench) beside(ctx context.Context, tmp string) error {
	hole, err := dig(ctx)
	if err != nil {
		return err
	}
	defer hole.close()
	if _, err := b.startWeir(ctx, tmp, partBeside, besideConfig(b.sink.url, hole.url())); err != nil {
		return err
	}
	if err := b.rows(ctx); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	if err := b.isolation(ctx); err != nil {
		return fmt.Errorf("isolation: %w", err)
	}
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
	before, err := cpuTime(t.pid)
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
		o.sent, err = openLoop(ctx, t, p)
	})
	at, last := b.arriving(ctx, p, ended, func() int64 { return o.events })
	sending.Wait()
	if err != nil {
		return err
	}
	after, err := cpuTime(t.pid)
	if err != nil {
		return err
	}
	o.cpu = after - before
	o.compare(at)
	if last != nil {
		b.report.note("%s: the last query failed: %v", p.name, last)
	}
	b.report.add("event to row, p50", quantile(o.toEnd, 0.50).Seconds(), "s", 0, "syncEvery 5s; when `weir query` has returned it")
	b.report.goal("event to row, p95", quantile(o.toEnd, 0.95).Seconds(), "s", freshGoal, 0, fmt.Sprintf("at %.0f events/s, %.0f us/event of CPU with queries", p.rate, o.perEvent()))
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
			if number, seq, ok := parseID(id); ok && number == p.number && int(seq) < len(at) && at[seq] == 0 {
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

// isolation sends to one webhook alone and beside those that never answer, in turn.
func (b *bench) isolation(ctx context.Context) error {
	var ends, acks [2][]time.Duration // p99 of each run; alone, beside
	lasts := min(isolated, b.paced)
	for range isolations {
		for i, key := range []string{aloneKey, besideKey} {
			b.phases++
			p := phase{number: b.phases, name: []string{"alone", "beside black holes"}[i], rate: 200, batch: 1, lasts: lasts, key: key}
			b.progress("%s for %v", p.name, p.lasts)
			o, err := b.weirs(ctx, p)
			if err != nil {
				return err
			}
			ends[i] = append(ends[i], quantile(o.toEnd, 0.99))
			acks[i] = append(acks[i], quantile(o.latency, 0.99))
			b.book(p, o)
		}
	}
	alone, beside := millis(quantile(ends[0], 0.5)), millis(quantile(ends[1], 0.5))
	note := fmt.Sprintf("200 events/s; medians of %d runs in turn; baseline: the webhook alone", isolations)
	b.report.goal("beside nine black holes, send to arrival, p99", beside, "ms", alone+max(alone/10, 5), alone, note)
	alone, beside = millis(quantile(acks[0], 0.5)), millis(quantile(acks[1], 0.5))
	b.report.goal("beside nine black holes, acknowledged, p99", beside, "ms", alone+max(alone/10, 5), alone, note)
	return nil
}

// hole takes connections and never answers.
type hole struct {
	l    net.Listener
	done chan struct{}
}

func dig(ctx context.Context) (*hole, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen and never answer: %w", err)
	}
	h := &hole{l, make(chan struct{})}
	go func() {
		defer close(h.done)
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			all = append(all, c)
		}
		for _, c := range all {
			_ = c.Close()
		}
	}()
	return h, nil
}

func (h *hole) url() string { return "http://" + h.l.Addr().String() }

// close breaks every connection.
func (h *hole) close() {
	_ = h.l.Close()
	<-h.done
}
