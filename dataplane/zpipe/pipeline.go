// Package pipeline is the middle of the product: the loop of one partition
// that turns frames into deliveries and knows what became of each.
//
// A partition is a log that is read by position. Its one owner keeps a journal
// of settlements beside it, one append in flight, at least 10 ms apart. The
// floor is the frame up to which everything is settled and journaled; EVENTS is
// purged up to the floor and in no other way. Start and takeover are the same
// code. A crash repeats only the requests in flight and the settlements of the
// last 10 ms.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/dataplane/route"
	"weir/shared/fault"
	"weir/shared/id"
)

// Lease is the right to own the partition; *queue.Lease is one.
type Lease interface {
	Held() bool
	Run(ctx context.Context) error
}

// Seen knows which events the partition has had; *dedupe.Index is one.
type Seen interface {
	First(k dedupe.Key, pos dedupe.Pos, at time.Time) (bool, error)
	Snapshot(ctx context.Context, journalSeq uint64) error
	Position() uint64
}

// Lanes delivers; *deliver.Lanes is one.
type Lanes interface {
	Recover(ctx context.Context, r deliver.Recovery) error
	Run(ctx context.Context) error
	Offer(ctx context.Context, ds []deliver.Delivery) error
	Confirmed(d id.Destination, floor uint64)
	Redrive(ctx context.Context, f deliver.Filter) (int, error)
	Discard(ctx context.Context, f deliver.Filter) (int, error)
	List(ctx context.Context, f deliver.Filter, after deliver.Place, limit int) ([]deliver.DeadLetter, error)
}

// Reports are what lanes call back; see deliver.Config.
type Reports struct {
	Settle  func([]deliver.Settled)
	Drained func(d id.Destination, floor uint64)
	Held    func() bool
}

// Config is what a partition works with. All fields but Log, OpenBytes and
// Alarm are required.
type Config struct {
	Partition                                      int
	Events, Journal, Parked, Dead, Quarantine, Bad queue.Log
	// Lease takes the partition's lease and returns its epoch, which is greater
	// than that of every earlier owner.
	Lease func(ctx context.Context) (l Lease, epoch uint64, err error)
	Seen  Seen
	Key   func(s id.Source, user string, m id.Event) dedupe.Key
	// Route returns the routing of a source as it is now and the revision's
	// number; known is false while the workspace is not loaded. A source that a
	// loaded workspace does not have has a nil table.
	Route func(ws id.Workspace, s id.Source) (t *route.Table, revision uint64, known bool)
	// Lanes makes the lanes of one ownership.
	Lanes     func(Reports) (Lanes, error)
	Alarm     func(code string) // a reason of concern, from Alarms; nil: nobody listens
	Log       *slog.Logger
	OpenBytes int64 // events of frames that are not settled, in memory; zero means 128 MiB
}

// Alarms that a pipeline raises.
const (
	AlarmJournalGap   = "journal_gap"   // a journal record is missing
	AlarmJournalBooks = "journal_books" // a journal record's counts and settlements disagree
	AlarmBadFrame     = "bad_frame"     // a frame could not be read; it stands in BAD
)

// Pace of the journal and sizes of its records.
const (
	journalPace     = 10 * time.Millisecond
	purgePace       = 100 * time.Millisecond
	checkpointEvery = 500 // records
	recordSettled   = 20_000
	recordKeys      = 100_000
	snapshotEvery   = time.Minute
	trimEvery       = 10 * time.Minute
	window          = 7 * 24 * time.Hour // how long the journal keeps dedupe keys
)

// Pipeline is one partition. Run may be called again after it returned.
type Pipeline struct {
	cfg Config

	mu    sync.Mutex
	own   *ownership // nil while nobody runs it
	gaps  uint64     // records that were missing
	wrong uint64     // records whose books were wrong
}

// New checks the configuration.
func New(cfg Config) (*Pipeline, error) {
	for name, missing := range map[string]bool{
		"Events": cfg.Events == nil, "Journal": cfg.Journal == nil, "Parked": cfg.Parked == nil, "Dead": cfg.Dead == nil, "Quarantine": cfg.Quarantine == nil, "Bad": cfg.Bad == nil,
		"Lease": cfg.Lease == nil, "Seen": cfg.Seen == nil, "Key": cfg.Key == nil, "Route": cfg.Route == nil, "Lanes": cfg.Lanes == nil,
	} {
		if missing {
			return nil, fault.New(fault.Invalid, "pipeline: %s is required", name)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(string) {}
	}
	if cfg.OpenBytes == 0 {
		cfg.OpenBytes = 128 << 20
	}
	return &Pipeline{cfg: cfg}, nil
}

// Run owns the partition until ctx ends (then it returns nil) or it cannot go
// on: fault.Conflict when another owner has it.
func (p *Pipeline) Run(ctx context.Context) error {
	lease, epoch, err := p.cfg.Lease(ctx)
	if err != nil {
		return fmt.Errorf("partition %d: lease: %w", p.cfg.Partition, err)
	}
	o, err := p.recover(ctx, lease, epoch)
	if err != nil {
		return fmt.Errorf("partition %d: recover: %w", p.cfg.Partition, err)
	}
	p.set(o)
	defer p.set(nil)

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return lease.Run(gctx) })
	g.Go(func() error { return o.keepJournal(gctx) })
	g.Go(func() error { return o.lanes.Run(gctx) })
	g.Go(func() error { return o.follow(gctx) })
	err = g.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("partition %d: %w", p.cfg.Partition, err)
	}
	return nil
}

// follow reads frames in order and hands their events to the lanes.
func (o *ownership) follow(ctx context.Context) error {
	for rec, err := range o.cfg.Events.Read(ctx, o.floor+1, "") {
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		if err := o.room(ctx); err != nil {
			return err
		}
		if err := o.frame(ctx, rec); err != nil {
			return fmt.Errorf("frame %d: %w", rec.Seq, err)
		}
		if err := o.maintain(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// frame turns one record into deliveries.
func (o *ownership) frame(ctx context.Context, rec queue.Record) error {
	read := time.Now()
	f, err := queue.DecodeFrame(rec.Data)
	if err != nil {
		return o.badFrame(ctx, rec)
	}
	opening, known := o.resumed[rec.Seq]
	if !known {
		if opening, err = o.open(ctx, rec, f.Events); err != nil {
			return err
		}
	}
	delete(o.resumed, rec.Seq)
	ds := o.track(opening, f.Events, read, !known)
	if len(ds) == 0 {
		return nil
	}
	return o.lanes.Offer(ctx, ds)
}

// open decides what happens to each event of a frame that is read for the
// first time: dedupe, check, route.
func (o *ownership) open(ctx context.Context, rec queue.Record, events []event.Event) (Opening, error) {
	op := Opening{Frame: rec.Seq, At: rec.At.UnixMilli(), Events: len(events)}
	groups := map[id.Source]int{}
	var bad []int
	for i := range events {
		e := &events[i]
		at, ok := groups[e.Source]
		if !ok {
			at = len(op.Groups)
			groups[e.Source] = at
			op.Groups = append(op.Groups, Group{Workspace: e.Workspace, Source: e.Source})
		}
		g := &op.Groups[at]
		g.Of.Add(i, len(events))
		if e.Quarantine != "" {
			g.Quarantined.Add(i, len(events))
			bad = append(bad, i)
			continue
		}
		key := o.cfg.Key(e.Source, e.User, e.MessageID)
		first, err := o.cfg.Seen.First(key, dedupe.Pos{Frame: rec.Seq, Index: uint32(i)}, rec.At)
		if err != nil {
			return Opening{}, err
		}
		if !first {
			g.Duplicate.Add(i, len(events))
			continue
		}
		op.Keys = append(op.Keys, key)
		if err := o.route(ctx, g, e, i, len(events)); err != nil {
			return Opening{}, err
		}
	}
	return op, o.quarantine(ctx, rec.Seq, events, bad)
}

// route finds the destinations of one event. It waits while the event's
// workspace is not loaded: dropping or guessing would lose it.
func (o *ownership) route(ctx context.Context, g *Group, e *event.Event, i, n int) error {
	table, revision, known := o.cfg.Route(e.Workspace, e.Source)
	for !known {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		table, revision, known = o.cfg.Route(e.Workspace, e.Source)
	}
	o.revision = revision
	to := table.Route(*e)
	if len(to) == 0 {
		g.Unrouted.Add(i, n)
		return nil
	}
	for _, d := range to {
		at := -1
		for j := range g.Routes {
			if g.Routes[j].Destination == d.ID {
				at = j
				break
			}
		}
		if at < 0 {
			at = len(g.Routes)
			g.Routes = append(g.Routes, Route{Destination: d.ID})
		}
		g.Routes[at].Set.Add(i, n)
	}
	return nil
}

// quarantine writes what the gateway marked, under its source, before the
// opening that books it.
func (o *ownership) quarantine(ctx context.Context, frame uint64, events []event.Event, marked []int) error {
	for _, i := range marked {
		data := queue.EncodeFrame(events[i : i+1])
		if err := o.must(ctx, func() error {
			_, err := o.cfg.Quarantine.Append(ctx, string(events[i].Source), data)
			return err
		}); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	return nil
}

// badFrame keeps a frame that nobody can read, so that the ones behind it flow.
func (o *ownership) badFrame(ctx context.Context, rec queue.Record) error {
	o.cfg.Log.ErrorContext(ctx, "frame unreadable, kept in BAD", "partition", o.cfg.Partition, "frame", rec.Seq)
	o.cfg.Alarm(AlarmBadFrame)
	if err := o.must(ctx, func() error {
		_, err := o.cfg.Bad.Append(ctx, "", rec.Data)
		return err
	}); err != nil {
		return fmt.Errorf("keep a bad frame: %w", err)
	}
	_, known := o.resumed[rec.Seq]
	o.track(Opening{Frame: rec.Seq, At: rec.At.UnixMilli()}, nil, time.Now(), !known)
	return nil
}

// must repeats an append until it is known to be durable. What was written
// twice after a lost answer is told apart by its reader.
func (o *ownership) must(ctx context.Context, try func() error) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := try()
		if err == nil {
			return nil
		}
		if k := fault.KindOf(err); k != fault.Unavailable && k != fault.Limited {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

// maintain takes a snapshot of the dedupe index and trims the journal.
func (o *ownership) maintain(ctx context.Context) error {
	if time.Since(o.snapshotAt) > snapshotEvery {
		o.snapshotAt = time.Now()
		if seq := o.journaled(); seq > o.cfg.Seen.Position() {
			if err := o.cfg.Seen.Snapshot(ctx, seq); err != nil && ctx.Err() == nil {
				return fmt.Errorf("dedupe snapshot: %w", err)
			}
		}
	}
	if time.Since(o.trimmedAt) > trimEvery {
		o.trimmedAt = time.Now()
		return o.trim(ctx)
	}
	return nil
}

// trim removes journal records that are older than the dedupe window and that
// neither recovery nor the dedupe index needs.
func (o *ownership) trim(ctx context.Context) error {
	limit := min(o.base(), o.cfg.Seen.Position())
	before := uint64(0)
	for rec, err := range o.cfg.Journal.ReadTo(ctx, 1, "") {
		if err != nil {
			return fmt.Errorf("trim the journal: %w", err)
		}
		if rec.Seq >= limit || time.Since(rec.At) < window {
			break
		}
		before = rec.Seq + 1
	}
	if before == 0 {
		return nil
	}
	if err := o.cfg.Journal.Purge(ctx, before, ""); err != nil && fault.KindOf(err) != fault.Unavailable {
		return fmt.Errorf("trim the journal: %w", err)
	}
	return nil
}

func (p *Pipeline) set(o *ownership) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = o
}

func (p *Pipeline) owner() (*ownership, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own == nil {
		return nil, fault.New(fault.Unavailable, "partition %d is not running here", p.cfg.Partition)
	}
	return p.own, nil
}

// Books returns the partition's books, in flight counted at the same moment.
// Nothing while the partition does not run.
func (p *Pipeline) Books() []ledger.Row {
	o, err := p.owner()
	if err != nil {
		return nil
	}
	rows := o.books()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gaps+p.wrong > 0 {
		for i := range rows {
			rows[i].Balanced = false
		}
	}
	return rows
}

// Lag returns how many frames are open.
func (p *Pipeline) Lag() int {
	o, err := p.owner()
	if err != nil {
		return 0
	}
	return o.lag()
}

// Redrive moves dead letters back to their destination; see deliver.Lanes.
func (p *Pipeline) Redrive(ctx context.Context, f deliver.Filter) (int, error) {
	o, err := p.owner()
	if err != nil {
		return 0, err
	}
	return o.lanes.Redrive(ctx, f)
}

// Discard drops dead letters for good; see deliver.Lanes.
func (p *Pipeline) Discard(ctx context.Context, f deliver.Filter) (int, error) {
	o, err := p.owner()
	if err != nil {
		return 0, err
	}
	return o.lanes.Discard(ctx, f)
}

// List returns dead letters; see deliver.Lanes.
func (p *Pipeline) List(ctx context.Context, f deliver.Filter, after deliver.Place, limit int) ([]deliver.DeadLetter, error) {
	o, err := p.owner()
	if err != nil {
		return nil, err
	}
	return o.lanes.List(ctx, f, after, limit)
}
