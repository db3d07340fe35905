package erase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/dataplane/jobs"
	"weir/dataplane/layout"
	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/quoting"
	"weir/dataplane/warehouse/removal"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Older is the condition that rows of a table came before the retention of its rule; empty
// without one, and for tables that do not say when rows came.
func Older(w warehouse.Warehouse, r removal.Retention, now time.Time) func(table string, have warehouse.TableSchema) string {
	return func(table string, have warehouse.TableSchema) string {
		keep := r.Of(table)
		m, ok := w.(removal.Remover)
		if keep == 0 || !ok || have.Columns["received_at"].Type != layout.Datetime {
			return ""
		}
		return quoting.Name(w, "received_at") + " < " + m.Moment(now.Add(-keep))
	}
}

// Rule is how long rows of a warehouse are kept.
type Rule struct {
	Workspace   id.Workspace
	Destination id.Destination
	Name        string
	Retention   removal.Retention
	Known       func() []string // tables
	Open        func(ctx context.Context) (warehouse.Warehouse, error)
}

// Job is the key of the job that lets rows of a rule expire.
func (r Rule) Job() jobs.Key {
	return jobs.Key("expire/" + string(r.Workspace) + "/" + string(r.Destination))
}

// Expired is a run of a rule: the last one, or with Due the one that is to be done.
type Expired struct {
	At     time.Time `json:"at,omitzero"` // what came Retention before it goes; zero: the run has not begun
	Ended  time.Time `json:"ended,omitzero"`
	Due    bool      `json:"due,omitempty"`
	Asked  int       `json:"asked,omitempty"`  // how often somebody asked for a run
	Tables []Table   `json:"tables,omitempty"` // that are done
	Rows   int64     `json:"rows"`
	Code   string    `json:"code,omitempty"` // why it ended early
}

// Times of runs.
const (
	look       = time.Minute
	every      = 24 * time.Hour
	again      = time.Hour // after a failure
	longest    = 2 * time.Hour
	watchAgain = time.Second
	putTries   = 10 // while others replace the same document
)

// Documents keep what became of rules, one for each destination, for all processes of the
// plane; *table.Table is such.
type Documents interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Expirer lets rows expire once a day, and when somebody asks, as jobs: a run that began is
// ended also when the process dies meanwhile, by another one where there are several. All
// fields are required. It is safe for concurrent use.
type Expirer struct {
	Table  Documents
	Rules  func() []Rule // of warehouses that have one
	Owner  func() bool   // of one plane's processes one does it
	Runner func(jobs.Config) jobs.Runner
	Now    func() time.Time
	Log    *slog.Logger
	Reach  func(step string) error // tests: an error is the death of the process there; nil: none

	once   sync.Once
	runner jobs.Runner
	mu     sync.Mutex
	asked  map[id.Destination]int // that the runner was told of
}

// jobs returns the runner.
func (e *Expirer) jobs() jobs.Runner {
	e.once.Do(func() {
		e.runner = e.Runner(jobs.Config{Step: e.step, Lane: func(k jobs.Key) string { return string(k) }, Log: e.Log})
	})
	return e.runner
}

// Run runs rules when they are due, until ctx ends.
func (e *Expirer) Run(ctx context.Context) {
	r := e.jobs()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { r.Run(ctx) })
	all.Go(func() { e.watch(ctx) })
	for {
		var wanted []jobs.Want
		for _, rule := range e.Rules() {
			wanted = append(wanted, jobs.Want{Key: rule.Job(), Every: every, Elsewhere: !e.Owner()})
		}
		r.Set(wanted)
		if !delay.For(ctx, look) {
			return
		}
	}
}

// watch has runs begin for which somebody asked, in whichever process.
func (e *Expirer) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := e.Table.Watch(ctx, func(d table.Document) {
			x, _, err := read(d, nil)
			dest := id.Destination(d.Key)
			e.mu.Lock()
			defer e.mu.Unlock()
			if err != nil || !x.Due || x.Asked == e.asked[dest] {
				return
			}
			if e.asked == nil {
				e.asked = map[id.Destination]int{}
			}
			e.asked[dest] = x.Asked
			for _, rule := range e.Rules() {
				if rule.Destination == dest {
					e.jobs().Kick(rule.Job())
				}
			}
		}, func() {})
		if ctx.Err() == nil {
			e.Log.WarnContext(ctx, "runs of rows that expire are not followed", "kind", fault.KindOf(err).String())
		}
		delay.For(ctx, watchAgain)
	}
}

// Last returns the last run of a destination's rule, or the one that goes on; zero: there was
// none. fault.Unavailable: that cannot be read now.
func (e *Expirer) Last(ctx context.Context, d id.Destination) (Expired, error) {
	x, _, err := read(e.Table.Get(ctx, string(d)))
	return x, err
}

// read reads a document as the table gave it.
func read(d table.Document, err error) (x Expired, revision uint64, _ error) {
	if fault.KindOf(err) == fault.Missing {
		return x, 0, nil
	}
	if err != nil {
		return x, 0, fmt.Errorf("read when rows expired: %w", err)
	}
	_ = json.Unmarshal(d.Value, &x) // one that cannot be read is run again
	return x, d.Revision, nil
}

// change replaces what is kept of a run, and returns it.
func (e *Expirer) change(ctx context.Context, d id.Destination, change func(*Expired)) (Expired, error) {
	for range putTries {
		x, revision, err := read(e.Table.Get(ctx, string(d)))
		if err != nil {
			return x, err
		}
		change(&x)
		value, err := json.Marshal(x)
		if err != nil {
			return x, fmt.Errorf("encode when rows expired: %w", err)
		}
		if _, err = e.Table.Put(ctx, string(d), value, revision); err == nil || fault.KindOf(err) != fault.Conflict {
			return x, err
		}
	}
	return Expired{}, fault.New(fault.Unavailable, "What is kept of the run changes while it is written; ask again.")
}

// Ask has a rule run now, or once more after the run that goes on. It is kept when Ask
// returns, with how often somebody asked. fault.Unavailable: it is unknown whether it is.
func (e *Expirer) Ask(ctx context.Context, r Rule) (asked int, err error) {
	x, err := e.change(ctx, r.Destination, func(x *Expired) {
		if x.Asked++; !x.Due {
			*x = Expired{Due: true, Asked: x.Asked}
		}
	})
	if err != nil {
		return 0, fmt.Errorf("keep that rows of %s are to expire: %w", r.Destination, err)
	}
	e.jobs().Kick(r.Job())
	return x.Asked, nil
}

// Count tells how many rows of which tables a run would remove now.
func (e *Expirer) Count(ctx context.Context, r Rule, each func(Table) error) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return e.rows(ctx, r, e.Now(), true, each)
}

func (e *Expirer) rows(ctx context.Context, r Rule, at time.Time, dry bool, each func(Table) error) error {
	w, err := r.Open(ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	return errors.Join(Rows(ctx, w, r.Known(), Older(w, r.Retention, at), dry, each), w.Close())
}

// step does the run of a rule that is due.
func (e *Expirer) step(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	rules := e.Rules()
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Job() == k })
	if i < 0 || !e.Owner() {
		return jobs.Next{Idle: true, Wait: look}, nil
	}
	r := rules[i]
	x, err := e.Last(ctx, r.Destination)
	if err != nil {
		return jobs.Next{}, err
	}
	if wait := x.wait(e.Now()); !x.Due && wait > 0 {
		return jobs.Next{Idle: true, Wait: wait}, nil
	}
	if !x.Due || x.At.IsZero() {
		x, err = e.change(ctx, r.Destination, func(x *Expired) { *x = Expired{At: e.Now().UTC(), Due: true, Asked: x.Asked} })
		if err != nil {
			return jobs.Next{}, err
		}
	}
	had, asked := x.Rows, x.Asked
	running, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	err = e.rows(running, r, x.At, false, func(t Table) error {
		if err := e.reach("table " + t.Name); err != nil {
			return err
		}
		_, err := e.change(ctx, r.Destination, func(x *Expired) { x.Tables, x.Rows = append(x.Tables, t), x.Rows+t.Rows })
		return err
	})
	if ctx.Err() != nil {
		return jobs.Next{}, ctx.Err() // it goes on when the plane does
	}
	if reached := e.reach("rows"); reached != nil {
		return jobs.Next{}, reached
	}
	code := ""
	if err != nil {
		code = warehouse.CodeOf(err)
	}
	x, err = e.change(ctx, r.Destination, func(x *Expired) {
		if x.Asked > asked { // somebody wants another run
			*x = Expired{Due: true, Asked: x.Asked}
			return
		}
		x.Due, x.Ended, x.Code = false, e.Now().UTC(), code
	})
	switch {
	case err != nil:
		return jobs.Next{}, err
	case code != "":
		e.Log.WarnContext(ctx, "rows did not expire", "destination", string(r.Destination), "code", code)
	case x.Rows > 0:
		e.Log.InfoContext(ctx, "rows expired", "destination", string(r.Destination), "rows", x.Rows)
	}
	switch {
	case x.Due:
		return jobs.Next{More: true}, nil
	case code != "":
		return jobs.Next{Wait: max(x.wait(e.Now()), time.Second), Code: code}, nil
	}
	return jobs.Next{Rows: x.Rows - had}, nil
}

func (e *Expirer) reach(step string) error {
	if e.Reach == nil {
		return nil
	}
	return e.Reach(step)
}

// wait is how long it is until the run after x.
func (x Expired) wait(now time.Time) time.Duration {
	if x.Code != "" {
		return again - now.Sub(x.At)
	}
	return every - now.Sub(x.At)
}
