package parked

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/dataplane/parked/record"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// drained is how far one destination's PARKED is settled, and what is known of it.
type drained struct {
	floor    uint64   // reported to the journal
	reported []report // floors that are reported and not confirmed
	purge    uint64   // confirmed by the journal, to be purged
	purged   uint64
}

// report is how far DEAD was reported when a floor was.
type report struct{ floor, dead uint64 }

// maxReports is how many reports of a destination are remembered; forgetting one
// only puts off a sweep.
const maxReports = 64

// Resume begins with a destination of which an earlier owner settled everything up
// to and including floor. It reports whether PARKED has more of it, and the oldest
// delivery of that; a zero one when it cannot be read.
func (s *Store) Resume(ctx context.Context, dest id.Destination, floor uint64) (oldest Item, more bool, err error) {
	for rec, err := range s.cfg.Parked.ReadTo(ctx, floor+1, string(dest)) {
		if err != nil {
			return Item{}, false, fmt.Errorf("look for parked deliveries of %s: %w", dest, err)
		}
		if r, err := record.Decode(rec); err == nil && len(r.Items) > 0 {
			oldest = r.Items[0]
		}
		more = true
		break
	}
	if err := ctx.Err(); err != nil {
		return Item{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.drainedOf(dest)
	d.floor, d.purge = floor, floor
	if floor > 0 {
		s.purgeLater(dest) // the former owner may not have come to it
	}
	return oldest, more, nil
}

// drainedOf returns a destination's; the caller holds the mutex.
func (s *Store) drainedOf(dest id.Destination) *drained {
	d := s.drained[dest]
	if d == nil {
		d = &drained{}
		s.drained[dest] = d
	}
	return d
}

// Drained reports that every record of dest up to and including floor, which rises
// from call to call, is settled; the settlements were reported before. It is called
// for one floor of a destination after the other.
func (s *Store) Drained(dest id.Destination, floor uint64) {
	s.mu.Lock()
	d := s.drainedOf(dest)
	d.floor = floor
	s.note(d)
	s.mu.Unlock()
	s.cfg.Drained(dest, floor)
}

// note remembers what a report of d's floor is about; the caller holds the mutex.
func (s *Store) note(d *drained) {
	if len(d.reported) == maxReports {
		d.reported = d.reported[1:]
	}
	d.reported = append(d.reported, report{floor: d.floor, dead: s.dead.reported.Load()})
}

// ask reports a floor once more, because the answer tells that the journal has what
// DEAD proves. It returns up to where.
func (s *Store) ask(dest id.Destination) (through uint64) {
	s.asking.Lock()
	defer s.asking.Unlock()
	s.mu.Lock()
	d := s.drainedOf(dest)
	s.note(d)
	floor, through := d.floor, d.reported[len(d.reported)-1].dead
	s.mu.Unlock()
	s.cfg.Drained(dest, floor)
	return through
}

// Confirmed says that the journal holds the settlements of every PARKED record
// of dest up to floor, so that they may be purged. It does not block.
func (s *Store) Confirmed(dest id.Destination, floor uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.drainedOf(dest)
	d.purge = max(d.purge, min(floor, d.floor))
	before := s.deadThrough
	for len(d.reported) > 0 && d.reported[0].floor <= floor {
		// The journal is in the order of the reports, so it has those of DEAD too.
		s.deadThrough = max(s.deadThrough, d.reported[0].dead)
		asked := d.reported[0].floor == floor // of several with one floor, this may be about the first
		d.reported = d.reported[1:]
		if asked {
			break
		}
	}
	if s.deadThrough > before {
		close(s.rose)
		s.rose = make(chan struct{})
		s.wakePurge()
	}
	if d.purge > d.purged {
		s.purgeLater(dest)
	}
}

// purgeLater has a destination purged, and all that waits for a sweep swept; the
// caller holds the mutex.
func (s *Store) purgeLater(dest id.Destination) {
	s.purges[dest] = struct{}{}
	s.wakePurge()
}

func (s *Store) wakePurge() {
	select {
	case s.purge <- struct{}{}:
	default: // purgeAll will look
	}
}

// sweepLater has a destination's dead letters swept after the next confirmation.
func (s *Store) sweepLater(dest id.Destination) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweeps[dest] = struct{}{}
}

// sweepLetters is how many dead letters are moved before it is swept.
const sweepLetters = 5 * moveLetters

// How long a move waits for the journal before it goes on unswept, and when the journal
// is asked again for what a sweep waits for.
const (
	sweepWait = 5 * time.Second
	askAgain  = time.Minute
)

// sweepNow sweeps as soon as the journal has what is reported; who calls it holds
// moving. What fails is done later.
func (s *Store) sweepNow(ctx context.Context, dest id.Destination) {
	through := s.ask(dest)
	late := time.NewTimer(sweepWait)
	defer late.Stop()
	for {
		s.mu.Lock()
		there, rose := s.deadThrough >= through, s.rose
		s.mu.Unlock()
		if there {
			if err := s.sweepHeld(ctx, dest); err != nil && ctx.Err() == nil {
				s.cfg.Log.WarnContext(ctx, "sweep put off", "log", "DEAD", "destination", dest, "kind", fault.KindOf(err).String())
			}
			return
		}
		select {
		case <-rose:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		case <-s.ended:
			return
		}
	}
}

// purgeAll purges what was confirmed, each destination once a second at most.
func (s *Store) purgeAll(ctx context.Context) {
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.purge:
		case <-again.C:
			s.mu.Lock()
			waiting := slices.Collect(maps.Keys(s.sweeps))
			s.mu.Unlock()
			for _, dest := range waiting {
				s.ask(dest)
			}
			continue
		}
		s.mu.Lock()
		due, sweeps := s.purges, s.sweeps
		s.purges, s.sweeps = map[id.Destination]struct{}{}, map[id.Destination]struct{}{}
		s.mu.Unlock()
		for dest := range sweeps {
			if err := s.sweep(ctx, dest); err != nil && ctx.Err() == nil {
				s.cfg.Log.WarnContext(ctx, "sweep put off", "log", "DEAD", "destination", dest, "kind", fault.KindOf(err).String())
			}
		}
		for dest := range due {
			s.purgeOne(ctx, dest)
		}
		if !delay.For(ctx, time.Second) {
			return
		}
	}
}

// purgeOne purges what was confirmed of a destination.
func (s *Store) purgeOne(ctx context.Context, dest id.Destination) {
	s.mu.Lock()
	to := s.drainedOf(dest).purge
	s.mu.Unlock()
	err := s.cfg.Parked.Purge(ctx, to+1, string(dest))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "purge put off", "log", "PARKED", "destination", dest, "kind", fault.KindOf(err).String())
		s.purgeLater(dest)
		return
	}
	d := s.drainedOf(dest)
	d.purged = max(d.purged, to)
}

// sweep deletes records of DEAD from which everything is gone, and the records
// that only say so of deleted ones; but none that proves a settlement which the
// journal may not have. What has to stay for that is swept another time.
func (s *Store) sweep(ctx context.Context, dest id.Destination) error {
	if err := s.moving.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.moving.Release(1)
	return s.sweepHeld(ctx, dest)
}

// sweepHeld is sweep for who holds moving.
func (s *Store) sweepHeld(ctx context.Context, dest id.Destination) error {
	s.mu.Lock()
	through := s.deadThrough
	s.mu.Unlock()
	x, err := s.index(ctx, dest)
	if err != nil {
		s.sweepLater(dest)
		return err
	}
	left := maps.Clone(x.items)
	for p := range x.gone {
		left[p.Seq]--
	}
	var letters, marks []uint64
	for seq, n := range left {
		if n <= 0 && seq <= through {
			letters = append(letters, seq)
			delete(x.items, seq)
		} else if n <= 0 {
			s.sweepLater(dest)
		}
	}
	for seq, of := range x.marks {
		_, settles := x.settles[seq]
		if settles && seq > through {
			s.sweepLater(dest)
		} else if !slices.ContainsFunc(of, func(target uint64) bool { _, there := x.items[target]; return there }) {
			marks = append(marks, seq)
		}
	}
	for _, seqs := range [][]uint64{letters, marks} { // what says that letters left goes after them
		if len(seqs) == 0 {
			continue
		}
		if err := s.cfg.Dead.Delete(ctx, seqs...); err != nil {
			s.sweepLater(dest)
			return fmt.Errorf("delete dead letters of %s: %w", dest, err)
		}
	}
	return nil
}
