package syncstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
	"weir/dataplane/syncs"
	"weir/dataplane/syncs/books"
	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/shared/id"
	"weir/shared/workspace/activation"
)

func bytesOf(b []byte) io.Reader { return bytes.NewReader(b) }

// Open opens the warehouse under test.
type Open func(ctx context.Context) (warehouse.Warehouse, error)

// World is a warehouse with people, a tool, and the engine that keeps them equal.
type World struct {
	t      *testing.T
	open   Open
	Tool   *Tool
	Memory *Memory
	Logs   *bytes.Buffer
	task   syncs.Task
	engine *syncs.Engine
	stop   func()
	deaths atomic.Int64 // statements until the process dies; 0: it does not
	people map[string]person
	sets   *sets // the destination in the place of Tool; nil: Tool is
}

type person struct {
	name, plan string
	score      int
}

// fields are the fields of a person's record.
func (p person) fields(mapping map[string]string) string {
	all := map[string]any{}
	for field, column := range mapping {
		column, _, _ = strings.Cut(column, "_") // of a wide model
		all[field] = map[string]any{"name": p.name, "plan": p.plan, "score": p.score}[column]
	}
	b, _ := json.Marshal(all)
	return string(b)
}

// errDied is what a process that died gets of its warehouse.
var errDied = errors.New("the process died")

// mortal is a session of a process that may die at any statement.
type mortal struct {
	tables.Session
	left *atomic.Int64
	dead func()
}

func (m mortal) step() error {
	if m.left.Load() > 0 && m.left.Add(-1) == 0 {
		m.dead()
		m.left.Store(-1)
	}
	if m.left.Load() < 0 {
		return errDied
	}
	return nil
}

func (m mortal) Exec(ctx context.Context, sql string) (int64, error) {
	if err := m.step(); err != nil {
		return 0, err
	}
	return m.Session.Exec(ctx, sql)
}

func (m mortal) Rows(ctx context.Context, sql string, row func([]any) error) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.Session.Rows(ctx, sql, row)
}

func (m mortal) Tx(ctx context.Context, do func(tables.Session) error) error {
	return m.Session.Tx(ctx, func(s tables.Session) error {
		err := do(mortal{s, m.left, m.dead})
		if m.left.Load() < 0 {
			err = errDied
		}
		return err
	})
}

// fragile is a warehouse whose sessions are mortal.
type fragile struct {
	warehouse.Warehouse
	left *atomic.Int64
	dead func()
}

func (f fragile) Session(ctx context.Context, schema string) (tables.Session, error) {
	s, err := f.Warehouse.(tables.Modelled).Session(ctx, schema)
	if err != nil {
		return nil, err
	}
	return mortal{s, f.left, f.dead}, nil
}

func (f fragile) Basics() tables.Basics { return f.Warehouse.(tables.Modelled).Basics() }
func (f fragile) Home() string          { return f.Warehouse.(tables.Modelled).Home() }

// NewWorld returns a world whose engine runs until the test ends.
func NewWorld(t *testing.T, open Open, change func(*activation.Sync)) *World {
	t.Helper()
	w := &World{t: t, open: open, Tool: NewTool(), Memory: &Memory{}, Logs: &bytes.Buffer{}, people: map[string]person{}}
	w.task = syncs.Task{
		Workspace: "ws_test", Revision: 1,
		Model: activation.Model{ID: "mdl_a", Name: "people", Warehouse: "dst_lake", SQL: "select * from people;", Column: "id"},
		Sync: activation.Sync{ID: id.Sync(fmt.Sprintf("sync_%d", rand.Uint32())), Name: "crm", Model: "mdl_a", Destination: "dst_crm", Object: "person", Mode: activation.Mirror,
			Identifiers: map[string]string{"email": "mail"}, Mapping: map[string]string{"name": "name", "plan name": "plan"}},
	}
	if change != nil {
		change(&w.task.Sync)
	}
	w.Exec("drop table if exists people", "create table people (id text, mail text, name text, plan text, score integer)")
	w.Start()
	t.Cleanup(func() { w.stop() })
	return w
}

// Start starts a process.
func (w *World) Start() {
	w.t.Helper()
	w.deaths.Store(0)
	ctx, cancel := context.WithCancel(context.Background())
	task := w.task
	task.Open = func(ctx context.Context) (warehouse.Warehouse, error) {
		if w.deaths.Load() < 0 {
			return nil, errDied
		}
		on, err := w.open(ctx)
		if err != nil {
			return nil, err
		}
		return fragile{on, &w.deaths, cancel}, nil
	}
	target := &destination.Target{Workspace: task.Workspace, ID: "dst_crm", Name: "crm", Type: "tool", Opened: destination.Opened{HTTP: w.Tool, Limits: destination.Limits{BatchSize: 7, Concurrency: 3}}}
	if w.sets != nil {
		w.sets.step = mortal{left: &w.deaths, dead: cancel}.step
		target.HTTP, target.Sink = nil, func(context.Context, destination.Deps) (destination.Sink, error) { return w.sets, nil }
	}
	var err error
	w.engine, err = syncs.New(syncs.Config{
		Table: w.Memory, Tasks: func() []syncs.Task { return []syncs.Task{task} }, Mine: func(id.Sync) bool { return true }, Merged: func(id.Destination) int64 { return 0 }, Built: func(id.Destination) int64 { return 0 },
		Target: func(id.Workspace, id.Destination) (*destination.Target, destination.Presence) {
			return target, destination.Present
		},
		Link: func(held func() bool) *outbound.Link {
			return &outbound.Link{Do: w.Tool.Do, Held: held, Deps: destination.Deps{Now: time.Now}}
		},
		Log: slog.New(slog.NewTextHandler(w.Logs, nil)), Backoff: func(int) time.Duration { return 20 * time.Millisecond },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { w.engine.Run(ctx); close(ended) }()
	w.stop = func() { cancel(); <-ended }
}

// Kill ends the process: nothing that it has not written down is.
func (w *World) Kill() {
	w.deaths.Store(-1)
	w.stop()
}

// session runs do on the warehouse beside the engine.
func (w *World) session(do func(context.Context, tables.Session) error) {
	w.t.Helper()
	ctx := context.Background()
	on, err := w.open(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = on.Close() }()
	s, err := on.(tables.Modelled).Session(ctx, on.(tables.Modelled).Home())
	if err == nil {
		err = errors.Join(do(ctx, s), s.Close())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Exec runs statements.
func (w *World) Exec(statements ...string) {
	w.t.Helper()
	w.session(func(ctx context.Context, s tables.Session) error {
		_, err := tables.Run(ctx, s, statements...)
		return err
	})
}

// Put makes or changes people.
func (w *World) Put(people map[string]person) {
	w.t.Helper()
	var q []string
	for key, p := range people {
		w.people[key] = p
		q = append(q, "delete from people where id = '"+key+"'", fmt.Sprintf("insert into people values ('%s', '%[1]s@example.com', '%s', '%s', %d)", key, p.name, p.plan, p.score))
	}
	w.Exec(q...)
}

// Remove removes people.
func (w *World) Remove(keys ...string) {
	w.t.Helper()
	for _, key := range keys {
		delete(w.people, key)
		w.Exec("delete from people where id = '" + key + "'")
	}
}

// Task returns the sync as the engine knows it.
func (w *World) status() syncs.Status {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if all, err := w.engine.Syncs("ws_test"); err == nil && len(all) == 1 {
			return all[0]
		}
	}
	w.t.Fatal("the engine does not know its syncs")
	return syncs.Status{}
}

// Await waits for the end of the run that is under way, and returns it.
func (w *World) Await(do func(context.Context, syncs.Task) error) books.Run {
	w.t.Helper()
	was := w.status()
	for {
		if err := do(context.Background(), was.Task); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if now := w.status(); now.State != "running" && now.Run.ID != was.Run.ID {
			return now.Run
		}
	}
	w.t.Fatalf("the run did not end: %+v\n%s", w.status(), w.Logs)
	return books.Run{}
}

// Sync runs the sync once.
func (w *World) Sync() books.Run { w.t.Helper(); return w.Await(w.engine.Start) }

// Wants fails unless the tool has what the people are.
func (w *World) Wants(when string) {
	w.t.Helper()
	want := map[string]string{}
	for key, p := range w.people {
		want[key] = p.fields(w.task.Sync.Mapping)
	}
	if got := w.Tool.Records(); !maps.Equal(got, want) {
		w.t.Fatalf("%s: the tool has %d records %v, want %d %v\n%s", when, len(got), got, len(want), want, w.Logs)
	}
}

// balanced fails unless the books of a run explain each row.
func (w *World) balanced(r books.Run) {
	w.t.Helper()
	if r.State != syncs.Completed || r.Accepted+r.Rejected != r.Planned {
		w.t.Fatalf("the run is %+v\n%s\n%s", r, w.status().Detail, w.Logs)
	}
}

// quiet fails when something of a row or a driver's text is in logs or documents.
func (w *World) quiet() {
	w.t.Helper()
	said := w.Logs.String() + w.Memory.Texts()
	for _, mark := range []string{"@example.com", "name of", "mark-of-a-driver", "192.0.2.1"} {
		if strings.Contains(said, mark) {
			w.t.Errorf("logs or documents hold %q:\n%s", mark, said)
		}
	}
}

// awaitDeath waits until the process died, or its run ended before that, and reports which.
func (w *World) awaitDeath() (died bool) {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if died = w.deaths.Load() < 0; died || w.status().State != "running" {
			w.Kill()
			return died
		}
	}
	w.t.Fatal("the process neither died nor ended its run")
	return false
}
