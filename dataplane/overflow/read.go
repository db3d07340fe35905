package overflow

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"weir/dataplane/queue"
	"weir/shared/fault"
)

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
			next, stop := iter.Pull2(o.readAll(ctx, chain, from, to))
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
