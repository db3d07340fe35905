package dataplane

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
	"weir/dataplane/blob"
	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/dataplane/outbound"
	"weir/dataplane/parked"
	"weir/dataplane/parked/overflow"
	"weir/dataplane/pipeline"
	"weir/dataplane/plan"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/dataplane/transform"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/telemetry"
	"weir/shared/wire"
)

// How long a partition that stopped waits before it starts again; each failure
// in a row doubles it. One that ran for steady counts as healthy again.
const (
	firstPause = 250 * time.Millisecond
	longPause  = 30 * time.Second
	steady     = time.Minute
)

// partition keeps one partition's pipeline running. A pipeline that stops (its
// lease was lost, somebody else wrote to its logs, the log was away) is made
// anew: start and takeover are the same.
type partition struct {
	number int
	dir    string // of the dedupe index
	store  *natsstore.Store
	plans  *plan.Holder
	hasher *dedupe.Hasher
	client *outbound.Client
	yield  *backlog.Yield
	deps   destination.Deps // without Stage
	code   *transform.Pool
	live   *live.Hub
	blobs  *blob.Dir   // for what is parked past a destination's quota; nil: all stays in the log
	low    func() bool // the disk is almost full
	log    *slog.Logger
	trace  func(frame uint64) *telemetry.Trace

	stopped atomic.Uint64 // how often it stopped by itself
	running atomic.Bool
	lanes   atomic.Pointer[deliver.Lanes] // the newest
	seen    atomic.Pointer[dedupe.Index]  // the newest
	moved   atomic.Pointer[overflow.Log]  // the newest

	moving sync.Mutex // held by who moves quarantined events

	mu      sync.Mutex
	current *pipeline.Pipeline // the newest, also while it is being replaced
}

// run keeps the pipeline running until ctx ends.
func (p *partition) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		begun := time.Now()
		err := p.once(ctx)
		p.running.Store(false)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				p.log.Warn("partition did not end cleanly", "partition", p.number, "error", err)
			}
			return
		}
		p.stopped.Add(1)
		if time.Since(begun) >= steady {
			pause = firstPause
		}
		p.log.Error("partition stopped", "partition", p.number, "error", err, "pause", pause)
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
func (p *partition) once(ctx context.Context) error {
	parts := p.store.Partitions()
	seen, err := dedupe.Open(dedupe.Config{Dir: filepath.Join(p.dir, strconv.Itoa(p.number)), Memory: share(keyMemory, parts), Log: p.log})
	if err != nil {
		return fmt.Errorf("open the dedupe index of partition %d: %w", p.number, err)
	}
	defer func() { _ = seen.Close() }()
	p.seen.Store(seen)
	log := func(k queue.Kind) queue.Log { return p.store.Log(k, p.number) }
	parked := log(queue.Parked)
	moved, err := p.overflow(ctx, parked)
	if err != nil {
		return fmt.Errorf("open the parked deliveries of partition %d: %w", p.number, err)
	}
	if moved != nil {
		parked = moved
	}
	made, err := pipeline.New(pipeline.Config{
		Partition: p.number,
		Events:    log(queue.Events), Journal: log(queue.Journal), Bad: log(queue.Bad), Quarantine: log(queue.Quarantine),
		Parked: parked, Dead: log(queue.Dead),
		Lease: func(ctx context.Context) (pipeline.Lease, uint64, error) {
			held, err := p.store.Lease(ctx, p.number)
			if err != nil {
				return nil, 0, err
			}
			return held, held.Epoch, nil
		},
		Seen: seen, Key: p.hasher.Key, Route: p.plans.Route, Transform: p.code.Apply, Live: p.live, Trace: p.trace,
		Lanes: func(r pipeline.Reports) (pipeline.Lanes, error) {
			lanes, err := deliver.New(deliver.Config{
				Parked: parked, Dead: log(queue.Dead), Lookup: p.plans.Target, Settle: r.Settle, Drained: r.Drained, Held: r.Held,
				Do: p.client.Do, Yield: p.yield, Trace: p.trace, Deps: p.staging(), Live: p.live, Log: p.log, Owners: parts,
				LaneBytes: int64(share(openMemory, parts) / 4), MemoryBytes: int64(share(laneMemory, parts)),
			})
			p.lanes.Store(lanes)
			return lanes, err
		},
		Log: p.log, OpenBytes: int64(share(openMemory, parts)), CodeBytes: int64(share(codeMemory, parts)),
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
			stop(fmt.Errorf("dedupe index of partition %d: %w", p.number, err))
		}
	})
	if moved != nil {
		merging.Go(func() { moved.Run(beside) })
	}
	err = made.Run(beside)
	stop(nil)
	merging.Wait()
	if err == nil && ctx.Err() == nil {
		err = context.Cause(beside)
	}
	return err
}

// What one destination may have of a log of parked deliveries before its oldest
// move to the blob store, and what that takes of all destinations, of the log's
// limit. The log has an eighth of the disk, so the store has a quarter of it.
const (
	quotaPart = 4
	movedMost = 2
)

// overflow puts what is parked past the quotas into the blob store; nil: there is
// none.
func (p *partition) overflow(ctx context.Context, log queue.Log) (*overflow.Log, error) {
	limit := p.store.Limit(queue.Parked)
	if p.blobs == nil || limit == 0 {
		return nil, nil
	}
	o, err := overflow.New(ctx, overflow.Config{
		Log: log, Blobs: p.blobs, Folder: blob.Ref(strconv.Itoa(p.number)), Quota: limit / quotaPart, Limit: limit * movedMost, Low: p.low, Out: p.log,
	})
	p.moved.Store(o)
	return o, err
}

// staging is what sinks use of the world, with the partition's own STAGE.
func (p *partition) staging() destination.Deps {
	deps, stage := p.deps, p.store.Log(queue.Stage, p.number)
	deps.Stage = func(ctx context.Context, d id.Destination, events []event.Event) error {
		_, err := stage.Append(ctx, string(d), queue.EncodeFrame(events))
		return err
	}
	return deps
}

// alarms returns what the pipeline raises, by code. Codes that may not go up
// stand for damage.
func (p *partition) alarms() map[wire.Code]uint64 {
	raised := map[wire.Code]uint64{}
	last := p.last()
	if last == nil {
		return raised
	}
	for _, a := range last.Problems() {
		c := wire.Code(a.Code)
		if !c.Known() {
			c = "journal_damaged"
		}
		raised[c] += uint64(max(a.Count, 1))
	}
	return raised
}

// now returns the pipeline. fault.Unavailable: it does not run at the moment.
func (p *partition) now() (*pipeline.Pipeline, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || !p.running.Load() {
		return nil, fault.New(fault.Unavailable, "Partition %d does not run at the moment.", p.number)
	}
	return p.current, nil
}

// last returns the newest pipeline, running or not; nil before the first.
func (p *partition) last() *pipeline.Pipeline {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// books returns the partition's books.
func (p *partition) books() []ledger.Row {
	if last := p.last(); last != nil {
		return last.Books()
	}
	return nil
}

// parked returns what is parked and dead. fault.Unavailable: the partition does not
// run at the moment.
func (p *partition) parked() (*parked.Store, error) {
	now, err := p.now()
	if err != nil {
		return nil, err
	}
	return now.Store()
}
