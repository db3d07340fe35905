package rewrite

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/journal/record"
	"weir/dataplane/live"
	"weir/dataplane/queue"
	shares "weir/dataplane/share"
	"weir/dataplane/transform"
	"weir/shared/id"
	"weir/shared/telemetry"
)

// chainRuns is how many batches of one chain run at once, per partition.
const chainRuns = 2

// CodeChanged is the code of outputs that are dropped because the code that runs
// now does not make them.
const CodeChanged = "transformation_changed"

// Config is what a Rewriter works with. Every field is required.
type Config struct {
	Bytes int64 // memory of events that wait for code, a quarter of it for one destination, 4/5 for one workspace

	// Transform runs a chain over events. It tries until ctx ends; any other error
	// ends the Rewriter.
	Transform func(ctx context.Context, c *transform.Chain, m transform.Meta, in []event.Event) (transform.Result, error)
	// Quarantine keeps events that code refused. It tries until ctx ends.
	Quarantine func(ctx context.Context, source id.Source, events []event.Event) error
	// Settle takes the settlements of outputs that end here.
	Settle func([]delivery.Settled)
	// Fan takes the fans of outputs that became several; journaled is closed when
	// they are in the journal.
	Fan func([]record.Fan) (journaled <-chan struct{})
	// Offer gives a lane what goes on.
	Offer func(context.Context, []delivery.Delivery) error

	Events queue.Log // for destinations that are behind
	// Left returns what a destination did not get so far of a frame in Events. It
	// waits until the frame's opening is journaled.
	Left func(ctx context.Context, rec queue.Record, d id.Destination) (*Outputs, error)

	// See shows what code made of an event to everybody that watches.
	See   func(e *event.Event, d id.Destination, s live.Stage, o live.Outcome, code string)
	Trace func(frame uint64) *telemetry.Trace // nil: the frame has none
}

// Rewriter runs the code of one partition. Take and Wait are called by one
// goroutine each.
type Rewriter struct {
	cfg     Config
	running sync.WaitGroup // queues and tasks
	failed  chan error     // a queue cannot go on

	mu     sync.Mutex
	queues map[id.Destination]*codeQueue
	slots  map[string]*slot // by chain
	memory shares.Memory
}

// slot bounds how many batches of a chain run at once.
type slot struct {
	free chan struct{}
	uses int // tasks that have or want it
}

// New returns a Rewriter that has nothing to do.
func New(cfg Config) *Rewriter {
	return &Rewriter{cfg: cfg, failed: make(chan error, 1), queues: map[id.Destination]*codeQueue{}, slots: map[string]*slot{}, memory: shares.Memory{Most: cfg.Bytes}}
}

// Take takes the outputs of a frame that need code, and those to a destination
// for which outputs before them still do. It returns the others, which may go to
// the lanes at once; all reports whether they are the whole frame. What was taken
// ends by the callbacks of Config, until ctx ends; what connections do not take ends
// so before Take returns, or behind what waits. The error is that of Quarantine. Frames
// come in ascending order.
func (w *Rewriter) Take(ctx context.Context, o *Outputs) (direct []delivery.Delivery, all bool, err error) {
	direct, ended, all := w.take(ctx, o)
	if len(ended) > 0 {
		err = w.end(ctx, ended)
	}
	return direct, all, err
}

// take is Take that returns what connections do not take and nothing waits for.
func (w *Rewriter) take(ctx context.Context, o *Outputs) (direct []delivery.Delivery, ended []ended, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(o.tasks) == 0 && len(w.queues) == 0 {
		return o.Direct, o.ended, true
	}
	shares := map[id.Destination][]*share{}
	for _, t := range o.tasks {
		for _, s := range t.shares {
			shares[s.entry.Destination] = append(shares[s.entry.Destination], s)
		}
	}
	for i := range o.Direct {
		d := &o.Direct[i]
		q := w.queues[d.Destination]
		if len(shares[d.Destination]) == 0 && (q == nil || !q.occupied()) {
			direct = append(direct, *d)
			continue
		}
		shares[d.Destination] = addUnchanged(shares[d.Destination], d, "")
	}
	for i := range o.ended { // one that is behind reads the whole frame again, with what ended
		e := &o.ended[i]
		q := w.queues[e.Destination]
		if len(shares[e.Destination]) == 0 && (q == nil || !q.occupied()) {
			ended = append(ended, *e)
			continue
		}
		shares[e.Destination] = addUnchanged(shares[e.Destination], &e.Delivery, e.code)
	}
	admitted := map[*task]bool{}
	for dest, of := range shares {
		if w.queue(ctx, dest).admit(w, o.Frame, of) {
			for _, s := range of {
				admitted[s.task] = true
			}
			continue
		}
		for _, s := range of {
			s.task.shares = slices.DeleteFunc(s.task.shares, func(x *share) bool { return x == s })
		}
	}
	for t := range admitted {
		w.submit(ctx, t)
	}
	return direct, ended, len(shares) == 0
}

// queue returns the queue to a destination; mu is held.
func (w *Rewriter) queue(ctx context.Context, dest id.Destination) *codeQueue {
	q := w.queues[dest]
	if q == nil {
		q = &codeQueue{id: dest, wake: make(chan struct{}, 1)}
		w.queues[dest] = q
		w.running.Go(func() { w.runQueue(ctx, q) })
	}
	return q
}

// submit runs a task beside everything else; the bounds of the queues bound how
// many. mu is held.
func (w *Rewriter) submit(ctx context.Context, t *task) {
	if t.chain == nil {
		close(t.done)
		return
	}
	to := w.slots[t.chain.Key]
	if to == nil {
		to = &slot{free: make(chan struct{}, chainRuns)}
		w.slots[t.chain.Key] = to
	}
	to.uses++
	w.running.Go(func() {
		select {
		case to.free <- struct{}{}:
			if w.runTask(ctx, t) == nil {
				close(t.done)
			}
			<-to.free
		case <-ctx.Done():
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if to.uses--; to.uses == 0 {
			delete(w.slots, t.chain.Key)
		}
	})
}

// runTask runs a task's chain: once, and again for each destination when the code
// looked at where its events go.
func (w *Rewriter) runTask(ctx context.Context, t *task) error {
	for i, s := range t.shares {
		begun := time.Now()
		r, err := w.cfg.Transform(ctx, t.chain, s.meta, t.events)
		if err != nil {
			if ctx.Err() == nil {
				w.fail(fmt.Errorf("transform frame %d: %w", t.frame, err))
			}
			return err
		}
		if tr := w.cfg.Trace(t.frame); tr != nil {
			tr.Span("transform", begun, "", slog.String(telemetry.KeyDestination, string(s.meta.Destination)), slog.Int(telemetry.KeyCount, len(t.events)))
		}
		s.keep(r)
		if i == 0 && !r.DestinationRead {
			for _, other := range t.shares[1:] {
				other.outs, other.ends = s.outs, s.ends
			}
			break
		}
	}
	return nil
}

// fail reports an error that ends the Rewriter.
func (w *Rewriter) fail(err error) {
	select {
	case w.failed <- err:
	default: // another one ends it already
	}
}

// Wait returns nil when ctx ends, or the error with which a queue cannot go on.
func (w *Rewriter) Wait(ctx context.Context) error {
	select {
	case err := <-w.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// Join returns when nothing runs any more, after the end of the context of Take.
func (w *Rewriter) Join() { w.running.Wait() }
