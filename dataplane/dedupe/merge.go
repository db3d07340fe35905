package dedupe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"weir/shared/durable"
	"weir/shared/fault"
)

// Run writes runs and merges them until ctx ends. First waits for it when
// memory is full, so it must run while the index is used. An error stops the
// index: First and Snapshot return it.
func (x *Index) Run(ctx context.Context) error {
	err := x.follow(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err = err; err == nil {
		x.err = fault.New(fault.Unavailable, "the dedupe index is closing")
	}
	x.idle.Broadcast()
	return err
}

// follow merges beside writing, so that First does not wait for a long merge;
// only when merges fall far behind does writing wait, and with it First.
func (x *Index) follow(ctx context.Context) error {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	merge := make(chan struct{}, 1)
	merged := make(chan error, 1)
	go func() {
		defer stop()
		merged <- x.merging(inner, merge)
	}()
	err := x.writing(inner, merge)
	stop()
	return errors.Join(err, <-merged)
}

func (x *Index) writing(ctx context.Context, merge chan<- struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-x.work:
		}
		if !x.room(ctx) {
			return nil
		}
		if err := x.flush(); err != nil {
			return err
		}
		select {
		case merge <- struct{}{}:
		default:
		}
	}
}

// room waits until there are few enough runs for another one.
func (x *Index) room(ctx context.Context) bool {
	stop := context.AfterFunc(ctx, func() { x.mu.Lock(); x.idle.Broadcast(); x.mu.Unlock() })
	defer stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.runs) >= mostRuns && ctx.Err() == nil {
		x.idle.Wait()
	}
	return ctx.Err() == nil
}

// spacious reports whether there may be more runs.
func (x *Index) spacious() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.runs) < mostRuns
}

func (x *Index) merging(ctx context.Context, work <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-work:
		}
		for again := true; again; {
			var err error
			again, err = x.merge(ctx)
			if errors.Is(err, syscall.ENOSPC) && x.spacious() {
				x.cfg.Log.Warn("no space to merge dedupe runs; it is tried again after the next one", "error", err)
				break
			}
			if err != nil {
				return x.doubt(err)
			}
		}
	}
}

// doubt makes the next Open start anew when err says that a run is damaged.
func (x *Index) doubt(err error) error {
	if fault.KindOf(err) != fault.Invalid {
		return err
	}
	x.cfg.Log.Error("dedupe index is damaged; it will be rebuilt from the journal", "reason", err)
	x.mu.Lock()
	defer x.mu.Unlock()
	path := filepath.Join(x.cfg.Dir, manifestName)
	if gone := os.Remove(path); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	x.ruined = true
	return fault.New(fault.Internal, "%v", errors.Join(err, durable.SyncFolder(x.cfg.Dir)))
}

// flush writes the frozen keys as a run.
func (x *Index) flush() error {
	x.mu.Lock()
	frozen := x.frozen
	name := x.name()
	x.mu.Unlock()
	if frozen == nil {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(frozen), func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
	r, err := writeRun(x.cfg.Dir, name, len(keys), func(yield func(*entry) bool) {
		for _, k := range keys {
			v := frozen[k]
			if !yield(&entry{k, v.pos, v.at}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return x.replace(r, nil, func() {
		x.frozen, x.spare = nil, frozen // First may still look into it
		x.idle.Broadcast()
	})
}

// name gives the next run's file name. The caller holds mu.
func (x *Index) name() string {
	x.next++
	return fmt.Sprintf("run-%010d", x.next)
}

// replace puts fresh in the place of old ones, durably, then removes these.
func (x *Index) replace(fresh *run, old []*run, done func()) error {
	x.mu.Lock()
	runs := slices.DeleteFunc(slices.Clone(x.runs), func(r *run) bool { return slices.Contains(old, r) })
	if fresh != nil {
		runs = slices.Insert(runs, 0, fresh)
	}
	slices.SortStableFunc(runs, func(a, b *run) int { return int(int64(b.newest) - int64(a.newest)) })
	if err := x.save(runs, x.saved.Position, newestOf(runs)); err != nil {
		x.mu.Unlock()
		return err
	}
	x.runs, x.retired = runs, append(x.retired, old...)
	done()
	x.mu.Unlock()
	for _, r := range old {
		if err := os.Remove(filepath.Join(x.cfg.Dir, r.name)); err != nil {
			return fmt.Errorf("dedupe: %w", err)
		}
	}
	return nil
}

func newestOf(runs []*run) uint32 {
	var n uint32
	for _, r := range runs {
		n = max(n, r.newest)
	}
	return n
}

// merge drops runs that left the window and joins one group of alike ones. It
// reports whether there was such a group.
func (x *Index) merge(ctx context.Context) (bool, error) {
	if err := x.evict(); err != nil {
		return false, err
	}
	x.mu.Lock()
	group, name := pick(x.runs, x.span), x.name()
	x.mu.Unlock()
	if group == nil {
		return false, nil
	}
	most := 0
	for _, r := range group {
		most += int(r.entries)
	}
	var failed error
	r, err := writeRun(x.cfg.Dir, name, most, func(yield func(*entry) bool) {
		failed = join(group, func(e *entry) bool { return ctx.Err() == nil && yield(e) })
	})
	if err != nil {
		return false, err
	}
	if failed != nil || ctx.Err() != nil {
		_ = r.close() // Open sweeps its file
		return false, failed
	}
	return true, x.replace(r, group, x.idle.Broadcast)
}

// evict removes the runs that hold nothing of the window any more.
func (x *Index) evict() error {
	horizon := x.horizon.Load()
	x.mu.Lock()
	var old []*run
	for _, r := range x.runs {
		if r.newest < horizon {
			old = append(old, r)
		}
	}
	x.mu.Unlock()
	if old == nil {
		return nil
	}
	return x.replace(nil, old, x.idle.Broadcast)
}

// pick chooses runs to be merged, or none: tier runs of one time span and one
// order of size, or all of a span that is over, once, unless they are one large
// run and little else. So a key is written a few times only, and a look-up of
// the whole window asks one or two runs a span.
func pick(runs []*run, span uint32) []*run {
	type class struct{ span, size uint32 }
	groups, spans := map[class][]*run{}, map[uint32][]*run{}
	for _, r := range runs {
		size := uint32(0)
		for n := r.entries; n >= tier; n /= tier {
			size++
		}
		c := class{r.newest / span, size}
		if groups[c] = append(groups[c], r); len(groups[c]) == tier {
			return groups[c]
		}
		spans[c.span] = append(spans[c.span], r)
	}
	current := newestOf(runs) / span
	for s, all := range spans {
		if s == current || len(all) == 1 {
			continue
		}
		var sum, largest uint64
		for _, r := range all {
			sum, largest = sum+r.entries, max(largest, r.entries)
		}
		if (sum-largest)*little >= largest {
			return all
		}
	}
	return nil
}

// join yields the entries of all runs in key order, of equal keys the latest.
func join(runs []*run, yield func(*entry) bool) error {
	heads := make([]*cursor, 0, len(runs))
	for _, r := range runs {
		c := &cursor{r: r}
		more, err := c.advance()
		if err != nil {
			return err
		}
		if more {
			heads = append(heads, c)
		}
	}
	for len(heads) > 0 {
		least := heads[0]
		for _, c := range heads[1:] {
			if bytes.Compare(c.e.key[:], least.e.key[:]) < 0 {
				least = c
			}
		}
		best := least.e
		for i := len(heads) - 1; i >= 0; i-- {
			c := heads[i]
			if c.e.key != best.key {
				continue
			}
			if c.e.at > best.at {
				best = c.e
			}
			more, err := c.advance()
			if err != nil {
				return err
			}
			if !more {
				heads = slices.Delete(heads, i, i+1)
			}
		}
		if !yield(&best) {
			return nil
		}
	}
	return nil
}
