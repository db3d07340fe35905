package syncs

import (
	"context"
	"errors"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/jobs"
	"weir/dataplane/outbound"
	"weir/dataplane/syncs/books"
	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

// Codes of runs, beside those of loads and of destinations.
const (
	CodeModel       = "sync_model"       // the warehouse refuses the model, or a column of the sync
	CodeUnexplained = "sync_unexplained" // not all rows of a run are accounted for
	CodeGone        = "sync_gone"        // the model, its warehouse or the destination is not there, or disabled
)

// Sizes of a run.
const (
	pageRows  = 1000 // that are fetched at once, or as many as the destination takes in one batch
	flushRows = 5000 // that were sent and are not written down
	maxTries  = 6    // of a row that its destination fails at while it takes others

	maxRefusals = 5 // in a row, by a warehouse, of what a run writes there
)

// run is one run of a sync in this process.
type run struct {
	e     *Engine
	task  Task
	books books.Run
	link  *outbound.Link

	planned  bool
	page     []sending // what is fetched and not settled
	after    int64     // the number of the last row that was fetched
	last     bool      // there are no more rows
	settled  books.Settled
	flushed  time.Time
	failures int // in a row, of the warehouse or the destination
	told     time.Time
	detail   string              // what the warehouse says against the model; it stays in this process
	target   *destination.Target // as it is configured
	sendTo   *destination.Target // the same as rows are sent to it
	set      string              // the name of what is written as one set; "": rows count one by one
	parts    map[string]int64    // of the set: how many rows batches have that were taken, by name
	complete bool                // the set is in the place of the former one
}

// sending is a row that is to be sent.
type sending struct {
	books.Row
	tries int
}

func (r *run) done() bool { return !running(r.books.State) }

// step does a part of the run.
func (r *run) step(ctx context.Context, s State) (jobs.Next, error) {
	target, presence := r.e.cfg.Target(r.task.Workspace, r.task.Sync.Destination)
	if presence != destination.Present || target.Disabled {
		return r.wait(ctx, CodeGone, time.Minute), nil
	}
	if r.target != target {
		r.target, r.sendTo = target, asRecords(target)
	}
	if !r.planned {
		return r.plan(ctx, s)
	}
	until := time.Now().Add(stepTime)
	for time.Now().Before(until) && ctx.Err() == nil {
		if len(r.page) == 0 || r.due() {
			if err := r.turn(ctx); err != nil {
				return r.trouble(ctx, err)
			}
		}
		if r.done() {
			return jobs.Next{}, nil
		}
		if r.written() {
			if wait, code := r.replace(ctx); wait > 0 {
				return r.wait(ctx, code, wait), nil
			}
			if r.done() {
				return jobs.Next{}, nil
			}
			continue
		}
		if wait, code := r.send(ctx); wait > 0 {
			if wait > flushTime/2 && r.settled.Len() > 0 {
				if err := r.turn(ctx); err != nil {
					return r.trouble(ctx, err)
				}
			}
			return r.wait(ctx, code, wait), nil
		}
	}
	r.tell(ctx, "")
	return jobs.Next{More: true}, nil
}

// due reports whether what was sent is to be written down now.
func (r *run) due() bool {
	return r.settled.Len() >= flushRows || r.settled.Len() > 0 && time.Since(r.flushed) >= flushTime
}

// with opens a session on the warehouse for a while.
func (r *run) with(ctx context.Context, do func(*books.Book, tables.Session) error) error {
	return withBook(ctx, r.task, do)
}

// sessionTime is how long a session may take.
const sessionTime = 10 * time.Minute

// withBook opens a session on the warehouse of a sync for a while.
func withBook(ctx context.Context, t Task, do func(*books.Book, tables.Session) error) error {
	ctx, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	if t.Open == nil {
		return fault.New(fault.Missing, "The warehouse of the model is not there, or disabled.")
	}
	w, err := t.Open(ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	defer func() { _ = w.Close() }() // what counts is committed
	on, ok := w.(tables.Modelled)
	if !ok {
		return fault.New(fault.Missing, "The warehouse of the model has no sessions.")
	}
	s, err := on.Session(ctx, on.Home())
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	return do(books.New(t.Sync, t.Model, on.Basics()), s)
}

// plan finds what is to be sent.
func (r *run) plan(ctx context.Context, s State) (jobs.Next, error) {
	var p books.Plan
	err := r.with(ctx, func(b *books.Book, session tables.Session) (err error) {
		if p, err = b.Plan(ctx, session, time.Now(), s.Agreed); err != nil || p.Held == "" {
			return err
		}
		r.books.State, r.books.Code, r.books.Ended = Held, p.Held, time.Now().UTC()
		r.books.Removed, r.books.Planned, r.books.Invalid = p.Removed, p.Planned, p.Invalid
		return b.End(ctx, session, r.books)
	})
	if err != nil {
		r.books.State, r.books.Code = Querying, ""
		return r.trouble(ctx, err)
	}
	if p.Held != "" {
		return jobs.Next{}, nil
	}
	if r.planned, r.flushed = true, time.Now(); p.Whole {
		r.set, r.parts = string(r.task.Sync.ID)+"/"+r.books.ID, map[string]int64{}
	}
	r.books.State, r.books.Planned, r.books.Invalid, r.books.Removed = Writing, p.Planned, p.Invalid, p.Removed
	r.books.Waiting = p.Waiting
	r.failures = 0
	r.tell(ctx, "")
	return jobs.Next{More: true}, nil
}

// turn writes down what was sent, and fetches the next rows where none are left. The run
// ends where there are no more.
func (r *run) turn(ctx context.Context) error {
	return r.with(ctx, func(b *books.Book, s tables.Session) error {
		if r.settled.Len() > 0 {
			if err := b.Settle(ctx, s, r.books.ID, r.now(), r.settled); err != nil {
				return err
			}
			r.settled = books.Settled{}
		}
		r.flushed, r.failures = time.Now(), 0
		if len(r.page) == 0 && !r.last {
			rows, err := b.Rows(ctx, s, r.after, max(pageRows, r.batch()))
			if err != nil {
				return err
			}
			for _, row := range rows {
				r.page, r.after = append(r.page, sending{Row: row}), row.N
			}
			r.last = len(rows) == 0
		}
		if len(r.page) > 0 || !r.last || r.written() {
			return nil
		}
		if r.complete {
			if err := b.SettleSet(ctx, s, r.books.ID, r.books.Began, r.now()); err != nil {
				return err
			}
		}
		r.books.Ended = time.Now().UTC()
		if r.books.State, r.books.Code = Completed, ""; r.books.Accepted+r.books.Rejected != r.books.Planned {
			r.books.State, r.books.Code = Failed, CodeUnexplained
		}
		err := b.End(ctx, s, r.books)
		if err != nil {
			r.books.State, r.books.Code = Writing, ""
		}
		return err
	})
}

// now is a time that is not before the run's begin: clocks are set.
func (r *run) now() time.Time {
	if now := time.Now(); now.After(r.books.Began) {
		return now
	}
	return r.books.Began
}

// written says that all rows of a set are written, and that it is not yet in the place of the
// former one. A set of which the destination took no row replaces none.
func (r *run) written() bool {
	return r.set != "" && !r.complete && r.last && len(r.page) == 0 && r.books.Accepted+r.books.Rejected == r.books.Planned && (r.books.Accepted > 0 || r.books.Planned == 0)
}

// replace puts the set in the place of the former one. A positive wait says that the
// destination does not do it now, and code why. The run fails where it never does.
func (r *run) replace(ctx context.Context) (wait time.Duration, code string) {
	switch res := r.link.Complete(ctx, r.sendTo, r.set, r.parts); res.Outcome {
	case destination.Delivered:
		r.complete, r.failures = true, 0
		return 0, ""
	case destination.Retry:
		r.failures++
		return max(res.After, r.e.cfg.Backoff(r.failures)), res.Code
	default:
		r.books.State, r.books.Code, r.books.Ended = Failed, res.Code, time.Now().UTC()
		return 0, ""
	}
}

// leave writes down what was sent; the rest is for the next run.
func (r *run) leave(ctx context.Context) {
	if r.settled.Len() == 0 {
		return
	}
	r.page, r.last = append(r.page, sending{}), true // nothing is fetched, and the run does not end
	if err := r.turn(ctx); err != nil {
		r.e.cfg.Log.WarnContext(ctx, "rows of a run are sent again", "sync", r.task.Sync.ID, "rows", r.settled.Len(), "code", warehouse.CodeOf(err))
	}
}

// trouble says what an error of the warehouse means for the run.
func (r *run) trouble(ctx context.Context, err error) (jobs.Next, error) {
	if ctx.Err() != nil {
		return jobs.Next{}, ctx.Err()
	}
	switch kind := fault.KindOf(err); {
	case kind == fault.Missing:
		return r.wait(ctx, CodeGone, time.Minute), nil
	case kind == fault.Invalid && (!r.planned || r.failures >= maxRefusals): // what was planned is refused for a lock, too
		r.books.State, r.books.Code, r.detail = Failed, CodeModel, err.Error()
		return jobs.Next{}, nil
	}
	r.failures++
	code := warehouse.CodeOf(err)
	var failure *warehouse.Failure
	if !errors.As(err, &failure) {
		code = warehouse.CodeFailed
	}
	return r.wait(ctx, code, r.e.cfg.Backoff(r.failures)), nil
}

// backoff is how long to wait after so many failures in a row.
func backoff(failures int) time.Duration {
	return min(time.Second<<min(failures, 10), time.Minute)
}

// wait lets the run rest, and says why.
func (r *run) wait(ctx context.Context, code string, wait time.Duration) jobs.Next {
	r.tell(ctx, code)
	return jobs.Next{Wait: wait}
}

// tellEvery is how often a run says how far it is.
const tellEvery = 5 * time.Second

// tell notes how far the run is, and why it waits.
func (r *run) tell(ctx context.Context, code string) {
	if code == r.books.Code && time.Since(r.told) < tellEvery {
		return
	}
	r.books.Code, r.told = code, time.Now()
	now := r.books
	r.e.note(ctx, r.task, func(s *State) { s.Run = now })
}
