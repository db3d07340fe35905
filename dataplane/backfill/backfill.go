// Package backfill copies the rows of one warehouse of a workspace into another one, as jobs
// that outlive a restart: into a schema in another layout, or into another kind.
//
// It guarantees that a row that is in the target is left as it is: its newer values stay, and
// a part that is copied again adds nothing. Only a lake as target, which cannot be asked, gets
// such rows once more. Memory is bounded by one page of rows. While a page is on its way no
// load of the target runs, so that an erasure, which loads first, finds what the page brought.
//
// It refuses lakes as sources, tables without the columns id and received_at, and rows without
// an id. It keeps names, counts and codes, and of rows the id after which it goes on.
package backfill

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/jobs"
	"weir/dataplane/layout"
	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/warehouse"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// State is how a backfill is.
type State string

// The states. All but Running are final.
const (
	Running State = "running"
	Done    State = "done" // a table may have a code, for which its rows are missing
	Stopped State = "stopped"
	Failed  State = "failed"
)

// Choice is what a backfill copies. No Tables are all; the zero Since is from the beginning on.
type Choice struct {
	From   id.Destination `json:"from"`
	Into   id.Destination `json:"into"`
	Tables []string       `json:"tables,omitempty"`
	Since  time.Time      `json:"since,omitzero"` // of received_at
	Until  time.Time      `json:"until,omitzero"` // without it; zero: when the backfill began
}

func (c Choice) same(d Choice) bool {
	return c.From == d.From && c.Into == d.Into && c.Since.Equal(d.Since) && slices.Equal(c.Tables, d.Tables)
}

// Table is how far a table is.
type Table struct {
	Name    string    `json:"name"`
	Copied  int64     `json:"copied"`
	There   int64     `json:"there"`          // rows that the target had
	Without int64     `json:"without"`        // rows without an id
	At      time.Time `json:"at,omitzero"`    // what came before it is copied
	Code    string    `json:"code,omitempty"` // why the rest of it is not
	Done    bool      `json:"done,omitempty"`
	Last    string    `json:"last,omitempty"`   // the id after which the window At goes on
	Window  int64     `json:"window,omitempty"` // its length, in milliseconds
}

// Backfill is one, the newest of its target.
type Backfill struct {
	ID string `json:"id"`
	Choice
	Begun   int       `json:"begun"` // how often somebody began it
	State   State     `json:"state"`
	Code    string    `json:"code,omitempty"` // why it failed, or what a running one waits for
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended,omitzero"`
	Listed  bool      `json:"listed,omitempty"` // Progress has all tables
	Pages   int64     `json:"pages"`
	// Progress is by table, in the order in which they are copied.
	Progress []Table `json:"progress,omitempty"`
}

// Warehouse is one of the plane.
type Warehouse struct {
	Workspace id.Workspace
	ID        id.Destination
	Name      string
	Layout    *layout.Dialect
	Options   layout.Options
	Known     func() []string // names of tables
	Open      func(ctx context.Context) (warehouse.Warehouse, error)
	// Alone does something while no load of the warehouse runs, with the store of its staged
	// files. fault.Conflict: its loads are paused.
	Alone func(do func(blobs blob.Store) error) error
}

// Documents keep backfills, one for each target, for all processes of the plane;
// *table.Table is such.
type Documents interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Times and tries.
const (
	look       = 5 * time.Second
	watchAgain = time.Second
	putTries   = 10 // while others replace the same document
	paused     = 10 * time.Second
)

// CodePaused is what a backfill waits for while the loads of its target are paused.
const CodePaused = "loads_paused"

// Board is the backfills of a plane. All fields are required but Reach. It is safe for
// concurrent use.
type Board struct {
	Table      Documents
	Warehouses func() []Warehouse
	Owner      func() bool // of one plane's processes one copies
	Runner     func(jobs.Config) jobs.Runner
	Now        func() time.Time
	Log        *slog.Logger
	Reach      func(step string) error // tests: an error is the death of the process there

	once   sync.Once
	runner jobs.Runner

	mu  sync.Mutex
	due map[id.Destination]string // which backfills run, by target, and how often they were begun
}

// Job is the key of the job that copies into a target.
func Job(ws id.Workspace, into id.Destination) jobs.Key {
	return jobs.Key("backfill/" + string(ws) + "/" + string(into))
}

func (b *Board) jobs() jobs.Runner {
	b.once.Do(func() {
		b.runner = b.Runner(jobs.Config{Step: b.step, Lane: func(k jobs.Key) string { return string(k) }, Log: b.Log})
	})
	return b.runner
}

// Run copies until ctx ends.
func (b *Board) Run(ctx context.Context) {
	r := b.jobs()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { r.Run(ctx) })
	all.Go(func() {
		for delay.For(ctx, look) {
			b.assign() // the owner may be another
		}
	})
	for ctx.Err() == nil {
		err := b.Table.Watch(ctx, func(d table.Document) {
			var x Backfill
			if json.Unmarshal(d.Value, &x) != nil {
				return
			}
			b.heard(x)
		}, func() {})
		if ctx.Err() == nil {
			b.Log.WarnContext(ctx, "backfills are not followed", "kind", fault.KindOf(err).String())
		}
		delay.For(ctx, watchAgain)
	}
}

// heard lets the job of a backfill begin or end.
func (b *Board) heard(x Backfill) {
	key := ""
	if x.State == Running {
		key = fmt.Sprint(x.ID, x.Begun)
	}
	b.mu.Lock()
	if b.due == nil {
		b.due = map[id.Destination]string{}
	}
	was := b.due[x.Into]
	b.due[x.Into] = key
	b.mu.Unlock()
	if was == key {
		return
	}
	b.assign()
	for _, w := range b.Warehouses() {
		if w.ID == x.Into && key != "" {
			b.jobs().Kick(Job(w.Workspace, w.ID))
		}
	}
}

// assign lets the runner have the jobs of backfills that run.
func (b *Board) assign() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var wanted []jobs.Want
	for _, w := range b.Warehouses() {
		if b.due[w.ID] != "" {
			wanted = append(wanted, jobs.Want{Key: Job(w.Workspace, w.ID), Elsewhere: !b.Owner()})
		}
	}
	b.jobs().Set(wanted)
}

// find returns a warehouse of a workspace.
func (b *Board) find(ws id.Workspace, d id.Destination) (Warehouse, error) {
	all := b.Warehouses()
	if i := slices.IndexFunc(all, func(w Warehouse) bool { return w.Workspace == ws && w.ID == d }); i >= 0 {
		return all[i], nil
	}
	return Warehouse{}, fault.New(fault.Missing, "There is no warehouse %.60q in the workspace that this plane loads.", string(d))
}

// Begin begins a backfill, or goes on with the same one where it was stopped or failed. It is
// kept when Begin returns. fault.Invalid: it makes no sense. fault.Missing: a warehouse is not
// there. fault.Conflict: one into the target runs. fault.Unavailable: it is unknown whether it
// began.
func (b *Board) Begin(ctx context.Context, ws id.Workspace, c Choice) (Backfill, error) {
	from, err := b.find(ws, c.From)
	if err != nil {
		return Backfill{}, err
	}
	into, err := b.find(ws, c.Into)
	if err != nil {
		return Backfill{}, err
	}
	slices.Sort(c.Tables)
	c.Tables = slices.Compact(c.Tables)
	switch {
	case from.ID == into.ID:
		return Backfill{}, fault.New(fault.Invalid, "A warehouse is not copied into itself: name another one to copy from.")
	case !c.Until.IsZero() && !c.Since.Before(c.Until):
		return Backfill{}, fault.New(fault.Invalid, "since has to be before until.")
	case len(c.Tables) > mostTables:
		return Backfill{}, fault.New(fault.Invalid, "Name up to %d tables, or none for all.", mostTables)
	}
	now := b.Now().UTC()
	x, err := b.change(ctx, c.Into, func(x *Backfill) error {
		switch {
		case x.State == Running:
			return fault.New(fault.Conflict, "%s into this warehouse runs: wait until it is done, or stop it.", x.ID)
		case (x.State == Stopped || x.State == Failed) && x.same(c) && (c.Until.IsZero() || x.Until.Equal(c.Until)):
			x.State, x.Code, x.Ended, x.Begun = Running, "", time.Time{}, x.Begun+1
			for i := range x.Progress { // what a table refused may be mended
				x.Progress[i].Code = ""
			}
			return nil
		}
		if c.Until.IsZero() {
			c.Until = now
		}
		*x = Backfill{ID: "backfill_" + strings.ToLower(rand.Text()[:16]), Choice: c, Begun: 1, State: Running, Created: now}
		return nil
	})
	if err == nil {
		b.Log.InfoContext(ctx, "backfill began", "workspace", string(ws), "backfill", x.ID)
	}
	return x, err
}

// Stop stops the backfill into a target; what it copied stays. One that ended stays as it is.
// fault.Missing: there is none.
func (b *Board) Stop(ctx context.Context, ws id.Workspace, into id.Destination) (Backfill, error) {
	if _, err := b.find(ws, into); err != nil {
		return Backfill{}, err
	}
	return b.change(ctx, into, func(x *Backfill) error {
		switch x.State {
		case "":
			return fault.New(fault.Missing, "No backfill into this warehouse is known.")
		case Running:
			x.State, x.Code, x.Ended = Stopped, "", b.Now().UTC()
		}
		return nil
	})
}

// List returns the newest backfill of each target of a workspace, newest first.
func (b *Board) List(ctx context.Context, ws id.Workspace) (all []Backfill, err error) {
	for _, w := range b.Warehouses() {
		if w.Workspace != ws {
			continue
		}
		x, _, err := b.read(ctx, w.ID)
		if err != nil {
			return nil, err
		}
		if x.ID != "" {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(x, y Backfill) int { return cmp.Compare(y.Created.UnixNano(), x.Created.UnixNano()) })
	return all, nil
}

func (b *Board) read(ctx context.Context, into id.Destination) (x Backfill, revision uint64, _ error) {
	d, err := b.Table.Get(ctx, string(into))
	switch {
	case fault.KindOf(err) == fault.Missing:
		return x, 0, nil
	case err != nil:
		return x, 0, fmt.Errorf("read a backfill: %w", err)
	}
	if err := json.Unmarshal(d.Value, &x); err != nil {
		return Backfill{}, d.Revision, nil // of another release: it is begun anew
	}
	return x, d.Revision, nil
}

// change replaces what is kept of a backfill, and returns it.
func (b *Board) change(ctx context.Context, into id.Destination, change func(*Backfill) error) (Backfill, error) {
	for range putTries {
		x, revision, err := b.read(ctx, into)
		if err != nil {
			return x, err
		}
		if err := change(&x); err != nil {
			return x, err
		}
		value, err := json.Marshal(x)
		if err != nil {
			return x, fmt.Errorf("encode a backfill: %w", err)
		}
		if _, err = b.Table.Put(ctx, string(into), value, revision); err == nil || fault.KindOf(err) != fault.Conflict {
			return x, err
		}
	}
	return Backfill{}, fault.New(fault.Unavailable, "What is kept of the backfill changes while it is written; ask again.")
}

func (b *Board) reach(step string) error {
	if b.Reach == nil {
		return nil
	}
	return b.Reach(step)
}
