package pipeline

import (
	"context"
	"fmt"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/journal"
	"weir/dataplane/parked/record"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/pipeline/budget"
	"weir/dataplane/pipeline/unread"
	"weir/dataplane/retention"
	"weir/dataplane/rewrite"
	"weir/dataplane/transform"
	"weir/shared/fault"
	"weir/shared/id"
)

// recover reads what former owners left and takes their place. Start and
// takeover are the same.
func (o *owner) recover(ctx context.Context, epoch uint64) error {
	newest, err := o.cfg.Journal.Last(ctx)
	if err != nil && fault.KindOf(err) != fault.Missing {
		return fmt.Errorf("look when the journal was written last: %w", err)
	}
	o.clock = retention.NewClock(o.cfg.Now, newest.At)
	o.grown = make(chan struct{}, 1)
	signal(o.grown) // the version before kept the keys of the whole window
	j, err := journal.Recover(ctx, journal.Config{
		Log: o.cfg.Journal, Epoch: epoch, Index: o.cfg.Seen, Keep: o.cfg.KeepKeys, Checkpoint: o.cfg.Checkpoint, Limit: o.cfg.JournalMax,
		Raise: o.alarms.raise, Clear: o.alarms.clear,
	})
	if err != nil {
		return err
	}
	o.journal = j
	o.unread = unread.New(o.cfg.Events, o.cfg.Detour, j.Booked)
	if o.aside, err = aside.Open(ctx, aside.Config{
		Partition: o.cfg.Partition, Events: o.cfg.Events, Quarantine: o.cfg.Quarantine, Read: o.readAt.Load, Barrier: j.Barrier, Board: o.cfg.Aside, Log: o.cfg.Log,
		Known: func(ws id.Workspace) bool { _, known := o.cfg.Route(ws, ""); return known },
	}); err != nil {
		return err
	}
	if err := o.place(ctx); err != nil {
		return err
	}
	var through delivery.Recovery
	through.ParkedThrough, through.DeadThrough = j.Through()
	scan := func(parkedThrough, deadThrough uint64, each func(delivery.Settled) error) error {
		return record.Missed(ctx, o.cfg.Parked, o.cfg.Dead, parkedThrough, deadThrough, each)
	}
	if err := j.Missed(ctx, scan); err != nil {
		return err
	}
	o.confirm, o.moved = make(chan struct{}, 1), make(chan struct{}, 1)
	o.rewriter = o.newRewriter()
	o.budget = budget.New(o.cfg.OpenFrames, o.cfg.OpenBytes)
	lanes, err := o.cfg.Lanes(Reports{Settle: j.Settle, Drained: j.Drain, Held: o.held})
	if err != nil {
		return fmt.Errorf("make lanes: %w", err)
	}
	o.lanes = lanes
	through.Drained = j.Drained()
	if err := o.lanes.Recover(ctx, through); err != nil {
		return fmt.Errorf("recover lanes: %w", err)
	}
	// From here on the lanes notice other writers; one that came in between shows now.
	parkedThrough, deadThrough := j.Through()
	if err := scan(parkedThrough, deadThrough, func(delivery.Settled) error {
		return fault.New(fault.Conflict, "A former owner has settled deliveries during the takeover.")
	}); err != nil {
		return err
	}
	signal(o.moved)
	return nil
}

// newRewriter returns what runs code for this owner.
func (o *owner) newRewriter() *rewrite.Rewriter {
	return rewrite.New(rewrite.Config{
		Bytes: o.cfg.CodeBytes, Events: o.cfg.Events, Left: o.left, Quarantine: o.keepQuarantined, See: o.see, Trace: o.cfg.Trace,
		Settle: o.journal.Settle, Fan: o.journal.Fan,
		Offer: func(ctx context.Context, ds []delivery.Delivery) error { return o.lanes.Offer(ctx, ds) },
		Transform: func(ctx context.Context, c *transform.Chain, m transform.Meta, in []event.Event) (r transform.Result, err error) {
			err = o.keepTrying(ctx, func() (err error) {
				r, err = o.cfg.Transform(ctx, c, m, in)
				return err
			})
			return r, err
		},
	})
}

// place finds where reading begins, and that EVENTS fits the journal.
func (o *owner) place(ctx context.Context) error {
	extent, err := o.cfg.Events.State(ctx)
	if err != nil {
		return fmt.Errorf("state of EVENTS: %w", err)
	}
	floor := o.journal.Floor()
	if extent.Last < floor {
		// New frames would get numbers that count as settled.
		return fault.New(fault.Internal, "EVENTS ends at %d, but the journal has settled up to %d.", extent.Last, floor)
	}
	start, gap := o.journal.Start()
	if !gap && extent.First > start+1 && (extent.Records > 0 || extent.Last > start) {
		o.alarms.raise(alarmLost)
	}
	o.start, o.found = start, extent.Last
	o.readAt.Store(start)
	return nil
}
