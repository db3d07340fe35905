// Package queuetest has a queue.Log in memory with seeded faults, and the kit
// that holds it and JetStream to the same behaviour.
//
// The log makes no system calls: inside a testing/synctest bubble all of its
// waiting is durable, so time jumps over it. A log belongs to the bubble in which
// NewLog was called.
package queuetest

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"weir/dataplane/queue"
	"weir/shared/fault"
)

// Faults says how often, of 100 writes or records read, each thing goes wrong.
// Appends, Purge and Delete are writes. The zero value is a log without faults.
type Faults struct {
	Lost     int           // done, but the answer is lost: fault.Unavailable
	Refused  int           // not done: fault.Unavailable
	Delayed  int           // done after a time of up to Delay, and all that came later after it
	Slow     int           // a record is read, and comes after a time of up to Delay
	Jumps    int           // the clock of the log's server jumps, to up to two days from the right time
	Delay    time.Duration // 0 means 20 ms
	MaxBytes int64         // above it appends are refused with fault.Limited; 0: no limit
}

// Log is a queue.Log in memory: one process's view of a disk, which it shares
// with those that Restart and Share return.
type Log struct {
	disk  *disk
	down  chan struct{} // closed by Crash
	after func()
}

var _ queue.Log = (*Log)(nil)

// disk is what outlives a process.
type disk struct {
	mu      sync.Mutex
	rng     *rand.Rand
	faults  Faults
	records []queue.Record // by Seq
	last    uint64
	bytes   uint64
	wrong   time.Duration // how far the clock is ahead
	changed chan struct{} // closed and replaced when a record is added
	delayed []*write      // writes in the order in which they came
}

// write is a change of the disk that may be delayed.
type write struct {
	log   *Log
	do    func() error  // under the disk's mutex
	wait  time.Duration // before it is done, counted from when it is first in line
	lost  bool          // its answer
	done  chan struct{}
	err   error // readable after done
	ended bool
}

// NewLog returns an empty log whose faults follow from seed, and from the order
// of the calls.
func NewLog(seed uint64, faults Faults) *Log {
	d := &disk{rng: rand.New(rand.NewPCG(seed, 0)), faults: faults, changed: make(chan struct{})}
	return d.open()
}

func (d *disk) open() *Log { return &Log{disk: d, down: make(chan struct{})} }

// Share returns the log as another process sees it: Crash of the one does
// nothing to the other.
func (l *Log) Share() *Log { return l.disk.open() }

// Crash ends the process that uses l: of each of its writes under way the seed
// says whether it was done or not, every reader and call ends with
// fault.Unavailable, and so does every later call.
func (l *Log) Crash() {
	d := l.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.crashed() {
		return
	}
	close(l.down)
	for _, w := range d.delayed {
		if w.log != l || w.ended {
			continue
		}
		if d.rng.IntN(2) == 0 {
			_ = w.do() // its caller is gone
		}
		w.finish(errDown)
	}
}

// Restart returns the log as a new process finds it: with all that was written
// before, also by a process that still runs. l stays as it is.
func (l *Log) Restart() *Log { return l.disk.open() }

// After lets f run after each write of the process that uses l, before its caller
// hears of it: the moment for a Crash between a step and the next. It is set
// before the process begins.
func (l *Log) After(f func()) { l.after = f }

// reported is what the caller of a write hears.
func (l *Log) reported(err error) error {
	if l.after != nil {
		l.after()
		if l.crashed() {
			return errDown
		}
	}
	return err
}

func (l *Log) crashed() bool {
	select {
	case <-l.down:
		return true
	default:
		return false
	}
}

var (
	errDown    = fault.New(fault.Unavailable, "The log is down.")
	errLost    = fault.New(fault.Unavailable, "The log did not answer in time.")
	errRefused = fault.New(fault.Unavailable, "The log is away.")
)

// SetFaults changes what goes wrong from now on.
func (l *Log) SetFaults(f Faults) {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	l.disk.faults = f
}

// Snapshot is the content of a log at one time.
type Snapshot struct {
	Records []queue.Record
	Last    uint64 // the number of the newest record ever written
}

// Snapshot returns a copy of records and numbers, for a test to look at or to restore.
func (l *Log) Snapshot() Snapshot {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	return Snapshot{Records: slices.Clone(l.disk.records), Last: l.disk.last}
}

// Restore replaces records and numbers by those of s, as a disk taken from a
// backup would.
func (l *Log) Restore(s Snapshot) {
	d := l.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records, d.last, d.bytes = slices.Clone(s.Records), s.Last, 0
	for _, r := range d.records {
		d.bytes += size(r)
	}
	d.announce()
}

// Append implements queue.Log.
func (l *Log) Append(ctx context.Context, key string, data []byte) (uint64, error) {
	return l.append(ctx, nil, key, data)
}

// AppendAfter implements queue.Log.
func (l *Log) AppendAfter(ctx context.Context, last uint64, key string, data []byte) (uint64, error) {
	return l.append(ctx, &last, key, data)
}

func (l *Log) append(ctx context.Context, after *uint64, key string, data []byte) (uint64, error) {
	if err := queue.CheckRecord(key, data); err != nil {
		return 0, err
	}
	d := l.disk
	rec := queue.Record{Key: key, Data: slices.Clone(data)}
	var seq uint64
	err := l.write(ctx, func() error {
		if after != nil && *after != d.last {
			return fault.New(fault.Conflict, "Another record was appended before.")
		}
		if limit := d.faults.MaxBytes; limit > 0 && d.bytes+size(rec) > uint64(limit) {
			return fault.New(fault.Limited, "The log is full.")
		}
		if d.faults.Jumps > 0 && d.rng.IntN(100) < d.faults.Jumps {
			d.wrong = time.Duration(d.rng.Int64N(int64(96*time.Hour))) - 48*time.Hour
		}
		d.last++
		rec.Seq, rec.At = d.last, time.Now().Add(d.wrong).UTC()
		d.records = append(d.records, rec)
		d.bytes += size(rec)
		d.announce()
		seq = rec.Seq
		return nil
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// write lets do change the disk, or not, as the seed says.
func (l *Log) write(ctx context.Context, do func() error) error {
	ctx, cancel := deadline(ctx)
	defer cancel()
	d := l.disk
	d.mu.Lock()
	if l.crashed() || ctx.Err() != nil {
		d.mu.Unlock()
		return errDown
	}
	f := d.faults
	roll := d.rng.IntN(100)
	if roll < f.Refused {
		d.mu.Unlock()
		return errRefused
	}
	w := &write{log: l, do: do, lost: roll < f.Refused+f.Lost, done: make(chan struct{})}
	w.wait = d.pause(f.Delayed)
	if w.wait == 0 && len(d.delayed) == 0 {
		err := w.run()
		d.mu.Unlock()
		return l.reported(err)
	}
	d.delayed = append(d.delayed, w)
	if len(d.delayed) == 1 {
		d.work()
	}
	d.mu.Unlock()
	select {
	case <-w.done:
		return l.reported(w.err)
	case <-ctx.Done():
		return errLost // it stays in line, and will be done
	}
}

// pause is a time of up to Faults.Delay so many times of 100, else 0.
func (d *disk) pause(often int) time.Duration {
	if often == 0 || d.rng.IntN(100) >= often {
		return 0
	}
	longest := d.faults.Delay
	if longest <= 0 {
		longest = 20 * time.Millisecond
	}
	return 1 + time.Duration(d.rng.Int64N(int64(longest)))
}

// work does what is delayed until something has to wait first. Waiting is a timer,
// so a log that is left alone leaves no goroutine behind.
func (d *disk) work() {
	for len(d.delayed) > 0 {
		w := d.delayed[0]
		if wait := w.wait; wait > 0 && !w.ended {
			w.wait = 0
			time.AfterFunc(wait, func() {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.work()
			})
			return
		}
		if !w.ended {
			w.finish(w.run())
		}
		d.delayed = d.delayed[1:]
	}
}

// run does w and returns what its caller hears.
func (w *write) run() error {
	err := w.do()
	if w.lost {
		return errLost
	}
	return err
}

func (w *write) finish(err error) {
	w.err, w.ended = err, true
	close(w.done)
}

// announce wakes the readers.
func (d *disk) announce() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// size is what a record takes of Faults.MaxBytes and counts in State.Bytes.
func size(r queue.Record) uint64 { return uint64(len(r.Data) + len(r.Key) + 32) }

// Read implements queue.Log.
func (l *Log) Read(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		l.read(ctx, from, 0, key, yield)
	}
}

// ReadTo implements queue.Log.
func (l *Log) ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		l.disk.mu.Lock()
		last := l.disk.last
		l.disk.mu.Unlock()
		if last == 0 && !l.crashed() && ctx.Err() == nil && queue.CheckRecord(key, nil) == nil {
			return
		}
		l.read(ctx, from, max(last, 1), key, yield)
	}
}

// read yields from from to until, or for ever when until is 0.
func (l *Log) read(ctx context.Context, from, until uint64, key string, yield func(queue.Record, error) bool) {
	if err := queue.CheckRecord(key, nil); err != nil {
		yield(queue.Record{}, err)
		return
	}
	for {
		if l.crashed() {
			yield(queue.Record{}, errDown)
			return
		}
		if ctx.Err() != nil {
			if until != 0 {
				yield(queue.Record{}, fault.New(fault.Unavailable, "Reading was ended before the last record."))
			}
			return
		}
		l.disk.mu.Lock()
		rec, ok := l.disk.find(from, key)
		changed := l.disk.changed
		slow := time.Duration(0)
		if ok {
			slow = l.disk.pause(l.disk.faults.Slow)
		}
		l.disk.mu.Unlock()
		if ok && (until == 0 || rec.Seq <= until) {
			if slow > 0 {
				select {
				case <-time.After(slow):
				case <-ctx.Done():
					continue
				case <-l.down:
					continue
				}
			}
			if !yield(rec, nil) {
				return
			}
			from = rec.Seq + 1
			continue
		}
		if until != 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-l.down:
		}
	}
}

// find returns the first record of key with Seq >= from.
func (d *disk) find(from uint64, key string) (queue.Record, bool) {
	for _, r := range d.records[d.index(from):] {
		if key == "" || r.Key == key {
			return r, true
		}
	}
	return queue.Record{}, false
}

// index returns the place of the first record with Seq >= seq.
func (d *disk) index(seq uint64) int {
	i, _ := slices.BinarySearchFunc(d.records, seq, func(r queue.Record, seq uint64) int {
		switch {
		case r.Seq < seq:
			return -1
		case r.Seq > seq:
			return 1
		}
		return 0
	})
	return i
}

// Last implements queue.Log.
func (l *Log) Last(ctx context.Context) (queue.Record, error) {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if l.crashed() || ctx.Err() != nil {
		return queue.Record{}, errDown
	}
	if len(l.disk.records) == 0 {
		return queue.Record{}, fault.New(fault.Missing, "The log is empty.")
	}
	return l.disk.records[len(l.disk.records)-1], nil
}

// Purge implements queue.Log.
func (l *Log) Purge(ctx context.Context, before uint64, key string) error {
	if err := queue.CheckRecord(key, nil); err != nil {
		return err
	}
	d := l.disk
	return l.write(ctx, func() error {
		if key != "" {
			d.remove(func(r queue.Record) bool { return r.Seq < before && r.Key == key })
			return nil
		}
		end := d.index(before)
		for _, r := range d.records[:end] {
			d.bytes -= size(r)
		}
		d.records = d.records[end:]
		return nil
	})
}

// Delete implements queue.Log.
func (l *Log) Delete(ctx context.Context, seqs ...uint64) error {
	d := l.disk
	return l.write(ctx, func() error {
		d.remove(func(r queue.Record) bool { return slices.Contains(seqs, r.Seq) })
		return nil
	})
}

// remove takes away the records that gone names.
func (d *disk) remove(gone func(queue.Record) bool) {
	d.records = slices.DeleteFunc(d.records, func(r queue.Record) bool {
		if !gone(r) {
			return false
		}
		d.bytes -= size(r)
		return true
	})
}

// State implements queue.Log.
func (l *Log) State(ctx context.Context) (queue.State, error) {
	d := l.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.crashed() || ctx.Err() != nil {
		return queue.State{}, errDown
	}
	st := queue.State{First: d.last + 1, Last: d.last, Records: uint64(len(d.records)), Bytes: d.bytes}
	if len(d.records) > 0 {
		st.First = d.records[0].Seq
	}
	return st, nil
}

// Keys implements queue.Log.
func (l *Log) Keys(ctx context.Context) (map[string]uint64, error) {
	d := l.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.crashed() || ctx.Err() != nil {
		return nil, errDown
	}
	keys := map[string]uint64{}
	for _, r := range d.records {
		keys[r.Key]++
	}
	return keys, nil
}

// deadline bounds ctx by queue.CallTimeout when it has no deadline.
func deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, queue.CallTimeout)
}
