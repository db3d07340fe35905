package erasures

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/jobs"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/quarantine"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

const (
	watchAgain = time.Second
	putTries   = 10 // while others replace the same document
)

// Table keeps the documents; *table.Table is one.
type Table interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Store is the parked deliveries and the dead letters of a partition; *parked.Store is one.
type Store interface {
	Count(ctx context.Context, f parked.Filter) (int, error)
	Discard(ctx context.Context, f parked.Filter) (int, error)
	DropWaiting(ctx context.Context, f parked.Filter, code string, dry bool) (dropped, busy int, err error)
}

// Quarantine is the quarantined events of a partition. fault.Unavailable: it does not run
// here.
type Quarantine interface {
	Count(ctx context.Context, f quarantine.Filter) (int, error)
	Discard(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error)
}

// Log is events on their way; a queue.Log is one.
type Log interface {
	State(ctx context.Context) (queue.State, error)
}

// Partition is one of the plane's.
type Partition struct {
	Logs       []Log
	Store      func() (Store, error) // fault.Unavailable: the partition does not run here
	Quarantine Quarantine
	Rows       func() []ledger.Row // its ledger, which says what has such events
	Relay      Relay               // to the process that runs it; nil: the plane is one process
}

// Relay carries requests between the processes of a plane; *relay.Relay is one.
type Relay interface {
	Ask(ctx context.Context, request []byte) ([]byte, error)
	Serve(ctx context.Context, answers func() bool, answer func(context.Context, []byte) []byte)
}

// Warehouse is one of a workspace. Errors are warehouse.Failures.
type Warehouse struct {
	ID   id.Destination
	Name string
	// Load loads what is staged, so that nothing of the person waits in files; after it
	// Forget takes away what is remembered of loads that may quote values.
	Load, Forget func(context.Context) error
	// Rows removes the person's rows, or with dry counts them; each hears of each table that
	// has such.
	Rows func(ctx context.Context, p *erase.Person, dry bool, each func(erase.Table) error) error
	// Rewrite writes a file anew without the bytes of what was removed from it, anyway or where
	// rows were. fault.Limited: its disk has no room for that. nil: the kind is none of files.
	Rewrite func(ctx context.Context, anyway bool) error
}

// Persons is what profiles know.
type Persons interface {
	// Find returns who has the identifiers, and all identifiers of them; failed says of which
	// profiles that is not known now.
	Find(ctx context.Context, ws id.Workspace, ids []string) (known []Known, all []string, failed map[string]error)
	// Forget removes a person, or with dry counts their identifiers, and returns how many.
	Forget(ctx context.Context, ws id.Workspace, k Known, dry bool) (int64, error)
}

// Config is what a board works with. All fields are required.
type Config struct {
	Table      Table
	Key        []byte // of the plane, 32 bytes: seals whom erasures are about
	Partitions []Partition
	Owner      func() bool // of one plane's processes one does what is not a partition's
	Warehouses func(id.Workspace) []Warehouse
	Persons    Persons
	Name       func(id.Workspace, id.Destination) string
	Log        *slog.Logger
	Reach      func(step string) error // tests: an error is the death of the process there
}

// Board is the erasures of a plane. Its methods are safe for concurrent use.
type Board struct {
	cfg  Config
	seal seal
	loop *jobs.Loop

	writing sync.Mutex // held while a document is replaced

	mu    sync.Mutex
	known bool // the documents that there were are here
	docs  map[id.Workspace]stored
}

// stored is a document as it was at a revision. It is not changed.
type stored struct {
	document
	revision uint64
}

// New returns a board that Run runs. fault.Internal: something in cfg is missing.
func New(cfg Config) (*Board, error) {
	if cfg.Table == nil || len(cfg.Partitions) == 0 || cfg.Owner == nil || cfg.Warehouses == nil || cfg.Persons == nil || cfg.Name == nil || cfg.Log == nil {
		return nil, fault.New(fault.Internal, "Erasures need a table, partitions, an owner, warehouses, persons, names and a log.")
	}
	s, err := newSeal(cfg.Key)
	if err != nil {
		return nil, err
	}
	if cfg.Reach == nil {
		cfg.Reach = func(string) error { return nil }
	}
	b := &Board{cfg: cfg, seal: s, docs: map[id.Workspace]stored{}}
	b.loop = jobs.NewLoop(jobs.Config{Step: b.step, Lane: lane, Log: cfg.Log})
	return b, nil
}

// Run does what erasures are to do until ctx ends.
func (b *Board) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { b.loop.Run(ctx) })
	for _, p := range b.cfg.Partitions {
		if p.Relay != nil {
			all.Go(func() { b.answer(ctx, p) })
		}
	}
	for ctx.Err() == nil {
		err := b.cfg.Table.Watch(ctx, b.changed, func() {
			b.mu.Lock()
			b.known = true
			b.mu.Unlock()
			b.assign()
		})
		if ctx.Err() == nil {
			b.cfg.Log.WarnContext(ctx, "erasures are not followed", "kind", fault.KindOf(err).String())
		}
		delay.For(ctx, watchAgain)
	}
}

// Create begins the erasure of the person who has the identifiers, type:value. It is kept
// when Create returns. fault.Invalid: they are none. fault.Limited: too many run in the
// workspace. fault.Unavailable: it is unknown whether it began.
func (b *Board) Create(ctx context.Context, ws id.Workspace, ids []string) (Erasure, error) {
	if err := check(ids); err != nil {
		return Erasure{}, err
	}
	e := newErasure(time.Now())
	e.IDs = len(ids)
	var err error
	if e.Sealed, err = b.seal.close(e.ID, whom{IDs: ids}); err != nil {
		return Erasure{}, err
	}
	err = b.update(ctx, ws, func(d *document) error {
		if d.running() >= maxRunning {
			return fault.New(fault.Limited, "%d erasures run in this workspace: wait until one is done, or stop one.", maxRunning)
		}
		d.Erasures = append(d.Erasures, e)
		d.forget()
		return nil
	})
	if err == nil {
		b.cfg.Log.InfoContext(ctx, "erasure began", "workspace", string(ws), "erasure", e.ID)
	}
	return e, err
}

// check says what is wrong with identifiers.
func check(ids []string) error {
	if len(ids) == 0 || len(ids) > MostIDs {
		return fault.New(fault.Invalid, "Name 1 to %d identifiers of the person, as type:value, such as user_id:u1.", MostIDs)
	}
	if slices.ContainsFunc(ids, func(one string) bool { return !isID(one) }) {
		return fault.New(fault.Invalid, "An identifier is type:value, such as user_id:u1; one of these is none.")
	}
	return nil
}

// Stop ends an erasure that runs; what it removed stays removed. One that ended stays as it
// is. fault.Missing: there is none of this name. fault.Unavailable: it is unknown whether it
// ended.
func (b *Board) Stop(ctx context.Context, ws id.Workspace, name string) (Erasure, error) {
	err := b.update(ctx, ws, func(d *document) error {
		e := d.find(name)
		switch {
		case e == nil:
			return missing(name)
		case e.State == Running:
			e.end(Stopped, time.Now())
		}
		return nil
	})
	if err != nil {
		return Erasure{}, err
	}
	return b.Erasure(ws, name)
}

func missing(name string) error {
	return fault.New(fault.Missing, "%s", fmt.Sprintf("There is no erasure %.40q in this workspace.", name))
}

// Erasures returns those of a workspace, newest first: those that run and the last hundred
// that ended. fault.Unavailable: they are not known yet.
func (b *Board) Erasures(ws id.Workspace) ([]Erasure, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return nil, errUnread
	}
	all := slices.Clone(b.docs[ws].Erasures)
	for i := range all {
		all[i] = all[i].copy()
	}
	slices.Reverse(all)
	return all, nil
}

var errUnread = fault.New(fault.Unavailable, "The plane has not read its erasures yet.")

// Erasure returns one; see Erasures. fault.Missing: there is none of this name.
func (b *Board) Erasure(ws id.Workspace, name string) (Erasure, error) {
	all, err := b.Erasures(ws)
	if err != nil {
		return Erasure{}, err
	}
	if i := slices.IndexFunc(all, func(e Erasure) bool { return e.ID == name }); i >= 0 {
		return all[i], nil
	}
	return Erasure{}, missing(name)
}

// changed takes a document that somebody replaced.
func (b *Board) changed(d table.Document) {
	b.note(id.Workspace(d.Key), d)
	b.mu.Lock()
	known := b.known
	b.mu.Unlock()
	if known {
		b.assign()
	}
}

// note keeps the newer state of a document.
func (b *Board) note(ws id.Workspace, d table.Document) {
	var doc document
	if err := json.Unmarshal(d.Value, &doc); err != nil || doc.Version != 1 {
		b.cfg.Log.Error("erasures of a workspace are unreadable", "workspace", string(ws), "version", doc.Version)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.docs[ws].revision < d.Revision {
		b.docs[ws] = stored{doc, d.Revision}
	}
}

// assign gives the loop what the erasures that run are to do, and has those go on whose
// partitions are done.
func (b *Board) assign() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var wanted []jobs.Want
	var due []jobs.Key
	for ws, d := range b.docs {
		for i := range d.Erasures {
			e := &d.Erasures[i]
			if e.State != Running {
				continue
			}
			wanted = append(wanted, jobs.Want{Key: keyOf(ws, e.ID, plane)})
			if e.Stage != Events {
				continue
			}
			for n, done := range e.Parts {
				if !done && n < len(b.cfg.Partitions) {
					wanted = append(wanted, jobs.Want{Key: keyOf(ws, e.ID, n)})
				}
			}
			if !slices.Contains(e.Parts, false) {
				due = append(due, keyOf(ws, e.ID, plane))
			}
		}
	}
	b.loop.Set(wanted)
	for _, k := range due {
		b.loop.Kick(k)
	}
}

// update replaces a workspace's document by what change makes of it.
func (b *Board) update(ctx context.Context, ws id.Workspace, change func(*document) error) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	for range putTries {
		b.mu.Lock()
		have, known := b.docs[ws], b.known
		b.mu.Unlock()
		if !known {
			return errUnread
		}
		next := document{Version: 1, Erasures: slices.Clone(have.Erasures)}
		for i := range next.Erasures {
			next.Erasures[i] = next.Erasures[i].copy()
		}
		if err := change(&next); err != nil {
			return err
		}
		value, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("encode erasures: %w", err)
		}
		now := table.Document{Key: string(ws), Value: value}
		now.Revision, err = b.cfg.Table.Put(ctx, string(ws), value, have.revision)
		if err != nil {
			var readErr error
			if now, readErr = b.cfg.Table.Get(ctx, string(ws)); readErr != nil {
				return fmt.Errorf("write erasures of workspace %s: %w", ws, err)
			}
			if bytes.Equal(now.Value, value) {
				err = nil // it was written, and the answer was lost
			}
		}
		b.note(ws, now)
		if err == nil {
			b.assign()
			return nil
		}
		if fault.KindOf(err) != fault.Conflict {
			return fmt.Errorf("write erasures of workspace %s: %w", ws, err)
		}
	}
	return fault.New(fault.Unavailable, "The erasures of the workspace change while they are written.")
}
