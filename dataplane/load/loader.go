package load

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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

// Load is one load as people see it. Detail may quote values: it stays local.
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

// TableLoad is one table of a load.
type TableLoad struct {
	Name string `json:"name"`
	// Event is the event's name where that does not go into a table's name whole.
	Event string `json:"event,omitempty"`
	Rows  int64  `json:"rows"`
	State State  `json:"state"`
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
	// names are the tables that rows staged under a name of their event go into; work
	// guards them.
	names map[string]string
	cuts  int // steps that were cut since the last load that succeeded; work guards it

	merged atomic.Int64 // rows of all loads that were closed

	mu    sync.Mutex
	loads []Load // newest last
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
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
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
func (l *loader) begin(m *manifest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.loads); n > 0 && l.loads[n-1].ID == m.ID {
		x := &l.loads[n-1]
		x.Attempt, x.State, x.Next = x.Attempt+1, Staging, time.Time{}
		return
	}
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
