package load

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	State State  `json:"state"`
}

// keptLoads is how many loads of a destination are remembered.
const keptLoads = 50

// Times of a lane.
const (
	firstWait = time.Second
	lastWait  = 5 * time.Minute
	loadTime  = 30 * time.Minute // deadline of one load
)

// lane loads one destination.
type lane struct {
	e    *Engine
	dest id.Destination
	job  atomic.Pointer[Job]
	work sync.Mutex // one load at a time

	merged atomic.Int64 // rows of all loads that were closed

	mu    sync.Mutex
	loads []Load // newest last
}

// run loads every SyncEvery, at once while there is more, later after failures.
func (l *lane) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		wait := l.job.Load().SyncEvery
		turns := l.e.slots
		if failures > 0 {
			turns = l.e.trials
		}
		more, err := l.fair(ctx, turns)
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			wait = backoff(failures)
			l.change(func(x *Load) { x.Next = l.e.c.Now().Add(wait) })
			l.e.c.Log.Warn("A warehouse load failed.", "destination", string(l.dest), "code", CodeOf(err), "attempt", failures)
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

// fair is once when it is this lane's turn.
func (l *lane) fair(ctx context.Context, turns chan struct{}) (bool, error) {
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
		_, more, err := l.once(ctx)
		return more, err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func backoff(failures int) time.Duration {
	most := min(firstWait<<min(failures, 10), lastWait)
	return most/2 + rand.N(most/2)
}

// begin shows a load, or counts a further attempt of it.
func (l *lane) begin(m *manifest) {
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
func (l *lane) change(do func(*Load)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.loads); n > 0 {
		do(&l.loads[n-1])
	}
}

func (l *lane) list() []Load {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.loads)
	for i := range out {
		out[i].Tables = slices.Clone(out[i].Tables)
	}
	slices.Reverse(out)
	return out
}
