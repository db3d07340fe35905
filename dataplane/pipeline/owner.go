package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/event"
	"weir/dataplane/journal"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/pipeline/budget"
	"weir/dataplane/pipeline/unread"
	"weir/dataplane/quarantine"
	"weir/dataplane/retention"
	"weir/dataplane/rewrite"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Paces and limits of the owner.
const (
	shortestPause   = 10 * time.Millisecond // between two tries of what failed
	longestPause    = 2 * time.Second
	shutdownTimeout = 5 * time.Second // for what is to be written after ctx ended
)

// owner is one ownership of the partition: from taking the lease to losing it.
type owner struct {
	cfg        *Config
	quarantine *quarantine.Store
	alarms     *alarms
	lease      Lease
	lanes      Lanes
	journal    *journal.Journal
	budget     *budget.Budget
	rewriter   *rewrite.Rewriter
	clock      *retention.Clock
	unread     *unread.Counter
	aside      *aside.Store
	began      time.Time
	start      uint64        // reading begins after it
	found      uint64        // the newest frame when it became the owner
	readAt     atomic.Uint64 // the newest frame that went through the loop
	lost       atomic.Bool   // the journal is another's, or cannot be written
	moved      chan struct{} // the floor may have moved

	next      uint64        // expected frame, 0 at first; the loop's
	grown     chan struct{} // the journal is longer than it should be
	coveredAt atomic.Int64  // bytes of journal at the newest snapshot of the dedupe index

	mu        sync.Mutex
	confirmed map[id.Destination]uint64 // drains to be confirmed
	confirm   chan struct{}
}

// held reports whether lanes may send.
func (o *owner) held() bool { return !o.lost.Load() && o.lease.Held() }

// beside runs lease, journal, lanes and trimming beside loop, and ends them
// when one of them ends: the loop and the lanes first, then the journal, so that
// what the lanes still reported is in it.
func (o *owner) beside(ctx context.Context, loop func(context.Context) error) error {
	life, die := context.WithCancel(context.WithoutCancel(ctx))
	defer die()
	work, cease := context.WithCancel(ctx)
	defer cease()
	var support errgroup.Group
	support.Go(func() error {
		defer cease()
		if err := o.lease.Run(life); err != nil {
			o.lost.Store(true)
			return fmt.Errorf("keep the lease: %w", err)
		}
		return nil
	})
	written := make(chan error, 1)
	writing, giveUp := context.WithCancel(life)
	defer giveUp()
	sealed := make(chan struct{})
	go func() {
		defer cease()
		err := o.journal.Run(writing, sealed, journal.Observer{Settled: o.framesDone, Drained: o.drainJournaled, Read: o.readAt.Load})
		if err != nil {
			o.lost.Store(true)
			o.journal.Close()
		}
		written <- err
	}()

	g, inner := errgroup.WithContext(work)
	g.Go(func() error {
		if err := loop(inner); err != nil {
			return err
		}
		return inner.Err()
	})
	g.Go(func() error {
		if err := o.lanes.Run(inner); err != nil {
			return fmt.Errorf("lanes: %w", err)
		}
		return inner.Err()
	})
	g.Go(func() error { return o.rewriter.Wait(inner) })
	g.Go(func() error { o.confirming(inner); return nil })
	g.Go(func() error { o.trim(inner); return nil })
	g.Go(func() error { o.retain(inner); return nil })
	g.Go(func() error { o.covering(inner); return nil })
	g.Go(func() error { o.aside.Run(inner); return nil })
	err := g.Wait()
	o.rewriter.Join()

	close(sealed)
	late := time.AfterFunc(shutdownTimeout, giveUp)
	journalErr := <-written
	late.Stop()
	o.journal.Close()
	die()
	return errors.Join(journalErr, support.Wait(), ignoreCanceled(err))
}

// ignoreCanceled returns err unless it only says that a context ended.
func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// release gives the lease up, also after ctx ended.
func (o *owner) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := o.lease.Release(ctx); err != nil {
		o.cfg.Log.WarnContext(ctx, "lease not released", "partition", o.cfg.Partition, "error", err)
	}
}

// keepTrying repeats try while a log is unreachable or full.
func (o *owner) keepTrying(ctx context.Context, try func() error) error {
	for wait := shortestPause; ; wait = min(2*wait, longestPause) {
		err := try()
		if err == nil || reactionTo(err) != again {
			return err
		}
		code := journal.AlarmUnreachable
		if fault.KindOf(err) == fault.Limited {
			code = journal.AlarmFull
		}
		o.alarms.raise(code)
		if !delay.For(ctx, wait) {
			return err
		}
	}
}

// keepQuarantined puts events of one source into QUARANTINE. It tries until that is
// done or ctx ends.
func (o *owner) keepQuarantined(ctx context.Context, source id.Source, events []event.Event) error {
	return o.keepTrying(ctx, func() error { return o.quarantine.Add(ctx, source, events) })
}

// confirming tells the lanes which drains are journaled. It is a goroutine of
// its own so that the journal never waits for the lanes.
func (o *owner) confirming(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.confirm:
		}
		o.mu.Lock()
		all := o.confirmed
		o.confirmed = nil
		o.mu.Unlock()
		for d, floor := range all {
			o.lanes.Confirmed(d, floor)
		}
	}
}

// drainJournaled is called by the journal's writer.
func (o *owner) drainJournaled(d id.Destination, floor uint64) {
	o.mu.Lock()
	if o.confirmed == nil {
		o.confirmed = map[id.Destination]uint64{}
	}
	o.confirmed[d] = max(o.confirmed[d], floor)
	o.mu.Unlock()
	signal(o.confirm)
}

// passed notes that a frame went through the loop: it may be below the floor.
func (o *owner) passed(frame uint64) {
	o.readAt.Store(frame)
	signal(o.moved)
}

// framesDone is called by the journal's writer.
func (o *owner) framesDone(frames []uint64) {
	if o.journal.Written()-o.coveredAt.Load() > o.coverBytes() {
		signal(o.grown)
	}
	o.budget.Release(frames)
	if len(frames) > 0 {
		signal(o.moved)
	}
	for _, f := range frames {
		if tr := o.cfg.Trace(f); tr != nil {
			tr.Span("settled", time.Now(), "")
		}
	}
}

// signal wakes the goroutine that waits for c; c has room for one signal.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Paces of what is done beside the loop.
const (
	purgeEvery = 100 * time.Millisecond
	auditEvery = 10 * time.Second
)

// trim purges EVENTS up to the floor, and now and then checks the ledger. Nothing
// here is needed for delivery, so what fails is done later.
func (o *owner) trim(ctx context.Context) {
	audit := time.NewTicker(auditEvery)
	defer audit.Stop()
	purged := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-audit.C:
			o.journal.Check()
			o.checkIndex()
			continue
		case <-o.moved:
		}
		// A frame that the loop has not seen is never below the floor, except
		// after a damaged journal.
		floor := min(o.readAt.Load(), o.journal.Floor())
		if floor > purged {
			if err := o.cfg.Events.Purge(ctx, floor+1, ""); err == nil {
				purged = floor
			} else {
				signal(o.moved)
			}
		}
		if !delay.For(ctx, purgeEvery) {
			return
		}
	}
}

func (o *owner) lag(last uint64) Lag {
	var l Lag
	if f := o.journal.Floor(); last > f {
		l.Frames = last - f
	}
	if oldest, ok := o.journal.Oldest(); ok {
		l.Age = max(0, time.Since(oldest))
	}
	return l
}
