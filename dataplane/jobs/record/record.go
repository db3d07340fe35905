// Package record keeps what jobs did, in documents that all processes of a plane share:
// when steps began, how long they took, with which codes and counts, and when the next one
// is due. It holds nothing of what jobs work on. It also keeps which jobs are paused, where
// the job's own state does not.
//
// What a process has not written when it dies is lost from the record, and from nothing else.
package record

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/dataplane/jobs"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Times and bounds.
const (
	writeEvery = 10 * time.Second // of a job whose run goes on
	lookEvery  = time.Second
	keepRuns   = 20 // of each job
	putTries   = 5
)

// Table keeps the documents; *table.Table is one.
type Table interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Run is one run of a job.
type Run struct {
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended,omitzero"` // zero: it goes on
	Steps  int       `json:"steps"`
	Errors int       `json:"errors,omitempty"` // steps that failed
	Rows   int64     `json:"rows,omitempty"`   // what the steps moved
	Code   string    `json:"code,omitempty"`   // of the last step
}

// Status is how a job is.
type Status struct {
	Key    jobs.Key
	State  string // running, due, waiting, failing, paused, or idle: not before it is kicked
	Code   string // why it does not go on
	Began  time.Time
	Took   time.Duration // of the last step
	Due    time.Time     // of the next one; zero: when it is kicked
	Steps  int64         // since the first
	Paused bool
}

// document is what is kept of a job.
type document struct {
	Version int           `json:"version"`
	Paused  bool          `json:"paused,omitempty"`
	Steps   int64         `json:"steps,omitempty"`
	Began   time.Time     `json:"began,omitzero"`
	Took    time.Duration `json:"took,omitempty"`
	Code    string        `json:"code,omitempty"`
	Failed  bool          `json:"failed,omitempty"` // the last step
	Due     time.Time     `json:"due,omitzero"`
	Runs    []Run         `json:"runs,omitempty"` // the newest last
}

// entry is a job as it is known here.
type entry struct {
	document
	revision uint64
	changes  int // since the process began
	kept     int // of them, those that the table has
	written  time.Time
	doing    time.Time // since when a step is done here; zero: none is
	runner   jobs.Runner
	wanted   jobs.Want
}

// Book is the record. Its methods are safe for concurrent use.
type Book struct {
	table Table
	log   *slog.Logger

	mu    sync.Mutex
	known bool
	jobs  map[jobs.Key]*entry
}

// New returns a book that Run keeps.
func New(t Table, log *slog.Logger) *Book {
	return &Book{table: t, log: log, jobs: map[jobs.Key]*entry{}}
}

// of returns the entry of a job; mu is held.
func (b *Book) of(k jobs.Key) *entry {
	e := b.jobs[k]
	if e == nil {
		e = &entry{}
		b.jobs[k] = e
	}
	return e
}

// kept is a runner whose jobs are in the book.
type kept struct {
	jobs.Runner
	b *Book
}

// Runner returns a maker of runners whose steps are written down; open makes what does them.
func (b *Book) Runner(open func(jobs.Config) jobs.Runner) func(jobs.Config) jobs.Runner {
	return func(c jobs.Config) jobs.Runner {
		do := c.Step
		c.Step = func(ctx context.Context, k jobs.Key) (jobs.Next, error) {
			if !b.begin(k) {
				return jobs.Next{Idle: true}, nil
			}
			began := time.Now()
			next, err := do(ctx, k)
			b.end(k, began, next, err)
			return next, err
		}
		return kept{open(c), b}
	}
}

// Set implements jobs.Runner.
func (r kept) Set(wanted []jobs.Want) {
	r.b.mu.Lock()
	for _, e := range r.b.jobs {
		if e.runner == r.Runner {
			e.runner = nil
		}
	}
	for _, w := range wanted {
		e := r.b.of(w.Key)
		e.runner, e.wanted = r.Runner, w
	}
	maps.DeleteFunc(r.b.jobs, func(_ jobs.Key, e *entry) bool { return e.runner == nil && e.revision == 0 && e.doing.IsZero() })
	r.b.mu.Unlock()
	r.Runner.Set(wanted)
}

// begin reports whether a step may be done: the job is not paused here.
func (b *Book) begin(k jobs.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of(k)
	if e.Paused {
		return false
	}
	e.doing = time.Now()
	return true
}

// end writes down a step. One that found nothing to do leaves no trace beside when the next
// one is due.
func (b *Book) end(k jobs.Key, began time.Time, next jobs.Next, err error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of(k)
	e.doing = time.Time{}
	over := err == nil && !next.More && next.Wait <= 0
	due := time.Time{}
	switch {
	case err != nil:
		due = now
	case next.More:
		due = now
	case next.Wait > 0:
		due = now.Add(next.Wait)
	default:
		due = e.wanted.Next(began)
	}
	if next.Idle && err == nil {
		if due.Sub(e.Due).Abs() > time.Minute {
			e.changes++
		}
		e.Due = due
		return
	}
	code := next.Code
	if err != nil {
		code = fault.KindOf(err).String()
	}
	last := len(e.Runs) - 1
	if last < 0 || !e.Runs[last].Ended.IsZero() {
		e.Runs = append(slices.Clone(e.Runs), Run{Began: began})
		e.Runs = e.Runs[max(0, len(e.Runs)-keepRuns):]
		last = len(e.Runs) - 1
	}
	e.Runs = slices.Clone(e.Runs) // what is shown of them is shared
	r := &e.Runs[last]
	r.Steps++
	r.Rows += next.Rows
	if r.Code = code; err != nil {
		r.Errors++
	}
	if over {
		r.Ended = now
		e.written = time.Time{} // at once
	}
	e.Steps++
	e.Began, e.Took, e.Due, e.Code, e.Failed = began, now.Sub(began), due, code, err != nil
	e.changes++
}

// Run keeps the book until ctx ends.
func (b *Book) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		for ctx.Err() == nil {
			err := b.table.Watch(ctx, b.take, func() { b.mu.Lock(); b.known = true; b.mu.Unlock() })
			if ctx.Err() == nil {
				b.log.WarnContext(ctx, "the record of jobs is not followed", "kind", fault.KindOf(err).String())
			}
			delay.For(ctx, time.Second)
		}
	})
	for delay.For(ctx, lookEvery) {
		b.mu.Lock()
		var due []jobs.Key
		for k, e := range b.jobs {
			if b.known && e.changes > e.kept && time.Since(e.written) >= writeEvery {
				due = append(due, k)
			}
		}
		b.mu.Unlock()
		for _, k := range due {
			if err := b.write(ctx, k, nil); err != nil && ctx.Err() == nil {
				b.log.WarnContext(ctx, "the record of a job is not kept", "job", string(k), "kind", fault.KindOf(err).String())
				break
			}
		}
	}
}

// Keys of documents are those of jobs with dots.
func nameOf(k jobs.Key) string   { return strings.ReplaceAll(string(k), "/", ".") }
func keyOf(name string) jobs.Key { return jobs.Key(strings.ReplaceAll(name, ".", "/")) }
func read(d table.Document) (x document, ok bool) {
	err := json.Unmarshal(d.Value, &x)
	return x, err == nil && x.Version == 1
}

// take takes a document that somebody wrote.
func (b *Book) take(d table.Document) {
	x, ok := read(d)
	if !ok {
		return
	}
	k := keyOf(d.Key)
	b.mu.Lock()
	e := b.of(k)
	if e.revision >= d.Revision {
		b.mu.Unlock()
		return
	}
	resumed := e.Paused && !x.Paused
	e.revision = d.Revision
	due := e.Due
	if e.Paused = x.Paused; x.Steps >= e.Steps { // else this process does its steps
		e.document = x
	}
	if e.changes > e.kept {
		e.Due = due
	}
	runner := e.runner
	b.mu.Unlock()
	if resumed && runner != nil {
		runner.Kick(k)
	}
}

// write writes the document of a job; change, nil for none, changes it before.
func (b *Book) write(ctx context.Context, k jobs.Key, change func(*document)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for range putTries {
		b.mu.Lock()
		e := b.of(k)
		x, revision, changes := e.document, e.revision, e.changes
		b.mu.Unlock()
		if change != nil {
			change(&x)
		}
		x.Version = 1
		value, err := json.Marshal(x)
		if err != nil {
			return err
		}
		revision, err = b.table.Put(ctx, nameOf(k), value, revision)
		if err == nil {
			b.mu.Lock()
			if e.revision < revision {
				e.revision = revision
			}
			resumed := e.Paused && !x.Paused
			e.Paused, e.kept, e.written = x.Paused, changes, time.Now()
			runner := e.runner
			b.mu.Unlock()
			if resumed && runner != nil {
				runner.Kick(k)
			}
			return nil
		}
		if fault.KindOf(err) != fault.Conflict {
			return err
		}
		now, err := b.table.Get(ctx, nameOf(k))
		if err != nil {
			return err
		}
		b.take(now)
	}
	return fault.New(fault.Unavailable, "The record of the job changes while it is written.")
}

// Pause lets no step of a job begin until it is resumed. fault.Unavailable: it is unknown
// whether it is paused.
func (b *Book) Pause(ctx context.Context, k jobs.Key, paused bool) error {
	b.mu.Lock()
	known := b.known
	b.mu.Unlock()
	if !known {
		return fault.New(fault.Unavailable, "The plane has not read its record of jobs yet.")
	}
	return b.write(ctx, k, func(d *document) { d.Paused = paused })
}

// Paused reports whether a job is paused in the book.
func (b *Book) Paused(k jobs.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.jobs[k]
	return e != nil && e.Paused
}

// Jobs lists the jobs of a workspace that there are to be, by key.
func (b *Book) Jobs(ws id.Workspace) []Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Status
	now := time.Now()
	for k, e := range b.jobs {
		if e.runner == nil || jobs.Workspace(k) != string(ws) {
			continue
		}
		s := Status{Key: k, Code: e.Code, Began: e.Began, Took: e.Took, Due: e.Due, Steps: e.Steps, Paused: e.Paused}
		switch {
		case e.Paused:
			s.State = "paused"
		case !e.doing.IsZero():
			s.State, s.Began, s.Took = "running", e.doing, now.Sub(e.doing)
		case e.Failed || e.Code != "" && !e.Due.IsZero():
			s.State = "failing"
		case e.Due.IsZero() && e.Steps > 0:
			s.State = "idle"
		case e.Due.After(now):
			s.State = "waiting"
		default:
			s.State = "due"
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return all
}

// Runs returns the last runs of a job, the newest first.
func (b *Book) Runs(k jobs.Key) []Run {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.jobs[k]
	if e == nil {
		return nil
	}
	all := slices.Clone(e.Runs)
	slices.Reverse(all)
	return all
}
