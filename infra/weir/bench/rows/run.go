package rows

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/process"
	"weir/infra/weir/bench/report"
)

const (
	writeKey  = "wk_rows"
	conns     = 16
	batch     = 100
	leastRate = 40000.0 // events/s from the first request to the last row
	mostPSS   = 700.0   // MB
	startTime = time.Minute
	endTime   = 30 * time.Second
	lookEvery = 500 * time.Millisecond // at the ledger and at the memory
)

// Config is a run.
type Config struct {
	Weir     string        // the built binary
	Dir      string        // of the run, on the disk to be measured
	Events   uint32        // how many are sent
	Stall    time.Duration // without a further row, what is missing is lost
	Progress func(format string, args ...any)
}

const configuration = `workspace: bench
region: eu
sources:
  - { name: web, type: http, writeKey: ` + writeKey + ` }
destinations:
  - { name: lake, type: duckdb, settings: { path: rows.duckdb, syncEvery: 5s } }
connections:
  - { source: web, destination: lake }
`

// Run sends the events as fast as they are acknowledged and waits until all are rows.
// It adds rows to r.
func Run(ctx context.Context, c Config, r *report.Report) (err error) {
	data, file := filepath.Join(c.Dir, "rows"), filepath.Join(c.Dir, "rows.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
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
	var in struct{ Gateway, Metrics string }
	text, err := os.ReadFile(filepath.Join(data, "dev.json"))
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil {
		return fmt.Errorf("weir is ready and dev.json is not: %w", err)
	}
	c.Progress("%d events into DuckDB; profiles at %s", c.Events, in.Metrics)
	t, err := load.NewTarget(in.Gateway, writeKey, product.PID())
	if err != nil {
		return err
	}
	return c.measure(ctx, t, data, r)
}

// measure sends and waits.
func (c *Config) measure(ctx context.Context, t load.Target, data string, r *report.Report) error {
	before, err := process.CPUTime(t.PID)
	if err != nil {
		return err
	}
	stop := peak(ctx, t.PID)
	began := time.Now()
	sent, err := load.Closed(ctx, t, load.Plan{Number: 1, Conns: conns, Batch: batch, Events: c.Events, Lasts: c.Stall + startTime})
	if err != nil {
		return err
	}
	if len(sent.Trouble) > 0 {
		r.Note("rows: of %d requests, %v", sent.Requests, sent.Trouble)
	}
	c.Progress("%d events are acknowledged after %.1f s", sent.Events, sent.Took.Seconds())
	arrived, took, err := c.arriving(ctx, data, sent.Events, began)
	memory := stop()
	if err != nil {
		return err
	}
	after, err := process.CPUTime(t.PID)
	if err != nil {
		return err
	}
	r.Lost += max(0, sent.Events-arrived)
	rows, err := c.count(ctx, data)
	if err != nil {
		return err
	}
	if rows != sent.Events {
		r.Note("rows: %d events were acknowledged, and %d are rows", sent.Events, rows)
	}
	cpu := after - before
	note := fmt.Sprintf("%d events, two rows each, acknowledged after %.1f s, rows after %.1f s, with %.2f cores", sent.Events, sent.Took.Seconds(), took.Seconds(), cpu.Seconds()/took.Seconds())
	r.Least("into DuckDB, from first request to last row", float64(arrived)/took.Seconds(), "events/s", leastRate, 0, note)
	r.Most("into DuckDB, CPU", float64(cpu.Microseconds())/float64(max(1, arrived)), "us/event", 0, 0, "of weir and its workers, from first request to last row")
	r.Most("into DuckDB, memory at most (PSS)", memory/1e6, "MB", mostPSS, 0, "sampled twice a second")
	return nil
}

// peak samples the memory of a process and its children until stop, which returns the
// most of it in bytes.
func peak(ctx context.Context, pid int) (stop func() float64) {
	ctx, cancel := context.WithCancel(ctx)
	var most int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if now, err := process.Memory(pid); err == nil {
				most = max(most, now)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(lookEvery):
			}
		}
	})
	return func() float64 { cancel(); wg.Wait(); return float64(most) }
}

// arriving asks the ledger until all events are delivered, or none was for longer than one load takes.
func (c *Config) arriving(ctx context.Context, data string, want int64, began time.Time) (arrived int64, took time.Duration, err error) {
	moved := time.Now()
	for {
		out, failed := c.weir(ctx, "ledger", "--output", "json", "--data-dir", data)
		now := int64(0)
		for l := range bytes.Lines(out) {
			var row struct {
				Destination string
				Delivered   int64
			}
			if json.Unmarshal(l, &row) == nil && row.Destination != "" {
				now += row.Delivered
			}
		}
		if now > arrived {
			arrived, moved, took = now, time.Now(), time.Since(began)
		}
		if arrived >= want {
			return arrived, took, nil
		}
		if time.Since(moved) > c.Stall+startTime {
			return arrived, took, failed
		}
		select {
		case <-ctx.Done():
			return arrived, took, errors.Join(ctx.Err(), failed)
		case <-time.After(lookEvery):
		}
	}
}

// count is how many rows there are of different events.
func (c *Config) count(ctx context.Context, data string) (int64, error) {
	out, err := c.weir(ctx, "query", "lake", "select count(distinct id) as n from tracks", "--output", "json", "--data-dir", data)
	if err != nil {
		return 0, err
	}
	var row struct{ N int64 }
	if err := json.Unmarshal(bytes.TrimSpace(out), &row); err != nil {
		return 0, fmt.Errorf("a row of weir query: %w", err)
	}
	return row.N, nil
}

// weir runs the command line.
func (c *Config) weir(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Weir, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("weir %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}
