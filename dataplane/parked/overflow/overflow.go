// Package overflow keeps a log within a quota for each of its keys: past it the
// oldest records of that key move to the blob store, and are read from there as
// if they had stayed. A record is in the blob store, with fsync, before it leaves
// the log, so no moment is without it. It does not know what records hold.
package overflow

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"weir/dataplane/blob"
	"weir/dataplane/queue"
	"weir/shared/fault"
)

// Config says what a Log works with. Zero values of the optional fields mean the
// defaults named beside them.
type Config struct {
	Log    queue.Log // nobody else writes, purges or deletes
	Blobs  blob.Store
	Folder blob.Ref // in Blobs, of this log alone
	Quota  int64    // about how many bytes of one key stay in the log
	Limit  int64    // bytes in Blobs past which all stays in the log
	// Low reports whether the disk has no room for moves, which free theirs late;
	// nil means never.
	Low func() bool
	// Out is where what an operator should know is written; nil means nowhere.
	Out *slog.Logger

	Segment int64         // bytes of one object; 4 MiB
	Every   time.Duration // from look to look; 1 s
}

// Log is a log with a quota for each key. It keeps the contract of queue.Log, but
// that moved records are removed by objects: Purge leaves those whose object has
// later ones, and Delete is fault.Denied for them. One Log at a time may use a folder.
type Log struct {
	queue.Log
	c    Config
	turn *semaphore.Weighted // held by who moves or purges

	mu    sync.Mutex
	moved map[string][]segment // by key, in the order of their records
	bytes int64                // of all of them
	means map[string]float64   // bytes of a record, by key
}

// New finds what was moved before and ends a move that was cut off.
func New(ctx context.Context, c Config) (*Log, error) {
	if c.Log == nil || c.Blobs == nil || c.Folder == "" || c.Quota <= 0 {
		return nil, fault.New(fault.Internal, "an overflow needs a log, a blob store with a folder, and a quota")
	}
	if c.Low == nil {
		c.Low = func() bool { return false }
	}
	if c.Out == nil {
		c.Out = slog.New(slog.DiscardHandler)
	}
	c.Segment, c.Every = cmp.Or(c.Segment, 4<<20), cmp.Or(c.Every, time.Second)
	o := &Log{Log: c.Log, c: c, turn: semaphore.NewWeighted(1), moved: map[string][]segment{}, means: map[string]float64{}}
	objects, err := c.Blobs.List(ctx, c.Folder)
	if err != nil {
		return nil, fmt.Errorf("look for moved records in the blob store: %w", err)
	}
	for _, object := range objects {
		s, err := segmentOf(c.Folder, object)
		if err != nil {
			return nil, err
		}
		o.add(s)
	}
	for key, all := range o.moved {
		slices.SortFunc(all, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
		if err := o.Log.Purge(ctx, all[len(all)-1].last+1, key); err != nil {
			return nil, fmt.Errorf("end a move to the blob store: %w", err)
		}
	}
	return o, nil
}

// Bytes returns how much is in the blob store.
func (o *Log) Bytes() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// Run moves what is past the quota until ctx ends.
func (o *Log) Run(ctx context.Context) {
	tick := time.NewTicker(o.c.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := o.look(ctx); err != nil && ctx.Err() == nil {
			o.c.Out.WarnContext(ctx, "move to the blob store put off", "folder", o.c.Folder, "kind", fault.KindOf(err).String())
		}
	}
}

// look moves the oldest of every key that is past its quota, until an
// eighth of the quota is free again.
func (o *Log) look(ctx context.Context) error {
	st, err := o.Log.State(ctx)
	if err != nil || st.Records == 0 || int64(st.Bytes) <= o.c.Quota {
		return err
	}
	keys, err := o.Log.Keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		o.mu.Lock()
		mean, known := o.means[key]
		o.mu.Unlock()
		if !known {
			mean = float64(st.Bytes) / float64(st.Records)
		}
		over := float64(keys[key])*mean - float64(o.c.Quota)
		if over <= 0 {
			continue
		}
		for over += float64(o.c.Quota) / 8; over > 0 && o.Bytes() < o.c.Limit && !o.c.Low(); {
			n, err := o.move(ctx, key, min(o.c.Segment, int64(math.Ceil(over))))
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			over -= float64(n)
		}
	}
	return nil
}

// move writes the oldest records of key, about size bytes, to one object, then
// takes them out of the log. It returns how many bytes that were.
func (o *Log) move(ctx context.Context, key string, size int64) (int64, error) {
	if err := o.turn.Acquire(ctx, 1); err != nil {
		return 0, err
	}
	defer o.turn.Release(1)
	from := uint64(1)
	o.mu.Lock()
	if all := o.moved[key]; len(all) > 0 {
		from = all[len(all)-1].last + 1
	}
	o.mu.Unlock()
	s := segment{folder: o.c.Folder, key: key}
	var data []byte
	for rec, err := range o.Log.ReadTo(ctx, from, key) {
		if err != nil {
			return 0, err
		}
		if len(data) > 0 && int64(len(data)+len(rec.Data)) > size {
			break
		}
		if s.records == 0 {
			s.first = rec.Seq
		}
		s.last = rec.Seq
		s.records++
		data = appendMoved(data, rec)
	}
	if s.records == 0 || ctx.Err() != nil {
		return 0, ctx.Err()
	}
	s.bytes = int64(len(data))
	if err := s.write(ctx, o.c.Blobs, data); err != nil {
		return 0, fault.New(fault.Unavailable, "The blob store took nothing: %v.", err)
	}
	o.mu.Lock()
	o.add(s)
	o.mu.Unlock()
	return s.bytes, o.Log.Purge(ctx, s.last+1, key)
}

// add notes a segment; the caller holds the mutex.
func (o *Log) add(s segment) {
	o.moved[s.key] = append(o.moved[s.key], s)
	o.bytes += s.bytes
}

// AppendAfter is the log's, and learns how large the records of key are.
func (o *Log) AppendAfter(ctx context.Context, last uint64, key string, data []byte) (uint64, error) {
	seq, err := o.Log.AppendAfter(ctx, last, key, data)
	if err == nil {
		o.weigh(key, len(data))
	}
	return seq, err
}

// Append is the log's, and learns how large the records of key are.
func (o *Log) Append(ctx context.Context, key string, data []byte) (uint64, error) {
	seq, err := o.Log.Append(ctx, key, data)
	if err == nil {
		o.weigh(key, len(data))
	}
	return seq, err
}

func (o *Log) weigh(key string, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mean, known := o.means[key]
	if !known {
		mean = float64(size)
	}
	o.means[key] = mean + (float64(size)-mean)/64
}

// Purge removes what the log has and the objects of which nothing is left.
func (o *Log) Purge(ctx context.Context, before uint64, key string) error {
	if err := o.turn.Acquire(ctx, 1); err != nil {
		return fault.New(fault.Unavailable, "The log did not answer in time.")
	}
	defer o.turn.Release(1)
	if err := o.Log.Purge(ctx, before, key); err != nil {
		return err
	}
	o.mu.Lock()
	keys := []string{key}
	if key == "" {
		keys = slices.Collect(maps.Keys(o.moved))
	}
	var gone []segment
	for _, k := range keys {
		for _, s := range o.moved[k] {
			if s.last < before {
				gone = append(gone, s)
			}
		}
	}
	o.mu.Unlock()
	for _, s := range gone {
		if err := o.c.Blobs.Delete(ctx, s.ref()); err != nil {
			return fault.New(fault.Unavailable, "The blob store deleted nothing: %v.", err)
		}
		o.mu.Lock()
		o.bytes -= s.bytes
		if o.moved[s.key] = o.moved[s.key][1:]; len(o.moved[s.key]) == 0 {
			delete(o.moved, s.key)
		}
		o.mu.Unlock()
	}
	return nil
}

// Delete removes records from the log. fault.Denied: one of them was moved.
func (o *Log) Delete(ctx context.Context, seqs ...uint64) error {
	o.mu.Lock()
	for _, all := range o.moved {
		for _, s := range all {
			if slices.ContainsFunc(seqs, func(seq uint64) bool { return s.first <= seq && seq <= s.last }) {
				o.mu.Unlock()
				return fault.New(fault.Denied, "Single records are never removed from the blob store.")
			}
		}
	}
	o.mu.Unlock()
	return o.Log.Delete(ctx, seqs...)
}

// State counts what was moved too.
func (o *Log) State(ctx context.Context) (queue.State, error) {
	st, err := o.Log.State(ctx)
	if err != nil {
		return st, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, all := range o.moved {
		st.First = min(st.First, all[0].first)
		for _, s := range all {
			st.Records += s.records
			st.Bytes += uint64(s.bytes)
		}
	}
	return st, nil
}

// Keys counts what was moved too.
func (o *Log) Keys(ctx context.Context) (map[string]uint64, error) {
	keys, err := o.Log.Keys(ctx)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, all := range o.moved {
		for _, s := range all {
			keys[key] += s.records
		}
	}
	return keys, nil
}

// Last is the newest record of both.
func (o *Log) Last(ctx context.Context) (queue.Record, error) {
	rec, err := o.Log.Last(ctx)
	if err != nil && fault.KindOf(err) != fault.Missing {
		return rec, err
	}
	o.mu.Lock()
	var newest segment
	for _, all := range o.moved {
		if s := all[len(all)-1]; s.last > newest.last {
			newest = s
		}
	}
	o.mu.Unlock()
	if newest.last <= rec.Seq {
		return rec, err
	}
	for rec, err = range readAll(ctx, o.c.Blobs, []segment{newest}, newest.last, newest.last) {
	}
	return rec, err
}

// ReadTo is queue.Log's.
func (o *Log) ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		st, err := o.Log.State(ctx)
		if err != nil {
			yield(queue.Record{}, err)
			return
		}
		o.read(ctx, from, st.Last, key, o.Log.ReadTo, yield)
	}
}

// Read is queue.Log's.
func (o *Log) Read(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		until := func(rec queue.Record, err error) bool { // ctx's end is none of its errors
			return (err == nil || ctx.Err() == nil) && yield(rec, err)
		}
		st, err := o.Log.State(ctx)
		if err != nil {
			until(queue.Record{}, err)
			return
		}
		if o.read(ctx, from, st.Last, key, o.Log.ReadTo, until) {
			o.read(ctx, max(from, st.Last+1), math.MaxUint64, key, o.Log.Read, until)
		}
	}
}

// read yields what there is from one number to another, and reports whether it
// came to the end. A move puts records into the store before it takes them from
// the log, so what is missing before a record of the log is in the store by then.
func (o *Log) read(ctx context.Context, from, to uint64, key string, log func(context.Context, uint64, string) iter.Seq2[queue.Record, error],
	yield func(queue.Record, error) bool) bool {
	next := max(from, 1)
	give := func(rec queue.Record, err error) bool {
		next = max(next, rec.Seq+1)
		return yield(rec, err) && err == nil
	}
	stored := func(to uint64) bool {
		for rec, err := range o.stored(ctx, next, to, key) {
			if err == nil && ctx.Err() != nil {
				err = fault.New(fault.Unavailable, "The read was ended before its time.")
			}
			if !give(rec, err) {
				return false
			}
		}
		return true
	}
	for rec, err := range log(ctx, next, key) {
		if rec.Seq > to {
			break
		}
		if err == nil && !stored(rec.Seq-1) || !give(rec, err) {
			return false
		}
	}
	return stored(to)
}

// stored yields the records in the blob store with numbers from one to another.
func (o *Log) stored(ctx context.Context, from, to uint64, key string) iter.Seq2[queue.Record, error] {
	o.mu.Lock()
	var chains [][]segment // what there is to read of each key
	for k, all := range o.moved {
		if key != "" && k != key {
			continue
		}
		i, _ := slices.BinarySearchFunc(all, from, func(s segment, from uint64) int { return cmp.Compare(s.last, from) })
		j, _ := slices.BinarySearchFunc(all, to+1, func(s segment, end uint64) int { return cmp.Compare(s.first, end) })
		if i < j {
			chains = append(chains, slices.Clone(all[i:j]))
		}
	}
	o.mu.Unlock()
	return func(yield func(queue.Record, error) bool) {
		type head struct {
			rec  queue.Record
			err  error
			next func() (queue.Record, error, bool)
		}
		var heads []head
		for _, chain := range chains {
			next, stop := iter.Pull2(readAll(ctx, o.c.Blobs, chain, from, to))
			defer stop()
			if rec, err, ok := next(); ok {
				heads = append(heads, head{rec, err, next})
			}
		}
		for len(heads) > 0 {
			first := 0
			for i := range heads {
				if heads[i].err != nil || heads[i].rec.Seq < heads[first].rec.Seq {
					first = i
				}
			}
			h := &heads[first]
			if !yield(h.rec, h.err) || h.err != nil {
				return
			}
			var ok bool
			if h.rec, h.err, ok = h.next(); !ok {
				heads = slices.Delete(heads, first, first+1)
			}
		}
	}
}
