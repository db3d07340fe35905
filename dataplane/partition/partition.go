// Package partition runs one partition of a plane: it opens the logs and the
// dedupe index, makes the pipeline and its lanes, and makes them anew when they
// stop. It also answers for the partition whatever the view, the reports and the
// metrics ask.
package partition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/backlog"
	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/live"
	"weir/dataplane/outbound"
	"weir/dataplane/overflow"
	"weir/dataplane/parked"
	"weir/dataplane/pipeline"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/plan"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/dataplane/transform"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/telemetry"
)

// How long a partition that stopped waits before it starts again; each failure
// in a row doubles it. One that ran for steady counts as healthy again.
const (
	firstPause = 250 * time.Millisecond
	longPause  = 30 * time.Second
	steady     = time.Minute
)

// Config is what a partition needs. All fields but Trace are required.
type Config struct {
	Number    int
	DedupeDir string // a folder below holds the partition's dedupe index
	Moves     bool   // the partition may move to a process without that folder, so its journal keeps the dedupe keys
	Store     *natsstore.Store
	Plans     *plan.Holder
	Hasher    *dedupe.Hasher
	Client    *outbound.Client
	Yield     *backlog.Yield
	Deps      destination.Deps // of sinks, without Stage
	Code      *transform.Pool
	Live      *live.Hub
	Aside     *aside.Board
	// The logs of which each key has a share.
	Parked, Dead, Quarantine, Stage *overflow.Log
	// Staged is told what each append to Stage gave: its number, or an error.
	Staged func(d id.Destination, events []event.Event, seq uint64, err error)
	Taken  func() // hears that the partition runs in this process from now on
	// Left hears that it does not any more, before another process may run it. It returns
	// once nothing works that only the process may do which runs the partition; an error lets
	// others wait until the lease has run out.
	Left  func(ctx context.Context) error
	Log   *slog.Logger
	Trace func(frame uint64) *telemetry.Trace // nil: no traces
}

// Partition keeps one partition's pipeline running. A pipeline that stops (its
// lease was lost, somebody else wrote to its logs, the log was away) is made
// anew: start and takeover are the same.
type Partition struct {
	cfg Config

	stops   atomic.Uint64 // how often it stopped by itself
	running atomic.Bool
	lease   atomic.Pointer[natsstore.Lease] // the newest
	lanes   atomic.Pointer[deliver.Lanes]   // the newest
	seen    atomic.Pointer[dedupe.Index]    // the newest

	mu      sync.Mutex
	current *pipeline.Pipeline // the newest, also while it is being replaced
}

// New returns a partition that Run runs.
func New(cfg Config) *Partition { return &Partition{cfg: cfg} }

// Run keeps the pipeline running until ctx ends.
func (p *Partition) Run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		begun := time.Now()
		err := p.once(ctx)
		p.running.Store(false)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				p.cfg.Log.Warn("partition did not end cleanly", "partition", p.cfg.Number, "error", err)
			}
			return
		}
		p.stops.Add(1)
		if time.Since(begun) >= steady {
			pause = firstPause
		}
		p.cfg.Log.Error("partition stopped", "partition", p.cfg.Number, "error", err, "pause", pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, longPause)
	}
}

// once makes a pipeline and runs it until it stops.
func (p *Partition) once(ctx context.Context) error {
	parts := p.cfg.Store.Partitions()
	seen, err := dedupe.Open(dedupe.Config{
		Dir: filepath.Join(p.cfg.DedupeDir, strconv.Itoa(p.cfg.Number)), Window: keyWindow, Memory: share(keyMemory, parts),
		Most: indexKeys(p.cfg.DedupeDir, parts), Rebuild: p.cfg.Moves, Log: p.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("open the dedupe index of partition %d: %w", p.cfg.Number, err)
	}
	defer func() { _ = seen.Close() }()
	p.seen.Store(seen)
	log := func(k queue.Kind) queue.Log { return p.cfg.Store.Log(k, p.cfg.Number) }
	var side queue.Log
	if len(p.cfg.Store.Logs(queue.Detour)) > 0 {
		side = log(queue.Detour)
	}
	keep := time.Duration(0)
	if p.cfg.Moves {
		keep = keyWindow
	}
	made, err := pipeline.New(pipeline.Config{
		Partition: p.cfg.Number,
		Events:    log(queue.Events), Detour: side, Journal: log(queue.Journal), Bad: log(queue.Bad), Quarantine: p.cfg.Quarantine,
		Parked: p.cfg.Parked, Dead: p.cfg.Dead,
		Lease: func(ctx context.Context) (pipeline.Lease, uint64, error) {
			held, err := p.cfg.Store.Lease(ctx, p.cfg.Number)
			if err != nil {
				return nil, 0, err
			}
			p.lease.Store(held)
			return leaving{held, p.cfg.Left}, held.Epoch, nil
		},
		Seen: seen, Key: p.cfg.Hasher.Key, Route: p.cfg.Plans.Route, Aside: p.cfg.Aside, Transform: p.cfg.Code.Apply, Live: p.cfg.Live, Trace: p.cfg.Trace,
		Lanes: func(r pipeline.Reports) (pipeline.Lanes, error) {
			lanes, err := deliver.New(deliver.Config{
				Parked: p.cfg.Parked, Dead: p.cfg.Dead, Lookup: p.cfg.Plans.Target, Settle: r.Settle, Drained: r.Drained, Held: r.Held,
				Do: p.cfg.Client.Do, Plane: p.cfg.Client.Plane(), Yield: p.cfg.Yield, Trace: p.cfg.Trace, Deps: p.staging(), Live: p.cfg.Live, Log: p.cfg.Log, Owners: parts,
				LaneBytes: int64(share(openMemory, parts) / 4), MemoryBytes: int64(share(laneMemory, parts)),
			})
			p.lanes.Store(lanes)
			p.cfg.Taken()
			return lanes, err
		},
		KeepKeys: keep, JournalMax: p.cfg.Store.Limit(queue.Journal),
		Log: p.cfg.Log, OpenBytes: int64(share(openMemory, parts)), CodeBytes: int64(share(codeMemory, parts)),
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.current = made
	p.mu.Unlock()
	p.running.Store(true)
	beside, stop := context.WithCancelCause(ctx)
	var merging sync.WaitGroup
	merging.Go(func() {
		if err := seen.Run(beside); err != nil && beside.Err() == nil {
			stop(fmt.Errorf("dedupe index of partition %d: %w", p.cfg.Number, err))
		}
	})
	err = made.Run(beside)
	stop(nil)
	merging.Wait()
	if err == nil && ctx.Err() == nil {
		err = context.Cause(beside)
	}
	return err
}

// leaving is a lease that is released once Left has returned.
type leaving struct {
	*natsstore.Lease
	left func(context.Context) error
}

// Release implements pipeline.Lease.
func (l leaving) Release(ctx context.Context) error {
	if err := l.left(ctx); err != nil {
		l.Abandon()
		return fmt.Errorf("end what only its owner does: %w", err)
	}
	return l.Lease.Release(ctx)
}

// Held reports whether no other process can run the partition. It does not run here yet, or any
// more, when the lease is held and Store has an error.
func (p *Partition) Held() bool {
	l := p.lease.Load()
	return l != nil && l.Held()
}

// staging is what sinks use from outside, with the partition's own STAGE.
func (p *Partition) staging() destination.Deps {
	deps := p.cfg.Deps
	deps.Stage = func(ctx context.Context, d id.Destination, events []event.Event) error {
		seq, err := p.cfg.Stage.Append(ctx, string(d), queue.EncodeFrame(events))
		p.cfg.Staged(d, events, seq, err)
		return err
	}
	return deps
}

// now returns the pipeline. fault.Unavailable: it does not run at the moment.
func (p *Partition) now() (*pipeline.Pipeline, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || !p.running.Load() {
		return nil, fault.New(fault.Unavailable, "Partition %d does not run at the moment.", p.cfg.Number)
	}
	return p.current, nil
}

// Store returns what is parked and dead. fault.Unavailable: the partition does not
// run at the moment.
func (p *Partition) Store() (*parked.Store, error) {
	now, err := p.now()
	if err != nil {
		return nil, err
	}
	return now.Store()
}

// last returns the newest pipeline, running or not; nil before the first.
func (p *Partition) last() *pipeline.Pipeline {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}
