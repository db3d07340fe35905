package neighbours

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/report"
	"weir/infra/weir/bench/webhook"
)

const (
	rate     = 100                   // events/s of the good tenant
	warmTime = 2 * time.Second       // of a load before one that counts
	slack    = 20 * time.Millisecond // that the p99 may rise, or a tenth of it
	harmTime = 4 * time.Minute       // until a harm is done
	nameTime = time.Minute           // until weir status says so
)

// Config is a run.
type Config struct {
	Weir     string         // the built binary
	Dir      string         // of the run, on the disk to be measured
	Sink     webhook.Remote // the good tenant's webhook
	Lasts    time.Duration  // each load
	Stall    time.Duration  // without an arrival, what is missing is lost
	Kind     string         // only kinds of harm with this in their name
	Phase    uint32         // the number of the last load at Sink
	Progress func(format string, args ...any)
}

// Run measures all kinds of harm and adds a row of each to r. A kind that cannot be
// measured is an error, after the others.
func Run(ctx context.Context, cfg Config, r *report.Report) error {
	var failed []error
	for _, h := range harms() {
		if !strings.Contains(h.name, cfg.Kind) {
			continue
		}
		if err := cfg.one(ctx, h, r); err != nil {
			failed = append(failed, fmt.Errorf("beside %s: %w", h.name, err))
		}
	}
	return errors.Join(failed...)
}

// one measures one kind of harm on a weir of its own.
func (c *Config) one(ctx context.Context, h harm, r *report.Report) (err error) {
	c.Progress("alone, then beside %s", h.name)
	dir, err := os.MkdirTemp(c.Dir, "neighbours-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	s := &site{weir: c.Weir, dir: dir, small: h.small}
	defer func() {
		if how := s.close(); how != "" {
			r.Note("beside %s: %s", h.name, how)
		}
		_ = os.RemoveAll(dir)
	}()
	evil, err := h.objects(ctx, s)
	if err != nil {
		return err
	}
	if err := s.start(ctx, evil+goodTenant(c.Sink.URL)); err != nil {
		return err
	}
	alone, err := c.load(ctx, s, h.name, r)
	if err != nil {
		return err
	}
	end, err := c.begin(ctx, h, s)
	if err != nil {
		return err
	}
	beside, err := c.load(ctx, s, h.name, r)
	named := err == nil && s.names(ctx, h.alarm)
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	note := fmt.Sprintf("%d events/s for %v each; baseline: before it", rate, c.Lasts)
	switch {
	case h.alarm == "":
	case named:
		note += "; status says " + h.alarm
	default:
		r.Note("beside %s: weir status does not say %s of evil", h.name, h.alarm)
	}
	before, after := report.Quantile(alone, 0.99), report.Quantile(beside, 0.99)
	r.Goal("beside "+h.name+", send to arrival, p99", report.Millis(after), "ms", report.Millis(before+max(before/10, slack)), report.Millis(before), note)
	return nil
}

// begin does the harm, and goes on with it until the function that is returned is
// called.
func (c *Config) begin(ctx context.Context, h harm, s *site) (end func() error, err error) {
	first, cancel := context.WithTimeout(ctx, harmTime)
	defer cancel()
	if err := h.begin(first, s); err != nil {
		return nil, fmt.Errorf("do harm: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	var going sync.WaitGroup
	var failed error
	if h.goOn != nil {
		going.Go(func() { failed = h.goOn(ctx, s) })
	}
	return func() error {
		stop()
		going.Wait()
		return failed
	}, nil
}

// load sends the good tenant's events and returns how long each took until it
// arrived. What was refused or lost is added to the report.
func (c *Config) load(ctx context.Context, s *site, name string, r *report.Report) ([]time.Duration, error) {
	var took []time.Duration
	for _, lasts := range []time.Duration{min(warmTime, c.Lasts), c.Lasts} {
		c.Phase++
		t, err := load.NewTarget(s.in.Gateway, goodKey, s.product.PID())
		if err != nil {
			return nil, err
		}
		sent, err := load.Open(ctx, t, load.Plan{Number: c.Phase, Rate: rate, Batch: 1, Lasts: lasts})
		if err != nil {
			return nil, err
		}
		if _, err := c.Sink.Drained(ctx, c.Phase, sent.Events, c.Stall); err != nil {
			return nil, err
		}
		at, err := c.Sink.Arrivals(ctx, c.Phase)
		if err != nil {
			return nil, err
		}
		var lost int64
		took, lost = arrived(sent, at)
		if refused := int64(len(sent.Planned)) - sent.Events; refused > 0 {
			r.Refused += refused
			r.Note("beside %s: of %d events, %d were not acknowledged: %v", name, len(sent.Planned), refused, sent.Trouble)
		}
		if lost > 0 {
			r.Lost += lost
			r.Note("beside %s: %d of %d acknowledged events did not arrive", name, lost, sent.Events)
		}
	}
	return took, nil
}

// arrived returns how long each acknowledged event took, and how many are missing.
func arrived(sent *load.Sent, at []int64) (took []time.Duration, lost int64) {
	for _, span := range sent.Acked {
		if int(span.Seq) >= len(at) || at[span.Seq] == 0 {
			lost++
			continue
		}
		took = append(took, time.Duration(at[span.Seq]-sent.Planned[span.Seq]))
	}
	return took, lost
}
