package pipeline_test

import (
	"context"
	"time"

	"weir/dataplane/dedupe"
	"weir/shared/fault"
)

// seen is a dedupe index that forgets, in a crash, what it did not snapshot.
type seen struct {
	pr       *process
	position uint64
}

func (s *seen) First(_ dedupe.Owner, k dedupe.Key, pos dedupe.Pos, _ time.Time) (bool, error) {
	s.pr.mu.Lock()
	defer s.pr.mu.Unlock()
	if had, ok := s.pr.keys[k]; ok {
		return had == pos, nil
	}
	s.pr.keys[k] = pos
	return true, nil
}

func (s *seen) Snapshot(_ context.Context, seq uint64) error {
	w := s.pr.w
	if dead, _ := s.pr.is(); dead {
		return fault.New(fault.Unavailable, "the process is dead")
	}
	s.pr.mu.Lock()
	defer s.pr.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.forgets {
		return nil
	}
	if w.dice.IntN(100) < w.unkept {
		return fault.New(fault.Unavailable, "the disk of the index is full")
	}
	if seq > w.position { // a stale owner has a disk of its own
		w.position = seq
		w.snapshot = map[dedupe.Key]dedupe.Pos{}
		for k, v := range s.pr.keys {
			w.snapshot[k] = v
		}
	}
	s.position = seq
	return nil
}

func (s *seen) Position() uint64 {
	s.pr.mu.Lock()
	defer s.pr.mu.Unlock()
	return s.position
}

func (s *seen) State() dedupe.State { return dedupe.State{} }

func (s *seen) Jumped() bool { return s.pr.w.jumped.Load() }
