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

	"weir/dataplane/delivery"
	"weir/dataplane/live"
	"weir/shared/fault"
	"weir/shared/id"
)

// Lanes delivers one partition's outputs: a lane per destination, in order per
// user where the destination asks for it. All methods are safe for concurrent
// use; Recover comes before Run and Offer.
type Lanes struct {
	cfg          Config
	parked, dead *appender
	deadThrough  atomic.Uint64 // what DEAD proves up to here, the journal has

	mu        sync.RWMutex
	lanes     map[id.Destination]*lane
	recovered bool
	last      uint64 // newest record of PARKED at Recover

	activeMu sync.Mutex
	active   map[*lane]struct{}
	wake     chan struct{}

	purgeMu sync.Mutex
	purges  map[*lane]struct{} // of PARKED
	sweeps  map[*lane]struct{} // of DEAD
	purge   chan struct{}

	workers, readers crew
	stopping         atomic.Bool
	ended            chan struct{} // closed when Run returned
	mem              atomic.Int64  // bytes of events in lanes' memory
	inFlight         atomic.Int64
	moving           chan struct{} // holds one token: one redrive or discard at a time
	sharing          sharing
}

// tick is how often lanes look at the clock.
const tick = 25 * time.Millisecond

// New checks the configuration. Nothing runs before Run.
func New(cfg Config) (*Lanes, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	instance := rand.Uint64()
	if cfg.Seed == 0 {
		cfg.Seed = instance
	}
	l := &Lanes{
		cfg: cfg, sharing: sharing{alone: cfg.MemoryBytes, all: cfg.LaneBytes},
		lanes: map[id.Destination]*lane{}, active: map[*lane]struct{}{}, purges: map[*lane]struct{}{}, sweeps: map[*lane]struct{}{},
		wake: make(chan struct{}, 1), purge: make(chan struct{}, 1), moving: make(chan struct{}, 1), ended: make(chan struct{}),
		parked: newAppender(kindParked, "PARKED", cfg.Parked, cfg.Backlog, instance, cfg.Log),
		dead:   newAppender(kindDead, "DEAD", cfg.Dead, cfg.Backlog, instance, cfg.Log),
	}
	l.parked.wrong = cfg.planted
	l.moving <- struct{}{}
	l.parked.pace = parkPace
	l.parked.take, l.parked.done = l.takeParked, l.parkedDone
	l.dead.take, l.dead.done = func(_ *lane, es []*entry) []*entry { return es }, l.deadDone
	return l, nil
}

// Recover takes over from an earlier owner: it learns what is parked, and ends
// redrives that were cut off. Call it once, after Missed and before Run and Offer.
func (l *Lanes) Recover(ctx context.Context, r Recovery) error {
	l.mu.Lock()
	if l.recovered {
		l.mu.Unlock()
		return fault.New(fault.Internal, "lanes are recovered only once")
	}
	l.recovered = true
	l.mu.Unlock()
	l.deadThrough.Store(r.DeadThrough)
	parked, err := l.cfg.Parked.State(ctx)
	if err != nil {
		return fmt.Errorf("state of PARKED: %w", err)
	}
	dead, err := l.cfg.Dead.State(ctx)
	if err != nil {
		return fmt.Errorf("state of DEAD: %w", err)
	}
	l.parked.last, l.dead.last = parked.Last, dead.Last
	l.dead.told.Store(dead.Last)
	l.mu.Lock()
	l.last = parked.Last
	l.mu.Unlock()
	found, err := l.finishRedrives(ctx, r.ParkedThrough)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for dest := range r.Drained {
		found[dest] = struct{}{}
	}
	for dest := range found {
		g.Go(func() error { return l.recoverLane(ctx, dest, r.Drained[dest], parked.Last) })
	}
	return g.Wait()
}

// finishRedrives marks as gone from DEAD what PARKED holds since through, and
// returns the destinations that it found there.
func (l *Lanes) finishRedrives(ctx context.Context, through uint64) (map[id.Destination]struct{}, error) {
	found := map[id.Destination]struct{}{}
	for rec, err := range l.cfg.Parked.ReadTo(ctx, through+1, "") {
		if err != nil {
			return nil, fmt.Errorf("read PARKED from %d: %w", through+1, err)
		}
		dest := id.Destination(rec.Key)
		found[dest] = struct{}{}
		r, err := decode(dest, rec.Data)
		if err != nil {
			continue // the drain keeps it and says so
		}
		if gone := goneRecord(r.items); len(gone.items) > 0 {
			if err := l.dead.write(ctx, dest, gone, func(uint64) {}); err != nil {
				return nil, err
			}
		}
	}
	return found, ctx.Err()
}

// recoverLane makes the lane of a destination that may have parked records.
func (l *Lanes) recoverLane(ctx context.Context, dest id.Destination, d delivery.Drained, last uint64) error {
	some := false
	for _, err := range l.cfg.Parked.ReadTo(ctx, d.Floor+1, string(dest)) {
		if err != nil {
			return fmt.Errorf("look for parked deliveries of %s: %w", dest, err)
		}
		some = true
		break
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ln := l.lane(dest)
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.cursor, ln.acked, ln.floor, ln.reported, ln.purge = d.Floor+1, last, d.Floor, d.Floor, d.Floor
	if d.Floor > 0 {
		l.purgeLater(ln) // the former owner may not have come to it
	}
	if !some {
		ln.cursor = last + 1
		return nil
	}
	for p := range d.Done {
		if p.Seq > d.Floor {
			ln.done[p] = struct{}{}
		}
	}
	ln.through, ln.unknown, ln.unread = last, true, true
	ln.activate()
	return nil
}

// Run delivers until ctx ends, then waits up to Config.Grace for answers, and
// returns nil. fault.Conflict: another owner writes the partition's logs.
func (l *Lanes) Run(ctx context.Context) error {
	l.mu.RLock()
	recovered := l.recovered
	l.mu.RUnlock()
	if !recovered {
		if err := l.Recover(ctx, Recovery{}); err != nil {
			return err
		}
	}
	defer close(l.ended)
	write, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	g, ctx := errgroup.WithContext(ctx)
	l.readers.open(ctx)
	l.workers.open(write)
	g.Go(func() error { return l.tickAll(ctx) })
	g.Go(func() error { return l.purgeAll(ctx) })
	g.Go(func() error { return l.parked.run(write) })
	g.Go(func() error { return l.dead.run(write) })
	g.Go(func() error {
		<-ctx.Done()
		l.stopping.Store(true)
		l.parked.close()
		l.dead.close()
		l.readers.close()
		grace := time.AfterFunc(l.cfg.Grace, stopWriting)
		defer grace.Stop()
		l.workers.close()
		stopWriting()
		return nil
	})
	err := g.Wait()
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, ln := range l.lanes {
		ln.sink.close()
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

// reportFloor tells the pipeline a floor that rose. Only tickAll calls it, so
// floors are told in order.
func (l *Lanes) reportFloor(ln *lane) {
	ln.mu.Lock()
	floor := ln.floor
	if l.cfg.planted == floorTooFar && floor > 0 {
		floor++
	}
	risen := floor > ln.reported
	ln.reported = floor
	if risen {
		if len(ln.told) == maxTold {
			ln.told = ln.told[1:]
		}
		ln.told = append(ln.told, told{floor: floor, dead: l.dead.told.Load()})
	}
	ln.mu.Unlock()
	if risen {
		l.cfg.Drained(ln.id, floor)
	}
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

// Offer takes deliveries in the order of their frames; it is called by one
// goroutine. It returns when each is in a lane's memory or on its way to
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
			l.sharing.offered(ln, now)
		}
		e := &entries[i]
		e.d, e.size = ds[i], sizeOf(&ds[i])
		for {
			did := ln.offer(e, now, l.sharing.most(now))
			if did == taken {
				break
			}
			if did == removed {
				l.see(&e.d, live.Deliver, live.Dropped, delivery.CodeRemoved)
				settle = append(settle, settlement(&e.d, delivery.Live, delivery.Place{}, delivery.EndDropped, delivery.CodeRemoved))
				break
			}
			if err := l.parked.room(ctx); err != nil {
				return fmt.Errorf("offer to %s: %w", ln.id, err)
			}
			now = time.Now()
		}
	}
	return nil
}

// sharing tells whether several lanes get deliveries: what one keeps in memory
// is at the expense of the others then. It belongs to who offers.
type sharing struct {
	alone, all int64 // bytes that a lane may hold then
	last       *lane
	changed    time.Time // when another lane than the last one got something
}

// sharingFor is how long a lane counts after its last delivery.
const sharingFor = 10 * time.Second

func (s *sharing) offered(ln *lane, now time.Time) {
	if s.last != nil && s.last != ln {
		s.changed = now
	}
	s.last = ln
}

// most is what a lane may hold now, in bytes, before it parks.
func (s *sharing) most(now time.Time) int64 {
	if now.Sub(s.changed) < sharingFor {
		return s.all
	}
	return s.alone
}

// sizeOf is what a delivery costs in memory, in bytes.
func sizeOf(d *delivery.Delivery) int64 { return int64(len(d.Event.JSON)+len(d.Original)) + 512 }

// Confirmed says that the journal holds the settlements of every PARKED record
// of dest up to floor, so that they may be purged. It does not block.
func (l *Lanes) Confirmed(dest id.Destination, floor uint64) {
	ln := l.lane(dest)
	ln.mu.Lock()
	ln.purge = max(ln.purge, min(floor, ln.floor))
	due := ln.purge > ln.purged
	for len(ln.told) > 0 && ln.told[0].floor <= floor {
		// The journal is in the order of the reports, so it has those of DEAD too.
		for had := l.deadThrough.Load(); had < ln.told[0].dead && !l.deadThrough.CompareAndSwap(had, ln.told[0].dead); {
			had = l.deadThrough.Load()
		}
		ln.told = ln.told[1:]
	}
	ln.mu.Unlock()
	if due {
		l.purgeLater(ln)
	}
}

// told is how far DEAD was reported when a floor was.
type told struct{ floor, dead uint64 }

// maxTold is how many of them a lane remembers; forgetting one only puts off a sweep.
const maxTold = 64

func (l *Lanes) purgeLater(ln *lane) {
	l.purgeMu.Lock()
	defer l.purgeMu.Unlock()
	l.purges[ln] = struct{}{}
	select {
	case l.purge <- struct{}{}:
	default: // purgeAll will look
	}
}

// purgeAll purges what was confirmed, each destination once a second at most.
func (l *Lanes) purgeAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.purge:
		}
		l.purgeMu.Lock()
		due, sweeps := l.purges, l.sweeps
		l.purges, l.sweeps = map[*lane]struct{}{}, map[*lane]struct{}{}
		l.purgeMu.Unlock()
		for ln := range sweeps {
			if err := l.sweep(ctx, ln); err != nil && ctx.Err() == nil {
				l.cfg.Log.WarnContext(ctx, "sweep put off", "log", "DEAD", "destination", ln.id, "kind", fault.KindOf(err).String())
			}
		}
		for ln := range due {
			ln.mu.Lock()
			to := ln.purge
			ln.mu.Unlock()
			if err := l.cfg.Parked.Purge(ctx, to+1, string(ln.id)); err != nil {
				l.cfg.Log.WarnContext(ctx, "purge put off", "log", "PARKED", "destination", ln.id, "kind", fault.KindOf(err).String())
				l.purgeLater(ln)
				continue
			}
			ln.mu.Lock()
			ln.purged = max(ln.purged, to)
			ln.mu.Unlock()
		}
		if sleep(ctx, time.Second) != nil {
			return nil
		}
	}
}

// InFlight returns how many batches are being sent now.
func (l *Lanes) InFlight() int { return int(l.inFlight.Load()) }

// takeParked keeps those entries that were not settled while they waited.
func (l *Lanes) takeParked(ln *lane, es []*entry) []*entry {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	keep := make([]*entry, 0, len(es))
	for _, e := range es {
		if e.park == pending {
			e.park = writing
			keep = append(keep, e)
		}
	}
	return keep
}

// parkedDone reports entries that are in PARKED now and lets the drain have them.
func (l *Lanes) parkedDone(ctx context.Context, ln *lane, es []*entry, seq uint64) {
	redriven := make([]item, 0)
	settle := make([]delivery.Settled, len(es))
	for i, e := range es {
		ln.l.see(&e.d, live.Deliver, live.Parked, "")
		settle[i] = settlement(&e.d, e.stage, e.from, delivery.EndParked, "")
		settle[i].To = delivery.Place{Seq: seq, Item: uint32(i)}
		if e.stage == delivery.FromDead {
			redriven = append(redriven, item{d: e.d, stage: e.stage, from: e.from})
		}
	}
	if gone := goneRecord(redriven); len(gone.items) > 0 {
		if l.dead.write(ctx, ln.id, gone, func(uint64) {}) != nil {
			return // Run ends; Recover does it again
		}
	}
	l.cfg.Settle(settle)
	ended, dead := ln.parkedAs(es, seq, time.Now())
	if len(ended) > 0 {
		l.cfg.Settle(ended)
		ln.mu.Lock()
		for i := range ended {
			p := ended[i].From
			ln.finished(p, es[p.Item].user)
		}
		ln.mu.Unlock()
	}
	for _, e := range dead {
		l.dead.push(ln, e) // bounded by the requests in flight
	}
	for _, e := range es {
		if e.after != nil {
			e.after(e.place)
		}
	}
}

// deadDone reports entries that are in DEAD now.
func (l *Lanes) deadDone(_ context.Context, ln *lane, es []*entry, seq uint64) {
	settle := make([]delivery.Settled, len(es))
	for i, e := range es {
		settle[i] = settlement(&e.d, e.stage, e.from, delivery.EndDead, e.end.code)
		settle[i].To = delivery.Place{Seq: seq, Item: uint32(i)}
	}
	l.cfg.Settle(settle)
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for _, e := range es {
		if e.stage == delivery.FromParked {
			ln.finished(e.from, e.user)
		}
	}
}

// crew starts goroutines that Run waits for.
type crew struct {
	mu  sync.Mutex
	wg  sync.WaitGroup
	ctx context.Context // nil when closed; Run's own, for those it waits for
}

func (c *crew) open(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
}

// spawn runs fn unless the crew is not open.
func (c *crew) spawn(fn func(context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		return false
	}
	ctx := c.ctx
	c.wg.Go(func() { fn(ctx) })
	return true
}

// close takes no more and waits for all.
func (c *crew) close() {
	c.mu.Lock()
	c.ctx = nil
	c.mu.Unlock()
	c.wg.Wait()
}
