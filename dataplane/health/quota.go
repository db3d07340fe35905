package health

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/shared/id"
	"weir/shared/wire"
)

// Log is how the logs of one kind are, of all partitions.
type Log struct {
	Kind   queue.Kind
	Bytes  int64    // in the logs
	Limit  int64    // of the logs; 0: none
	Stored int64    // bytes that moved to the blob store
	Fill   float64  // of the fullest one, 1 for its limit
	Full   []string // keys that have more than their share of one, see overflow.Log.Full
}

// logFull is what a full log means: the alarm, and what a sender reads whose events
// feed it.
type logFull struct {
	code wire.Code
	text string
	// feeds reports whether the source of a row of the ledger feeds key; nil: the log
	// has no keys.
	feeds func(r *ledger.Row, key string) bool
}

var logsFull = map[queue.Kind]logFull{
	queue.Parked: {
		"parked_full", "Too many deliveries of this source wait for a destination that takes nothing; events are taken again when there is room.",
		func(r *ledger.Row, key string) bool { return string(r.Destination) == key && r.Parked > 0 },
	},
	queue.Dead: {
		"dead_full", "Too many dead letters of this source are kept for a destination; events are taken again when they are redriven or discarded.",
		func(r *ledger.Row, key string) bool { return string(r.Destination) == key && r.Dead > 0 },
	},
	queue.Quarantine: {
		"quarantine_full", "Too many events of this source are in quarantine; events are taken again when they are replayed or discarded.",
		func(r *ledger.Row, key string) bool {
			return string(r.Source) == key || isAside(r, key)
		},
	},
	queue.Stage: {
		"stage_full", "Too many events of this source wait for a warehouse that takes nothing; events are taken again when there is room.",
		func(r *ledger.Row, key string) bool { return string(r.Destination) == key && r.Routed > 0 },
	},
	queue.Journal: {code: "journal_full"},
	queue.Bad:     {code: "bad_full"},
}

// isAside reports whether events that are set aside under key are of r's workspace.
func isAside(r *ledger.Row, key string) bool {
	ws, _, ok := queue.AsideOf(key)
	return ok && ws == r.Workspace
}

// How full a log without keys is when its alarm comes, and goes.
const (
	logMost  = 0.8
	logAgain = 0.7

	// What was acknowledged may fill logs past their limits. On servers whose disks are
	// not watched it is so much of a limit at most before everybody is refused.
	overMost = 2

	quotaEvery = time.Second
)

// overText is what senders read while event servers hold too much.
const overText = "The event servers of this plane hold more than was planned for them; events are taken again when there is room."

// quota knows which logs are full, and which sources feed what fills them.
type quota struct {
	removed func(ws id.Workspace, object string) bool // see Config.Removed
	outside bool                                      // the logs are on servers whose disks are not watched

	now atomic.Pointer[fullness] // nil: nothing is full
}

// fullness is what a look found.
type fullness struct {
	refused map[feed]queue.Kind
	alarms  []wire.Alarm
	plain   map[queue.Kind]bool // logs without keys that are full
	over    bool                // event servers hold far more than was planned
}

// feed is a source.
type feed struct {
	workspace id.Workspace
	source    id.Source
}

// watch looks until ctx ends.
func (q *quota) watch(ctx context.Context, logs func(context.Context) ([]Log, error), rows func() []ledger.Row) {
	tick := time.NewTicker(quotaEvery)
	defer tick.Stop()
	for {
		if all, err := logs(ctx); err == nil { // a log that is away refuses by itself
			q.look(all, rows)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look decides anew which sources are refused: those that feed a full key.
func (q *quota) look(logs []Log, rows func() []ledger.Row) {
	had := q.now.Load()
	now := &fullness{refused: map[feed]queue.Kind{}, plain: map[queue.Kind]bool{}}
	var books []ledger.Row
	for _, l := range logs {
		full := logsFull[l.Kind]
		if full.feeds == nil {
			if l.Fill >= logMost || had != nil && had.plain[l.Kind] && l.Fill >= logAgain {
				now.plain[l.Kind] = true
				now.alarms = append(now.alarms, wire.Alarm{Code: full.code, Count: 1})
			}
			continue
		}
		if q.outside && l.Limit > 0 && l.Bytes >= overMost*l.Limit && !now.over {
			now.over = true
			now.alarms = append(now.alarms, wire.Alarm{Code: "disk_low", Count: 1})
		}
		if len(l.Full) == 0 {
			continue
		}
		if books == nil {
			books = rows()
		}
		now.keys(l, full, books, q.gone)
	}
	if len(now.alarms) == 0 {
		now = nil
	}
	q.now.Store(now)
}

// keys refuses the sources that feed the full keys of a log, and raises an alarm for
// each workspace that has some. Nobody feeds what is gone.
func (f *fullness) keys(l Log, full logFull, books []ledger.Row, gone func(ws id.Workspace, key string) bool) {
	objects := map[id.Workspace][]string{}
	keys := slices.Compact(slices.Sorted(slices.Values(l.Full))) // partitions name the same ones
	for _, key := range keys {
		var owner id.Workspace // of a key that no book knows: none
		for i := range books {
			r := &books[i]
			if string(r.Destination) == key || string(r.Source) == key || isAside(r, key) {
				owner = r.Workspace
			}
			if full.feeds(r, key) && !gone(r.Workspace, key) {
				f.refused[feed{r.Workspace, r.Source}] = l.Kind
			}
		}
		if owner == "" || !gone(owner, key) {
			objects[owner] = append(objects[owner], key)
		}
	}
	for ws, keys := range objects {
		a := wire.Alarm{Code: full.code, Workspace: ws, Count: uint64(len(keys))}
		if ws != "" {
			a.Objects = keys
		}
		f.alarms = append(f.alarms, a)
	}
	slices.SortFunc(f.alarms, func(a, b wire.Alarm) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Workspace, b.Workspace))
	})
}

// alarms are those of full logs, of what is not removed since the last look.
func (q *quota) alarms() []wire.Alarm {
	now := q.now.Load()
	if now == nil {
		return nil
	}
	var on []wire.Alarm
	for _, a := range now.alarms {
		if left, stays := a.Without(q.gone); stays {
			on = append(on, left)
		}
	}
	return on
}

// gone is removed for keys of logs: that of events which are set aside is no object.
func (q *quota) gone(ws id.Workspace, key string) bool {
	if _, _, aside := queue.AsideOf(key); aside {
		key = ""
	}
	return q.removed(ws, key)
}

// check is fault.Limited when a log is full that takes something of every event.
func (q *quota) check() error {
	now := q.now.Load()
	switch {
	case now == nil:
	case now.plain[queue.Journal]:
		return noRoom("journal_full", "The journal of this plane is almost full; events are taken again when there is room.")
	case now.over:
		return noRoom("disk_low", overText)
	}
	return nil
}

// before makes append refuse the events of the sources that feed what is full:
// fault.Limited with the log's code. All of events are of one source.
func (q *quota) before(append func(context.Context, []event.Event) error) func(context.Context, []event.Event) error {
	return func(ctx context.Context, events []event.Event) error {
		if now := q.now.Load(); now != nil && len(events) > 0 {
			if now.over {
				return noRoom("disk_low", overText)
			}
			if k, refused := now.refused[feed{events[0].Workspace, events[0].Source}]; refused {
				return noRoom(string(logsFull[k].code), logsFull[k].text)
			}
		}
		return append(ctx, events)
	}
}
