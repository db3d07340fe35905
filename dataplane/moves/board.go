package moves

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/jobs"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/quarantine"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Times and tries of the board.
const (
	flushEvery = 500 * time.Millisecond
	flushLast  = 5 * time.Second // when the plane stops
	watchAgain = time.Second
	putTries   = 10 // while others replace the same document
)

// Dead is the dead letters of a partition; *parked.Store is one.
type Dead interface {
	Count(ctx context.Context, f parked.Filter) (int, error)
	Redrive(ctx context.Context, f parked.Filter) (int, error)
	Retransform(ctx context.Context, f parked.Filter, connected func(event.Event) bool, replay func(context.Context, []event.Event) error) (int, error)
	Discard(ctx context.Context, f parked.Filter) (int, error)
}

// Quarantine is the quarantined events of a partition. Replay and Discard do a bounded
// part of span and return how many events left and the rest of it, the zero Span when
// nothing of it is left. fault.Unavailable: it does not run here.
type Quarantine interface {
	Count(ctx context.Context, f quarantine.Filter) (int, error)
	Replay(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error)
	Discard(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error)
}

// Partition is what jobs move the events of.
type Partition struct {
	Dead       func() (Dead, error) // fault.Unavailable: the partition does not run here
	Quarantine Quarantine
	Rows       func() []ledger.Row // its ledger, which says what has dead letters and quarantined events
}

// Table keeps the documents of jobs; *table.Table is one.
type Table interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Config is what a board works with. All fields are required.
type Config struct {
	Table      Table
	Partitions []Partition
	Connected  func(event.Event) bool                     // an event has a way to go
	Replay     func(context.Context, []event.Event) error // takes originals, as the gateway's events are taken
	Log        *slog.Logger
}

// Board is the jobs of a plane. Its methods are safe for concurrent use.
type Board struct {
	cfg   Config
	loops []*jobs.Loop // by partition

	writing sync.Mutex    // held while a document is replaced: processes race, calls of one need not
	due     chan struct{} // something is to be written at once

	mu    sync.Mutex
	known bool // the documents that there were are here
	docs  map[id.Workspace]stored
	fresh map[string]map[int]*news // what is done and not written, by job and partition
	works map[string]*work         // by job that runs
}

// stored is a document as it was at a revision. It is not changed.
type stored struct {
	document
	revision uint64
}

// news is what a part has done since it was written.
type news struct {
	ws     id.Workspace
	moved  int
	at     *part // where it is; its Moved says nothing
	reason *string
	failed bool
}

// New returns a board that Run runs. fault.Internal: something in cfg is missing.
func New(cfg Config) (*Board, error) {
	if cfg.Table == nil || len(cfg.Partitions) == 0 || cfg.Connected == nil || cfg.Replay == nil || cfg.Log == nil {
		return nil, fault.New(fault.Internal, "Jobs need a table, partitions, a way for originals, and a log.")
	}
	b := &Board{cfg: cfg, due: make(chan struct{}, 1), docs: map[id.Workspace]stored{}, fresh: map[string]map[int]*news{}, works: map[string]*work{}}
	for n := range cfg.Partitions {
		b.loops = append(b.loops, jobs.NewLoop(jobs.Config{Step: b.step(n), Group: workspaceOf, Log: cfg.Log}))
	}
	return b, nil
}

// Run does what jobs are to do until ctx ends, and then writes how far they are.
func (b *Board) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, l := range b.loops {
		all.Go(func() { l.Run(ctx) })
	}
	all.Go(func() {
		for ctx.Err() == nil {
			err := b.cfg.Table.Watch(ctx, b.changed, b.all)
			if ctx.Err() == nil {
				b.cfg.Log.WarnContext(ctx, "jobs are not followed", "error", err)
			}
			delay.For(ctx, watchAgain)
		}
	})
	all.Go(func() {
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-b.due:
			case <-ctx.Done():
				return
			}
			b.flush(ctx)
		}
	})
	all.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLast)
	defer cancel()
	b.flush(last)
}

// Create begins a job. fault.Invalid: the choice is none. fault.Conflict: one that runs
// may be about the same events; the text names it. fault.Limited: too many run in the
// workspace. fault.Unavailable: it is unknown whether it began.
func (b *Board) Create(ctx context.Context, ws id.Workspace, c Choice) (Job, error) {
	j, err := newJob(c, len(b.cfg.Partitions), time.Now())
	if err != nil {
		return Job{}, err
	}
	err = b.update(ctx, ws, func(d *document) error {
		for _, r := range d.running() {
			if r.overlaps(c) {
				return fault.New(fault.Conflict, "%s %s is about the same events and runs: wait until it is done, or stop it.", r.Kind, r.ID)
			}
		}
		if len(d.running()) >= MaxRunning {
			return fault.New(fault.Limited, "%d jobs run in this workspace: wait until one is done, or stop one.", MaxRunning)
		}
		d.Jobs = append(d.Jobs, j)
		d.forget()
		return nil
	}, nil)
	if err == nil {
		b.cfg.Log.InfoContext(ctx, "job began", "workspace", ws, "job", j.ID, "kind", string(j.Kind))
	}
	return j, err
}

// Stop stops a job that runs; what it moved stays moved. One that ended stays as it is.
// fault.Missing: there is no such job. fault.Unavailable: it is unknown whether it stopped.
func (b *Board) Stop(ctx context.Context, ws id.Workspace, job string) (Job, error) {
	b.flush(ctx)
	err := b.update(ctx, ws, func(d *document) error {
		j := d.find(job)
		switch {
		case j == nil:
			return missing(job)
		case j.State == Running:
			j.end(Stopped, "", time.Now())
		}
		return nil
	}, nil)
	if err != nil {
		return Job{}, err
	}
	return b.Job(ws, job)
}

// Jobs returns the jobs of a workspace, newest first: those that run and the last hundred
// that ended. fault.Unavailable: they are not known yet.
func (b *Board) Jobs(ws id.Workspace) ([]Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return nil, fault.New(fault.Unavailable, "The plane has not read its jobs yet.")
	}
	all := slices.Clone(b.docs[ws].Jobs)
	for i := range all {
		b.renew(&all[i])
	}
	slices.Reverse(all)
	return all, nil
}

// Job returns one job; see Jobs. fault.Missing: there is none of this name.
func (b *Board) Job(ws id.Workspace, job string) (Job, error) {
	all, err := b.Jobs(ws)
	if err != nil {
		return Job{}, err
	}
	if i := slices.IndexFunc(all, func(j Job) bool { return j.ID == job }); i >= 0 {
		return all[i], nil
	}
	return Job{}, missing(job)
}

func missing(job string) error {
	return fault.New(fault.Missing, "%s", fmt.Sprintf("There is no job %.40q in this workspace.", job))
}

// renew adds to a job what is not written yet; mu is held.
func (b *Board) renew(j *Job) {
	for n, x := range b.fresh[j.ID] {
		j.take(n, x)
	}
}

// take adds what a part has done.
func (j *Job) take(n int, x *news) {
	if j.State != Running {
		j.Moved += x.moved
		return
	}
	j.Parts = slices.Clone(j.Parts)
	p := &j.Parts[n]
	before := p.Moved
	if x.at != nil {
		*p = *x.at
		p.Moved = before
	}
	if p.Moved += x.moved; p.Total >= 0 { // two owners may both have counted what left between them
		p.Moved = min(p.Moved, p.Total)
	}
	j.Moved += p.Moved - before
	if x.reason != nil {
		j.Reason = *x.reason
	}
	if x.failed {
		j.end(Failed, *x.reason, time.Now())
		return
	}
	j.sum(time.Now())
}

// all notes that the documents that there were are here.
func (b *Board) all() {
	b.mu.Lock()
	b.known = true
	b.mu.Unlock()
	b.assign()
}

// changed takes a document that somebody replaced.
func (b *Board) changed(d table.Document) {
	b.writing.Lock() // what this process writes is noted with what it then need not write any more
	b.note(id.Workspace(d.Key), d, nil)
	b.writing.Unlock()
	b.mu.Lock()
	known := b.known
	b.mu.Unlock()
	if known {
		b.assign()
	}
}

// note keeps the newer state of a document, and has settle called at that moment.
func (b *Board) note(ws id.Workspace, d table.Document, settle func()) {
	var doc document
	if err := json.Unmarshal(d.Value, &doc); err != nil || doc.Version < 1 || doc.Version > 2 {
		b.cfg.Log.Error("jobs of a workspace are unreadable", "workspace", ws, "version", doc.Version)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.docs[ws].revision < d.Revision {
		b.docs[ws] = stored{doc, d.Revision}
	}
	if settle != nil {
		settle()
	}
}

// assign gives the loops the jobs that run.
func (b *Board) assign() {
	b.mu.Lock()
	defer b.mu.Unlock()
	wanted := make([][]jobs.Want, len(b.loops))
	works := map[string]*work{}
	for ws, d := range b.docs {
		for _, j := range d.running() {
			if works[j.ID] = b.works[j.ID]; works[j.ID] == nil {
				works[j.ID] = newWork(len(b.loops), time.Now())
			}
			for n := range min(len(b.loops), len(j.Parts)) {
				if !j.Parts[n].Done {
					wanted[n] = append(wanted[n], jobs.Want{Key: keyOf(ws, j.ID)})
				}
			}
		}
	}
	for _, d := range b.docs {
		for _, j := range d.Jobs {
			if b.works[j.ID] != nil && works[j.ID] == nil {
				b.cfg.Log.Info("job ended", "job", j.ID, "kind", string(j.Kind), "state", string(j.State), "moved", j.Moved)
			}
		}
	}
	b.works = works
	for n, l := range b.loops {
		l.Set(wanted[n])
	}
}

// update replaces a workspace's document by what change makes of it; settle, nil for
// nothing, is called with mu held when that is written.
func (b *Board) update(ctx context.Context, ws id.Workspace, change func(*document) error, settle func()) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	for range putTries {
		b.mu.Lock()
		have, known := b.docs[ws], b.known
		b.mu.Unlock()
		if !known {
			return fault.New(fault.Unavailable, "The plane has not read its jobs yet.")
		}
		next := document{Jobs: slices.Clone(have.Jobs)}
		for i := range next.Jobs {
			next.Jobs[i].Parts = slices.Clone(next.Jobs[i].Parts)
		}
		if err := change(&next); err != nil {
			return err
		}
		next.Version = next.version()
		value, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("encode jobs: %w", err)
		}
		now := table.Document{Key: string(ws), Value: value}
		now.Revision, err = b.cfg.Table.Put(ctx, string(ws), value, have.revision)
		if err != nil {
			var readErr error
			if now, readErr = b.cfg.Table.Get(ctx, string(ws)); readErr != nil {
				if fault.KindOf(err) == fault.Conflict {
					err = readErr
				}
				return fmt.Errorf("write jobs of workspace %s: %w", ws, err)
			}
			if bytes.Equal(now.Value, value) {
				err = nil // it was written, and the answer was lost
			}
		}
		if err == nil {
			b.note(ws, now, settle)
			b.assign()
			return nil
		}
		b.note(ws, now, nil)
		if fault.KindOf(err) != fault.Conflict {
			return fmt.Errorf("write jobs of workspace %s: %w", ws, err)
		}
	}
	return fault.New(fault.Unavailable, "The jobs of the workspace change while they are written.")
}
