package pulls

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/process"
	"weir/infra/weir/bench/report"
	"weir/infra/weir/bench/webhook"
)

const (
	writeKey  = "wk_pulls"
	liveRate  = 200.0   // events/s that come in
	leastRate = 20000.0 // rows/s for each core that weir uses
	mostShare = 10.0    // % that live events may take longer, p99
	mostMore  = 20.0    // ms that they may at least
	startTime = time.Minute
	endTime   = 30 * time.Second
	lookEvery = time.Second
)

// Config is a run.
type Config struct {
	Weir     string         // the built binary
	Dir      string         // of the run, on the disk to be measured
	Sink     webhook.Remote // where events go that come in
	Rows     int64          // how many are pulled
	Lasts    time.Duration  // of a load of events
	Stall    time.Duration  // without an arrival, what is missing is lost
	Progress func(format string, args ...any)
}

const configuration = `workspace: bench
region: eu
sources:
  - { name: web, type: http, writeKey: ` + writeKey + ` }
  - { name: tool, type: custom, spec: { from: file, path: ./tool.yaml }, settings: { baseUrl: "%s" }, pull: { every: 1h } }
destinations:
  - { name: hook, type: webhook, settings: { url: "%s/events" } }
  - { name: lake, type: duckdb, settings: { path: pulls.duckdb, syncEvery: 5s } }
connections:
  - { source: web, destination: hook }
  - { source: tool, destination: lake }
`

// run is one run.
type run struct {
	Config
	tool   *tool
	data   string
	target load.Target
	phase  uint32
	report *report.Report
}

// Run measures, and adds rows to r.
func Run(ctx context.Context, c Config, r *report.Report) error {
	t, err := newTool()
	if err != nil {
		return err
	}
	defer func() { _ = t.srv.Close() }()
	data, file := filepath.Join(c.Dir, "pulls"), filepath.Join(c.Dir, "pulls.yaml")
	for name, text := range map[string]string{file: fmt.Sprintf(configuration, t.url, c.Sink.URL), filepath.Join(c.Dir, "tool.yaml"): spec} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
	}
	const free = "127.0.0.1:0"
	product, err := process.Start("weir", exec.Command(c.Weir, "dev", "--no-temporal", "--data-dir", data, "--config", file,
		"--http", free, "--gateway", free, "--view", free, "--metrics", free, "--hub", free), func(l string) bool { return l == "ready" })
	if err != nil {
		return err
	}
	defer func() {
		if how := product.Stop(endTime); how != "" {
			r.Note("%s", how)
		}
	}()
	if _, _, err := product.Await(ctx, startTime); err != nil {
		return err
	}
	var in struct{ Gateway string }
	text, err := os.ReadFile(filepath.Join(data, "dev.json"))
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil {
		return fmt.Errorf("weir is ready and dev.json is not: %w", err)
	}
	x := &run{Config: c, tool: t, data: data, report: r}
	if x.target, err = load.NewTarget(in.Gateway, writeKey, product.PID()); err != nil {
		return err
	}
	if err := x.rate(ctx); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	if err := x.beside(ctx); err != nil {
		return fmt.Errorf("beside events: %w", err)
	}
	return nil
}

// rate pulls rows into the warehouse, with nothing beside.
func (x *run) rate(ctx context.Context) error {
	x.Progress("%d rows of a tool into DuckDB", x.Rows)
	arrived := int64(0)
	used, err := during(ctx, x.target.PID, func(ctx context.Context) (err error) {
		x.tool.rows.Store(x.Rows)
		if _, err := x.weir(ctx, "pull", "run", "tool", "items"); err != nil {
			return err
		}
		arrived, err = x.arriving(ctx, x.Rows)
		return err
	})
	if err != nil {
		return err
	}
	x.report.Lost += max(0, x.Rows-arrived)
	note := fmt.Sprintf("%d rows, all in the table after %.1f s, with %.2f cores", arrived, used.took.Seconds(), used.cpu.Seconds()/used.took.Seconds())
	x.report.Least("pulled into DuckDB, for each core used", float64(arrived)/used.cpu.Seconds(), "rows/s", leastRate, 0, note)
	x.report.Add("pulled into DuckDB, from the first request to the last row", float64(arrived)/used.took.Seconds(), "rows/s", 0, "")
	return nil
}

// arriving asks the warehouse until it has so many rows, or has no more of them for Stall.
func (x *run) arriving(ctx context.Context, want int64) (arrived int64, err error) {
	for moved := time.Now(); time.Since(moved) < x.Stall+startTime; {
		now := int64(0)
		if out, failed := x.weir(ctx, "query", "lake", "select count(*) as n from tool_items", "--output", "json", "--data-dir", x.data); failed == nil { // before it there is no table
			var row struct{ N int64 }
			if err := json.Unmarshal(bytes.TrimSpace(out), &row); err != nil {
				return arrived, fmt.Errorf("a row of weir query: %w", err)
			}
			now = row.N
		}
		if now > arrived {
			arrived, moved = now, time.Now()
		}
		if arrived >= want {
			return arrived, nil
		}
		select {
		case <-ctx.Done():
			return arrived, ctx.Err()
		case <-time.After(lookEvery):
		}
	}
	return arrived, nil
}

// beside sends events to a webhook, alone and while rows are pulled, in turn.
func (x *run) beside(ctx context.Context) error {
	var alone, with []time.Duration
	for range 2 {
		took, err := x.events(ctx, "alone")
		if err != nil {
			return err
		}
		alone = append(alone, took...)
		x.tool.rows.Store(1 << 40) // more than there is time for
		if _, err := x.weir(ctx, "pull", "reset", "tool", "items"); err != nil {
			return err
		}
		took, err = x.events(ctx, "beside pulled rows")
		x.tool.rows.Store(0) // the next answer is the last one
		if err != nil {
			return err
		}
		with = append(with, took...)
	}
	a, w := report.Millis(report.Quantile(alone, 0.99)), report.Millis(report.Quantile(with, 0.99))
	note := fmt.Sprintf("%.3g ms alone, at %.0f events/s; p50 %.3g and %.3g ms", a, liveRate, report.Millis(report.Quantile(alone, 0.5)), report.Millis(report.Quantile(with, 0.5)))
	x.report.Goal("events beside pulled rows, send to arrival, p99", w, "ms", a+max(a*mostShare/100, mostMore), a, note)
	return nil
}

// events sends events for a while and returns how long each took to arrive.
func (x *run) events(ctx context.Context, how string) (took []time.Duration, err error) {
	x.phase++
	x.Progress("%.0f events/s %s for %v", liveRate, how, x.Lasts)
	sent, err := load.Open(ctx, x.target, load.Plan{Number: x.phase, Rate: liveRate, Batch: 1, Lasts: x.Lasts})
	if err != nil {
		return nil, err
	}
	c, err := x.Sink.Drained(ctx, x.phase, sent.Events, x.Stall)
	if err != nil {
		return nil, err
	}
	x.report.Lost += max(0, sent.Events-c.Distinct)
	if len(sent.Trouble) > 0 {
		x.report.Note("%s: of %d requests, %v", how, sent.Requests, sent.Trouble)
	}
	at, err := x.Sink.Arrivals(ctx, x.phase)
	if err != nil {
		return nil, err
	}
	for seq, planned := range sent.Planned {
		if seq < len(at) && at[seq] > 0 {
			took = append(took, time.Duration(at[seq]-planned))
		}
	}
	return took, nil
}

// weir runs the command line.
func (x *run) weir(ctx context.Context, args ...string) ([]byte, error) {
	if args[0] == "pull" {
		args = append(args, "--data-dir", x.data)
	}
	cmd := exec.CommandContext(ctx, x.Weir, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("weir %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}
