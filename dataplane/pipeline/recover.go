package pipeline

import (
	"context"
	"fmt"
	"maps"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// takeovers is how often a former owner may be faster while the journal is
// taken over.
const takeovers = 100

// recover reads what former owners left and takes their place. Start and
// takeover are the same.
func (o *owner) recover(ctx context.Context, epoch uint64) error {
	st, err := load(ctx, o.cfg.Journal, o.cfg.Seen)
	if err != nil {
		return err
	}
	o.covered.Store(o.cfg.Seen.Position())
	o.journal = newJournal(o.cfg, epoch, st, o.alarms)
	if err := o.fence(ctx); err != nil {
		return err
	}
	if err := o.place(ctx, st); err != nil {
		return err
	}
	through := delivery.Recovery{ParkedThrough: st.parked, DeadThrough: st.dead}
	if o.cfg.planted != skipMissed {
		if err := o.missed(ctx, through); err != nil {
			return err
		}
	}
	o.confirm, o.moved = make(chan struct{}, 1), make(chan struct{}, 1)
	o.rewriter = newRewriter(o)
	o.budget = newBudget(o.cfg.OpenFrames, o.cfg.OpenBytes)
	lanes, err := o.cfg.Lanes(Reports{Settle: o.journal.settle, Drained: o.journal.drained, Held: o.held})
	if err != nil {
		return fmt.Errorf("make lanes: %w", err)
	}
	o.lanes = lanes
	through.Drained = drains(st)
	if o.cfg.planted == forgetDrained {
		for _, d := range through.Drained {
			clear(d.Done)
		}
	}
	if err := o.lanes.Recover(ctx, through); err != nil {
		return fmt.Errorf("recover lanes: %w", err)
	}
	// From here on the lanes notice other writers; one that came in between shows now.
	if err := parked.Missed(ctx, o.cfg.Parked, o.cfg.Dead, st.parked, st.dead, func(delivery.Settled) error {
		return fault.New(fault.Conflict, "A former owner has settled deliveries meanwhile.")
	}); err != nil {
		return err
	}
	o.journal.done, o.journal.said = o.framesDone, o.drainJournaled
	resumed := st.readThrough
	o.journal.ready = func() bool { return !st.torn || o.readAt.Load() >= resumed }
	nudge(o.moved)
	return nil
}

// load reads the journal: its keys into seen, and the rest from the newest
// checkpoint on into a state. Records that cannot be read are flaws.
func load(ctx context.Context, log queue.Log, seen Seen) (*state, error) {
	st := newState()
	last, err := log.Last(ctx)
	if err != nil && fault.KindOf(err) != fault.Missing {
		return nil, fmt.Errorf("read the journal's end: %w", err)
	}
	if err != nil {
		extent, err := log.State(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the journal's extent: %w", err)
		}
		st.whole, st.seq = true, extent.Last
		if extent.Last > 0 {
			st.tear()
		}
		return st, nil
	}
	var base uint64
	if r, err := decodeRecord(last.Data); err == nil {
		base = r.base
	}
	if err := replay(ctx, log, seen, base, st); err != nil {
		return nil, err
	}
	if !st.whole && base > 0 { // the checkpoint is damaged: there may be an older one
		st = newState()
		if err := replay(ctx, log, seen, 0, st); err != nil {
			return nil, err
		}
	}
	if !st.whole {
		return nil, fault.New(fault.Internal, "The journal has neither its beginning nor a whole checkpoint.")
	}
	return st, nil
}

// replay applies the records from base on to st, which must be new or end right
// before base. Keys are given to seen, if any, from where it needs them.
func replay(ctx context.Context, log queue.Log, seen Seen, base uint64, st *state) error {
	from, keysFrom := max(base, 1), uint64(0)
	if seen != nil {
		keysFrom = seen.Position() + 1
		from = min(from, keysFrom)
	}
	for rec, err := range log.ReadTo(ctx, from, "") {
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		r, err := decodeRecord(rec.Data)
		if err != nil {
			if reactionTo(err) != reject {
				return fmt.Errorf("journal record at %d: %w", rec.Seq, err)
			}
			if rec.Seq >= base {
				st.tear()
				st.since, st.seq = false, rec.Seq
			}
			continue
		}
		if seen != nil && rec.Seq >= keysFrom {
			if err := remember(seen, r.openings); err != nil {
				return err
			}
		}
		if rec.Seq >= base {
			st.apply(rec.Seq, &r)
		}
	}
	return nil
}

// remember gives the keys of openings to the dedupe index.
func remember(seen Seen, all []opening) error {
	for i := range all {
		o, n := &all[i], 0
		for index := range o.keyed.each {
			if _, err := seen.First(o.keys[n], dedupe.Pos{Frame: o.frame, Index: index}, o.at); err != nil {
				return fmt.Errorf("replay dedupe keys: %w", err)
			}
			n++
		}
	}
	return nil
}

// fence writes the first record under the new epoch: from then on no former
// owner can write. fault.Conflict: a later owner has written.
func (o *owner) fence(ctx context.Context) error {
	j := o.journal
	for range takeovers {
		err := j.append(ctx, &record{parked: j.st.parked, dead: j.st.dead})
		if err == nil || fault.KindOf(err) != fault.Conflict {
			return err
		}
		seen := o.cfg.Seen
		if o.cfg.planted == takeoverWithoutKeys {
			seen = nil
		}
		if err := replay(ctx, j.log, seen, j.st.seq+1, j.st); err != nil {
			return err
		}
		if j.st.epoch >= j.epoch {
			return fault.New(fault.Conflict, "A later owner has the partition.")
		}
	}
	return fault.New(fault.Unavailable, "A former owner still writes the journal.")
}

// place finds where reading begins, and that EVENTS fits the journal.
func (o *owner) place(ctx context.Context, st *state) error {
	extent, err := o.cfg.Events.State(ctx)
	if err != nil {
		return fmt.Errorf("state of EVENTS: %w", err)
	}
	o.start = st.floor()
	if extent.Last < o.start {
		// New frames would get numbers that count as settled.
		return fault.New(fault.Internal, "EVENTS ends at %d, but the journal has settled up to %d.", extent.Last, o.start)
	}
	if st.torn {
		o.start = min(o.start, st.suspect)
	} else if extent.First > o.start+1 && (extent.Records > 0 || extent.Last > o.start) {
		o.alarms.raise(alarmLost)
	}
	o.readAt.Store(o.start)
	return nil
}

// missed books the settlements that records of PARKED and DEAD prove and that
// former owners could not journal any more.
func (o *owner) missed(ctx context.Context, through delivery.Recovery) error {
	var all []delivery.Settled
	book := func() error {
		r := o.journal.compose(record{}, all, true)
		all = nil
		return o.journal.append(ctx, &r)
	}
	err := parked.Missed(ctx, o.cfg.Parked, o.cfg.Dead, through.ParkedThrough, through.DeadThrough, func(s delivery.Settled) error {
		var err error
		if n := len(all); n >= recordSettled && all[n-1].To.Seq != s.To.Seq { // those of one record together
			err = book()
		}
		all = append(all, s)
		return err
	})
	if err == nil && len(all) > 0 {
		err = book()
	}
	if err != nil {
		return fmt.Errorf("book what was settled and not journaled: %w", err)
	}
	return nil
}

// drains tells the lanes about every destination that may have parked records.
func drains(st *state) map[id.Destination]delivery.Drained {
	all := map[id.Destination]delivery.Drained{}
	for dest, d := range st.drains {
		all[dest] = delivery.Drained{Floor: d.Floor, Done: maps.Clone(d.Done)}
	}
	for _, d := range st.book.Totals() {
		if _, ok := all[d.Destination]; !ok && d.Account == ledger.Parked {
			all[d.Destination] = delivery.Drained{Done: map[delivery.Place]struct{}{}}
		}
	}
	return all
}
