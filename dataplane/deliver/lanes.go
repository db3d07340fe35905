// Package deliver sends events to destinations. A lane per destination and
// partition owns order, retries, parking and draining; a destination (package
// destination) only says which requests to make and what an answer means.
//
// It guarantees that what is taken by Offer is reported as settled once: sent,
// dropped, or durable in PARKED or DEAD, from where it is settled again; that a
// report is true before it is made; that in an ordered destination no event of a
// user is sent before an earlier one of that user was settled or is refused by
// it; that one destination delays no other; and that memory is bounded: past
// its bounds a lane parks, and Offer waits only when PARKED cannot keep up.
//
// It refuses to send without the partition's lease, to follow redirects, to
// give up on a destination that is down, and to write to logs that have another
// writer. A death of the process repeats the requests in flight, and those
// whose reports the journal lost.
package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/deliver/workers"
	"weir/dataplane/delivery"
	"weir/dataplane/live"
	"weir/dataplane/parked"
	"weir/dataplane/share"
	"weir/shared/fault"
	"weir/shared/id"
)

// Lanes delivers one partition's outputs: a lane per destination, in order per
// user where the destination asks for it. All methods are safe for concurrent
// use; Recover comes before Run and Offer.
type Lanes struct {
	cfg   Config
	store *parked.Store

	mu        sync.RWMutex
	lanes     map[id.Destination]*lane
	recovered bool
	last      uint64 // newest record of PARKED at Recover

	activeMu sync.Mutex
	active   map[*lane]struct{}
	wake     chan struct{}

	workers, readers workers.Workers
	stopping         atomic.Bool
	memory           share.Memory // of events in lanes; workspaces hold those of live deliveries
	inFlight         atomic.Int64
	among            share.Among[*lane]
}

// tick is how often lanes look at the clock.
const tick = 25 * time.Millisecond

// New checks the configuration. Nothing runs before Run.
func New(cfg Config) (*Lanes, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	l := &Lanes{
		cfg: cfg, among: share.Among[*lane]{Alone: cfg.MemoryBytes, Beside: cfg.LaneBytes}, memory: share.Memory{Most: cfg.MemoryBytes},
		lanes: map[id.Destination]*lane{}, active: map[*lane]struct{}{}, wake: make(chan struct{}, 1),
	}
	l.store, err = parked.New(parked.Config{
		Parked: cfg.Parked, Dead: cfg.Dead, Lane: func(d id.Destination) parked.Lane { return l.lane(d) },
		Settle: cfg.Settle, Drained: cfg.Drained, Backlog: cfg.Backlog, Log: cfg.Log,
	})
	return l, err
}

// Store returns what is parked and dead, for people to look at and to move.
func (l *Lanes) Store() *parked.Store { return l.store }

// Recover takes over from an earlier owner: it learns what is parked, and ends
// redrives that were cut off. Call it once, after Missed and before Run and Offer.
func (l *Lanes) Recover(ctx context.Context, r delivery.Recovery) error {
	l.mu.Lock()
	if l.recovered {
		l.mu.Unlock()
		return fault.New(fault.Internal, "lanes are recovered only once")
	}
	l.recovered = true
	l.mu.Unlock()
	last, found, err := l.store.Recover(ctx, r.ParkedThrough, r.DeadThrough)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.last = last
	l.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for dest := range r.Drained {
		found[dest] = struct{}{}
	}
	for dest := range found {
		g.Go(func() error { return l.recoverLane(ctx, dest, r.Drained[dest]) })
	}
	return g.Wait()
}

// recoverLane makes the lane of a destination that may have parked records.
func (l *Lanes) recoverLane(ctx context.Context, dest id.Destination, d delivery.Drained) error {
	oldest, more, err := l.store.Resume(ctx, dest, d.Floor)
	if err != nil {
		return err
	}
	ln := l.lane(dest)
	ln.remember(&oldest)
	ln.backlog.Resume(d, more)
	if more {
		ln.mu.Lock()
		defer ln.mu.Unlock()
		ln.activate()
	}
	return nil
}

// Run delivers until ctx ends, then waits up to Config.Grace for answers, and
// returns nil. fault.Conflict: another owner writes the partition's logs.
func (l *Lanes) Run(ctx context.Context) error {
	l.mu.RLock()
	recovered := l.recovered
	l.mu.RUnlock()
	if !recovered {
		if err := l.Recover(ctx, delivery.Recovery{}); err != nil {
			return err
		}
	}
	write, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	g, ctx := errgroup.WithContext(ctx)
	l.readers.Open(ctx)
	l.workers.Open(write)
	g.Go(func() error { return l.tickAll(ctx) })
	g.Go(func() error { return l.store.Run(write) })
	g.Go(func() error {
		<-ctx.Done()
		l.stopping.Store(true)
		l.store.Close()
		l.readers.Close()
		grace := time.AfterFunc(l.cfg.Grace, stopWriting)
		defer grace.Stop()
		l.workers.Close()
		stopWriting()
		return nil
	})
	err := g.Wait()
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, ln := range l.lanes {
		ln.link.Close()
	}
	return err
}

// tickAll ticks active lanes; without any it sleeps.
func (l *Lanes) tickAll(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		}
		for {
			l.activeMu.Lock()
			lanes := make([]*lane, 0, len(l.active))
			for ln := range l.active {
				lanes = append(lanes, ln)
			}
			l.activeMu.Unlock()
			if len(lanes) == 0 {
				break
			}
			now := time.Now()
			for _, ln := range lanes {
				ln.tick(now)
				l.reportFloor(ln)
			}
			timer.Reset(tick)
			select {
			case <-ctx.Done():
				return nil
			case <-timer.C:
			}
		}
	}
}

// reportFloor reports a floor that rose. Only tickAll calls it, so floors are
// reported in order.
func (l *Lanes) reportFloor(ln *lane) {
	floor, risen := ln.backlog.Risen()
	if !risen {
		return
	}
	l.store.Drained(ln.id, floor)
}

func (l *Lanes) activate(ln *lane) {
	l.activeMu.Lock()
	defer l.activeMu.Unlock()
	l.active[ln] = struct{}{}
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

func (l *Lanes) deactivate(ln *lane) {
	l.activeMu.Lock()
	defer l.activeMu.Unlock()
	delete(l.active, ln)
}

// lane returns the lane of a destination and makes it when there is none.
func (l *Lanes) lane(dest id.Destination) *lane {
	l.mu.RLock()
	ln := l.lanes[dest]
	l.mu.RUnlock()
	if ln != nil {
		return ln
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ln = l.lanes[dest]; ln == nil {
		ln = newLane(l, dest)
		l.lanes[dest] = ln
	}
	return ln
}

// Offer takes deliveries in the order of their frames. Several goroutines may call
// it, but those of one destination come from one at a time. It returns when each is in a lane's memory or on its way to
// PARKED, and waits only while the backlog of PARKED is full. The error is
// ctx's, or fault.Unavailable after Run returned; then some were not taken.
func (l *Lanes) Offer(ctx context.Context, ds []delivery.Delivery) error {
	var settle []delivery.Settled
	defer func() {
		if len(settle) > 0 {
			l.cfg.Settle(settle)
		}
	}()
	now := time.Now()
	entries := make([]entry, len(ds))
	var ln *lane
	for i := range ds {
		if ln == nil || ln.id != ds[i].Destination {
			ln = l.lane(ds[i].Destination)
			l.among.Used(ln, now)
		}
		e := &entries[i]
		e.d, e.size = ds[i], sizeOf(&ds[i])
		for {
			did := ln.offer(e, now, l.among.Most(now))
			if did == taken {
				break
			}
			if did == removed {
				l.see(&e.d, live.Deliver, live.Dropped, delivery.CodeRemoved)
				settle = append(settle, e.d.Settlement(delivery.Live, delivery.Place{}, delivery.EndDropped, delivery.CodeRemoved))
				break
			}
			if err := l.store.Room(ctx); err != nil {
				return fmt.Errorf("offer to %s: %w", ln.id, err)
			}
			now = time.Now()
		}
	}
	return nil
}

// sizeOf is what a delivery costs in memory, in bytes.
func sizeOf(d *delivery.Delivery) int64 { return int64(len(d.Event.JSON)+len(d.Original)) + 512 }

// Confirmed says that the journal holds the settlements of every PARKED record
// of dest up to floor, so that they may be purged. It does not block.
func (l *Lanes) Confirmed(dest id.Destination, floor uint64) { l.store.Confirmed(dest, floor) }

// InFlight returns how many batches are being sent now.
func (l *Lanes) InFlight() int { return int(l.inFlight.Load()) }
