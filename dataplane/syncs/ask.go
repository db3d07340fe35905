package syncs

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"weir/dataplane/syncs/books"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/id"
)

// Status is how a sync is.
type Status struct {
	Task   Task
	State  string // disabled, paused, pending, running, healthy, warning, held or failed
	Run    books.Run
	Next   time.Time // when the next run begins by time; zero: none does
	Paused bool
	Detail string // what the warehouse says against the model, when the run was in this process
}

// Syncs lists the syncs of a workspace by name. fault.Unavailable: their states are not
// known yet.
func (e *Engine) Syncs(ws id.Workspace) ([]Status, error) {
	all := []Status{}
	for _, t := range e.cfg.Tasks() {
		if t.Workspace != ws {
			continue
		}
		s, known := e.states.of(ws, t.Sync.ID)
		if !known {
			return nil, fault.New(fault.Unavailable, "The plane has not read the states of its syncs yet.")
		}
		one := Status{Task: t, State: stateOf(t, s), Run: s.Run, Paused: s.Paused}
		if s.Run.State == Failed {
			e.mu.Lock()
			one.Detail = e.detail[keyOf(ws, t.Sync.ID)]
			e.mu.Unlock()
		}
		if !t.Sync.Disabled && !s.Paused && !running(s.Run.State) {
			one.Next = t.Sync.Schedule.Next(s.Began, time.Now())
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Task.Sync.Name, b.Task.Sync.Name) })
	return all, nil
}

// Troubled lists the syncs, of all workspaces, whose last run is held or failed.
func (e *Engine) Troubled() (all []Status) {
	if e == nil { // the plane begins
		return nil
	}
	for _, t := range e.cfg.Tasks() {
		s, _ := e.states.of(t.Workspace, t.Sync.ID)
		if state := stateOf(t, s); state == Held || state == Failed {
			all = append(all, Status{Task: t, State: state, Run: s.Run})
		}
	}
	return all
}

func stateOf(t Task, s State) string {
	switch {
	case t.Sync.Disabled:
		return "disabled"
	case s.Paused:
		return "paused"
	case running(s.Run.State) || s.Run.State == Interrupted || s.Asked.After(s.Began):
		return "running"
	case s.Run.State == "":
		return "pending"
	case s.Run.State == Completed && s.Run.Rejected+s.Run.Invalid+s.Run.Waiting > 0:
		return "warning"
	case s.Run.State == Completed:
		return "healthy"
	}
	return s.Run.State
}

// Task returns a sync by its name or identifier. fault.Missing: there is none.
func (e *Engine) Task(ws id.Workspace, named string) (Task, error) {
	for _, t := range e.cfg.Tasks() {
		if t.Workspace == ws && (t.Sync.Name == named || string(t.Sync.ID) == named) {
			return t, nil
		}
	}
	return Task{}, fault.New(fault.Missing, "There is no sync %.80q in this workspace.", named)
}

// Start lets a run begin. fault.Conflict: the sync is paused or disabled. fault.Unavailable:
// it is unknown whether it begins.
func (e *Engine) Start(ctx context.Context, t Task) error {
	s, _ := e.states.of(t.Workspace, t.Sync.ID)
	if t.Sync.Disabled || s.Paused {
		return fault.New(fault.Conflict, "The sync %s is disabled or paused: enable or resume it first.", t.Sync.Name)
	}
	return e.states.change(ctx, t.Workspace, t.Sync.ID, func(s *State) { s.Asked = time.Now().UTC() })
}

// Pause stops a sync until somebody resumes it; what a run sent is written down.
// fault.Unavailable: it is unknown whether it stops.
func (e *Engine) Pause(ctx context.Context, t Task, paused bool) error {
	return e.states.change(ctx, t.Workspace, t.Sync.ID, func(s *State) { s.Paused = paused })
}

// Approve agrees to what holds a sync, and lets a run begin: to as many removals as were
// found, or to a mapping that changed with Resend or Assume. fault.Conflict: nothing holds
// it. fault.Invalid: a changed mapping needs one of the two.
func (e *Engine) Approve(ctx context.Context, t Task, mapping string) error {
	s, _ := e.states.of(t.Workspace, t.Sync.ID)
	if s.Run.State != Held {
		return fault.New(fault.Conflict, "The sync %s is not held.", t.Sync.Name)
	}
	agreed := books.Agreed{Removals: s.Run.Removed}
	if s.Run.Code == books.HeldMapping {
		if mapping != books.Resend && mapping != books.Assume {
			return fault.New(fault.Invalid, "The mapping of the sync changed: send all rows again (resend), or take them as sent (assume).")
		}
		agreed = books.Agreed{Mapping: mapping, Digest: books.New(t.Sync, t.Model, nil).Digest()}
	}
	return e.states.change(ctx, t.Workspace, t.Sync.ID, func(s *State) {
		s.Agreed, s.Asked = agreed, time.Now().UTC()
	})
}

// Rejects lists rows that the destination did not take, the newest first. Errors are those
// of warehouses.
func (e *Engine) Rejects(ctx context.Context, t Task, most int) (all []books.Reject, err error) {
	err = withBook(ctx, t, func(b *books.Book, s tables.Session) (err error) {
		all, err = b.Rejects(ctx, s, most)
		return err
	})
	return all, err
}

// Again makes rejected rows due, and lets a run begin; with waive they are not tried again
// before they change. code chooses some, "" all. It returns how many.
func (e *Engine) Again(ctx context.Context, t Task, code string, waive bool) (n int64, err error) {
	if strings.Trim(code, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return 0, fault.New(fault.Invalid, "A code is of a-z, 0-9 and _.")
	}
	err = withBook(ctx, t, func(b *books.Book, s tables.Session) (err error) {
		n, err = b.Again(ctx, s, time.Now(), code, waive)
		return err
	})
	if err != nil || waive || n == 0 {
		return n, err
	}
	return n, e.Start(ctx, t)
}

// Sample returns some rows of the model as events, as a sync would send them. Errors are
// those of warehouses.
func (e *Engine) Sample(ctx context.Context, t Task, most int) (events []json.RawMessage, err error) {
	err = withBook(ctx, t, func(b *books.Book, s tables.Session) error {
		rows, err := b.Sample(ctx, s, most)
		for _, row := range rows {
			made, err := Event(t.Workspace, t.Sync, row, time.Now())
			if err != nil {
				return fault.New(fault.Invalid, "A row has a number that JSON does not have.")
			}
			events = append(events, made.JSON)
		}
		return err
	})
	return events, err
}
