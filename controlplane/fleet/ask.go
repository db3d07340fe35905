package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
)

// answering is how long a plane may take to answer an ask: two beats and a bit, since
// planes of older versions do not know asks and go on beating.
const answering = 21 * time.Second

// waiter waits for a beat that was made after its ask.
type waiter struct {
	ask    uint64
	after  time.Time   // the newest beat that came before, in microseconds as the store keeps it
	beats  int         // that came since
	parts  []wire.Beat // of processes of which each knows a part, that answer the ask
	answer chan []wire.Count
}

// Counts asks a plane for its counts of now. A plane that never sent a beat has none.
//
// fault.Unavailable: the plane was silent for 45 seconds, or does not answer within 21
// seconds; or the hub or the store is away.
func (s *Service) Counts(ctx context.Context, pl id.Plane) ([]wire.Count, error) {
	p, err := s.cfg.Store.Plane(ctx, pl)
	if err != nil {
		return nil, fmt.Errorf("ask plane %s for its counts: %w", pl, err)
	}
	if p.LastBeat.IsZero() {
		return nil, nil
	}
	if quiet := s.cfg.Now().Sub(p.LastBeat); quiet.Abs() >= silence {
		return nil, fault.New(fault.Unavailable, "Plane %s was not heard for %s.", p.Name, quiet.Round(time.Second))
	}
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	w := s.expect(pl, p.LastBeat)
	defer s.forget(pl, w)
	if err := s.cfg.Ask(ctx, Recipient(p).Account, pl, w.ask); err != nil {
		return nil, fmt.Errorf("ask plane %s for its counts: %w", pl, err)
	}
	select {
	case counts := <-w.answer:
		return counts, nil
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "Plane %s does not answer.", p.Name)
	}
}

// expect begins to wait for beats of a plane. Later asks have higher numbers, also after
// a restart.
func (s *Service) expect(pl id.Plane, after time.Time) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks = max(s.asks+1, uint64(time.Now().UnixNano()))
	w := &waiter{ask: s.asks, after: after, answer: make(chan []wire.Count, 1)}
	s.waiting[pl] = append(s.waiting[pl], w)
	return w
}

// forget takes w from those that wait.
func (s *Service) forget(pl id.Plane, w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[pl] = slices.DeleteFunc(s.waiting[pl], func(other *waiter) bool { return other == w })
	if len(s.waiting[pl]) == 0 {
		delete(s.waiting, pl)
	}
}

// answered hands the counts of a beat to those whose ask came before it was made: it
// names their ask or a later one, or it is the second one since, and a plane makes a
// beat when it has sent the former. Counts that lack something are no answer, unless
// those of other processes of the plane have it.
func (s *Service) answered(b wire.Beat) {
	if b.Partial && b.Process == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	named := slices.IndexFunc(s.waiting[b.Plane], func(w *waiter) bool { return w.ask == b.Asked })
	for i, w := range s.waiting[b.Plane] {
		if at := b.At.Truncate(time.Microsecond); at.After(w.after) {
			w.after = at
			w.beats++
		}
		if i > named && (w.beats < 2 || b.Counts == nil || b.Partial) {
			continue
		}
		counts, whole := b.Counts, true
		if b.Partial {
			counts, whole = w.merge(b)
		}
		if !whole {
			continue
		}
		select {
		case w.answer <- counts:
		default: // it has one
		}
	}
}

// merge adds the counts of a part of a plane to those of the others. A beat takes the
// place of older ones of the same process or about the same partitions: of one that
// moved, its new process says it all. whole: the parts are the plane's.
func (w *waiter) merge(b wire.Beat) (counts []wire.Count, whole bool) {
	w.parts = slices.DeleteFunc(w.parts, func(old wire.Beat) bool {
		return old.Process == b.Process || old.Of != b.Of ||
			slices.ContainsFunc(old.Partitions, func(n int) bool { return slices.Contains(b.Partitions, n) })
	})
	w.parts = append(w.parts, b)
	known := 0
	for _, p := range w.parts {
		known += len(p.Partitions)
		counts = append(counts, p.Counts...)
	}
	return counts, known == b.Of
}
