// Package budget bounds the frames that a partition's loop has read and that are not
// settled, by their number and by their memory.
package budget

import (
	"context"
	"sync"
)

// Budget is safe for concurrent use. One goroutine at a time may wait.
type Budget struct {
	frames int
	bytes  int64

	mu   sync.Mutex
	open map[uint64]int64
	used int64
	free chan struct{} // something was released
}

// New returns a budget of so many frames and bytes.
func New(frames int, bytes int64) *Budget {
	return &Budget{frames: frames, bytes: bytes, open: map[uint64]int64{}, free: make(chan struct{}, 1)}
}

// Wait returns when another frame may be read. It always comes to that: what
// lanes cannot deliver they park.
func (b *Budget) Wait(ctx context.Context) error {
	for {
		b.mu.Lock()
		room := len(b.open) < b.frames && b.used < b.bytes
		b.mu.Unlock()
		if room {
			return nil
		}
		select {
		case <-b.free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Add takes bytes for a frame.
func (b *Budget) Add(frame uint64, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[frame] = bytes
	b.used += bytes
}

// Release gives back what frames took.
func (b *Budget) Release(frames []uint64) {
	b.mu.Lock()
	for _, f := range frames {
		b.used -= b.open[f]
		delete(b.open, f)
	}
	b.mu.Unlock()
	select {
	case b.free <- struct{}{}:
	default:
	}
}
