// Package term is the time in which one of the processes of a plane loads its warehouses.
//
// It guarantees that what works within a term has ended when End returns without an error, and
// is told to end within a fifth of a second once the process may not load any more.
package term

import (
	"context"
	"sync"
	"time"

	"weir/shared/fault"
)

// look is how often it is looked whether the process may still load.
const look = 200 * time.Millisecond

// Term is whether this process loads, and what does. It is safe for concurrent use.
type Term struct {
	held func() bool

	mu    sync.Mutex
	on    bool
	under map[chan struct{}]context.CancelFunc // what works, each until its channel is closed
}

// New returns the terms of a process that loads between Begin and End, while held says that no
// other process does. Without held it loads always: the plane has no other process.
func New(held func() bool) *Term {
	return &Term{held: held, under: map[chan struct{}]context.CancelFunc{}}
}

// Shared reports whether the plane may have other processes.
func (t *Term) Shared() bool { return t.held != nil }

// Mine reports whether this process loads.
func (t *Term) Mine() bool {
	if t.held == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mine()
}

func (t *Term) mine() bool { return t.held == nil || t.on && t.held() }

// Begin lets this process load from now on.
func (t *Term) Begin() {
	t.mu.Lock()
	t.on = true
	t.mu.Unlock()
}

// End tells what works to end, and waits for it. An error says that ctx ended before.
func (t *Term) End(ctx context.Context) error {
	t.mu.Lock()
	t.on = false
	var under []chan struct{}
	for done, cancel := range t.under {
		if t.held != nil {
			cancel()
			under = append(under, done)
		}
	}
	t.mu.Unlock()
	for _, done := range under {
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Within does something while this process loads. fault.Unavailable: it does not, or does
// not any more.
func (t *Term) Within(ctx context.Context, do func(context.Context) error) error {
	if t.held == nil {
		return do(ctx)
	}
	elsewhere := fault.New(fault.Unavailable, "Another process of this plane loads the warehouses.")
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	t.mu.Lock()
	mine := t.mine()
	if mine {
		t.under[done] = func() { cancel(elsewhere) }
	}
	t.mu.Unlock()
	if !mine {
		return elsewhere
	}
	defer func() {
		t.mu.Lock()
		delete(t.under, done)
		t.mu.Unlock()
		close(done)
	}()
	var watching sync.WaitGroup
	ended := make(chan struct{})
	watching.Go(func() {
		tick := time.NewTicker(look)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if !t.Mine() {
					cancel(elsewhere)
					return
				}
			case <-ended:
				return
			}
		}
	})
	err := do(within)
	close(ended)
	watching.Wait()
	if err != nil && context.Cause(within) == error(elsewhere) {
		return elsewhere
	}
	return err
}
