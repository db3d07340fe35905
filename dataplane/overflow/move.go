package overflow

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/queue"
	"weir/shared/fault"
)

// moveTimeout is how long a blob store may take for an object: while it does not
// answer, nothing is removed from the log.
const moveTimeout = time.Minute

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
		data = s.append(data, rec)
	}
	if s.records == 0 || ctx.Err() != nil {
		return 0, ctx.Err()
	}
	writing, cancel := context.WithTimeout(ctx, moveTimeout)
	defer cancel()
	if err := s.write(writing, o.c.Blobs, data); err != nil {
		return 0, fault.New(fault.Unavailable, "The blob store took nothing: %v.", err)
	}
	o.mu.Lock()
	o.moved[key] = append(o.moved[key], s)
	o.bytes += s.bytes
	o.mu.Unlock()
	err := o.Log.Purge(ctx, s.last+1, key)
	o.ended = o.ended && err == nil
	return s.bytes, err
}

// Delete removes records. Each object that has some of them is written anew without
// them, so many records are removed best in one call. When it fails, some may be
// removed. fault.Denied: an object with one of them is damaged and stays.
func (o *Log) Delete(ctx context.Context, seqs ...uint64) error {
	if err := o.turn.Acquire(ctx, 1); err != nil {
		return fault.New(fault.Unavailable, "The log did not answer in time.")
	}
	defer o.turn.Release(1)
	if err := o.clean(ctx); err != nil {
		return err
	}
	seqs = slices.Sorted(slices.Values(seqs))
	o.mu.Lock()
	var touched []segment
	for _, all := range o.moved {
		for _, s := range all {
			if i, _ := slices.BinarySearch(seqs, s.first); i < len(seqs) && seqs[i] <= s.last {
				touched = append(touched, s)
			}
		}
	}
	o.mu.Unlock()
	gone := map[uint64]bool{}
	for _, s := range touched {
		if err := o.thin(ctx, s, seqs, gone); err != nil {
			return err
		}
	}
	if o.ended { // a move that was cut off would have left them in the log
		seqs = slices.DeleteFunc(seqs, func(seq uint64) bool { return gone[seq] })
	}
	if len(seqs) == 0 {
		return nil
	}
	return o.Log.Delete(ctx, seqs...)
}

// thin writes an object anew without those of its records that are in going, which is
// sorted, and adds these to gone. The caller holds turn.
func (o *Log) thin(ctx context.Context, s segment, going []uint64, gone map[uint64]bool) error {
	rest := segment{folder: s.folder, key: s.key}
	var data []byte
	var found []uint64
	for rec, err := range o.readAll(ctx, []segment{s}, s.first, s.last) {
		if err != nil {
			return err
		}
		_, goes := slices.BinarySearch(going, rec.Seq)
		if goes {
			found = append(found, rec.Seq)
		}
		if damaged := rec.At.IsZero(); damaged && len(found) > 0 {
			return fault.New(fault.Denied, "The object %s is damaged.", s.ref())
		} else if damaged {
			return nil // none of its records is meant: numbers of other keys lie between
		}
		if !goes {
			data = rest.append(data, rec)
		}
	}
	for _, seq := range found {
		gone[seq] = true
	}
	var by []segment
	switch rest.records {
	case s.records:
		return nil
	case 0:
	default:
		if err := rest.write(ctx, o.c.Blobs, data); err != nil {
			return fault.New(fault.Unavailable, "The blob store took nothing: %v.", err)
		}
		by = append(by, rest)
	}
	return o.replace(ctx, s, by)
}

// append adds a record to an object's data.
func (s *segment) append(data []byte, rec queue.Record) []byte {
	if s.records == 0 {
		s.first = rec.Seq
	}
	data = appendMoved(data, rec)
	s.last, s.bytes = rec.Seq, int64(len(data))
	s.records++
	return data
}
