package dedupe

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"weir/shared/delay"
	"weir/shared/fault"
)

// Run writes runs and merges them until ctx ends, and then returns nil. First
// waits for it when memory is full, so it must run while the index is used.
// What cannot be written is tried again, so a full disk holds First up and loses
// nothing.
func (x *Index) Run(ctx context.Context) error {
	merge := make(chan struct{}, 1)
	var merging sync.WaitGroup
	merging.Go(func() { x.merging(ctx, merge) })
	x.writing(ctx, merge)
	merging.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.err = fault.New(fault.Unavailable, "the dedupe index is closing")
	x.idle.Broadcast()
	return nil
}

// How long what could not be written waits until it is tried again.
const (
	shortestPause = 10 * time.Millisecond
	longestPause  = 5 * time.Second
)

// writing writes what is frozen. Merging goes on beside it, so that First does
// not wait for a long merge; only when merges fall far behind does writing wait,
// and with it First.
func (x *Index) writing(ctx context.Context, merge chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.work:
		}
		for pause := shortestPause; ; pause = min(2*pause, longestPause) {
			if !x.room(ctx) {
				return
			}
			err := x.flush()
			if err == nil {
				break
			}
			if !x.blocked.Swap(true) {
				x.cfg.Log.Error("dedupe keys cannot be written; it is tried again", "error", err)
			}
			if !delay.For(ctx, pause) {
				return
			}
		}
		x.blocked.Store(false)
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

// merging forgets what is too old or too much, and merges, after every new run,
// and again after a pause when that failed.
func (x *Index) merging(ctx context.Context, work <-chan struct{}) {
	retry := time.NewTimer(longestPause)
	defer retry.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-work:
		case <-retry.C:
			if !failed {
				continue
			}
		}
		failed = false
		for again := true; again && ctx.Err() == nil; {
			var err error
			if again, err = x.merge(ctx); err != nil {
				x.cfg.Log.Warn("dedupe runs are not merged; it is tried again", "error", err)
				failed = true
				break
			}
		}
		if failed {
			retry.Reset(longestPause)
		}
	}
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
			if !yield(&entry{k, v.pos, v.at, v.owner}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return x.change(change{fresh: r, done: func() {
		x.frozen, x.spare = nil, frozen // First may still look into it
	}})
}

// name gives the next run's file name. The caller holds mu.
func (x *Index) name() string {
	x.next++
	return fmt.Sprintf("%s%010d", runPrefix, x.next)
}

func newestOf(runs []*run) uint32 {
	var n uint32
	for _, r := range runs {
		n = max(n, r.newest)
	}
	return n
}

// merge drops runs that left the window, forgets what is too much, and joins one
// group of alike runs. It reports whether there was such a group.
func (x *Index) merge(ctx context.Context) (bool, error) {
	if err := x.evict(); err != nil {
		return false, err
	}
	if err := x.forget(ctx); err != nil {
		return false, err
	}
	group := pick(x.all(), x.span, x.cfg.Most/shares)
	if group == nil {
		return false, nil
	}
	most := uint64(0)
	for _, r := range group {
		most += r.entries
	}
	return true, x.rewrite(ctx, group, most, func(*entry) bool { return true }, nil)
}

// rewrite puts one run in the place of several, with the entries that keep wants:
// most at most; none makes no run. forgot says what is lost by it.
func (x *Index) rewrite(ctx context.Context, group []*run, most uint64, keep func(*entry) bool, forgot map[Owner]uint32) error {
	if most == 0 {
		return x.change(change{old: group, forgot: forgot})
	}
	x.mu.Lock()
	name := x.name()
	x.mu.Unlock()
	var failed error
	r, err := writeRun(x.cfg.Dir, name, int(most), func(yield func(*entry) bool) {
		failed = join(group, x.lose, func(e *entry) bool { return ctx.Err() == nil && (!keep(e) || yield(e)) })
	})
	if err != nil {
		return err
	}
	if failed != nil || ctx.Err() != nil || r.entries == 0 {
		_ = r.close()
		if err := os.Remove(filepath.Join(x.cfg.Dir, name)); err != nil { // Open does it
			x.cfg.Log.Warn("a file of the dedupe index is left over", "error", err)
		}
		if failed != nil || ctx.Err() != nil {
			return failed
		}
		r = nil
	}
	return x.change(change{fresh: r, old: group, forgot: forgot})
}

// evict removes the runs that hold nothing of the window any more.
func (x *Index) evict() error {
	horizon := x.horizon.Load()
	var old []*run
	for _, r := range x.all() {
		if r.newest < horizon {
			old = append(old, r)
		}
	}
	if old == nil {
		return nil
	}
	return x.change(change{old: old})
}

// pick chooses runs to be merged, or none: tier runs of one time span and one
// order of size, or all of a span that is over, once, unless they are one large
// run and little else. So a key is written a few times only, and a look-up of
// the whole window asks one or two runs a span. largest bounds the keys of what
// comes out, so that it can be forgotten in parts; 0: nothing does.
func pick(runs []*run, span uint32, largest uint64) []*run {
	type class struct{ span, size uint32 }
	groups, spans := map[class][]*run{}, map[uint32][]*run{}
	for _, r := range runs {
		size := uint32(0)
		for n := r.entries; n >= tier; n /= tier {
			size++
		}
		c := class{r.newest / span, size}
		if groups[c] = append(groups[c], r); len(groups[c]) >= tier {
			if some := fitting(groups[c], largest); some != nil {
				return some
			}
		}
		spans[c.span] = append(spans[c.span], r)
	}
	current := newestOf(runs) / span
	for s, all := range spans {
		if s == current {
			continue
		}
		all = fitting(all, largest)
		var sum, most uint64
		for _, r := range all {
			sum, most = sum+r.entries, max(most, r.entries)
		}
		if all != nil && (sum-most)*little >= most {
			return all
		}
	}
	return nil
}

// fitting returns those of runs, smallest first, that have no more than largest
// keys together; nil when they are not two.
func fitting(runs []*run, largest uint64) []*run {
	bySize := slices.SortedStableFunc(slices.Values(runs), func(a, b *run) int { return cmp.Compare(a.entries, b.entries) })
	n, sum := 0, uint64(0)
	for n < len(bySize) && (largest == 0 || sum+bySize[n].entries <= largest) {
		sum += bySize[n].entries
		n++
	}
	if n < 2 {
		return nil
	}
	return bySize[:n]
}

// join yields the entries of all runs in key order, of equal keys the latest.
// What cannot be read is told to lose and left out, unless lose returns an error.
func join(runs []*run, lose func(*run, error) error, yield func(*entry) bool) error {
	heads := make([]*cursor, 0, len(runs))
	for _, r := range runs {
		c := &cursor{r: r, lose: lose}
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
