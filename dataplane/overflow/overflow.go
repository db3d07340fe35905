// Package overflow keeps a log within shares for each of its keys. Past them the
// oldest records of the largest keys move to the blob store, and are read from there
// as if they had stayed. A record is in the blob store, with fsync, before it leaves
// the log, so no moment is without it. It does not know what records hold.
//
// While the blob store takes objects, the log stays at about half of its limit. Full
// names the keys that hold more than their share of both: whoever feeds them has to be
// refused at its source. Of what comes all the same only that is refused which has
// another place. What has none is taken past the limit, also beside a blob store that
// takes nothing: the log's bytes are then those that another log loses.
package overflow

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
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
	Limit  int64     // bytes that keys share of Log, which takes more; 0: as many as there are, and nothing moves or is refused
	Blobs  blob.Store
	Folder blob.Ref // in Blobs, of this log alone
	Stored int64    // bytes that Blobs takes of this log; 0: nothing moves, and Blobs may be nil
	// Bounds returns Limit and Stored anew at each look, neither 0 unless it was; nil:
	// they stay.
	Bounds func() (limit, stored int64)
	// Insist says that what Append writes has no other place, and is never refused.
	Insist bool
	// Low reports whether the disk has no room for moves, which free theirs late;
	// nil means never.
	Low func() bool
	// Out is where what an operator should know is written; nil means nowhere.
	Out *slog.Logger

	Segment int64         // bytes of one object; 4 MiB
	Every   time.Duration // from look to look; 1 s
}

// Log is a log with a share for each key. It keeps the contract of queue.Log, but
// that Purge leaves moved records whose object has later ones, and that Append refuses
// keys past their share, as fault.Limited, unless Config.Insist. One Log at a time may
// use a folder.
type Log struct {
	queue.Log
	c       Config
	turn    *semaphore.Weighted // held by who moves, purges or deletes
	ended   bool                // no move was cut off before it was ended; of who holds turn
	garbage []blob.Ref          // of who holds turn
	pressed chan struct{}       // much was appended since the last look

	mu    sync.Mutex
	moved map[string][]segment // by key, in the order of their records
	bytes int64                // of all of them
	means map[string]float64   // bytes of a record, by key
	used  int64                // bytes in the log, about
	since int64                // of them those that came after the last look
	full  []string             // sorted
}

// New finds what was moved before. It does not wait for Log: Run ends a move that
// was cut off.
func New(ctx context.Context, c Config) (*Log, error) {
	if c.Log == nil || c.Stored > 0 && (c.Blobs == nil || c.Folder == "") {
		return nil, fault.New(fault.Internal, "an overflow needs a log, and a blob store with a folder if it may move anything")
	}
	if c.Low == nil {
		c.Low = func() bool { return false }
	}
	if c.Out == nil {
		c.Out = slog.New(slog.DiscardHandler)
	}
	c.Segment, c.Every = cmp.Or(c.Segment, 4<<20), cmp.Or(c.Every, time.Second)
	o := &Log{
		Log: c.Log, c: c, turn: semaphore.NewWeighted(1), pressed: make(chan struct{}, 1), moved: map[string][]segment{}, means: map[string]float64{},
	}
	if c.Blobs == nil {
		return o, nil
	}
	objects, err := c.Blobs.List(ctx, c.Folder)
	if err != nil {
		return nil, fmt.Errorf("look for moved records in the blob store: %w", err)
	}
	for _, object := range objects {
		s, err := segmentOf(c.Folder, object)
		if err != nil { // it hinders nothing
			c.Out.WarnContext(ctx, "object left alone", "object", object, "error", err)
			continue
		}
		o.moved[s.key] = append(o.moved[s.key], s)
	}
	for key, all := range o.moved {
		if err := o.settle(ctx, key, all); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// settle notes the objects of a key that were found. Where two have the same records,
// a deletion was cut off: the one with fewer was written last, and is whole.
func (o *Log) settle(ctx context.Context, key string, found []segment) error {
	slices.SortFunc(found, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.records, a.records))
	})
	var kept []segment
	for _, s := range found {
		if n := len(kept); n > 0 && s.first <= kept[n-1].last {
			old := kept[n-1]
			if old.records < s.records {
				old, s = s, old
			}
			kept[n-1] = s
			if err := o.c.Blobs.Delete(ctx, old.ref()); err != nil {
				return fmt.Errorf("end a deletion in the blob store: %w", err)
			}
			continue
		}
		kept = append(kept, s)
	}
	o.moved[key] = kept
	for _, s := range kept {
		o.bytes += s.bytes
	}
	return nil
}

// Bytes returns how much is in the blob store.
func (o *Log) Bytes() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// Full returns the keys that hold more than their share, sorted, as of the last
// look. A key is among them until it holds clearly less.
func (o *Log) Full() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.full
}

// Run looks after the shares until ctx ends.
func (o *Log) Run(ctx context.Context) {
	tick := time.NewTicker(o.c.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := o.look(ctx)
		if err != nil && ctx.Err() == nil {
			o.c.Out.WarnContext(ctx, "move to the blob store put off", "folder", o.c.Folder, "kind", fault.KindOf(err).String())
		}
		if err == nil && o.c.Limit == 0 { // nothing will ever be to do
			<-ctx.Done()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		case <-o.pressed:
		}
	}
}

// AppendAfter is the log's: it refuses nothing because of shares. Who writes what has
// another place asks Takes before.
func (o *Log) AppendAfter(ctx context.Context, last uint64, key string, data []byte) (uint64, error) {
	seq, err := o.Log.AppendAfter(ctx, last, key, data)
	if err == nil {
		o.weigh(key, len(data))
	}
	return seq, err
}

// Append is the log's. fault.Limited, unless Config.Insist: the key has more than its
// share and there is little room for more, or the limit is reached.
func (o *Log) Append(ctx context.Context, key string, data []byte) (uint64, error) {
	if !o.c.Insist {
		if err := o.admit(ctx, key, len(data)); err != nil {
			return 0, err
		}
	}
	seq, err := o.Log.Append(ctx, key, data)
	if err == nil {
		o.weigh(key, len(data))
	}
	return seq, err
}

// recordHead is about what a log needs for a record beside its data.
const recordHead = 64

// weigh notes a record that is in the log now.
func (o *Log) weigh(key string, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mean, known := o.means[key]
	if !known {
		mean = float64(size)
	}
	o.means[key] = mean + (float64(size)-mean)/64
	o.used += int64(size) + recordHead
	if o.since += int64(size) + recordHead; o.c.Limit > 0 && o.since > o.c.Limit/pressPart {
		o.since = 0
		select {
		case o.pressed <- struct{}{}:
		default: // Run will look
		}
	}
}

// Purge removes what the log has and the objects of which nothing is left.
func (o *Log) Purge(ctx context.Context, before uint64, key string) error {
	if err := o.turn.Acquire(ctx, 1); err != nil {
		return fault.New(fault.Unavailable, "The log did not answer in time.")
	}
	defer o.turn.Release(1)
	if err := o.clean(ctx); err != nil {
		return err
	}
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
		if err := o.replace(ctx, s, nil); err != nil {
			return err
		}
	}
	return nil
}

// replace removes an object of which the records in by are left: an object or none.
// The caller holds turn.
func (o *Log) replace(ctx context.Context, s segment, by []segment) error {
	o.mu.Lock()
	all := o.moved[s.key]
	i := slices.Index(all, s)
	all = slices.Replace(slices.Clone(all), i, i+1, by...) // readers have the old ones
	if o.moved[s.key] = all; len(all) == 0 {
		delete(o.moved, s.key)
	}
	o.bytes -= s.bytes
	for _, b := range by {
		o.bytes += b.bytes
	}
	o.mu.Unlock()
	o.garbage = append(o.garbage, s.ref())
	return o.clean(ctx)
}

// clean deletes objects of which nothing is wanted any more. A purge or a deletion is
// done when none is left. The caller holds turn.
func (o *Log) clean(ctx context.Context) error {
	for len(o.garbage) > 0 {
		if err := o.c.Blobs.Delete(ctx, o.garbage[0]); err != nil {
			return fault.New(fault.Unavailable, "The blob store deleted nothing: %v.", err)
		}
		o.garbage = o.garbage[1:]
	}
	return nil
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
	for rec, err = range o.readAll(ctx, []segment{newest}, newest.last, newest.last) {
	}
	return rec, err
}
