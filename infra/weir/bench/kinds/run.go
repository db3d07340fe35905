package kinds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/report"
	"weir/infra/weir/bench/webhook"
)

const (
	batchKey    = "wk_batch"
	leastBatch  = 15000 // events/s to a destination that takes batches
	rounds      = 3     // of which the middle one counts
	batchEvents = 100
	batchConns  = 16
)

// Config is a run.
type Config struct {
	Weir     string         // the built binary
	Dir      string         // of the run, on the disk to be measured
	Sink     webhook.Remote // the stand-in of the destination that takes batches
	Lasts    time.Duration  // each load
	Stall    time.Duration  // without an arrival, what is missing is lost
	Kind     string         // only figures with this in their name: batches, thousand
	Progress func(format string, args ...any)
}

// Run measures all and adds rows to r. What cannot be measured is an error, after the rest.
func Run(ctx context.Context, c Config, r *report.Report) error {
	var failed []error
	for _, one := range []struct {
		name    string
		measure func(context.Context, *report.Report) error
	}{{"batches", c.batches}, {"thousand", c.thousand}} {
		if strings.Contains(one.name, c.Kind) {
			if err := one.measure(ctx, r); err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", one.name, err))
			}
		}
	}
	return errors.Join(failed...)
}

// batches measures what goes to one destination that takes batches, and beside it what
// goes to a webhook of the same weir's, an event a request.
func (c *Config) batches(ctx context.Context, r *report.Report) error {
	c.Progress("a destination that takes batches")
	dir, key, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := start(ctx, c.Weir, dir, fmt.Sprintf(`workspace: bench
region: eu
sources:
  - { name: web, type: http, writeKey: %[1]s }
  - { name: app, type: http, writeKey: %[1]s_one }
destinations:
  - { name: segment, type: segment, settings: { baseUrl: %[2]q }, secrets: { writeKey: { from: file, path: %[3]q } } }
  - { name: hook, type: webhook, settings: { url: "%[2]s/events" } }
connections:
  - { source: web, destination: segment }
  - { source: app, destination: hook }
`, batchKey, c.Sink.URL, key))
	defer func() { ended(r, s) }()
	if err != nil {
		return err
	}
	phase := uint32(0)
	through := func(key string) (rate float64, drained time.Duration, err error) {
		phase++
		t, err := s.target(key)
		if err != nil {
			return 0, 0, err
		}
		sent, err := load.Closed(ctx, t, load.Plan{Number: phase, Conns: batchConns, Batch: batchEvents, Lasts: c.Lasts})
		if err != nil {
			return 0, 0, err
		}
		stopped := time.Now()
		got, err := c.Sink.Drained(ctx, phase, sent.Events, c.Stall)
		if err != nil {
			return 0, 0, err
		}
		r.Lost += max(0, sent.Events-got.Distinct)
		if len(sent.Trouble) > 0 {
			r.Note("batches: of %d requests, %v", sent.Requests, sent.Trouble)
		}
		drained = max(0, time.Unix(0, got.Last).Sub(stopped))
		return float64(sent.Events) / (sent.Took + drained).Seconds(), drained, nil
	}
	type pair struct {
		batch, one float64
		drained    time.Duration
	}
	var all []pair
	for range rounds {
		one, _, err := through(batchKey + "_one")
		if err != nil {
			return err
		}
		batch, drained, err := through(batchKey)
		if err != nil {
			return err
		}
		all = append(all, pair{batch, one, drained})
	}
	middle := all[0]
	for _, p := range all {
		if above, below := count(all, func(o pair) bool { return o.batch > p.batch }), count(all, func(o pair) bool { return o.batch < p.batch }); above == below {
			middle = p
		}
	}
	r.Least("destination that takes batches (segment), delivered", middle.batch, "events/s", leastBatch, middle.one,
		fmt.Sprintf("%d connections with %d events a request; drained after %.3g s; baseline: to a webhook, an event a request", batchConns, batchEvents, middle.drained.Seconds()))
	return nil
}

func count[T any](all []T, is func(T) bool) (n int) {
	for _, one := range all {
		if is(one) {
			n++
		}
	}
	return n
}

// folder makes a directory with a file that holds a made-up key.
func (c *Config) folder() (dir, key string, err error) {
	if dir, err = os.MkdirTemp(c.Dir, "kinds-"); err != nil {
		return "", "", fmt.Errorf("make a directory: %w", err)
	}
	key = filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("made-up-key"), 0o600); err != nil {
		return "", "", fmt.Errorf("write a key: %w", err)
	}
	return dir, key, nil
}

func ended(r *report.Report, s *site) {
	if how := s.stop(); how != "" {
		r.Note("%s", how)
	}
}
