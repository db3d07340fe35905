package load

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/ledger"
	"weir/dataplane/load/ask"
	"weir/dataplane/load/discard"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/drift"
	"weir/dataplane/load/history"
	"weir/dataplane/load/merged"
	"weir/dataplane/load/staged"
	"weir/dataplane/load/term"
	"weir/dataplane/queue"
	"weir/dataplane/share"
	"weir/dataplane/warehouse"
	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
)

// Stage is one partition's log of events that are settled for warehouses, by
// destination.
type Stage interface {
	ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error]
	State(ctx context.Context) (queue.State, error)
	Keys(ctx context.Context) (map[string]uint64, error)
	Purge(ctx context.Context, before uint64, key string) error
}

// Job is one warehouse destination as it is configured now.
type Job struct {
	Workspace   id.Workspace
	Destination id.Destination
	Name, Type  string
	SourceOf    func(id.Source) (name, typ string)
	SyncEvery   time.Duration
	WakeEvery   time.Duration   // between the beginnings of two loads at least, unless the former was full or somebody asks
	Layout      *layout.Dialect // of the kind; nil: what is opened is a batches.Writer
	Options     layout.Options
	Open        func(ctx context.Context) (warehouse.Warehouse, error)
}

// Step is a place where a crash is tried.
type Step string

// The steps of a load, in order, and those beside it.
const (
	StepManifest Step = "manifest" // it names its records
	StepFile     Step = "file"     // files are written, the manifest does not name them
	StepStaged   Step = "staged"   // the manifest names its files
	StepAltered  Step = "altered"  // a table has its columns
	StepMerged   Step = "merged"   // a table is merged
	StepCursor   Step = "cursor"   // the cursor is moved
	StepPurged   Step = "purged"   // STAGE is purged
	StepDeleted  Step = "deleted"  // the files are gone

	// Beside the merge of a load that was full, or takes long.
	StepAheadFile Step = "ahead-file" // files of the next load are written, no manifest names them
	StepAhead     Step = "ahead"      // a manifest names the next load's files
	StepPromoted  Step = "promoted"   // the next load is under way
)

// Steps lists every step.
func Steps() []Step {
	return []Step{StepManifest, StepFile, StepStaged, StepAltered, StepMerged, StepCursor, StepPurged, StepDeleted, StepAheadFile, StepAhead, StepPromoted}
}

// Config is what an Engine works with.
type Config struct {
	Dir    string     // manifests and cursors
	Blobs  blob.Store // of staged files; warehouses read them from it
	Stages []Stage    // by partition
	Jobs   func() []Job
	// Held says, of several processes of a plane, that no other one runs the first partition;
	// that one loads, from Taken to Left. nil: this process is the only one.
	Held  func() bool
	Relay merged.Relay // to that one; nil: there is no other
	// Removed says whether a destination is gone for ever, not only without a job:
	// what is staged for it is discarded. nil: none is.
	Removed func(id.Workspace, id.Destination) bool
	// Refused is told of events of a partition that have no row at their Destination,
	// before their record is purged: Quarantine of each is unsupported_event, bad_event,
	// row_refused, table_refused or, without JSON, destination_removed; Detail is what the
	// warehouse says, which may quote values. An error repeats the load. It may be told
	// of an event several times, each time with the same Delivery, and of several
	// partitions at once. Nil: they are counted only.
	Refused   func(ctx context.Context, partition int, events []event.Event) error
	Reach     func(Step) error // tests: an error ends the load there as a crash does
	Log       *slog.Logger
	Now       func() time.Time
	Parallel  int // loads under way, 0 means 4; twice as many come on top of those that take long or failed before
	MaxEvents int // events of the largest load, 0 means 400,000; a load has what the warehouse takes in about ten seconds
}

// Engine loads every destination. It is safe for concurrent use.
type Engine struct {
	c       Config
	slots   *share.Slots
	staged  *staged.Counter
	term    *term.Term
	mu      sync.Mutex
	loaders map[id.Destination]*loader

	discards *discard.Sweeper
	others   *merged.Counts
}

// New checks the configuration. It touches no disk.
func New(c Config) (*Engine, error) {
	if c.Dir == "" || c.Blobs == nil || c.Jobs == nil || len(c.Stages) == 0 {
		return nil, fault.New(fault.Invalid, "The warehouse engine needs a folder, a blob store, jobs and STAGE logs.")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Parallel == 0 {
		c.Parallel = 4
	}
	if c.MaxEvents == 0 {
		c.MaxEvents = 400_000
	}
	logs := make([]staged.Log, len(c.Stages))
	for i, s := range c.Stages {
		logs[i] = s
	}
	e := &Engine{
		c: c, term: term.New(c.Held), slots: share.New(share.Config{Slots: c.Parallel, Aside: 2 * c.Parallel}), staged: staged.New(logs), loaders: map[id.Destination]*loader{},
	}
	e.discards, e.others = e.sweeper(), merged.New(c.Relay, e.term.Mine, e.rows)
	return e, nil
}

// tick is how often wanted and running loaders are compared.
const tick = time.Second

// Run loads until ctx ends; then loads under way are cut, to be resumed.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	timer := time.NewTicker(tick)
	defer timer.Stop()
	running := map[id.Destination]context.CancelFunc{}
	wg.Go(func() { e.staged.Run(ctx, e.next) })
	wg.Go(func() { e.others.Run(ctx) })
	if e.c.Removed != nil {
		wg.Go(func() { e.discards.Run(ctx) })
	}
	for {
		wanted := map[id.Destination]bool{}
		for _, j := range e.c.Jobs() {
			wanted[j.Destination] = true
			l := e.configured(j)
			if running[j.Destination] == nil {
				loaderCtx, cancel := context.WithCancel(ctx)
				running[j.Destination] = cancel
				wg.Go(func() { l.run(loaderCtx) })
			}
		}
		for d, cancel := range running {
			if !wanted[d] {
				cancel()
				delete(running, d)
			}
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			for _, cancel := range running {
				cancel()
			}
			return nil
		}
	}
}

// configured returns a destination's loader with its newest job.
func (e *Engine) configured(j Job) *loader {
	l := e.loaderOf(j.Destination)
	l.job.Store(&j)
	return l
}

func (e *Engine) loaderOf(d id.Destination) *loader {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.loaders[d]
	if l == nil {
		f := e.folder(d)
		l = &loader{e: e, dest: d, names: map[string]string{}, wake: make(chan struct{}, 1), history: history.Open(f.Path("history.json")), tables: drift.New(f.Path("tables"), e.c.Now)}
		e.loaders[d] = l
		if e.term.Shared() {
			l.remember(l.history.Forget()) // persons may have been erased by another process
		}
	}
	return l
}

func (e *Engine) job(d id.Destination) (Job, error) {
	for _, j := range e.c.Jobs() {
		if j.Destination == d {
			return j, nil
		}
	}
	return Job{}, fault.New(fault.Missing, "There is no warehouse destination of this id on this plane.")
}

// LoadNow loads what is staged for a destination, in as many loads as it takes,
// without regard to SyncEvery. Errors are Failures; fault.Missing: no such job.
func (e *Engine) LoadNow(ctx context.Context, d id.Destination) error {
	j, err := e.job(d)
	if err != nil {
		return err
	}
	l := e.configured(j)
	for {
		did, _, err := l.loadOnce(ctx)
		if err != nil || !did {
			return err
		}
	}
}

// Hasten lets a destination be loaded without delay: after the load under way, and
// however long it is to wait because its warehouse failed. fault.Missing: no such job;
// fault.Conflict: its loads are paused.
func (e *Engine) Hasten(d id.Destination) error {
	if _, err := e.job(d); err != nil {
		return err
	}
	if err := e.folder(d).Running(); err != nil {
		return err
	}
	e.loaderOf(d).hasten()
	return nil
}

// Next returns when a destination is loaded next; zero: it is being loaded, or is not.
func (e *Engine) Next(d id.Destination) time.Time {
	l := e.loaderOf(d)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// Appended counts what an append of events to a partition's STAGE gave: the number of
// their record, or an error. Every append has to be told.
func (e *Engine) Appended(partition int, d id.Destination, events []event.Event, seq uint64, err error) {
	e.staged.Add(partition, d, events, seq, err)
}

// Taken says that a partition runs in this process from now on: what another process
// appended to its STAGE is counted before Staged is whole again.
func (e *Engine) Taken(partition int) {
	if e.staged.Again(partition); partition == 0 {
		e.term.Begin()
		e.hastenAll()
	}
}

// Staged returns how many events wait in STAGE to be loaded, for each source and
// destination that has any. Just after a start it may be too few.
func (e *Engine) Staged() (map[ledger.Key]int64, bool) { return e.staged.Counts() }

// Loads returns the newest loads of a destination, newest first.
func (e *Engine) Loads(d id.Destination) []history.Load {
	e.mu.Lock()
	l := e.loaders[d]
	e.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.history.List()
}

// Merged returns how many rows of a destination were loaded since the engine began.
func (e *Engine) Merged(d id.Destination) int64 { return e.rows()[d] }

// MergedAnywhere is Merged with what other processes of the plane loaded, seconds ago at least.
func (e *Engine) MergedAnywhere(d id.Destination) int64 { return e.others.Of(d) }

func (e *Engine) rows() map[id.Destination]int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[id.Destination]int64{}
	for d, l := range e.loaders {
		all[d] = l.merged.Load()
	}
	return all
}

// Slow returns the workspaces whose loads take long while those of others wait.
func (e *Engine) Slow() []id.Workspace { return e.slots.Slow() }

// Tables returns what is known of the tables of a destination, and how it is opened.
// fault.Missing: no such job.
func (e *Engine) Tables(d id.Destination) (*drift.Tables, func(context.Context) (warehouse.Warehouse, error), error) {
	j, err := e.job(d)
	if err != nil {
		return nil, nil, err
	}
	return e.loaderOf(d).tables, j.Open, nil
}

// Forget takes away what is remembered of a destination's loads that may quote values.
func (e *Engine) Forget(d id.Destination) error { return e.loaderOf(d).history.Forget() }

// Query runs a reading statement on a destination. Errors: fault.Missing, and those of
// ask.Query.
func (e *Engine) Query(ctx context.Context, d id.Destination, sql string, row func([]byte) error) error {
	j, err := e.job(d)
	if err != nil {
		return err
	}
	return ask.Query(ctx, j.Open, sql, row)
}

// Test says whether a destination could be loaded.
func (e *Engine) Test(ctx context.Context, d id.Destination) error {
	j, err := e.job(d)
	if err != nil {
		return err
	}
	return ask.Test(ctx, j.Open)
}

// next returns the first record of each partition that no closed load of d has.
func (e *Engine) next(d id.Destination) ([]uint64, error) {
	var c disk.Cursor
	_, err := durable.GetJSON(e.folder(d).Path("cursor.json"), &c)
	return c.Next, err
}
