package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/load/disk"
	"weir/dataplane/load/pace"
	"weir/dataplane/load/reading"
	"weir/dataplane/warehouse"
	"weir/shared/id"
)

// State says where a load is.
type State string

// States of a load and of its tables.
const (
	Staging State = "staging"
	Merging State = "merging"
	Done    State = "done"
	Failing State = "failing"
)

// Load is one load as people see it. Code and Detail say why it failed, and of one
// that is done, which table refused rows. Detail may quote values: it stays local.
type Load struct {
	ID      string         `json:"id"`
	At      time.Time      `json:"at"`
	State   State          `json:"state"`
	Rows    int64          `json:"rows"`
	Tables  []TableLoad    `json:"tables"`
	Refused map[string]int `json:"refused,omitempty"` // events without rows, by code
	Attempt int            `json:"attempt"`
	Next    time.Time      `json:"next,omitzero"`
	Code    string         `json:"code,omitempty"`
	Detail  string         `json:"detail,omitempty"`
}

// refused lets a load that is done say what its tables refused, and returns how many
// rows.
func (x *Load) refused() (rows int64) {
	var tables []string
	for _, t := range x.Tables {
		if t.Refused > 0 {
			rows += t.Refused
			tables = append(tables, fmt.Sprintf("table %s refused %d of %d rows: %s", t.Name, t.Refused, t.Rows, t.Detail))
		}
	}
	if rows > 0 {
		x.Code, x.Detail = tableRefused, strings.Join(tables, "; ")
	}
	return rows
}

// TableLoad is one table of a load.
type TableLoad struct {
	Name string `json:"name"`
	// Event is the event's name where that does not go into a table's name whole.
	Event   string `json:"event,omitempty"`
	Rows    int64  `json:"rows"`
	State   State  `json:"state"`
	Refused int64  `json:"refused,omitempty"` // rows that the table does not take
	Code    string `json:"code,omitempty"`    // why it waits or refuses
	Detail  string `json:"detail,omitempty"`  // what the warehouse says
}

// keptLoads is how many loads of a destination are remembered.
const keptLoads = 50

// Times of a loader.
const (
	firstWait = time.Second
	lastWait  = 5 * time.Minute
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

	merged atomic.Int64 // rows of all loads that were closed

	wake chan struct{} // has a token when it is to be loaded without delay

	mu       sync.Mutex
	next     time.Time      // when it is loaded next; zero: it is being loaded, or is not at all
	loads    []Load         // newest last
	refusing map[string]int // tables that refuse rows, see refuses
}

// run loads every SyncEvery, at once while there is more, later after failures.
func (l *loader) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		wait := l.job.Load().SyncEvery
		more, err := l.inTurn(ctx, failures > 0)
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			wait = backoff(failures)
			l.change(func(x *Load) { x.Next = l.e.c.Now().Add(wait) })
			l.e.c.Log.Warn("A warehouse load failed.", "destination", string(l.dest), "code", warehouse.CodeOf(err), "attempt", failures)
		case more:
			wait, failures = 0, 0
		default:
			failures = 0
		}
		l.rest(ctx, wait)
	}
}

// rest waits until it is time for the next load, or somebody wants one.
func (l *loader) rest(ctx context.Context, wait time.Duration) {
	set := func(at time.Time) {
		l.mu.Lock()
		l.next = at
		l.mu.Unlock()
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

func backoff(failures int) time.Duration {
	most := min(firstWait<<min(failures, 10), lastWait)
	return most/2 + rand.N(most/2)
}

// begin shows a load, or counts a further attempt of it.
func (l *loader) begin(m *disk.Manifest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.loads); n > 0 && l.loads[n-1].ID == m.ID {
		x := &l.loads[n-1]
		x.Attempt, x.State, x.Next = x.Attempt+1, Staging, time.Time{}
		return
	}
	l.told, l.index = map[int64]bool{}, nil
	l.loads = append(l.loads, Load{ID: m.ID, At: m.At, State: Staging, Attempt: 1})
	if len(l.loads) > keptLoads {
		l.loads = slices.Delete(l.loads, 0, 1)
	}
}

// change alters the newest load.
func (l *loader) change(do func(*Load)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.loads); n > 0 {
		do(&l.loads[n-1])
	}
}

// table alters a table of the newest load.
func (l *loader) table(i int, do func(*TableLoad)) {
	l.change(func(x *Load) { do(&x.Tables[i]) })
}

// tableName is the name under which a table of the newest load is shown.
func (l *loader) tableName(i int) (name string) {
	l.table(i, func(x *TableLoad) { name = x.Name })
	return name
}

func (l *loader) list() []Load {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.loads)
	for i := range out {
		out[i].Tables = slices.Clone(out[i].Tables)
	}
	slices.Reverse(out)
	return out
}
