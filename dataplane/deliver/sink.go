package deliver

import (
	"context"
	"sync"

	"weir/dataplane/destination"
	"weir/shared/fault"
)

// openSink is a lane's connection to a destination with a protocol of its own.
// It is opened at the first write and again when the target changed.
type openSink struct {
	mu     sync.RWMutex // read: a write is under way
	target *destination.Target
	sink   destination.Sink
}

// write takes the target's timeout at most. When ctx or the timeout has ended, the
// error is theirs, except for fault.Denied.
func (s *openSink) write(ctx context.Context, t *destination.Target, deps destination.Deps, b destination.Batch) ([]destination.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Limits.WithDefaults().Timeout)
	defer cancel()
	verdicts, err := s.writeTo(ctx, t, deps, b)
	if err != nil && ctx.Err() != nil && fault.KindOf(err) != fault.Denied {
		err = ctx.Err()
	}
	return verdicts, err
}

func (s *openSink) writeTo(ctx context.Context, t *destination.Target, deps destination.Deps, b destination.Batch) ([]destination.Verdict, error) {
	s.mu.RLock()
	if s.target != t {
		s.mu.RUnlock()
		if err := s.open(ctx, t, deps); err != nil {
			return nil, err
		}
		s.mu.RLock()
	}
	defer s.mu.RUnlock()
	if s.sink == nil {
		return nil, context.Canceled // closed in between
	}
	return s.sink.Write(ctx, b)
}

func (s *openSink) open(ctx context.Context, t *destination.Target, deps destination.Deps) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.target == t {
		return nil
	}
	sink, err := t.Sink(ctx, deps)
	if err != nil {
		return err
	}
	if s.sink != nil {
		_ = s.sink.Close() // it had no write under way; what it did not confirm was retried
	}
	s.target, s.sink = t, sink
	return nil
}

// close closes the connection, once nothing is written any more.
func (s *openSink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sink != nil {
		_ = s.sink.Close() // nothing waits for it
	}
	s.target, s.sink = nil, nil
}
