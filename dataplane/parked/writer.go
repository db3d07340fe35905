package parked

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"weir/dataplane/parked/record"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// writer is the only one that appends to PARKED or DEAD. One append is in flight;
// entries that come in the meantime gather by lane and go with the next record,
// for PARKED at most one of a lane every parkPace unless there is much. Every
// append names the number it follows, so an answer that was lost is found again, a
// late duplicate cannot land, and a stale owner cannot write.
type writer struct {
	log      Log
	out      *slog.Logger
	name     string
	kind     record.Kind
	instance uint64
	// claim chooses, right before they are written, which entries still have to be.
	claim func(Lane, []Entry) []Entry
	// done learns that entries are durable as the items of record seq.
	done func(ctx context.Context, ln Lane, es []Entry, items []Item, seq uint64)

	turn     *semaphore.Weighted // held by who writes
	last     uint64              // number of the newest record; of who holds turn
	counter  uint64              // of who holds turn
	reported atomic.Uint64       // number up to which all was reported

	mu      sync.Mutex
	changed sync.Cond // bytes went down, or something is waiting
	waiting map[Lane][]Entry
	turns   []Lane // those with entries, each once
	bytes   int64  // of what waits or is being written
	limit   int64
	pace    time.Duration // from round to round, each a record of every lane; 0: none
	closed  bool
	lost    error // fault.Conflict: somebody else wrote to the log
}

// batch is entries of a lane that go with one record.
type batch struct {
	ln   Lane
	es   []Entry
	size int64 // of the entries, in memory
}

// parkPace is how long deliveries to PARKED gather unless there are many: each
// record costs a sync of the disk that the gateway waits for too.
const parkPace = 200 * time.Millisecond

func newWriter(kind record.Kind, name string, log Log, limit int64, instance uint64, out *slog.Logger) *writer {
	w := &writer{log: log, out: out, name: name, kind: kind, instance: instance, limit: limit, waiting: map[Lane][]Entry{}, turn: semaphore.NewWeighted(1)}
	w.changed.L = &w.mu
	return w
}

// push hands entries over; it never blocks. Callers ask room first where they can wait.
func (w *writer) push(ln Lane, es ...Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting[ln]) == 0 {
		w.turns = append(w.turns, ln)
	}
	w.waiting[ln] = append(w.waiting[ln], es...)
	w.bytes += sizeOf(es)
	w.changed.Broadcast()
}

func (w *writer) queued() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

// full reports whether more should not wait.
func (w *writer) full() bool { return w.queued() >= w.limit }

// room waits until there is room for more, or ctx ends.
func (w *writer) room(ctx context.Context) error {
	if !w.full() {
		return nil
	}
	defer context.AfterFunc(ctx, w.wake)()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.bytes >= w.limit && ctx.Err() == nil && !w.closed {
		w.changed.Wait()
	}
	if w.closed {
		return fault.New(fault.Unavailable, "The lanes are shutting down.")
	}
	return ctx.Err()
}

func sizeOf(es []Entry) (size int64) {
	for _, e := range es {
		size += e.Size()
	}
	return size
}

func (w *writer) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed.Broadcast()
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.changed.Broadcast()
}

// run writes until ctx ends. fault.Conflict: somebody else wrote to the log.
func (w *writer) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, w.wake)()
	var began time.Time // of the round
	for left := 0; ; left-- {
		if left == 0 {
			w.gather(ctx, began.Add(w.pace))
		}
		t, err := w.next(ctx)
		if t == nil {
			return err
		}
		if left == 0 {
			began, left = time.Now(), 1+w.others(t.ln)
		}
		if es := w.claim(t.ln, t.es); len(es) > 0 {
			r := record.Record{Kind: w.kind, Items: make([]Item, len(es))}
			for i, e := range es {
				r.Items[i] = e.Item()
			}
			if err := w.write(ctx, t.ln.Destination(), &r, func(seq uint64) { w.done(ctx, t.ln, es, r.Items, seq) }); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		w.settle(t)
	}
}

// settle notes that a batch is written.
func (w *writer) settle(t *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes -= t.size
	w.changed.Broadcast()
}

// gather waits until then, or until what waits is worth a record.
func (w *writer) gather(ctx context.Context, until time.Time) {
	wait := time.Until(until)
	if wait <= 0 {
		return
	}
	defer time.AfterFunc(wait, w.wake).Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for ctx.Err() == nil && !w.closed && w.bytes < min(record.Bytes, w.limit) && time.Now().Before(until) {
		w.changed.Wait()
	}
}

// others is how many lanes but ln have entries.
func (w *writer) others(ln Lane) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.turns)
	if len(w.waiting[ln]) > 0 {
		n--
	}
	return n
}

// next waits for entries and takes those of one destination that fit a record; nil
// when ctx ended, or with an error when the log was lost to another writer.
func (w *writer) next(ctx context.Context) (*batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ctx.Err() == nil && w.lost == nil {
		if len(w.turns) > 0 {
			return w.take(), nil
		}
		w.changed.Wait()
	}
	return nil, w.lost
}

// take takes entries of the lane whose turn it is; the caller holds the mutex.
func (w *writer) take() *batch {
	ln := w.turns[0]
	w.turns = w.turns[1:]
	es := w.waiting[ln]
	n, size := 0, int64(0)
	for n < len(es) && (n == 0 || size+es[n].Size() <= record.Bytes) {
		size += es[n].Size()
		n++
	}
	if n == len(es) {
		delete(w.waiting, ln)
	} else {
		w.waiting[ln] = es[n:]
		w.turns = append(w.turns, ln)
	}
	return &batch{ln: ln, es: es[:n:n], size: size}
}

// lose ends run with err: a write found that the log has another writer.
func (w *writer) lose(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = err
	w.changed.Broadcast()
}

// write appends one record, tries until it is known to be durable, and calls
// then before any later record is written. fault.Conflict: the log has another
// writer, and run ends.
func (w *writer) write(ctx context.Context, key id.Destination, r *record.Record, then func(seq uint64)) error {
	if err := w.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer w.turn.Release(1)
	w.counter++
	r.Mark = record.Mark{Instance: w.instance, Counter: w.counter}
	data := r.Encode()
	for n := 1; ; n++ {
		seq, err := w.log.AppendAfter(ctx, w.last, string(key), data)
		if err != nil && w.passed(ctx, err) {
			if seq, err = w.own(ctx, r.Mark); fault.KindOf(err) == fault.Conflict {
				err = fmt.Errorf("append to %s: %w", w.name, err)
				w.lose(err)
				return err
			}
		}
		if err == nil {
			w.last = seq
			then(seq)
			w.reported.Store(seq)
			return nil
		}
		if n == 1 || n%20 == 0 {
			w.out.WarnContext(ctx, "append retried", "log", w.name, "attempt", n, "kind", fault.KindOf(err).String())
		}
		if !delay.For(ctx, backoff(n)) {
			return ctx.Err()
		}
	}
}

// passed reports whether, as far as err says, the log has a record behind the last
// one: the one that was to be written, after a lost answer, or another writer's. What
// fills a log may be that record.
func (w *writer) passed(ctx context.Context, err error) bool {
	if fault.KindOf(err) != fault.Limited {
		return fault.KindOf(err) == fault.Conflict
	}
	st, failed := w.log.State(ctx)
	return failed == nil && st.Last > w.last
}

// own returns the number of the newest record when it carries m.
func (w *writer) own(ctx context.Context, m record.Mark) (uint64, error) {
	rec, err := w.log.Last(ctx)
	if err != nil {
		if fault.KindOf(err) == fault.Missing {
			return 0, fault.New(fault.Conflict, "The log has another writer.")
		}
		return 0, err
	}
	if got, _, err := record.DecodeMark(rec.Data); err != nil || got != m || rec.Seq <= w.last {
		return 0, fault.New(fault.Conflict, "The log has another writer.")
	}
	return rec.Seq, nil
}

// backoff is a random time before append n is tried again, a second at most.
func backoff(n int) time.Duration {
	return rand.N(min(20*time.Millisecond<<min(n, 10), time.Second)) + 1
}
