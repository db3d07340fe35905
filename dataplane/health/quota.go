package health

import (
	"context"
	"sync/atomic"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/shared/id"
)

// How full the logs of parked deliveries may be, of their limits. Past parkedMost
// the sources that feed them are refused, so that nobody else has to wait for
// room; below parkedAgain they are taken again.
const (
	parkedMost  = 0.8
	parkedAgain = 0.7
	quotaEvery  = time.Second
)

// quota knows which sources feed destinations that take nothing, while too many
// deliveries wait.
type quota struct {
	refused atomic.Pointer[map[feed]struct{}] // nil: none
}

// feed is a source.
type feed struct {
	workspace id.Workspace
	source    id.Source
}

// watch looks until ctx ends: fill says how full the fullest log is, rows returns
// the ledger.
func (q *quota) watch(ctx context.Context, fill func(context.Context) (float64, error), rows func() []ledger.Row) {
	tick := time.NewTicker(quotaEvery)
	defer tick.Stop()
	for {
		if full, err := fill(ctx); err == nil { // a log that is away refuses by itself
			q.look(full, rows)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look decides anew which sources are refused: those with parked deliveries.
func (q *quota) look(full float64, rows func() []ledger.Row) {
	had := q.refused.Load()
	if full < parkedAgain || had == nil && full < parkedMost {
		q.refused.Store(nil)
		return
	}
	feeds := map[feed]struct{}{}
	for _, r := range rows() {
		if r.Destination != "" && r.Parked > 0 {
			feeds[feed{r.Workspace, r.Source}] = struct{}{}
		}
	}
	q.refused.Store(&feeds)
}

// refusing reports whether any source is refused.
func (q *quota) refusing() bool { return q.refused.Load() != nil }

// before makes append refuse the events of those sources: fault.Limited with
// code parked_full. All of events are of one source.
func (q *quota) before(append func(context.Context, []event.Event) error) func(context.Context, []event.Event) error {
	return func(ctx context.Context, events []event.Event) error {
		if feeds := q.refused.Load(); feeds != nil && len(events) > 0 {
			if _, full := (*feeds)[feed{events[0].Workspace, events[0].Source}]; full {
				return noRoom("parked_full", "Too many deliveries of this source wait for a destination that takes nothing; events are taken again when there is room.")
			}
		}
		return append(ctx, events)
	}
}
