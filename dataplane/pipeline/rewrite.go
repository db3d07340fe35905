package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/plan"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/id"
	"weir/shared/telemetry"
)

// chainRuns is how many batches of one chain run at once, per partition.
const chainRuns = 2

// Codes of outputs that ended on the way to a lane because the configuration
// changed while they were open.
const (
	codeUnconnected = "connection_removed"     // no connection leads there any more
	codeOtherCode   = "transformation_changed" // the code that runs now does not make this output
)

// wanted is one open output: of the event at an index, output 0 for the event
// as it was routed, the others as a fan numbers them.
type wanted struct {
	index  uint32
	output uint32
}

// task is one run of a chain: the events of one frame and source that go
// through it to one or more destinations. Its events are copies, so that a few
// of them do not keep a frame in memory.
type task struct {
	frame    uint64
	revision uint64
	read     time.Time
	chain    *transform.Chain // nil: nothing is done
	events   []event.Event
	at       map[uint32]int // by index in the frame: position in events
	shares   []*share
	bytes    int64
	done     chan struct{} // closed when every share has its outcome
}

// share is what one destination gets of a task.
type share struct {
	*task
	book ledger.Key
	meta transform.Meta
	open []wanted
	outs [][]event.Event // by position
	ends map[int]transform.End
}

// taskKey is what a frame's tasks are told apart by.
type taskKey struct {
	ws     id.Workspace
	source id.Source
	chain  int
}

// share returns the share of a destination in the frame's task for its chain.
func (f *frame) share(ws id.Workspace, source id.Source, r *plan.Routing, d route.Destination) *share {
	key := taskKey{ws, source, d.ChainIndex}
	t := f.tasks[key]
	if t == nil {
		t = &task{frame: f.rec.Seq, revision: r.Revision, read: f.read, chain: r.Chains[d.ChainIndex], at: map[uint32]int{}, done: make(chan struct{})}
		if f.tasks == nil {
			f.tasks = map[taskKey]*task{}
		}
		f.tasks[key] = t
	}
	for _, s := range t.shares {
		if s.book.Destination == d.ID {
			return s
		}
	}
	s := &share{task: t, book: ledger.Key{Workspace: ws, Source: source, Destination: d.ID}, meta: r.Meta(ws, source, d)}
	t.shares = append(t.shares, s)
	return s
}

// want adds an output that is open.
func (s *share) want(w wanted, e *event.Event) {
	if _, ok := s.at[w.index]; !ok {
		s.at[w.index] = len(s.events)
		s.events = append(s.events, own(e))
		s.bytes += int64(len(e.JSON)) + 512
	}
	s.open = append(s.open, w)
}

// own returns a copy of e that shares no memory with its frame.
func own(e *event.Event) event.Event {
	c := *e
	c.MessageID, c.User, c.Type = id.Event(strings.Clone(string(e.MessageID))), strings.Clone(e.User), strings.Clone(e.Type)
	c.Workspace, c.Source = id.Workspace(strings.Clone(string(e.Workspace))), id.Source(strings.Clone(string(e.Source)))
	c.Destination = id.Destination(strings.Clone(string(e.Destination)))
	c.JSON = slices.Clone(e.JSON)
	return c
}

// rewriter runs the transformations of a partition beside the loop. Per
// destination that has any there is a line, which hands over to the lane in the
// order of the frames. Past Config.CodeBytes a line falls behind: its outputs
// stay in EVENTS and are read again when there is room, so that slow code delays
// nobody else.
type rewriter struct {
	o       *owner
	running sync.WaitGroup // lines and tasks
	failed  chan error     // a line cannot go on

	mu    sync.Mutex
	lines map[id.Destination]*line
	slots map[string]*slot // by chain
	bytes int64
}

// slot bounds how many batches of a chain run at once.
type slot struct {
	free chan struct{}
	uses int // tasks that have or want it
}

// line is what waits on its way to one destination.
type line struct {
	id    id.Destination
	wake  chan struct{}
	queue [][]*share // of one frame each; guarded by the rewriter's mu, as all below
	bytes int64
	busy  bool // something of it is being handed over
	// While behind, frames from next to latest are in EVENTS only.
	behind       bool
	next, latest uint64
}

func newRewriter(o *owner) *rewriter {
	return &rewriter{o: o, failed: make(chan error, 1), lines: map[id.Destination]*line{}, slots: map[string]*slot{}}
}

// take takes what of a frame goes through transformations, or to a
// destination for which something before it still does. It returns what may go
// to the lanes at once.
func (w *rewriter) take(ctx context.Context, f *frame) []delivery.Delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(f.tasks) == 0 && len(w.lines) == 0 {
		return f.deliveries
	}
	shares := map[id.Destination][]*share{}
	for _, t := range f.tasks {
		for _, s := range t.shares {
			shares[s.book.Destination] = append(shares[s.book.Destination], s)
		}
	}
	direct := f.deliveries[:0:0]
	for i := range f.deliveries {
		d := &f.deliveries[i]
		l := w.lines[d.Destination]
		if len(shares[d.Destination]) == 0 && (l == nil || !l.occupied()) {
			direct = append(direct, *d)
			continue
		}
		shares[d.Destination] = follow(shares[d.Destination], f, d)
	}
	admitted := map[*task]bool{}
	for dest, of := range shares {
		if w.line(ctx, dest).admit(w, f.rec.Seq, of) {
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
	return direct
}

// follow adds a delivery that nothing is done to, but that has to wait.
func follow(all []*share, f *frame, d *delivery.Delivery) []*share {
	var s *share
	for _, x := range all {
		if x.chain == nil && x.book.Source == d.Event.Source && x.book.Workspace == d.Event.Workspace {
			s = x
		}
	}
	if s == nil {
		t := &task{frame: f.rec.Seq, revision: d.Revision, read: d.Read, at: map[uint32]int{}, done: make(chan struct{})}
		s = &share{task: t, book: ledger.Key{Workspace: d.Event.Workspace, Source: d.Event.Source, Destination: d.Destination}}
		t.shares = []*share{s}
		all = append(all, s)
	}
	s.want(wanted{d.Index, d.Output}, &d.Event)
	return all
}

// line returns the line to a destination; mu is held.
func (w *rewriter) line(ctx context.Context, dest id.Destination) *line {
	l := w.lines[dest]
	if l == nil {
		l = &line{id: dest, wake: make(chan struct{}, 1)}
		w.lines[dest] = l
		w.running.Go(func() { w.walk(ctx, l) })
	}
	return l
}

// occupied reports whether what comes now has to wait for what came before.
func (l *line) occupied() bool { return l.busy || l.behind || len(l.queue) > 0 }

// admit puts the shares of one frame into the line, all or none; mu is held.
func (l *line) admit(w *rewriter, frame uint64, of []*share) bool {
	if l.behind {
		l.latest = frame
		return false
	}
	if len(l.queue) > 0 && (l.bytes >= w.o.cfg.CodeBytes/4 || w.bytes >= w.o.cfg.CodeBytes) {
		l.behind, l.next, l.latest = true, frame, frame
		return false
	}
	l.push(w, of)
	return true
}

// push appends the shares of one frame; mu is held.
func (l *line) push(w *rewriter, of []*share) {
	l.queue = append(l.queue, of)
	for _, s := range of {
		l.bytes += s.bytes
		w.bytes += s.bytes
	}
	nudge(l.wake)
}

// submit runs a task beside everything else; the bounds of lines bound how many.
// mu is held.
func (w *rewriter) submit(ctx context.Context, t *task) {
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
			if w.run(ctx, t) == nil {
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

// wait returns when ctx ends, or with the error of a line that cannot go on.
func (w *rewriter) wait(ctx context.Context) error {
	select {
	case err := <-w.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// fail reports an error that ends the owner.
func (w *rewriter) fail(err error) {
	select {
	case w.failed <- err:
	default: // another one ends it already
	}
}

// run runs a task's chain: once, and again for each destination when the code
// looked at where its events go. It tries until ctx ends.
func (w *rewriter) run(ctx context.Context, t *task) error {
	for i, s := range t.shares {
		begun := time.Now()
		var r transform.Result
		err := w.o.keepTrying(ctx, func() (err error) {
			r, err = w.o.cfg.Transform(ctx, t.chain, s.meta, t.events)
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				w.fail(fmt.Errorf("transform frame %d: %w", t.frame, err))
			}
			return err
		}
		if tr := w.o.cfg.Trace(t.frame); tr != nil {
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

// keep orders a result by the positions of the events.
func (s *share) keep(r transform.Result) {
	s.outs = make([][]event.Event, len(s.events))
	for _, o := range r.Outs {
		s.outs[o.From] = append(s.outs[o.From], o.Event)
	}
	s.ends = map[int]transform.End{}
	for _, e := range r.Ends {
		s.ends[e.From] = e
	}
}

// walk hands over what is in a line, frame by frame, until ctx ends.
func (w *rewriter) walk(ctx context.Context, l *line) {
	for {
		of, err := w.head(ctx, l)
		if err != nil {
			w.fail(err)
			return
		}
		for _, s := range of {
			select {
			case <-s.done:
			case <-ctx.Done():
				return
			}
		}
		if err := w.finish(ctx, of); err != nil {
			w.fail(err)
			return
		}
		w.mu.Lock()
		for _, s := range of {
			l.bytes -= s.bytes
			w.bytes -= s.bytes
		}
		l.busy = false
		w.mu.Unlock()
	}
}

// head waits for the next frame's shares of a line.
func (w *rewriter) head(ctx context.Context, l *line) ([]*share, error) {
	for {
		w.mu.Lock()
		if len(l.queue) > 0 {
			of := l.queue[0]
			l.queue = l.queue[1:]
			l.busy = true
			w.mu.Unlock()
			return of, nil
		}
		behind := l.behind
		w.mu.Unlock()
		if behind {
			if err := w.catchUp(ctx, l); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
