package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/ledger"
	"weir/shared/fault"
	"weir/shared/id"
)

// recover takes the partition over: it reads the journal from the newest
// checkpoint, claims it by a checkpoint of its own, and looks for parked and
// dead deliveries whose settlement was not journaled.
func (p *Pipeline) recover(ctx context.Context, lease Lease, epoch uint64) (*ownership, error) {
	o := &ownership{
		cfg: &p.cfg, epoch: epoch, resumed: map[uint64]Opening{}, settled: map[output]struct{}{}, scanned: map[output]struct{}{},
		byFrame: map[uint64]*tracker{}, drained: map[id.Destination]uint64{}, wake: make(chan struct{}, 1),
		book: &ledger.Book{}, drains: map[id.Destination]*Drain{}, snapshotAt: time.Now(),
	}
	o.changed = sync.NewCond(&o.mu)
	if err := p.replay(ctx, o); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	o.floor, o.purged = o.state.Floor, o.state.Floor
	if err := o.claim(ctx); err != nil {
		return nil, fmt.Errorf("claim the journal: %w", err)
	}
	parked, dead := o.state.Parked, o.state.Dead
	if err := o.scan(ctx); err != nil {
		return nil, err
	}
	lanes, err := p.cfg.Lanes(Reports{Settle: o.settle, Drained: o.drain, Held: lease.Held})
	if err != nil {
		return nil, fmt.Errorf("lanes: %w", err)
	}
	o.lanes = lanes
	if err := lanes.Recover(ctx, deliver.Recovery{Drained: o.parkedNow(), ParkedThrough: parked, DeadThrough: dead}); err != nil {
		return nil, fmt.Errorf("lanes: %w", err)
	}
	o.nudge()
	return o, nil
}

// replay reads the journal: the dedupe keys that the index lacks, and from the
// newest checkpoint on everything else.
func (p *Pipeline) replay(ctx context.Context, o *ownership) error {
	tail, err := o.cfg.Journal.Last(ctx)
	if err != nil {
		if fault.KindOf(err) == fault.Missing {
			st, err := o.cfg.Journal.State(ctx)
			o.last = st.Last
			return err
		}
		return err
	}
	newest, err := Decode(tail.Data)
	if err != nil {
		return fmt.Errorf("record %d: %w", tail.Seq, err)
	}
	base := newest.Base
	if newest.Checkpoint {
		base = tail.Seq
	}
	counter := uint64(0)
	for rec, err := range o.cfg.Journal.ReadTo(ctx, min(base, o.cfg.Seen.Position()+1), "") {
		if err != nil {
			return err
		}
		e, err := Decode(rec.Data)
		if err != nil {
			return fmt.Errorf("record %d: %w", rec.Seq, err)
		}
		if rec.Seq > o.cfg.Seen.Position() {
			if err := o.remember(e.Openings); err != nil {
				return err
			}
		}
		if rec.Seq < base {
			continue
		}
		p.audit(&e, rec.Seq, &counter)
		o.fold(&e, rec.Seq)
	}
	return nil
}

// remember gives the index the keys of openings.
func (o *ownership) remember(ops []Opening) error {
	for _, op := range ops {
		n := 0
		for i := range op.Events {
			if !op.keyed(i) || n >= len(op.Keys) {
				continue
			}
			if _, err := o.cfg.Seen.First(op.Keys[n], dedupe.Pos{Frame: op.Frame, Index: uint32(i)}, time.UnixMilli(op.At)); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}

// keyed reports whether event i has one of the opening's keys.
func (op *Opening) keyed(i int) bool {
	for _, g := range op.Groups {
		if g.Of.Has(i) {
			return !g.Duplicate.Has(i) && !g.Quarantined.Has(i)
		}
	}
	return false
}

// audit is the ledger's self-check of a record: none is missing before it, and
// what it books is what its openings and settlements say.
func (p *Pipeline) audit(e *Entry, seq uint64, counter *uint64) {
	gap := *counter != 0 && e.Counter != *counter+1
	*counter = e.Counter
	wrong := !e.Checkpoint && !slices.Equal(e.Recount(), e.Deltas)
	p.mu.Lock()
	defer p.mu.Unlock()
	if gap {
		p.gaps++
		p.cfg.Log.Error("journal record missing", "partition", p.cfg.Partition, "before", seq)
		p.cfg.Alarm(AlarmJournalGap)
	}
	if wrong {
		p.wrong++
		p.cfg.Log.Error("journal record does not balance", "partition", p.cfg.Partition, "record", seq)
		p.cfg.Alarm(AlarmJournalBooks)
	}
}

// fold makes one record of an earlier owner true in memory.
func (o *ownership) fold(e *Entry, seq uint64) {
	base := o.state.Base
	if e.Checkpoint {
		base = seq
		o.book, o.drains = &ledger.Book{}, map[id.Destination]*Drain{}
		clear(o.resumed)
		clear(o.settled)
	}
	o.book.Apply(e.Deltas)
	for _, op := range e.Openings {
		op.Keys = nil
		o.resumed[op.Frame] = op
	}
	for _, s := range e.Settled {
		if s.Stage == deliver.Live {
			o.settled[output{s.Ref, s.Destination}] = struct{}{}
		}
		if s.Stage == deliver.FromParked {
			d := o.drainOf(s.Destination)
			d.Done = append(d.Done, s.From)
		}
		if s.End == deliver.EndParked {
			o.drainOf(s.Destination)
		}
	}
	for _, d := range e.Drains {
		mine := o.drainOf(d.Destination)
		mine.Floor = max(mine.Floor, d.Floor)
		mine.Done = append(mine.Done, d.Done...)
		mine.Done = slices.DeleteFunc(mine.Done, func(p deliver.Place) bool { return p.Seq <= mine.Floor })
	}
	maps.DeleteFunc(o.resumed, func(frame uint64, _ Opening) bool { return frame <= e.Floor })
	if len(o.settled) > 4*recordSettled {
		maps.DeleteFunc(o.settled, func(out output, _ struct{}) bool { return out.Frame <= e.Floor })
	}
	o.state = Entry{Epoch: e.Epoch, Counter: e.Counter, Base: base, Floor: e.Floor, Opened: e.Opened, Parked: e.Parked, Dead: e.Dead}
	o.last = seq
}

// claim writes a checkpoint under the new epoch: from then on no append of an
// earlier owner succeeds, and recovery has little to read.
func (o *ownership) claim(ctx context.Context) error {
	e := o.state
	e.Epoch, e.Counter, e.Checkpoint, e.Base = o.epoch, o.state.Counter+1, true, 0
	e.Deltas = o.book.Totals()
	for _, frame := range slices.Sorted(maps.Keys(o.resumed)) {
		op := o.resumed[frame]
		e.Openings = append(e.Openings, op)
		for _, g := range op.Groups {
			for _, r := range g.Routes {
				for i := range op.Events {
					ref := deliver.Ref{Frame: frame, Index: uint32(i)}
					if _, ok := o.settled[output{ref, r.Destination}]; ok && r.Set.Has(i) {
						e.Settled = append(e.Settled, deliver.Settled{Workspace: g.Workspace, Source: g.Source, Destination: r.Destination, Ref: ref, Stage: deliver.Live, End: deliver.EndDelivered})
					}
				}
			}
		}
	}
	for _, d := range slices.Sorted(maps.Keys(o.drains)) {
		e.Drains = append(e.Drains, *o.drains[d])
	}
	seq, err := o.append(ctx, &e)
	if err != nil {
		return err
	}
	o.state.Epoch, o.state.Counter, o.state.Base, o.last = o.epoch, e.Counter, seq, seq
	return nil
}

// scan queues the settlements that PARKED and DEAD prove and the journal does
// not know: they are booked first, as soon as their frames are open again.
func (o *ownership) scan(ctx context.Context) error {
	found := func(s deliver.Settled) error {
		if s.Stage == deliver.Live {
			o.scanned[output{s.Ref, s.Destination}] = struct{}{}
		}
		o.queue = append(o.queue, s)
		return nil
	}
	if err := deliver.Scan(ctx, o.cfg.Parked, o.state.Parked+1, found); err != nil {
		return fmt.Errorf("scan parked: %w", err)
	}
	if err := deliver.Scan(ctx, o.cfg.Dead, o.state.Dead+1, found); err != nil {
		return fmt.Errorf("scan dead: %w", err)
	}
	return nil
}

// parkedNow is what lanes have to know of every destination that may have
// parked deliveries.
func (o *ownership) parkedNow() map[id.Destination]deliver.Drained {
	all := map[id.Destination]deliver.Drained{}
	of := func(d id.Destination) deliver.Drained {
		if _, ok := all[d]; !ok {
			all[d] = deliver.Drained{Done: map[deliver.Place]struct{}{}}
		}
		return all[d]
	}
	for d, drain := range o.drains {
		mine := of(d)
		mine.Floor = drain.Floor
		for _, p := range drain.Done {
			mine.Done[p] = struct{}{}
		}
		all[d] = mine
	}
	for _, s := range o.queue {
		mine := of(s.Destination)
		if s.Stage == deliver.FromParked {
			mine.Done[s.From] = struct{}{}
		}
	}
	return all
}
