package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/telemetry"
)

// maxWaiting is how many bytes may wait for one partition's log, those of the
// frame under way included.
const maxWaiting = 16 << 20

// Writer makes events durable in the EVENTS logs. Each partition has one frame
// under way; what comes meanwhile gathers for the next one, so that a slow disk
// makes frames larger instead of more.
type Writer struct {
	// Trace returns the trace of a frame, nil for none. It is set before Run; nil: no frame has one.
	Trace func(partition int, frame uint64) *telemetry.Trace

	slots   Slots
	parts   []*committer
	timeout atomic.Pointer[sharedTimeout]
}

// sharedTimeout ends waits that began while it was new: one timer for all of them
// costs less than one for each.
type sharedTimeout struct {
	until time.Time // the last moment at which a wait may take it
	over  chan struct{}
}

// timeoutSlack is by how much a wait may be shorter than CallTimeout.
const timeoutSlack = 250 * time.Millisecond

// sharedTimeout returns a channel that is closed CallTimeout from now or a little sooner.
func (w *Writer) sharedTimeout() <-chan struct{} {
	now, t := time.Now(), w.timeout.Load()
	if t == nil || now.After(t.until) {
		t = &sharedTimeout{until: now.Add(timeoutSlack), over: make(chan struct{})}
		time.AfterFunc(CallTimeout, func() { close(t.over) })
		w.timeout.Store(t)
	}
	return t.over
}

// Written is what a Writer made durable, and how long that took.
type Written struct {
	Frames, Events, Bytes uint64
	Took                  time.Duration // of all frames, one after the other
}

// Written returns what was made durable so far, over all partitions.
func (w *Writer) Written() (sum Written) {
	for _, c := range w.parts {
		c.mu.Lock()
		sum.Frames += c.written.Frames
		sum.Events += c.written.Events
		sum.Bytes += c.written.Bytes
		sum.Took += c.written.Took
		c.mu.Unlock()
	}
	return sum
}

// NewWriter returns a writer to logs, one for each partition of slots. It panics
// when their numbers differ.
func NewWriter(logs []Log, slots Slots) *Writer {
	if len(logs) != slots.Partitions {
		panic(fmt.Sprintf("queue: %d logs for %d partitions", len(logs), slots.Partitions))
	}
	w := &Writer{slots: slots}
	for _, l := range logs {
		w.parts = append(w.parts, &committer{log: l, wake: make(chan struct{}, 1)})
	}
	return w
}

// Run commits until ctx ends. Then it finishes the frames under way; whoever
// still waits, or comes later, gets fault.Unavailable.
func (w *Writer) Run(ctx context.Context) error {
	var g errgroup.Group
	for n, c := range w.parts {
		if w.Trace != nil {
			c.trace = func(frame uint64) *telemetry.Trace { return w.Trace(n, frame) }
		}
		g.Go(func() error { c.run(ctx); return nil })
	}
	return g.Wait()
}

// Append returns nil when every one of events is durable. Events of one user
// keep their order, also over calls: a call that begins after another one
// returned comes later in the log, and so does what a caller appends later.
//
// The writer keeps events until their frame is done, also when Append returned
// an error before: the caller must not touch them again.
//
// fault.Limited: too much waits already, or the log is full. fault.Invalid: an
// event is larger than a log takes; nothing was written. fault.Unavailable:
// some or all may or may not be written; also after 5 s or a little less, and
// when ctx ends.
func (w *Writer) Append(ctx context.Context, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	shares, err := w.split(events)
	if err != nil {
		return err
	}
	return w.commit(ctx, shares)
}

// AppendTo is Append of events that all go to one partition, whatever their users.
func (w *Writer) AppendTo(ctx context.Context, partition int, events []event.Event) error {
	s := share{to: w.parts[partition], events: events}
	for i := range events {
		size := eventSize(&events[i])
		if size > maxRecord-headerSize {
			return tooLarge(size)
		}
		s.bytes += size
	}
	if len(events) == 0 {
		return nil
	}
	return w.commit(ctx, []share{s})
}

// tooLarge is the error about an event of so many bytes.
func tooLarge(size int) error {
	return fault.New(fault.Invalid, "An event of %d bytes is larger than the log takes.", size)
}

// commit waits until shares are written.
func (w *Writer) commit(ctx context.Context, shares []share) error {
	req := &request{done: make(chan struct{})}
	req.open.Store(int32(len(shares)))
	for i := range shares {
		if !shares[i].to.reserve(shares[i].bytes) {
			for _, s := range shares[:i] {
				s.to.release(s.bytes)
			}
			return fault.New(fault.Limited, "Too many events wait to be written.")
		}
	}
	for _, s := range shares {
		s.req = req
		s.to.enqueue(s)
	}
	select {
	case <-req.done:
	case <-ctx.Done():
		req.finish(fault.New(fault.Unavailable, "The request ended before its events were written."))
	case <-w.sharedTimeout():
		req.finish(fault.New(fault.Unavailable, "The events were not written within %v.", CallTimeout))
	}
	<-req.done
	return req.err
}

// split divides events among the partitions, each part in the order given.
func (w *Writer) split(events []event.Event) ([]share, error) {
	sizes := make([]int, len(w.parts)) // bytes for each partition
	counts := make([]int, len(w.parts))
	used := 0
	for i := range events {
		size := eventSize(&events[i])
		if size > maxRecord-headerSize {
			return nil, tooLarge(size)
		}
		p := w.slots.Partition(events[i].User)
		if counts[p] == 0 {
			used++
		}
		sizes[p] += size
		counts[p]++
	}
	shares := make([]share, 0, used)
	if used == 1 {
		p := w.slots.Partition(events[0].User)
		return append(shares, share{to: w.parts[p], events: events, bytes: sizes[p]}), nil
	}
	sorted := make([]event.Event, len(events))
	starts := make([]int, len(w.parts))
	next := 0
	for p, n := range counts {
		starts[p] = next
		if n > 0 {
			shares = append(shares, share{to: w.parts[p], events: sorted[next : next+n : next+n], bytes: sizes[p]})
		}
		next += n
	}
	for i := range events {
		p := w.slots.Partition(events[i].User)
		sorted[starts[p]] = events[i]
		starts[p]++
	}
	return shares, nil
}

// request is one call of Append: done when all its shares are written or one
// thing went wrong.
type request struct {
	open atomic.Int32 // shares that are not written yet
	once sync.Once
	done chan struct{}
	err  error // readable after done
}

func (r *request) finish(err error) {
	r.once.Do(func() { r.err = err; close(r.done) })
}

// ended reports whether nobody waits for r any more.
func (r *request) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// share is the part of a request that belongs to one partition.
type share struct {
	req    *request
	to     *committer
	events []event.Event // those not in a frame yet
	bytes  int           // what was reserved for those
}

// part is what a frame holds of a share.
type part struct {
	req  *request
	last bool // no event of the share is left
}

// committer writes the frames of one partition.
type committer struct {
	log   Log
	wake  chan struct{} // holds one token when something may wait
	trace func(frame uint64) *telemetry.Trace

	mu      sync.Mutex
	waiting []share // in the order of admission
	bytes   int     // reserved by waiting and by the frame under way
	closed  bool
	written Written
}

// reserve makes room for n bytes; false: too much waits. A share that is larger
// than all the room is let in when nothing waits.
func (c *committer) reserve(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes > 0 && c.bytes+n > maxWaiting {
		return false
	}
	c.bytes += n
	return true
}

func (c *committer) release(n int) {
	c.mu.Lock()
	c.bytes -= n
	c.mu.Unlock()
}

func (c *committer) enqueue(s share) {
	c.mu.Lock()
	closed := c.closed
	if !closed {
		c.waiting = append(c.waiting, s)
	} else {
		c.bytes -= s.bytes
	}
	c.mu.Unlock()
	if closed {
		s.req.finish(errWriterStopped)
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

var errWriterStopped = fault.New(fault.Unavailable, "The event log is closing.")

func (c *committer) run(ctx context.Context) {
	var (
		events []event.Event
		parts  []part
		buf    []byte
	)
	for {
		if ctx.Err() != nil {
			c.stop()
			return
		}
		var bytes int
		events, parts, bytes = c.gather(events[:0], parts[:0])
		if len(events) == 0 {
			select {
			case <-c.wake:
			case <-ctx.Done():
			}
			continue
		}
		begun := time.Now()
		buf = appendFrame(buf[:0], events)
		frame, err := c.write(ctx, buf)
		c.settle(parts, err)
		c.release(bytes)
		if err == nil {
			c.count(frame, begun, len(events), len(buf))
		}
		clear(events)
		clear(parts)
		if cap(buf) > 4*FrameBytes {
			buf = nil
		}
	}
}

// count books a frame that is durable.
func (c *committer) count(frame uint64, begun time.Time, events, bytes int) {
	c.mu.Lock()
	c.written.Frames++
	c.written.Events += uint64(events)
	c.written.Bytes += uint64(bytes)
	c.written.Took += time.Since(begun)
	c.mu.Unlock()
	if c.trace == nil || frame == 0 { // 0: its number is not known yet
		return
	}
	if tr := c.trace(frame); tr != nil {
		tr.Root("append", begun, slog.Int(telemetry.KeyCount, events), slog.Int(telemetry.KeyBytes, bytes))
	}
}

// write appends a frame and returns its number. It goes on when ctx ends, because
// what is under way shall end in an answer and not in doubt.
func (c *committer) write(ctx context.Context, frame []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CallTimeout)
	defer cancel()
	return c.log.Append(ctx, "", frame)
}

// gather takes events off the queue for one frame and returns what was reserved
// for them. Requests that ended are left out: their senders will ask again.
func (c *committer) gather(events []event.Event, parts []part) ([]event.Event, []part, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size, taken := 0, 0
	for taken < len(c.waiting) && size < FrameBytes {
		s := &c.waiting[taken]
		if s.req.ended() {
			c.bytes -= s.bytes
			taken++
			continue
		}
		n, before := 0, size
		for n < len(s.events) {
			more := eventSize(&s.events[n])
			if size > 0 && size+more > FrameBytes {
				break
			}
			size += more
			n++
		}
		if n > 0 {
			events = append(events, s.events[:n]...)
			s.events = s.events[n:]
			s.bytes -= size - before
			parts = append(parts, part{req: s.req, last: len(s.events) == 0})
		}
		if len(s.events) > 0 {
			break // the frame is full
		}
		taken++
	}
	clear(c.waiting[:taken])
	c.waiting = c.waiting[taken:]
	return events, parts, size
}

// settle tells the requests in a frame what became of it.
func (c *committer) settle(parts []part, err error) {
	if err != nil {
		err = fmt.Errorf("write a frame: %w", err)
	}
	for _, p := range parts {
		if err != nil {
			p.req.finish(err)
		} else if p.last && p.req.open.Add(-1) == 0 {
			p.req.finish(nil)
		}
	}
}

// stop refuses what waits and what comes later.
func (c *committer) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, s := range c.waiting {
		c.bytes -= s.bytes
		s.req.finish(errWriterStopped)
	}
	c.waiting = nil
}
