package fresh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	"weir/shared/postgrestest"
	"weir/shared/servertest"
)

const (
	writeKey  = "wk_fresh"
	rate      = 200.0 // events/s
	p50Goal   = 3.0   // seconds from event to row
	p95Goal   = 6.0
	startTime = time.Minute
	endTime   = 30 * time.Second
	settled   = 5 * time.Second // of events that are not counted: tables are made meanwhile
	pollEvery = 200 * time.Millisecond
)

// Config is a run.
type Config struct {
	Weir     string        // the built binary
	Dir      string        // of the run, on the disk to be measured
	Lasts    time.Duration // of the events
	Stall    time.Duration // without a further row, what is missing is lost
	Kind     string        // "": all; else those with this in their name
	Progress func(format string, args ...any)
}

// kind is a warehouse: start makes its server and returns the rest of its destination.
type kind struct {
	name  string
	start func(ctx context.Context, dir string) (destination string, stop func() error, err error)
}

var kinds = []kind{{"DuckDB", duckDB}, {"Postgres", postgres}, {"ClickHouse", clickHouse}}

func duckDB(context.Context, string) (string, func() error, error) {
	return `type: duckdb, settings: { path: fresh.duckdb, syncEvery: 2s }`, func() error { return nil }, nil
}

func postgres(ctx context.Context, dir string) (string, func() error, error) {
	server, err := postgrestest.Start(ctx, postgrestest.Loopback())
	if err != nil {
		return "", nil, err
	}
	if err := server.Database(ctx, "fresh"); err != nil {
		return "", nil, errors.Join(err, server.Close())
	}
	host, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		return "", nil, errors.Join(err, server.Close())
	}
	password, err := secret(dir, "of no use to who is trusted")
	return fmt.Sprintf(`type: postgres, settings: { host: %q, port: %s, database: fresh, user: postgres, schema: weir, sslMode: disable, syncEvery: 2s }, secrets: { password: { from: file, path: %q } }`, host, port, password), server.Close, err
}

func clickHouse(ctx context.Context, dir string) (string, func() error, error) {
	server, err := servertest.StartClickHouse(ctx, 1)
	if err != nil {
		return "", nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+server.Address()+"/", strings.NewReader("create database weir1"))
	if err != nil {
		return "", nil, errors.Join(err, server.Close())
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", nil, errors.Join(err, server.Close())
	}
	said, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // what counts was read
	if err != nil || res.StatusCode != http.StatusOK {
		return "", nil, errors.Join(err, fmt.Errorf("make a database: %s", said), server.Close())
	}
	host, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		return "", nil, errors.Join(err, server.Close())
	}
	password, err := secret(dir, "hush")
	return fmt.Sprintf(`type: clickhouse, settings: { host: %q, port: %s, database: weir1, user: weir1, sslMode: disable, syncEvery: 2s }, secrets: { password: { from: file, path: %q } }`, host, port, password), server.Close, err
}

func secret(dir, text string) (path string, err error) {
	path = filepath.Join(dir, "password")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Run measures each kind on a weir of its own. It adds rows to r.
func Run(ctx context.Context, c Config, r *report.Report) error {
	for _, k := range kinds {
		if !strings.Contains(strings.ToLower(k.name), strings.ToLower(c.Kind)) {
			continue
		}
		if err := c.measure(ctx, k, r); err != nil {
			return fmt.Errorf("freshness of %s: %w", k.name, err)
		}
	}
	return nil
}

func (c *Config) measure(ctx context.Context, k kind, r *report.Report) (err error) {
	dir := filepath.Join(c.Dir, k.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	destination, stop, err := k.start(ctx, dir)
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "fresh.yaml")
	text := fmt.Appendf(nil, "workspace: bench\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: %s }\ndestinations:\n  - { name: lake, %s }\nconnections:\n  - { source: web, destination: lake }\n", writeKey, destination)
	if err := os.WriteFile(file, text, 0o600); err != nil {
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
	if text, err = os.ReadFile(filepath.Join(data, "dev.json")); err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err != nil {
		return fmt.Errorf("weir is ready and dev.json is not: %w", err)
	}
	c.Progress("%.0f events/s into %s for %v; profiles at %s", rate, k.name, settled+c.Lasts, in.Metrics)
	t, err := load.NewTarget(in.Gateway, writeKey, product.PID())
	if err != nil {
		return err
	}
	var sent *load.Sent
	var failed error
	var sending sync.WaitGroup
	ended := make(chan struct{})
	sending.Go(func() {
		defer close(ended)
		sent, failed = load.Open(ctx, t, load.Plan{Number: 1, Rate: rate, Batch: 1, Lasts: settled + c.Lasts})
	})
	at, last := c.arriving(ctx, data, ended, func() int64 { return sent.Events })
	if sending.Wait(); failed != nil {
		return failed
	}
	var took []time.Duration
	for _, s := range sent.Acked {
		for seq := int(s.Seq); seq < int(s.Seq)+int(s.N); seq++ {
			switch {
			case seq >= len(at) || at[seq] == 0:
				r.Lost++
			case float64(seq) >= rate*settled.Seconds():
				took = append(took, time.Duration(at[seq]-sent.Planned[seq]))
			}
		}
	}
	if last != nil {
		r.Note("freshness of %s: the last query failed: %v", k.name, last)
	}
	note := fmt.Sprintf("%.0f events/s, syncEvery 2s; when `weir query`, asked every %v, has returned it", rate, pollEvery)
	r.Goal("event to row of "+k.name+", p50", report.Quantile(took, 0.50).Seconds(), "s", p50Goal, 0, note)
	r.Goal("event to row of "+k.name+", p95", report.Quantile(took, 0.95).Seconds(), "s", p95Goal, 0, fmt.Sprintf("longest %.1f s", report.Quantile(took, 1).Seconds()))
	return nil
}

// arriving asks for rows until all of want are there after ended, or none came for Stall. It
// returns when each was seen first, by sequence, and why the last query failed.
func (c *Config) arriving(ctx context.Context, data string, ended <-chan struct{}, want func() int64) ([]int64, error) {
	at := make([]int64, int(rate*(settled+c.Lasts).Seconds()))
	seen, over := int64(0), false
	var failed error
	for moved := time.Now(); !over || seen < want() && time.Since(moved) < c.Stall; {
		var ids []string
		ids, failed = c.query(ctx, data)
		now := time.Now()
		for _, id := range ids {
			if _, seq, ok := load.ParseID(id); ok && int(seq) < len(at) && at[seq] == 0 {
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

// query asks for the ids of events. Before the first load there is no table, which is an error.
func (c *Config) query(ctx context.Context, data string) (ids []string, err error) {
	cmd := exec.CommandContext(ctx, c.Weir, "query", "lake", "select id from tracks", "--output", "json", "--data-dir", data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
	}
	for l := range bytes.Lines(out) {
		var row struct{ ID string }
		if err := json.Unmarshal(l, &row); err != nil {
			return nil, fmt.Errorf("a row of weir query: %w", err)
		}
		ids = append(ids, row.ID)
	}
	return ids, nil
}
