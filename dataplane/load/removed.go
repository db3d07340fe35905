package load

import (
	"context"

	"weir/dataplane/blob"
	"weir/dataplane/load/discard"
	"weir/shared/id"
)

// sweeper discards what lies here for removed destinations.
func (e *Engine) sweeper() *discard.Sweeper {
	s := &discard.Sweeper{Dir: e.c.Dir, Blobs: e.c.Blobs, Prefix: prefix, Removed: e.c.Removed, Refused: e.c.Refused, Log: e.c.Log, Wanted: e.wanted, Hold: e.hold}
	for _, l := range e.c.Stages {
		s.Logs = append(s.Logs, l)
	}
	return s
}

// wanted returns the destinations that have a job.
func (e *Engine) wanted() map[id.Destination]bool {
	wanted := map[id.Destination]bool{}
	for _, j := range e.c.Jobs() {
		wanted[j.Destination] = true
	}
	return wanted
}

func (e *Engine) hold(d id.Destination) (release func(passed []uint64), ok bool) {
	l := e.loaderOf(d)
	if !l.work.TryLock() {
		return nil, false
	}
	return func(passed []uint64) {
		defer l.work.Unlock()
		if passed == nil {
			return
		}
		e.staged.Pass(context.Background(), d, passed)
		e.mu.Lock()
		delete(e.loaders, d)
		e.mu.Unlock()
	}, true
}

// prefix is that of the staged files of a destination.
func prefix(d id.Destination) blob.Ref { return blob.Ref("stage/" + string(d)) }

// Discarded returns how many events that waited for a load were discarded, their
// warehouse removed, since the engine began.
func (e *Engine) Discarded() int64 { return e.discards.Discarded() }
