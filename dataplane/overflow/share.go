package overflow

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"weir/shared/fault"
)

// Parts of the limit of a log, and of what log and blob store may hold together.
const (
	keptPart  = 4  // the part of the limit that one key keeps in the log at most
	pressPart = 16 // what may come before Run looks at once

	halfFull = 1.0 / 2   // past it the largest keys move
	nearFull = 15.0 / 16 // what keys share of a log from which nothing moves
	closed   = 4.0 / 5   // past it keys that hold more than their share are refused
	reserved = 9.0 / 10  // past it all are

	mostOfKey    = 1.0 / 2 // share of one key in all that may be held
	mostStored   = 3.0 / 4 // what one key may have in the blob store
	most, again  = 0.8, 0.7
	againOfShare = 7.0 / 8
)

// level is the most that one key may hold so that all together hold total at most:
// the rest is taken from the largest. +Inf: they hold no more.
func level(held map[string]float64, total float64) float64 {
	sizes := slices.Sorted(maps.Values(held))
	for i, size := range sizes {
		if n := float64(len(sizes) - i); size*n > total {
			return total / n
		}
		total -= size
	}
	return math.Inf(1)
}

// over calls named for the keys that hold more than their share of room: more than
// half of it, or, past 80 % of it in all, more than leaves 80 %. For those that were
// named before it is less.
func over(held map[string]float64, room float64, before, named map[string]bool) {
	names := min(level(held, most*room), mostOfKey*room)
	keeps := min(level(held, again*room), mostOfKey*againOfShare*room)
	for key, n := range held {
		if n > names || before[key] && n > keeps {
			named[key] = true
		}
	}
}

// admit is fault.Limited when a record of key has to wait for room.
func (o *Log) admit(ctx context.Context, key string, size int) error {
	err := o.refusal(key, size)
	if err == nil {
		return nil
	}
	st, failed := o.Log.State(ctx) // something may have left since the last look
	if failed != nil {
		return failed
	}
	o.mu.Lock()
	o.used = int64(st.Bytes)
	o.mu.Unlock()
	return o.refusal(key, size)
}

func (o *Log) refusal(key string, size int) error {
	if o.c.Limit == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	filled := float64(o.used+int64(size)+recordHead) / float64(o.c.Limit)
	if filled > reserved {
		return fault.New(fault.Limited, "The log is full.")
	}
	if _, full := slices.BinarySearch(o.full, key); full && filled > closed {
		return fault.New(fault.Limited, "%s has more than its share of the log.", key)
	}
	return nil
}

// look moves what is past the shares and decides anew which keys are full.
func (o *Log) look(ctx context.Context) error {
	if o.c.Bounds != nil {
		o.mu.Lock()
		o.c.Limit, o.c.Stored = o.c.Bounds() // Run alone reads them without the mutex
		o.mu.Unlock()
	}
	if err := o.end(ctx); err != nil || o.c.Limit == 0 {
		return err
	}
	st, err := o.Log.State(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	o.used, o.since = int64(st.Bytes), 0
	idle := o.bytes == 0 && len(o.full) == 0
	o.mu.Unlock()
	if idle && int64(st.Bytes) <= o.c.Limit/keptPart/2 {
		return nil
	}
	keys, err := o.Log.Keys(ctx)
	if err != nil {
		return err
	}
	held := o.sizes(ctx, keys, st.Bytes)
	err = o.shed(ctx, held)
	o.judge(held)
	return err
}

// end ends moves that were cut off between the blob store and the log.
func (o *Log) end(ctx context.Context) error {
	if err := o.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer o.turn.Release(1)
	if o.ended {
		return nil
	}
	o.mu.Lock()
	last := make(map[string]uint64, len(o.moved))
	for key, all := range o.moved {
		last[key] = all[len(all)-1].last
	}
	o.mu.Unlock()
	for key, seq := range last {
		if err := o.Log.Purge(ctx, seq+1, key); err != nil {
			return err
		}
	}
	o.ended = true
	return nil
}

// How many keys, and how many records of each, are read in one look to learn how
// large they are.
const sampledKeys, sampledRecords = 64, 8

// sizes returns about how many bytes each key has in the log, which counts records
// alone: by the mean size of those that came last, or of some that are read.
func (o *Log) sizes(ctx context.Context, keys map[string]uint64, total uint64) map[string]float64 {
	o.mu.Lock()
	maps.DeleteFunc(o.means, func(key string, _ float64) bool { return keys[key] == 0 })
	means := maps.Clone(o.means)
	o.mu.Unlock()
	var unknown []string
	var records uint64
	for key, n := range keys {
		if records += n; means[key] == 0 {
			unknown = append(unknown, key)
		}
	}
	slices.SortFunc(unknown, func(a, b string) int { return cmp.Compare(keys[b], keys[a]) })
	for _, key := range unknown[:min(len(unknown), sampledKeys)] {
		if mean := o.sample(ctx, key); mean > 0 {
			means[key] = mean
		}
	}
	held, sum := make(map[string]float64, len(keys)), 0.0
	for key, n := range keys {
		mean := means[key]
		if mean == 0 {
			mean = float64(total) / float64(records)
		}
		held[key] = float64(n) * (mean + recordHead)
		sum += held[key]
	}
	for key := range held {
		held[key] *= float64(total) / sum
	}
	return held
}

// sample returns the mean size of some records of a key and keeps it; 0: none could
// be read.
func (o *Log) sample(ctx context.Context, key string) float64 {
	n, sum := 0, 0
	for rec, err := range o.Log.ReadTo(ctx, 1, key) {
		if err != nil {
			return 0
		}
		sum += len(rec.Data)
		if n++; n == sampledRecords {
			break
		}
	}
	if n == 0 {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.means[key] == 0 {
		o.means[key] = float64(sum) / float64(n)
	}
	return o.means[key]
}

// shed moves the oldest of the largest keys until none has more than a quarter of
// the limit and all together have half of it, less an eighth of that, and takes what
// moved off held.
func (o *Log) shed(ctx context.Context, held map[string]float64) error {
	limit := float64(o.c.Limit)
	total := 0.0
	for _, n := range held {
		total += n
	}
	largest := slices.SortedFunc(maps.Keys(held), func(a, b string) int { return cmp.Or(cmp.Compare(held[b], held[a]), cmp.Compare(a, b)) })
	fair := level(held, halfFull*limit)
	for _, key := range largest {
		kept := limit / keptPart
		if total > halfFull*limit {
			kept = min(kept, fair)
		}
		if held[key] <= kept {
			break
		}
		for over := held[key] - kept*7/8; over > 0 && o.mayMove(key); {
			n, err := o.move(ctx, key, min(o.c.Segment, int64(math.Ceil(over))))
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			over, total, held[key] = over-float64(n), total-float64(n), held[key]-float64(n)
		}
	}
	return nil
}

// mayMove reports whether the blob store takes more of a key.
func (o *Log) mayMove(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes < o.c.Stored && float64(o.storedOf(key)) < mostStored*float64(o.c.Stored) && !o.c.Low()
}

// storedOf is how much of a key is in the blob store; the caller holds the mutex.
func (o *Log) storedOf(key string) (n int64) {
	for _, s := range o.moved[key] {
		n += s.bytes
	}
	return n
}

// judge decides which keys are full: of the log, which is so when moves do not keep
// up, or of log and blob store together.
func (o *Log) judge(held map[string]float64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, full := map[string]bool{}, map[string]bool{}
	for _, key := range o.full {
		before[key] = true
	}
	limit := float64(o.c.Limit)
	over(held, nearFull*limit, before, full)
	if o.c.Stored > 0 {
		both := maps.Clone(held)
		for key := range o.moved {
			both[key] += float64(o.storedOf(key))
		}
		over(both, halfFull*limit+float64(o.c.Stored), before, full)
	}
	o.full = slices.Sorted(maps.Keys(full))
}

// Takes reports whether records of key of so many bytes are within its share now, as far as
// is known without asking the log.
func (o *Log) Takes(key string, bytes int64) bool { return o.refusal(key, int(bytes)) == nil }
