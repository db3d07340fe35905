package httpsend

import (
	"context"
	"sync"
	"time"
)

// timed is a context with a deadline that has no timer until somebody waits for
// its end: a connection takes the deadline as it is.
type timed struct {
	context.Context // without the deadline
	at              time.Time

	once   sync.Once
	full   context.Context
	cancel context.CancelFunc
}

// WithTimeout is context.WithTimeout for a request of a Transport: on the fast path
// it needs no timer. release must be called.
func WithTimeout(ctx context.Context, d time.Duration) (_ context.Context, release func()) {
	t := &timed{Context: ctx, at: time.Now().Add(d)}
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(t.at) {
		t.at = sooner
	}
	return t, t.release
}

// context returns the same as a context of the standard library.
func (t *timed) context() context.Context {
	t.once.Do(func() { t.full, t.cancel = context.WithDeadline(t.Context, t.at) })
	return t.full
}

func (t *timed) release() {
	t.once.Do(func() { t.full, t.cancel = ended, func() {} })
	t.cancel()
}

// ended is what a timed is that was released before anybody waited.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Deadline implements context.Context.
func (t *timed) Deadline() (time.Time, bool) { return t.at, true }

// Done implements context.Context.
func (t *timed) Done() <-chan struct{} { return t.context().Done() }

// Err implements context.Context.
func (t *timed) Err() error { return t.context().Err() }
