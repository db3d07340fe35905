package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/dataplane/parked"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/plan"
	"weir/dataplane/quarantine"
	"weir/dataplane/queue"
	"weir/dataplane/transform"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/telemetry"
)

// Lease is the right to own the partition; *natsstore.Lease is one.
type Lease interface {
	Held() bool                        // whether it is ours beyond doubt
	Run(ctx context.Context) error     // renews it; an error: it is lost
	Release(ctx context.Context) error // lets the next owner in at once
}

// Seen knows which events the partition has had; *dedupe.Index is one. First
// and Jumped are used by one goroutine at a time.
type Seen interface {
	First(o dedupe.Owner, k dedupe.Key, pos dedupe.Pos, at time.Time) (bool, error)
	Jumped() bool // the last frame's time is far ahead of the clock: nothing is forgotten

	Snapshot(ctx context.Context, journalSeq uint64) error // beside First
	Position() uint64
	State() dedupe.State
}

// Lanes delivers; *deliver.Lanes is one.
type Lanes interface {
	Recover(ctx context.Context, r delivery.Recovery) error
	Run(ctx context.Context) error
	Offer(ctx context.Context, ds []delivery.Delivery) error
	Confirmed(d id.Destination, floor uint64)
	Store() *parked.Store
}

// Reports are what lanes call back: the fields of deliver.Config with the same names.
type Reports struct {
	Settle  func([]delivery.Settled)
	Drained func(d id.Destination, floor uint64)
	Held    func() bool
}

// Config is what a partition works with. Fields without a default are required.
type Config struct {
	Partition                                      int // only for logs and errors
	Events, Journal, Parked, Dead, Quarantine, Bad queue.Log
	Detour                                         queue.Log // from where frames are moved to Events; nil: from nowhere

	// Lease takes the partition's lease and returns its epoch, which is greater
	// than that of every earlier owner.
	Lease func(ctx context.Context) (l Lease, epoch uint64, err error)
	// Lanes makes the lanes of one ownership.
	Lanes func(Reports) (Lanes, error)
	// Route returns the routing of a source as it is now. known is false while
	// the workspace is not loaded: its events are set aside. A nil routing routes nothing.
	Route func(ws id.Workspace, s id.Source) (r *plan.Routing, known bool)
	// Transform runs a chain over events. Every event ends in outputs or in an
	// end. fault.Unavailable: no worker could; it is tried again.
	Transform func(ctx context.Context, c *transform.Chain, m transform.Meta, in []event.Event) (transform.Result, error)
	Seen      Seen
	Key       func(s id.Source, user string, m id.Event) dedupe.Key

	// Aside hears of which workspaces events are set aside; nil: nobody does.
	Aside *aside.Board

	// Trace returns the trace of a frame, nil for none; nil: no frame has one.
	Trace func(frame uint64) *telemetry.Trace

	Live  *live.Hub         // shows events to those that watch; nil: nobody does
	Alarm func(code string) // hears of every alarm that is raised; nil: nobody does
	Log   *slog.Logger      // nil: nowhere

	OpenFrames int              // frames that are read and not settled; zero means 4096
	OpenBytes  int64            // memory of their events; zero means 64 MiB
	CodeBytes  int64            // memory of events that wait for transformations, see rewrite.Config.Bytes; zero means 32 MiB
	KeepKeys   time.Duration    // how long the journal keeps dedupe keys for an owner elsewhere; zero: until Seen has them durably
	JournalMax int64            // bytes that Journal may hold; zero: no limit
	Grace      time.Duration    // from an owner's start until it sets events of workspaces aside that are not loaded; zero means 2 s
	Now        func() time.Time // for what is kept for days; nil means time.Now
	Snapshot   time.Duration    // between two snapshots of the dedupe index at most; zero means a minute
	Checkpoint int              // bytes of journal after which there is a checkpoint, 16 MiB at most; zero means 4 MiB
}

// Pipeline is one partition. Its methods are safe for concurrent use, except
// that Run and Keep must not run twice at a time.
type Pipeline struct {
	cfg        Config
	alarms     alarms
	quarantine quarantine.Store

	mu   sync.Mutex
	own  *owner // nil while nobody here owns the partition
	last *owner // the newest one, also after it lost the partition
}

// New checks the configuration.
func New(cfg Config) (*Pipeline, error) {
	var errs []error
	for _, field := range []struct {
		name  string
		there bool
	}{
		{"Events", cfg.Events != nil}, {"Journal", cfg.Journal != nil}, {"Parked", cfg.Parked != nil}, {"Dead", cfg.Dead != nil},
		{"Quarantine", cfg.Quarantine != nil}, {"Bad", cfg.Bad != nil}, {"Lease", cfg.Lease != nil}, {"Lanes", cfg.Lanes != nil},
		{"Route", cfg.Route != nil}, {"Seen", cfg.Seen != nil}, {"Key", cfg.Key != nil},
	} {
		if !field.there {
			errs = append(errs, fault.New(fault.Internal, "pipeline.Config.%s is required", field.name))
		}
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(string) {}
	}
	if cfg.Trace == nil {
		cfg.Trace = func(uint64) *telemetry.Trace { return nil }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OpenFrames == 0 {
		cfg.OpenFrames = 4096
	}
	if cfg.OpenBytes == 0 {
		cfg.OpenBytes = 64 << 20
	}
	if cfg.CodeBytes == 0 {
		cfg.CodeBytes = 32 << 20
	}
	if cfg.Grace == 0 {
		cfg.Grace = 2 * time.Second
	}
	if cfg.Checkpoint == 0 {
		cfg.Checkpoint = 4 << 20
	}
	cfg.Checkpoint = min(cfg.Checkpoint, 16<<20) // a quarter of it has to fit into a record
	if cfg.Snapshot == 0 {
		cfg.Snapshot = time.Minute
	}
	p := &Pipeline{cfg: cfg}
	p.quarantine = quarantine.Store{Log: cfg.Quarantine, Connected: p.connected}
	p.alarms.reported, p.alarms.log = cfg.Alarm, cfg.Log.With("partition", cfg.Partition)
	return p, errors.Join(errs...)
}

// Run owns the partition until ctx ends (then it returns nil) or it cannot go
// on; it may be called again. fault.Conflict: another owner has it.
// fault.Unavailable: a log is unreachable.
func (p *Pipeline) Run(ctx context.Context) error {
	lease, epoch, err := p.cfg.Lease(ctx)
	if err != nil {
		return p.ended(ctx, fmt.Errorf("take the lease: %w", err))
	}
	o := &owner{began: time.Now(), cfg: &p.cfg, alarms: &p.alarms, quarantine: &p.quarantine, lease: lease}
	defer o.release(ctx)
	if err := o.recover(ctx, epoch); err != nil {
		return p.ended(ctx, fmt.Errorf("recover: %w", err))
	}
	p.owns(o)
	defer p.owns(nil)

	// Lease, journal and lanes run beside the loop and end after it.
	return p.ended(ctx, o.beside(ctx, func(ctx context.Context) error {
		for rec, err := range p.cfg.Events.Read(ctx, o.start+1, "") {
			if err != nil {
				return fmt.Errorf("read events: %w", err)
			}
			if err := o.budget.Wait(ctx); err != nil {
				return err
			}
			begun := time.Now()
			f, err := o.decode(ctx, rec)
			if err != nil {
				return err
			}
			if f.fresh {
				if err := o.dedupe(f); err != nil {
					return err
				}
				if err := o.check(ctx, f); err != nil {
					return err
				}
				if err := o.route(ctx, f); err != nil {
					return err
				}
				o.show(f)
				o.journal.Open(f.opening())
				o.booked(f)
			} else if err := o.resume(ctx, f); err != nil {
				return err
			}
			if err := o.handOver(ctx, f); err != nil {
				return err
			}
			if tr := p.cfg.Trace(rec.Seq); tr != nil {
				tr.Span("route", begun, "", slog.Int(telemetry.KeyCount, len(f.outputs.Direct)))
			}
			o.passed(rec.Seq)
		}
		return nil
	}))
}

// handOver gives the frame's outputs to the lanes, or to the transformations on the
// way there, which bound their memory themselves.
func (o *owner) handOver(ctx context.Context, f *frame) error {
	direct, all, err := o.rewriter.Take(ctx, &f.outputs)
	if err != nil {
		return err
	}
	if !all {
		o.budget.Release([]uint64{f.rec.Seq})
	}
	if len(direct) == 0 {
		return nil
	}
	if err := o.lanes.Offer(ctx, direct); err != nil {
		return fmt.Errorf("offer frame %d: %w", f.rec.Seq, err)
	}
	return nil
}

// ended gives an error its place; the end of ctx is none.
func (p *Pipeline) ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("partition %d: %w", p.cfg.Partition, err)
}

// Keep runs the partition again whenever Run ended, after a pause that grows to
// a minute while it ends soon, until ctx ends.
func (p *Pipeline) Keep(ctx context.Context) {
	const shortest, longest = 100 * time.Millisecond, time.Minute
	for pause := shortest; ; pause = min(2*pause, longest) {
		began := time.Now()
		if err := p.Run(ctx); err != nil {
			p.cfg.Log.ErrorContext(ctx, "partition ended", "partition", p.cfg.Partition, "error", err)
			p.alarms.raise(alarmStopped)
		}
		if time.Since(began) > longest {
			pause = shortest
		}
		if !delay.For(ctx, pause) {
			return
		}
	}
}

func (p *Pipeline) owns(o *owner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = o
	if o != nil {
		p.last = o
		p.alarms.clear(alarmStopped)
	}
}

// owner returns the owner of the partition. fault.Unavailable: it does not run here.
func (p *Pipeline) owner() (*owner, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own == nil {
		return nil, fault.New(fault.Unavailable, "Partition %d does not run here now.", p.cfg.Partition)
	}
	return p.own, nil
}

// Entries returns the partition's ledger as it is journaled, with what was in
// flight then and what waits to be read. While the partition does not run here it
// is that of when it last did, nil before.
func (p *Pipeline) Entries() []ledger.Row {
	p.mu.Lock()
	o := p.last
	p.mu.Unlock()
	switch {
	case o == nil:
		return nil
	case o.lost.Load(): // another owner reads now
		return o.journal.Entries()
	}
	return o.unread.Entries()
}

// Problems returns the alarms that are on.
func (p *Pipeline) Problems() []Alarm { return p.alarms.list() }

// Lag is how far delivery is behind.
type Lag struct {
	Frames uint64        // in EVENTS above the floor
	Age    time.Duration // of the oldest frame that is read and not settled
}

// Lag asks the log how far delivery is behind. fault.Unavailable: the partition
// does not run here, or the log is unreachable.
func (p *Pipeline) Lag(ctx context.Context) (Lag, error) {
	o, err := p.owner()
	if err != nil {
		return Lag{}, err
	}
	st, err := p.cfg.Events.State(ctx)
	if err != nil {
		return Lag{}, fmt.Errorf("lag of partition %d: %w", p.cfg.Partition, err)
	}
	return o.lag(st.Last), nil
}

// Store returns what is parked and dead. fault.Unavailable: the partition does not
// run here.
func (p *Pipeline) Store() (*parked.Store, error) {
	o, err := p.owner()
	if err != nil {
		return nil, err
	}
	return o.lanes.Store(), nil
}

// Quarantined lists events that broke a rule, oldest first, those behind after;
// see quarantine.Store. The partition need not run here.
func (p *Pipeline) Quarantined(ctx context.Context, f quarantine.Filter, after delivery.Place, limit int) ([]quarantine.Item, error) {
	return p.quarantine.List(ctx, f, after, limit)
}

// Quarantine returns what is quarantined. fault.Unavailable: the partition does not run
// here.
func (p *Pipeline) Quarantine() (*quarantine.Store, error) {
	if _, err := p.owner(); err != nil {
		return nil, err
	}
	return &p.quarantine, nil
}

// connected reports whether e has a way to go.
func (p *Pipeline) connected(e event.Event) bool { return plan.Connected(p.cfg.Route, &e) }
