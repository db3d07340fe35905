package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/process"
	"weir/infra/weir/bench/report"
	"weir/infra/weir/bench/webhook"
)

const (
	soakLoad   = 0.7              // of what it bears while the others fail
	soakTry    = 10 * time.Second // how long that is measured
	soakLook   = 5 * time.Second
	soakAnswer = 15 * time.Second // for the metrics
	soakLedger = 30 * time.Second
	soakMood   = time.Minute // after which a webhook falls ill or gets well
	soakGrowth = 10.0        // % that a figure may grow from the second quarter to the last
)

// soak sends for a long time at 70 % of what weir bears, to a webhook that is
// well and to five that fall ill and get well again, and looks for what grows.
func (b *bench) soak(ctx context.Context, tmp string) error {
	var sick []*webhook.Webhook
	kinds := slices.DeleteFunc(webhook.Failures(), func(s webhook.Failure) bool { return s.TLS })
	for _, kind := range kinds {
		h, err := webhook.New(ctx, kind)
		if err != nil {
			return err
		}
		defer h.Close()
		sick = append(sick, h)
	}
	if _, err := b.startWeir(ctx, tmp, partSoak, soakConfig(b.sink.URL, sick)); err != nil {
		return err
	}
	t, err := b.via(soakKey)
	if err != nil {
		return err
	}
	b.phases++
	try := phase{number: b.phases, name: "what it bears", conns: 64, batch: 1, lasts: min(soakTry, b.soaks)}
	b.progress("%s for %v", try.name, try.lasts)
	bears, err := b.against(ctx, t, b.sink, try)
	if err != nil {
		return err
	}
	b.phases++
	p := phase{number: b.phases, name: "soak", rate: max(1, soakLoad*bears.through()), batch: 1, lasts: b.soaks}
	b.progress("%.0f events/s for %v beside %d webhooks that fail", p.rate, p.lasts, len(sick))
	watching, enough := context.WithCancel(ctx)
	defer enough()
	seen := make(chan *grown, 1)
	go func() { seen <- b.lookOn(watching, t.Open, kinds, sick) }()
	o, err := b.against(ctx, t, b.sink, p)
	enough()
	g := <-seen
	if err != nil {
		return err
	}
	for _, h := range sick {
		h.Set(nil)
	}
	b.book(try, bears)
	b.book(p, o)
	note := fmt.Sprintf("%.0f events/s for %v, %d webhooks of %d fall ill and get well", p.rate, b.soaks, len(sick), len(sick)+1)
	b.report.Add("soak, send to arrival, p99", report.Millis(report.Quantile(o.toEnd, 0.99)), "ms", 0, note)
	b.report.Add("soak, acknowledged, p99", report.Millis(report.Quantile(o.Latency, 0.99)), "ms", 0, "")
	for _, what := range []struct {
		name string
		all  []float64
	}{{"memory (PSS)", g.memory}, {"goroutines", g.goroutines}, {"descriptors", g.descriptors}} {
		was, is := quarter(what.all, 1), quarter(what.all, 3)
		growth := 0.0
		if was > 0 {
			growth = 100 * (is - was) / was
		}
		b.report.Goal("soak, growth of "+what.name, growth, "%", soakGrowth, 0, fmt.Sprintf("medians of the second quarter and the last: %.0f, %.0f", was, is))
	}
	b.report.Goal("soak, looks at books that did not balance", float64(g.unbalanced), "", 0, 0, fmt.Sprintf("of %d", g.looks))
	for _, h := range sick {
		if err := b.settled(ctx, h, p, o); err != nil {
			return err
		}
	}
	b.books(ctx)
	return nil
}

// settled waits until a webhook that is well again has everything, and checks it.
func (b *bench) settled(ctx context.Context, h *webhook.Webhook, p phase, o *outcome) error {
	began := time.Now()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for moved, last := began, int64(0); ; {
		c := h.Counts(p.number)
		if c.Distinct > last {
			last, moved = c.Distinct, time.Now()
		}
		if c.Distinct >= o.Events || time.Since(moved) > b.stall {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	at := h.Times(p.number)
	late := &outcome{Sent: &load.Sent{Acked: o.Acked}}
	late.compare(at)
	b.report.Goal(p.name+", acknowledged and not arrived at "+h.Name, float64(late.lost), "events", 0, 0, fmt.Sprintf("%.1f s after it got well; %d came again", time.Since(began).Seconds(), h.Counts(p.number).Duplicates))
	b.report.Lost += late.lost
	b.report.Goal(p.name+", out of a user's order at "+h.Name, float64(disorder(at)), "events", 0, 0, "")
	return nil
}

// disorder counts the events that arrived before an earlier one of their user.
func disorder(at []int64) int {
	n := 0
	for seq := load.Users; seq < len(at); seq++ {
		if at[seq] != 0 && at[seq-load.Users] > at[seq] {
			n++
		}
	}
	return n
}

// grown is what was seen in the course of a soak.
type grown struct {
	memory, goroutines, descriptors []float64
	looks, unbalanced               int
}

// lookOn samples weir, less what own connections of the load take, asks for its books, and lets one webhook after the other
// fall ill or get well, until ctx ends.
func (b *bench) lookOn(ctx context.Context, own *atomic.Int64, kinds []webhook.Failure, sick []*webhook.Webhook) *grown {
	g := new(grown)
	look, books, mood := time.NewTicker(min(soakLook, b.soaks/16)), time.NewTicker(min(soakLedger, b.soaks/4)), time.NewTicker(min(soakMood, b.soaks/8))
	defer look.Stop()
	defer books.Stop()
	defer mood.Stop()
	ill := slices.Repeat([]bool{true}, len(sick))
	for turn := 0; ; {
		select {
		case <-ctx.Done():
			return g
		case <-look.C:
			b.sample(ctx, own, g)
		case <-books.C:
			out, err := b.ledger(ctx)
			if ctx.Err() != nil {
				return g
			}
			g.looks++
			if err != nil || bytes.Contains(out, []byte(`"balanced":false`)) {
				g.unbalanced++
				b.report.Note("soak: the books after %d looks (%v): %s", g.looks, err, bytes.TrimSpace(out))
			}
		case <-mood.C:
			i := turn % len(sick)
			if turn++; ill[i] {
				sick[i].Set(nil)
			} else {
				sick[i].Set(kinds[i].Behave)
			}
			ill[i] = !ill[i]
		}
	}
}

// ledger is what `weir ledger --output json` prints.
func (b *bench) ledger(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.weir, "ledger", "--output", "json", "--data-dir", b.data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.Output()
}

// sample adds what weir takes now. Each of the load's own connections, which grow
// in number when an answer is late and stay, is one goroutine and one descriptor.
func (b *bench) sample(ctx context.Context, own *atomic.Int64, g *grown) {
	sent := float64(own.Load())
	if bytes, err := process.Memory(b.own.PID); err == nil {
		g.memory = append(g.memory, float64(bytes)/megabyte)
	}
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.own.PID)); err == nil {
		g.descriptors = append(g.descriptors, float64(len(open))-sent)
	}
	if b.metrics == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, soakAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.metrics+"/metrics", nil)
	if err != nil {
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return // the next one
	}
	defer func() { _ = res.Body.Close() }()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			if n, err := strconv.ParseFloat(text, 64); err == nil {
				g.goroutines = append(g.goroutines, n-sent)
			}
		}
	}
}

// quarter is the median of the n-th quarter (from 0) of all, 0 of none.
func quarter(all []float64, n int) float64 {
	part := slices.Sorted(slices.Values(all[len(all)*n/4 : len(all)*(n+1)/4]))
	if len(part) == 0 {
		return 0
	}
	return part[len(part)/2]
}
