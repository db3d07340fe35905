package transform

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/event"
	"weir/dataplane/transform/engine"
	"weir/dataplane/transform/worker"
	"weir/shared/fault"
	"weir/shared/processors"
	"weir/shared/script"
	child "weir/shared/worker"
)

// Meta is what metadata(event) gives to the code besides the messageId. A run
// may stand for all destinations that share a chain: Result.DestinationRead says
// whether the code asked for the destination, now or before with the same state,
// so that it has to be run for each.
type Meta = engine.Meta

// Config is what a Pool needs. Zero fields mean what their comment says.
type Config struct {
	Workers    int           // processes; 0: one for each CPU, at least 2
	Command    []string      // argv of a worker; empty: this program as one
	Memory     int64         // bytes that the code of one transformation may use; 0: 64 MiB
	Timeout    time.Duration // CPU that one event may take; 0: 500 ms
	MaxOutputs int           // events that one may become; 0: 1,000
	MaxBytes   int           // of one output; 0: 1 MiB
	Log        *slog.Logger  // nil: nothing is logged
}

// Result is what became of the events given to Apply. Each of them is From of
// one or more Outs, or of exactly one End.
type Result struct {
	Outs            []Out // ordered by From, the outputs of one event in their order
	Ends            []End // ordered by From
	Logs            []Log
	DestinationRead bool // the code asked for the destination in metadata(event), now or earlier
}

// Out is one event that came out of a chain. The same event came out unchanged
// when its JSON is that of the input.
type Out struct {
	From  int
	Event event.Event
}

// End is an event that has no output: dropped by the code, or quarantined. Text
// holds words of the code and stays in the plane; it is empty for a drop.
type End struct {
	From        int
	Quarantined bool
	Code        string
	Text        string
}

// Log is a line that the code logged. Text stays in the plane.
type Log struct {
	From  int // -1: of a batch
	Level string
	Text  string
}

// Pool runs chains in worker processes. Apply may be called concurrently, at any
// time; events wait until Run runs.
type Pool struct {
	config Config
	limits engine.Limits
	jobs   *scheduler
}

// New checks the configuration. fault.Invalid: a number is negative or too large.
// fault.Internal: this process is a worker itself, or cannot find its program.
func New(c Config) (*Pool, error) {
	if c.Workers == 0 {
		c.Workers = max(2, processors.Count())
	}
	if c.Memory == 0 {
		c.Memory = 64 << 20
	}
	if c.Timeout == 0 {
		c.Timeout = 500 * time.Millisecond
	}
	if c.MaxOutputs == 0 {
		c.MaxOutputs = script.MaxOutputs
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = event.MaxBytes
	}
	if len(c.Command) == 0 {
		self, err := child.Self(worker.Task)
		if err != nil {
			return nil, fmt.Errorf("transformation workers: %w", err)
		}
		c.Command = self
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Workers < 2 || c.Workers > 1024:
		return nil, fault.New(fault.Invalid, "There are 2 to 1024 transformation workers.")
	case c.Memory < 4<<20 || c.Memory > 4<<30:
		return nil, fault.New(fault.Invalid, "A transformation has 4 MiB to 4 GiB of memory.")
	case c.Timeout < 10*time.Millisecond || c.Timeout > time.Minute:
		return nil, fault.New(fault.Invalid, "A transformation has 10 ms to a minute for an event.")
	case c.MaxOutputs < 1 || c.MaxOutputs > 10_000:
		return nil, fault.New(fault.Invalid, "An event becomes 1 to 10,000 events at most.")
	case c.MaxBytes < 1 || c.MaxBytes > event.MaxBytes:
		return nil, fault.New(fault.Invalid, "An output has at most %d bytes.", event.MaxBytes)
	}
	return &Pool{
		config: c, limits: engine.Limits{Memory: c.Memory, Timeout: c.Timeout, MaxOutputs: c.MaxOutputs, MaxBytes: c.MaxBytes},
		jobs: newScheduler(c.Workers),
	}, nil
}

// Run starts the workers at the first call of Apply, keeps them running, and ends them
// when ctx ends.
func (p *Pool) Run(ctx context.Context) error {
	defer p.jobs.close()
	context.AfterFunc(ctx, p.jobs.close)
	g, ctx := errgroup.WithContext(ctx)
	for range p.config.Workers {
		g.Go(func() error { // owner: Run; end: ctx
			p.work(ctx)
			return nil
		})
	}
	return g.Wait()
}

// Bounds of what one request to a worker holds.
const (
	jobEvents = 100
	jobBytes  = 1 << 20
)

// Apply runs in through the chain. Events keep their order; those of one call
// may run in several workers at once.
//
// fault.Unavailable: no worker runs, or ctx ended; nothing is known of the
// events and all of them may be given again.
func (p *Pool) Apply(ctx context.Context, c *Chain, m Meta, in []event.Event) (Result, error) {
	if len(in) == 0 {
		return Result{}, nil
	}
	call := &call{in: in, got: make([]outcome, len(in)), done: make(chan struct{})}
	key := queueKey{m.Workspace, c.Key}
	first := 0
	if p.jobs.probes(key) { // one event alone finds out whether the rest may run
		if err := p.apply(ctx, call, c, m, key, 0, 1, true); err != nil {
			return Result{}, err
		}
		first = 1
		call.done = make(chan struct{})
	}
	if first < len(in) {
		if err := p.apply(ctx, call, c, m, key, first, len(in), false); err != nil {
			return Result{}, err
		}
	}
	return call.result(), nil
}

// apply runs the events from up to to and waits for them.
func (p *Pool) apply(ctx context.Context, k *call, c *Chain, m Meta, key queueKey, from, to int, probe bool) error {
	jobs := k.cut(from, to)
	for _, j := range jobs {
		j.chain, j.meta, j.key, j.probe = c, m, key, probe
	}
	k.mu.Lock()
	k.left = len(jobs)
	done := k.done
	k.mu.Unlock()
	p.jobs.put(jobs)
	select {
	case <-done:
	case <-ctx.Done():
		k.fail(fault.New(fault.Unavailable, "The transformation was not run in time."))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}
