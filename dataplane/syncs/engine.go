package syncs

import (
	"context"
	"hash/fnv"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/jobs"
	"weir/dataplane/outbound"
	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/syncs/books"
	"weir/dataplane/warehouse"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace/activation"
)

// Task is a sync as it is configured now.
type Task struct {
	Workspace id.Workspace
	Sync      activation.Sync
	Model     activation.Model
	Revision  uint64 // of the configuration
	Open      func(ctx context.Context) (warehouse.Warehouse, error)
}

// Table keeps the documents of syncs; *table.Table is one.
type Table interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Config is what an engine works with. All fields but Runner and Backoff are required.
type Config struct {
	Table  Table
	Tasks  func() []Task
	Target func(id.Workspace, id.Destination) (*destination.Target, destination.Presence)
	Mine   func(id.Sync) bool         // this process runs the sync
	Merged func(id.Destination) int64 // rows that loads brought into a warehouse since the process began
	Built  func(id.Destination) int64 // runs of a warehouse's profiles that published since the process began
	Link   func(held func() bool) *outbound.Link
	Log    *slog.Logger
	Runner func(jobs.Config) jobs.Runner // nil: a jobs.Loop
	// Backoff is how long to wait after so many failures in a row; nil: a second, which each
	// further one doubles, a minute at most.
	Backoff func(failures int) time.Duration
}

// Times of the engine.
const (
	stepTime  = 5 * time.Second  // of a step that sends
	flushTime = 30 * time.Second // what was sent is written down so often
	lookEvery = 2 * time.Second  // for what is configured, and for loads
	restAway  = 5 * time.Second  // of a sync that another process runs
	lastFlush = 10 * time.Second // when the plane stops
	lanes     = 4                // steps that are done at once
)

// Engine runs the syncs of a plane. Its methods are safe for concurrent use.
type Engine struct {
	cfg    Config
	states *states
	runner jobs.Runner

	mu     sync.Mutex
	tasks  map[jobs.Key]Task
	runs   map[jobs.Key]*run
	detail map[jobs.Key]string // of the last run here; it may quote values
	seen   map[jobs.Key]seen   // of the warehouse, when the last run began here
}

// seen is what was done in a warehouse since the process began.
type seen struct{ merged, built int64 }

// New returns an engine that Run runs. fault.Internal: something in cfg is missing.
func New(cfg Config) (*Engine, error) {
	if cfg.Table == nil || cfg.Tasks == nil || cfg.Target == nil || cfg.Mine == nil || cfg.Merged == nil || cfg.Built == nil || cfg.Link == nil || cfg.Log == nil {
		return nil, fault.New(fault.Internal, "Syncs need a table, tasks, targets, an owner, loads, links and a log.")
	}
	if cfg.Backoff == nil {
		cfg.Backoff = backoff
	}
	e := &Engine{cfg: cfg, tasks: map[jobs.Key]Task{}, runs: map[jobs.Key]*run{}, seen: map[jobs.Key]seen{}, detail: map[jobs.Key]string{}}
	e.states = newStates(cfg.Table, cfg.Log, e.kick)
	c := jobs.Config{Step: e.step, Lane: laneOf, Log: cfg.Log}
	if cfg.Runner == nil {
		e.runner = jobs.NewLoop(c)
	} else {
		e.runner = cfg.Runner(c)
	}
	return e, nil
}

// Job is the key of the sync's job.
func (t Task) Job() jobs.Key { return keyOf(t.Workspace, t.Sync.ID) }

// keyOf is the key of a sync's job, laneOf the lane of one.
func keyOf(ws id.Workspace, s id.Sync) jobs.Key {
	return jobs.Key("sync/" + string(ws) + "/" + string(s))
}

func laneOf(k jobs.Key) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k))
	return strconv.Itoa(int(h.Sum32() % lanes))
}

// kick makes a sync look at what it has to do.
func (e *Engine) kick(ws id.Workspace, s id.Sync) { e.runner.Kick(keyOf(ws, s)) }

// Run runs syncs until ctx ends, and then writes down what was sent.
func (e *Engine) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { e.runner.Run(ctx) })
	all.Go(func() { e.states.follow(ctx) })
	all.Go(func() {
		for {
			e.assign()
			if !delay.For(ctx, lookEvery) {
				return
			}
		}
	})
	all.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	for _, r := range e.runs {
		r.leave(last)
	}
}

// assign gives the runner the syncs that are configured, and wakes those whose warehouse
// was loaded, or has new profiles.
func (e *Engine) assign() {
	tasks := map[jobs.Key]Task{}
	var wanted []jobs.Want
	for _, t := range e.cfg.Tasks() {
		k := keyOf(t.Workspace, t.Sync.ID)
		tasks[k] = t
		w := jobs.Want{Key: k, Elsewhere: !e.cfg.Mine(t.Sync.ID)}
		if !t.Sync.Disabled {
			w.Every, w.Cron = t.Sync.Schedule.Times()
		}
		wanted = append(wanted, w)
	}
	e.mu.Lock()
	var wake []jobs.Key
	for k, t := range tasks {
		if former, there := e.tasks[k]; there && former.Revision != t.Revision || e.loaded(k, t) {
			wake = append(wake, k)
		}
	}
	e.tasks = tasks
	e.mu.Unlock()
	e.runner.Set(wanted)
	for _, k := range wake {
		e.runner.Kick(k)
	}
}

// loaded reports whether a sync runs because its warehouse was loaded, or its profiles were
// published, which a process that begins does not know and assumes; mu is held.
func (e *Engine) loaded(k jobs.Key, t Task) bool {
	s := t.Sync.Schedule
	if s == nil || !s.AfterLoad && !s.AfterProfiles {
		return false
	}
	was, known := e.seen[k]
	return !known || s.AfterLoad && e.cfg.Merged(t.Model.Warehouse) > was.merged || s.AfterProfiles && e.cfg.Built(t.Model.Warehouse) > was.built
}

// step does a part of a sync's run, or says when the next one begins.
func (e *Engine) step(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	e.mu.Lock()
	t, there := e.tasks[k]
	r := e.runs[k]
	e.mu.Unlock()
	if !there {
		return jobs.Next{Idle: true}, nil
	}
	state, known := e.states.of(t.Workspace, t.Sync.ID)
	switch {
	case !known:
		return jobs.Next{Wait: lookEvery, Idle: true}, nil
	case !e.cfg.Mine(t.Sync.ID):
		e.drop(k)
		return jobs.Next{Wait: restAway, Idle: true}, nil
	case r != nil && (t.Sync.Disabled || state.Paused || r.task.Revision != t.Revision):
		r.leave(ctx)
		e.drop(k)
		left := r.books
		left.State, left.Code = Interrupted, ""
		e.end(ctx, t, r, left)
		return jobs.Next{More: true}, nil
	case t.Sync.Disabled || state.Paused:
		return jobs.Next{Idle: true}, nil
	case r == nil:
		if wait, due := e.due(k, t, state); !due {
			return jobs.Next{Wait: wait, Idle: true}, nil
		}
		r = e.begin(ctx, k, t)
	}
	was := r.books.Accepted
	next, err := r.step(ctx, state)
	next.Rows, next.Code = r.books.Accepted-was, r.books.Code
	if !r.done() {
		return next, err
	}
	e.drop(k)
	e.end(ctx, t, r, r.books)
	next.More, next.Wait = false, 0
	if state, _ := e.states.of(t.Workspace, t.Sync.ID); state.Asked.After(state.Began) { // during the run
		next.More = true
	}
	return next, nil
}

// due says whether a run begins now, or how long none does.
func (e *Engine) due(k jobs.Key, t Task, s State) (wait time.Duration, due bool) {
	now := time.Now()
	e.mu.Lock()
	loaded := e.loaded(k, t)
	e.mu.Unlock()
	if loaded || s.Asked.After(s.Began) || running(s.Run.State) || s.Run.State == Interrupted {
		return 0, true
	}
	next := t.Sync.Schedule.Next(s.Began, now)
	if next.IsZero() {
		return 0, false
	}
	return max(next.Sub(now), time.Millisecond), !next.After(now)
}

func (e *Engine) begin(ctx context.Context, k jobs.Key, t Task) *run {
	now := time.Now().UTC()
	r := &run{e: e, task: t, books: books.Run{ID: "run_" + now.Format("20060102T150405.000000"), Began: now, State: Querying}, link: e.cfg.Link(func() bool { return e.cfg.Mine(t.Sync.ID) })}
	e.mu.Lock()
	e.runs[k] = r
	e.seen[k] = seen{e.cfg.Merged(t.Model.Warehouse), e.cfg.Built(t.Model.Warehouse)}
	e.mu.Unlock()
	e.note(ctx, t, func(s *State) { s.Began, s.Run = now, r.books })
	return r
}

func (e *Engine) drop(k jobs.Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.runs[k]; r != nil {
		r.link.Close()
		delete(e.runs, k)
	}
}

// end notes how a run ended.
func (e *Engine) end(ctx context.Context, t Task, r *run, b books.Run) {
	b.Ended = time.Now().UTC()
	e.mu.Lock()
	e.detail[keyOf(t.Workspace, t.Sync.ID)] = r.detail
	e.mu.Unlock()
	e.note(ctx, t, func(s *State) {
		if s.Run = b; b.State == Completed {
			s.Agreed = books.Agreed{}
		}
	})
	e.cfg.Log.InfoContext(ctx, "run of a sync ended", "workspace", t.Workspace, "sync", t.Sync.ID, "state", b.State, "code", b.Code,
		"planned", r.books.Planned, "accepted", r.books.Accepted, "rejected", r.books.Rejected, "invalid", r.books.Invalid, "took", b.Ended.Sub(b.Began))
}

// note changes the state of a sync; while the event store is away the run goes on.
func (e *Engine) note(ctx context.Context, t Task, do func(*State)) {
	if err := e.states.change(ctx, t.Workspace, t.Sync.ID, do); err != nil && ctx.Err() == nil {
		e.cfg.Log.WarnContext(ctx, "state of a sync not kept", "workspace", t.Workspace, "sync", t.Sync.ID, "kind", fault.KindOf(err).String())
	}
}
