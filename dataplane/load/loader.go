package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/load/disk"
	"weir/dataplane/load/drift"
	"weir/dataplane/load/history"
	"weir/dataplane/load/pace"
	"weir/dataplane/load/reading"
	"weir/dataplane/warehouse"
	"weir/shared/id"
)

// loader loads one destination.
type loader struct {
	e    *Engine
	dest id.Destination
	job  atomic.Pointer[Job]
	work sync.Mutex // one load at a time

	// Of the load under way; work guards them.
	pace pace.Pace
	// names are the tables that rows staged under a name of their event go into, of all
	// loads.
	names map[string]string
	told  map[int64]bool // events that are kept as refused, by their numbers
	index reading.Index  // where its events lie; nil: nobody asked
	of    string         // the ID of its manifest
	idles bool           // another process loads, and nothing of a load lies here

	merged  atomic.Int64 // rows of all loads that were closed
	history *history.History

	wake chan struct{} // has a token when it is to be loaded without delay

	refusing history.Refusing
	tables   *drift.Tables

	mu   sync.Mutex
	next time.Time // when it is loaded next; zero: it is being loaded, or is not at all
}

// run loads every SyncEvery, at once while there is more, later after failures and before WakeEvery.
func (l *loader) run(ctx context.Context) {
	failures, wait := 0, time.Duration(0)
	if tried, every := l.history.Tried(), l.job.Load().WakeEvery; every > 0 && !tried.IsZero() { // in a former life of the process
		l.rest(ctx, min(tried.Add(every).Sub(l.e.c.Now()), every))
	}
	for ctx.Err() == nil {
		if !l.e.term.Mine() {
			if err := l.idle(ctx); err != nil && ctx.Err() == nil {
				l.e.c.Log.Warn("What another process loads is not followed.", "destination", string(l.dest), "error", err)
			}
			failures = 0
			l.rest(ctx, idleEvery)
			continue
		}
		began := l.e.c.Now()
		paused, err := l.folder().Paused()
		if err == nil && !paused.At.IsZero() {
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
			continue
		}
		more := false
		if err == nil {
			more, err = l.inTurn(ctx, failures > 0)
		}
		switch {
		case err != nil && !l.e.term.Mine():
			wait = 0
		case err != nil && ctx.Err() == nil:
			failures++
			wait = max(pace.Backoff(failures), l.job.Load().WakeEvery-l.e.c.Now().Sub(began))
			l.history.Change(func(x *history.Load) { x.Next = l.e.c.Now().Add(wait) })
			l.e.c.Log.Warn("A warehouse load failed.", "destination", string(l.dest), "code", warehouse.CodeOf(err), "attempt", failures)
		case more:
			wait, failures = 0, 0
		default: // a load that took long is followed at once
			wait, failures = max(l.job.Load().SyncEvery, l.job.Load().WakeEvery)-l.e.c.Now().Sub(began), 0
		}
		l.rest(ctx, wait)
	}
}

// rest waits until it is time for the next load, or somebody wants one.
func (l *loader) rest(ctx context.Context, wait time.Duration) {
	set := func(at time.Time) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.wake) == 0 {
			l.next = at
		}
	}
	if wait > 0 {
		set(l.e.c.Now().Add(wait))
	}
	defer set(time.Time{})
	select {
	case <-time.After(wait):
	case <-l.wake:
	case <-ctx.Done():
	}
}

// inTurn is loadOnce when it is this loader's turn. One that failed takes no slot of
// others.
func (l *loader) inTurn(ctx context.Context, failed bool) (more bool, err error) {
	slot := l.e.slots.Acquire
	if failed {
		slot = l.e.slots.AcquireAside
	}
	release, err := slot(ctx, l.job.Load().Workspace)
	if err != nil {
		return false, err
	}
	defer release()
	_, more, err = l.loadOnce(ctx)
	return more, err
}

// begin shows a load, or counts a further attempt of it.
func (l *loader) begin(m *disk.Manifest) {
	l.idles = false
	if l.of != m.ID {
		l.of, l.told, l.index = m.ID, map[int64]bool{}, nil
	}
	l.history.Begin(m.ID, m.At, l.e.c.Now().UTC())
	if l.job.Load().WakeEvery > 0 { // also when the process dies in it
		l.remember(nil)
	}
}

// remember keeps what people see of loads and of tables. A load does not depend on it.
func (l *loader) remember(err error) {
	if err := errors.Join(err, l.history.Save(), l.tables.End()); err != nil {
		l.e.c.Log.Warn("The history of a warehouse's loads could not be kept.", "destination", string(l.dest), "error", err)
	}
}
