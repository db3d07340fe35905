// Package workers starts goroutines for an owner that waits for all of them.
package workers

import (
	"context"
	"sync"
)

// Workers starts goroutines between Open and Close. It is safe for concurrent use.
type Workers struct {
	mu  sync.Mutex
	wg  sync.WaitGroup
	ctx context.Context // nil when closed; the owner's, for those it waits for
}

// Open lets goroutines start, with ctx.
func (w *Workers) Open(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx = ctx
}

// Spawn runs fn in a goroutine, unless it is not open.
func (w *Workers) Spawn(fn func(context.Context)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil {
		return false
	}
	ctx := w.ctx
	w.wg.Go(func() { fn(ctx) })
	return true
}

// Close starts no more, and waits for all.
func (w *Workers) Close() {
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
	w.wg.Wait()
}
