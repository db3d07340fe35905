package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/shared/fault"
	"weir/shared/id"
)

// output names one delivery.
type output struct {
	deliver.Ref
	destination id.Destination
}

// tracker is an open frame: what of it is not settled and journaled yet.
type tracker struct {
	frame  uint64
	bytes  int64
	fresh  bool // its opening is not journaled yet
	left   int
	flying map[ledger.Key]int64
	done   map[id.Destination]Set // journaled; outputs 0
	op     Opening                // without keys
}

// ownership is the state of one owner of the partition.
type ownership struct {
	cfg   *Config
	epoch uint64
	lanes Lanes

	// Of the goroutine that follows the frames.
	resumed    map[uint64]Opening  // frames that an earlier owner opened
	settled    map[output]struct{} // settled and journaled by an earlier owner, above the floor
	scanned    map[output]struct{} // found in PARKED or DEAD, not journaled yet
	revision   uint64
	floor      uint64 // at the start
	snapshotAt time.Time
	trimmedAt  time.Time

	mu       sync.Mutex
	changed  *sync.Cond // trackers were closed
	trackers []*tracker // in order of frames
	byFrame  map[uint64]*tracker
	bytes    int64

	openings []Opening
	queue    []deliver.Settled // in the order of their reports
	drained  map[id.Destination]uint64
	wake     chan struct{} // the journal has something to write

	book    *ledger.Book
	state   Entry // as of the newest record: Counter, Base, Floor, Opened, Parked, Dead
	last    uint64
	drains  map[id.Destination]*Drain
	records int // since the checkpoint

	// Of the goroutine that keeps the journal.
	purged   uint64
	purgedAt time.Time
}

// room waits until the open frames leave space in memory. Lanes park what takes
// longer than 2 s, so it always comes.
func (o *ownership) room(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { o.mu.Lock(); o.changed.Broadcast(); o.mu.Unlock() })
	defer stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.bytes > o.cfg.OpenBytes && ctx.Err() == nil {
		o.changed.Wait()
	}
	return ctx.Err()
}

// track opens a frame and returns the deliveries that lanes have to make.
func (o *ownership) track(op Opening, events []event.Event, read time.Time, fresh bool) []deliver.Delivery {
	t := &tracker{frame: op.Frame, fresh: fresh, flying: map[ledger.Key]int64{}, done: map[id.Destination]Set{}, op: op}
	t.op.Keys = nil
	for i := range events {
		t.bytes += int64(len(events[i].JSON)) + 256
	}
	var ds []deliver.Delivery
	for _, g := range op.Groups {
		for _, r := range g.Routes {
			pair := ledger.Key{Workspace: g.Workspace, Source: g.Source, Destination: r.Destination}
			for i := range events {
				if !r.Set.Has(i) {
					continue
				}
				ref := deliver.Ref{Frame: op.Frame, Index: uint32(i)}
				out := output{ref, r.Destination}
				if _, ok := o.settled[out]; ok {
					delete(o.settled, out)
					set := t.done[r.Destination]
					set.Add(i, op.Events)
					t.done[r.Destination] = set
					continue
				}
				t.left++
				t.flying[pair]++
				if _, ok := o.scanned[out]; ok {
					delete(o.scanned, out)
					continue
				}
				ds = append(ds, deliver.Delivery{Ref: ref, Destination: r.Destination, Revision: o.revision, Read: read, Event: events[i]})
			}
		}
	}
	// A lane keeps the order in which it is offered: by event, not by destination.
	slices.SortStableFunc(ds, func(a, b deliver.Delivery) int { return int(a.Index) - int(b.Index) })
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trackers = append(o.trackers, t)
	o.byFrame[op.Frame] = t
	o.bytes += t.bytes
	if fresh {
		o.openings = append(o.openings, op)
	}
	if fresh || t.left == 0 {
		o.nudge()
	}
	return ds
}

func (o *ownership) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// settle takes the lanes' reports.
func (o *ownership) settle(s []deliver.Settled) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, s...)
	o.nudge()
}

// drain takes the lanes' word that PARKED is settled up to floor.
func (o *ownership) drain(d id.Destination, floor uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drained[d] = max(o.drained[d], floor)
	o.nudge()
}

// keepJournal writes what is new, one append in flight, at least 10 ms apart.
func (o *ownership) keepJournal(ctx context.Context) error {
	pace := time.NewTicker(journalPace)
	defer pace.Stop()
	for {
		var purge <-chan time.Time
		if o.journaledFloor() > o.purged {
			purge = time.After(purgePace)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.wake:
		case <-purge:
			if err := o.tidy(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		for o.pending() {
			if err := o.write(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("journal: %w", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-pace.C:
			}
		}
	}
}

func (o *ownership) pending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeFrames()
	return len(o.openings) > 0 || len(o.drained) > 0 || len(o.queue) > 0 && o.ready(o.queue[0])
}

// ready reports whether a settlement may be journaled now: the opening of its
// frame is, or goes into the same record. What recovery found for frames that
// are not read again yet waits, and all that was reported after it.
func (o *ownership) ready(s deliver.Settled) bool {
	return s.Stage != deliver.Live || s.Frame <= o.state.Opened || o.byFrame[s.Frame] != nil
}

// write appends one record and books it.
func (o *ownership) write(ctx context.Context) error {
	e, openings, settled, drains := o.take()
	seq, err := o.append(ctx, &e)
	if err != nil {
		return err
	}
	confirmed := o.booked(&e, seq, openings, settled, drains)
	for d, floor := range confirmed {
		o.lanes.Confirmed(d, floor)
	}
	return o.tidy(ctx)
}

// take makes the next record from what is pending.
func (o *ownership) take() (e Entry, openings, settled int, drains map[id.Destination]uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e = o.state
	e.Epoch, e.Counter, e.Checkpoint = o.epoch, o.state.Counter+1, false
	keys := 0
	for openings < len(o.openings) && (openings == 0 || keys+len(o.openings[openings].Keys) <= recordKeys) {
		keys += len(o.openings[openings].Keys)
		e.Opened = max(e.Opened, o.openings[openings].Frame)
		openings++
	}
	e.Openings = o.openings[:openings:openings]
	for settled < len(o.queue) {
		s := o.queue[settled]
		if settled >= recordSettled && (s.To.Seq == 0 || s.To.Seq != o.queue[settled-1].To.Seq) {
			break
		}
		if s.Stage == deliver.Live && s.Frame > e.Opened {
			break
		}
		parked, dead := s.Through()
		e.Parked, e.Dead = max(e.Parked, parked), max(e.Dead, dead)
		settled++
	}
	e.Settled = slices.Clone(o.queue[:settled])
	slices.SortStableFunc(e.Settled, inRuns)
	if settled == len(o.queue) { // a drain's settlements came before it
		drains, o.drained = o.drained, map[id.Destination]uint64{}
		for d, floor := range drains {
			e.Drains = append(e.Drains, Drain{Destination: d, Floor: floor})
		}
	}
	e.Deltas = e.Recount()
	return e, openings, settled, drains
}

// inRuns orders settlements so that neighbours of a frame stand together. Two
// of one output keep their order.
func inRuns(a, b deliver.Settled) int {
	if a.Destination != b.Destination {
		if a.Destination < b.Destination {
			return -1
		}
		return 1
	}
	if a.Frame != b.Frame {
		if a.Frame < b.Frame {
			return -1
		}
		return 1
	}
	return int(a.Index) - int(b.Index)
}

// append makes e durable. After a lost answer the last record tells whether it
// is there; one of another epoch means that the partition is lost.
func (o *ownership) append(ctx context.Context, e *Entry) (uint64, error) {
	data := e.Encode()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		seq, err := o.cfg.Journal.AppendAfter(ctx, o.last, "", data)
		if err == nil {
			return seq, nil
		}
		switch fault.KindOf(err) {
		case fault.Conflict:
			rec, lerr := o.cfg.Journal.Last(ctx)
			if lerr != nil {
				if fault.KindOf(lerr) == fault.Unavailable {
					break
				}
				return 0, lerr
			}
			if old, derr := Decode(rec.Data); derr == nil && old.Epoch == e.Epoch && old.Counter == e.Counter {
				return rec.Seq, nil
			}
			return 0, err
		case fault.Unavailable, fault.Limited:
		default:
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// booked makes a durable record true in memory, and returns what drains are
// confirmed by it.
func (o *ownership) booked(e *Entry, seq uint64, openings, settled int, drains map[id.Destination]uint64) map[id.Destination]uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.book.Apply(e.Deltas)
	for _, op := range o.openings[:openings] {
		if t := o.byFrame[op.Frame]; t != nil {
			t.fresh = false
		}
	}
	o.openings = slices.Delete(o.openings, 0, openings)
	for _, s := range o.queue[:settled] {
		o.bookSettled(s)
	}
	o.queue = slices.Delete(o.queue, 0, settled)
	for d, floor := range drains {
		o.drainOf(d).Floor = max(o.drainOf(d).Floor, floor)
		o.drainOf(d).Done = slices.DeleteFunc(o.drainOf(d).Done, func(p deliver.Place) bool { return p.Seq <= floor })
	}
	o.closeFrames()
	floor := o.state.Floor
	o.state = Entry{Epoch: e.Epoch, Counter: e.Counter, Base: o.state.Base, Floor: floor, Opened: e.Opened, Parked: e.Parked, Dead: e.Dead}
	if e.Checkpoint {
		o.state.Base, o.records = seq, 0
	}
	o.last = seq
	o.records++
	return drains
}

func (o *ownership) bookSettled(s deliver.Settled) {
	switch s.Stage {
	case deliver.Live:
		t := o.byFrame[s.Frame]
		if t == nil {
			return
		}
		t.left--
		t.flying[ledger.Key{Workspace: s.Workspace, Source: s.Source, Destination: s.Destination}]--
		if s.Output == 0 {
			set := t.done[s.Destination]
			set.Add(int(s.Index), t.op.Events)
			t.done[s.Destination] = set
		}
	case deliver.FromParked:
		d := o.drainOf(s.Destination)
		d.Done = append(d.Done, s.From)
	}
	if s.End == deliver.EndParked {
		o.drainOf(s.Destination) // it has parked deliveries
	}
}

func (o *ownership) drainOf(d id.Destination) *Drain {
	if o.drains[d] == nil {
		o.drains[d] = &Drain{Destination: d}
	}
	return o.drains[d]
}

// closeFrames forgets the frames at the front that are done and moves the floor.
func (o *ownership) closeFrames() {
	n := 0
	for n < len(o.trackers) && !o.trackers[n].fresh && o.trackers[n].left == 0 {
		t := o.trackers[n]
		o.state.Floor = t.frame
		o.bytes -= t.bytes
		delete(o.byFrame, t.frame)
		n++
	}
	if n > 0 {
		o.trackers = slices.Delete(o.trackers, 0, n)
		o.changed.Broadcast()
	}
}

// tidy removes the frames below the floor, every settlement of which is
// journaled, and writes a checkpoint when recovery would have to read much.
func (o *ownership) tidy(ctx context.Context) error {
	if floor := o.journaledFloor(); floor > o.purged && time.Since(o.purgedAt) >= purgePace {
		o.purgedAt, o.purged = time.Now(), floor
		if err := o.cfg.Events.Purge(ctx, floor+1, ""); err != nil && fault.KindOf(err) != fault.Unavailable {
			return fmt.Errorf("purge events: %w", err)
		}
	}
	if o.due() {
		return o.checkpoint(ctx)
	}
	return nil
}

func (o *ownership) due() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.records >= checkpointEvery
}

// checkpoint writes a record that recovery can begin with.
func (o *ownership) checkpoint(ctx context.Context) error {
	o.mu.Lock()
	e := o.state
	e.Epoch, e.Counter, e.Checkpoint, e.Base = o.epoch, o.state.Counter+1, true, 0
	e.Deltas = o.book.Totals()
	for _, t := range o.trackers {
		if t.fresh {
			continue // its opening comes with a later record
		}
		e.Openings = append(e.Openings, t.op)
		for _, g := range t.op.Groups {
			for _, r := range g.Routes {
				done := t.done[r.Destination]
				for i := range t.op.Events {
					if r.Set.Has(i) && done.Has(i) {
						e.Settled = append(e.Settled, deliver.Settled{Workspace: g.Workspace, Source: g.Source, Destination: r.Destination,
							Ref: deliver.Ref{Frame: t.frame, Index: uint32(i)}, Stage: deliver.Live, End: deliver.EndDelivered})
					}
				}
			}
		}
	}
	for _, d := range slices.Sorted(maps.Keys(o.drains)) {
		c := *o.drains[d]
		c.Done = slices.Clone(c.Done)
		e.Drains = append(e.Drains, c)
	}
	o.mu.Unlock()
	seq, err := o.append(ctx, &e)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.Counter, o.state.Base, o.last, o.records = e.Counter, seq, seq, 0
	return nil
}

// journaledFloor is the frame up to which everything is settled and journaled.
func (o *ownership) journaledFloor() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state.Floor
}

func (o *ownership) journaled() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

func (o *ownership) base() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state.Base
}

// books returns the rows of this moment: totals and what is in flight are read
// together.
func (o *ownership) books() []ledger.Row {
	o.mu.Lock()
	defer o.mu.Unlock()
	flying := map[ledger.Key]int64{}
	for _, t := range o.trackers {
		if t.fresh {
			continue // not booked as routed yet
		}
		for p, n := range t.flying {
			flying[p] += n
		}
	}
	return o.book.Rows(flying)
}

func (o *ownership) lag() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.trackers)
}
