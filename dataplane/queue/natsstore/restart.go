package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore/embedded"
	"weir/dataplane/queue/natsstore/quota"
	"weir/dataplane/queue/natsstore/refusal"
	"weir/shared/fault"
)

// Times of restarts.
const (
	firstPause  = 500 * time.Millisecond // between two restarts; doubled while they do not help
	lastPause   = 30 * time.Second
	helpedAfter = time.Minute      // without another error
	silence     = 15 * time.Second // of appends without an answer, and without a reported error
)

// roomToStart is how many bytes have to be free before the process is replaced:
// one that starts on a full disk ends at once.
const roomToStart = 64 << 20

// writable returns the context that ends, with the cause, when the embedded
// server can no longer write; a restart of the server brings another one.
func (s *Store) writable() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.canWrite
}

// fail notes that the embedded server reported a write that did not reach the
// disk. Its stream takes nothing more until the server is restarted, and never
// answers, so everything under way ends here.
func (s *Store) fail(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopWrites(fault.New(fault.Unavailable, "The event log cannot write to its disk: %v.", cause))
}

// unanswered notes an append without an answer.
func (s *Store) unanswered(now time.Time) {
	s.stalled.Store(now.UnixNano())
	s.silentSince.CompareAndSwap(0, now.UnixNano())
}

// answered notes that the server took an append.
func (s *Store) answered() {
	if s.stalled.Load() != 0 {
		s.stalled.Store(0)
		s.silentSince.Store(0)
	}
}

// keepWriting restarts the embedded server when it cannot write any more, until the
// store is closed. What was acknowledged is on the disk; who waited heard an
// error, and tries again. While the disk stays full the restarts become rare.
func (s *Store) keepWriting() {
	pause := firstPause
	for {
		begun := time.Now()
		if !s.broken() {
			return
		}
		if time.Since(begun) > helpedAfter {
			pause = firstPause
		}
		s.log.Error("event server restarts after a write error", "error", context.Cause(s.writable()), "pause", pause)
		if !s.embed.Stop() {
			s.replace()
			return
		}
		for {
			if !s.pause(pause) {
				return
			}
			pause = min(2*pause, lastPause)
			err := s.embed.Restart()
			if err == nil {
				break
			}
			s.log.Error("event server does not start", "error", err, "pause", pause)
		}
		s.stalled.Store(0)
		s.silentSince.Store(0)
		s.mu.Lock()
		s.canWrite, s.stopWrites = context.WithCancelCause(s.open)
		s.mu.Unlock()
		s.log.Info("event server runs again")
	}
}

// broken waits until the server cannot write; false: the store is closed.
func (s *Store) broken() bool {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	writable := s.writable()
	for {
		select {
		case <-writable.Done():
			return s.open.Err() == nil
		case now := <-tick.C:
			if since := s.silentSince.Load(); since != 0 && now.Sub(time.Unix(0, since)) > silence {
				s.fail(fault.New(fault.Unavailable, "it has not answered for %v", silence))
			}
		}
	}
}

// replace gives up a server that cannot be stopped: a second one beside it would
// write to the same files. Nothing is taken until the process is another one.
func (s *Store) replace() {
	for pause := time.Second; ; {
		if free, err := embedded.Free(s.cfg.Dir); err == nil && free >= roomToStart {
			break
		}
		if !s.pause(pause) {
			return
		}
	}
	if s.cfg.Replace == nil {
		s.log.Error("event server cannot be restarted: restart the process")
		return
	}
	s.log.Error("event server cannot be restarted: the process starts anew")
	s.cfg.Replace()
}

// growEvery is how often it is looked whether the disk has more room for the logs.
const growEvery = time.Minute

// grow raises the limits of the logs with the room that the disk gets, until the store
// is closed.
func (s *Store) grow() {
	for s.pause(growEvery) {
		if err := errors.Join(s.embed.Measure(), s.raise(s.embed.Room())); err != nil && s.open.Err() == nil {
			s.log.Warn("limits of the logs are not looked at", "error", err)
		}
	}
}

// raise raises the limits of logs that may hold total together; none falls.
func (s *Store) raise(total int64) error {
	limits := quota.Of(total, s.slots.Partitions, false)
	for k, logs := range s.logs {
		for _, l := range logs {
			if limits[k] <= l.limit.Load() {
				continue
			}
			ctx, cancel := s.call(s.open, s.open)
			cfg := l.js.CachedInfo().Config
			cfg.MaxBytes = quota.Wall(queue.Kind(k), limits[k])
			_, err := s.js.UpdateStream(ctx, cfg)
			cancel()
			if err != nil {
				return fmt.Errorf("raise the limit of %s: %w", l.name, refusal.Of(err))
			}
			l.limit.Store(limits[k])
		}
	}
	return nil
}

// pause waits for d; false: the store is closed.
func (s *Store) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.open.Done():
		return false
	}
}
