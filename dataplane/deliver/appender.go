package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// appender is the only writer of PARKED or DEAD. One append is in flight; what
// comes meanwhile gathers by destination and goes with the next record, for
// PARKED at most one of a destination every parkPace unless there is much. Every
// append names the number it follows, so an answer that was lost is found
// again, a late duplicate cannot land, and a stale owner cannot write.
type appender struct {
	wrong    mistake
	log      queue.Log
	out      *slog.Logger
	name     string
	kind     recordKind
	instance uint64
	// take chooses, right before they are written, which entries still have to be.
	take func(*lane, []*entry) []*entry
	// done learns that the entries are durable in record seq.
	done func(ctx context.Context, ln *lane, es []*entry, seq uint64)

	turn    chan struct{} // holds one token: who has it writes
	last    uint64        // number of the newest record, the token's
	counter uint64        // the token's
	told    atomic.Uint64 // number up to which all was reported

	mu      sync.Mutex
	moved   sync.Cond // bytes went down, or something is waiting
	waiting map[*lane][]*entry
	turns   []*lane // lanes with entries, each once
	bytes   int64   // of what waits or is being written
	limit   int64
	pace    time.Duration // from round to round, each a record of every lane; 0: none
	closed  bool
	lost    error // fault.Conflict: somebody else wrote to the log
}

// parkPace is how long deliveries to PARKED gather unless there are many: each
// record costs a sync of the disk that the gateway waits for too.
const parkPace = 200 * time.Millisecond

func newAppender(kind recordKind, name string, log queue.Log, limit int64, instance uint64, out *slog.Logger) *appender {
	a := &appender{log: log, out: out, name: name, kind: kind, instance: instance, limit: limit, waiting: map[*lane][]*entry{}, turn: make(chan struct{}, 1)}
	a.moved.L = &a.mu
	a.turn <- struct{}{}
	return a
}

// push hands entries over; it never blocks. Callers ask room first where they can wait.
func (a *appender) push(ln *lane, es ...*entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting[ln]) == 0 {
		a.turns = append(a.turns, ln)
	}
	a.waiting[ln] = append(a.waiting[ln], es...)
	for _, e := range es {
		a.bytes += e.size
	}
	a.moved.Broadcast()
}

// full reports whether more should wait.
func (a *appender) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes >= a.limit
}

// room waits until there is room or ctx ends.
func (a *appender) room(ctx context.Context) error {
	if !a.full() {
		return nil
	}
	defer context.AfterFunc(ctx, a.wake)()
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.bytes >= a.limit && ctx.Err() == nil && !a.closed {
		a.moved.Wait()
	}
	if a.closed {
		return fault.New(fault.Unavailable, "The lanes are shutting down.")
	}
	return ctx.Err()
}

func (a *appender) wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.moved.Broadcast()
}

func (a *appender) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.moved.Broadcast()
}

// run writes until ctx ends. fault.Conflict: somebody else wrote to the log.
func (a *appender) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, a.wake)()
	var began time.Time // of the round
	for left := 0; ; left-- {
		if left == 0 {
			a.gather(ctx, began.Add(a.pace))
		}
		ln, es, err := a.next(ctx)
		if ln == nil {
			return err
		}
		if left == 0 {
			began, left = time.Now(), 1+a.others(ln)
		}
		var size int64
		for _, e := range es {
			size += e.size
		}
		if es = a.take(ln, es); len(es) > 0 {
			r := record{kind: a.kind, items: make([]item, len(es))}
			for i, e := range es {
				r.items[i] = item{d: e.d, stage: e.stage, from: e.from}
				if a.kind == kindDead {
					r.items[i].code, r.items[i].status, r.items[i].detail = e.end.code, e.end.status, e.end.detail
				}
			}
			if err := a.write(ctx, ln.id, &r, func(seq uint64) { a.done(ctx, ln, es, seq) }); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		a.mu.Lock()
		a.bytes -= size
		a.moved.Broadcast()
		a.mu.Unlock()
	}
}

// gather waits until then, or until what waits is worth a record.
func (a *appender) gather(ctx context.Context, until time.Time) {
	wait := time.Until(until)
	if wait <= 0 {
		return
	}
	defer time.AfterFunc(wait, a.wake).Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for ctx.Err() == nil && !a.closed && a.bytes < min(recordBytes, a.limit) && time.Now().Before(until) {
		a.moved.Wait()
	}
}

// others is how many lanes but ln have entries.
func (a *appender) others(ln *lane) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.waiting)
	if len(a.waiting[ln]) > 0 {
		n--
	}
	return n
}

// next waits for entries and takes those of one destination that fit a record;
// nil when ctx ended, or with an error when the log was lost to another writer.
func (a *appender) next(ctx context.Context) (*lane, []*entry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.turns) == 0 && ctx.Err() == nil && a.lost == nil {
		a.moved.Wait()
	}
	if ctx.Err() != nil || a.lost != nil {
		return nil, nil, a.lost
	}
	ln := a.turns[0]
	a.turns = a.turns[1:]
	es := a.waiting[ln]
	n, size := 0, int64(0)
	for n < len(es) && (n == 0 || size+es[n].size <= recordBytes) {
		size += es[n].size
		n++
	}
	if n == len(es) {
		delete(a.waiting, ln)
	} else {
		a.waiting[ln] = es[n:]
		a.turns = append(a.turns, ln)
	}
	return ln, es[:n:n], nil
}

// lose ends run with err, whoever's write found that the log has another writer.
func (a *appender) lose(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lost = err
	a.moved.Broadcast()
}

// write appends one record, tries until it is known to be durable, and calls
// then before any later record is written. fault.Conflict: the log has another
// writer, and run ends.
func (a *appender) write(ctx context.Context, key id.Destination, r *record, then func(seq uint64)) error {
	if err := acquire(ctx, a.turn); err != nil {
		return err
	}
	defer func() { a.turn <- struct{}{} }()
	a.counter++
	r.mark = mark{a.instance, a.counter}
	data := r.encode()
	for n := 1; ; n++ {
		seq, err := a.log.AppendAfter(ctx, a.last, string(key), data)
		if a.wrong == settleBeforePark && err != nil {
			seq, err = a.last+1, nil
		}
		if err == nil {
			a.last = seq
			then(seq)
			a.told.Store(seq)
			return nil
		}
		if fault.KindOf(err) == fault.Conflict {
			if seq, err = a.own(ctx, r.mark); err == nil {
				a.last = seq
				then(seq)
				a.told.Store(seq)
				return nil
			}
			if fault.KindOf(err) == fault.Conflict {
				err = fmt.Errorf("append to %s: %w", a.name, err)
				a.lose(err)
				return err
			}
		}
		if n == 1 || n%20 == 0 {
			a.out.WarnContext(ctx, "append retried", "log", a.name, "attempt", n, "kind", fault.KindOf(err).String())
		}
		if err := sleep(ctx, jitter(20*time.Millisecond, time.Second, n, a.instance)); err != nil {
			return err
		}
	}
}

// acquire takes the token out of c, or ends with ctx.
func acquire(ctx context.Context, c chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// own returns the number of the newest record when it carries m.
func (a *appender) own(ctx context.Context, m mark) (uint64, error) {
	rec, err := a.log.Last(ctx)
	if err != nil {
		if fault.KindOf(err) == fault.Missing {
			return 0, fault.New(fault.Conflict, "The log has another writer.")
		}
		return 0, err
	}
	if got, _, err := decodeMark(rec.Data); err != nil || got != m || rec.Seq <= a.last {
		return 0, fault.New(fault.Conflict, "The log has another writer.")
	}
	return rec.Seq, nil
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
