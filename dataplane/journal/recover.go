package journal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/journal/record"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// takeovers is how often a former owner may be faster while the journal is
// taken over.
const takeovers = 100

// coverTimeout is how long a start and a full log wait for the index's disk.
const coverTimeout = 5 * time.Second

// Recover reads what former owners left and takes their place: after it none of
// them can write. It gives the index the keys that it misses. Start and takeover
// are the same.
//
// fault.Conflict: a later owner has the partition. fault.Unavailable: the log is
// unreachable, or the journal is of a newer version. fault.Internal: the journal
// has neither its beginning nor a whole checkpoint.
func Recover(ctx context.Context, cfg Config) (*Journal, error) {
	st, err := load(ctx, cfg.Log, cfg.Index)
	if err != nil {
		return nil, err
	}
	j := &Journal{cfg: cfg, st: st, wake: make(chan struct{}, 1)}
	j.room = sync.NewCond(&j.mu)
	j.cover(ctx)
	if err := j.fence(ctx); err != nil {
		return nil, err
	}
	j.resumed = st.readThrough
	return j, nil
}

// Start returns the frame after which reading begins: the floor, or, after a gap
// in the journal, the last frame that was certainly opened before it.
func (j *Journal) Start() (frame uint64, gap bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.st.gap {
		return min(j.st.floor(), j.st.suspect), true
	}
	return j.st.floor(), false
}

// Through returns the newest records of PARKED and DEAD whose settlements are
// journaled.
func (j *Journal) Through() (parked, dead uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.parked, j.st.dead
}

// Drained returns what is settled in PARKED, of every destination that may have
// records there.
func (j *Journal) Drained() map[id.Destination]delivery.Drained {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.drainedPlaces()
}

// Missed journals the settlements that records of PARKED and DEAD prove and that
// former owners could not journal any more. scan calls each for every settlement
// behind the records of PARKED and DEAD with these numbers, those of one record
// one after another. It comes before Run.
func (j *Journal) Missed(ctx context.Context, scan func(parked, dead uint64, each func(delivery.Settled) error) error) error {
	var all []delivery.Settled
	write := func() error {
		var r record.Record
		j.compose(&r, all, true)
		all = nil
		return j.append(ctx, &r)
	}
	err := scan(j.st.parked, j.st.dead, func(s delivery.Settled) error {
		var err error
		if n := len(all); n >= recordSettled && all[n-1].To.Seq != s.To.Seq { // those of one record together
			err = write()
		}
		all = append(all, s)
		return err
	})
	if err == nil && len(all) > 0 {
		err = write()
	}
	if err != nil {
		return fmt.Errorf("journal what was settled before: %w", err)
	}
	return nil
}

// cover lets the index have on its disk the keys of the log, all of which it was
// given, so that a full log can be trimmed. What hinders it, such as a full disk,
// must not hinder a start. The writer alone calls it.
func (j *Journal) cover(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, coverTimeout)
	defer cancel()
	if j.cfg.Keep == 0 && j.st.keyed > j.cfg.Index.Position() {
		_ = j.cfg.Index.Snapshot(ctx, j.st.seq)
	}
}

// load reads the journal: its keys into index, and the rest from the newest
// checkpoint on into a state. Records that cannot be read are flaws.
func load(ctx context.Context, log queue.Log, index Index) (*state, error) {
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
		st.empty(extent.Last)
		return st, nil
	}
	var base uint64
	if r, err := record.Decode(last.Data); err == nil {
		base = r.Base
	}
	if err := replay(ctx, log, index, base, st); err != nil {
		return nil, err
	}
	if !st.whole && base > 0 { // the checkpoint is damaged: there may be an older one
		st = newState()
		if err := replay(ctx, log, index, 0, st); err != nil {
			return nil, err
		}
	}
	st.keyed = st.seq // those before base are not known
	if err := st.findFormer(ctx, log); err != nil {
		return nil, err
	}
	if !st.whole {
		return nil, fault.New(fault.Internal, "The journal has neither its beginning nor a whole checkpoint.")
	}
	return st, nil
}

// findFormer looks for the checkpoint before the newest: the record before that
// one says where it is.
func (s *state) findFormer(ctx context.Context, log queue.Log) error {
	if s.base <= 1 || s.former > 0 {
		return nil
	}
	for rec, err := range log.ReadTo(ctx, s.base-1, "") {
		if err != nil {
			return fmt.Errorf("read the journal before its checkpoint: %w", err)
		}
		if r, err := record.Decode(rec.Data); err == nil && rec.Seq == s.base-1 {
			s.former = r.Base
		}
		break
	}
	return nil
}

// replay applies the records from base on to st, which must be new or end right
// before base. Keys are given to index, if any, from where it needs them.
func replay(ctx context.Context, log queue.Log, index Index, base uint64, st *state) error {
	from, keysFrom := max(base, 1), uint64(0)
	if index != nil {
		keysFrom = index.Position() + 1
		from = min(from, keysFrom)
	}
	for rec, err := range log.ReadTo(ctx, from, "") {
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		r, err := record.Decode(rec.Data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				return fmt.Errorf("journal record at %d: %w", rec.Seq, err)
			}
			if rec.Seq >= base {
				st.skip(rec.Seq)
			}
			continue
		}
		if index != nil && rec.Seq >= keysFrom {
			if err := remember(index, r.Openings); err != nil {
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
func remember(index Index, all []record.Opening) error {
	for i := range all {
		o := &all[i]
		var owners []dedupe.Owner
		for n, key := range o.Keys {
			if owners == nil {
				owners = o.Owners()
			}
			if _, err := index.First(owners[n], key, dedupe.Pos{Frame: o.Frame, Index: n}, o.At); err != nil {
				return fmt.Errorf("replay dedupe keys: %w", err)
			}
		}
	}
	return nil
}

// fence writes the first record under the new epoch: from then on no former
// owner can write. fault.Conflict: a later owner has written.
func (j *Journal) fence(ctx context.Context) error {
	for range takeovers {
		err := j.append(ctx, &record.Record{Parked: j.st.parked, Dead: j.st.dead})
		if err == nil || fault.KindOf(err) != fault.Conflict {
			return err
		}
		if err := replay(ctx, j.cfg.Log, j.cfg.Index, j.st.seq+1, j.st); err != nil {
			return err
		}
		if j.st.epoch >= j.cfg.Epoch {
			return fault.New(fault.Conflict, "A later owner has the partition.")
		}
	}
	return fault.New(fault.Unavailable, "A former owner still writes the journal.")
}
