package dedupe

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

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

func (x *Index) follow(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-x.work:
		}
		if err := x.flush(); err != nil {
			return err
		}
		for {
			merged, err := x.merge(ctx)
			if err != nil {
				return err
			}
			if ferr := x.flush(); ferr != nil {
				return ferr
			}
			if !merged {
				break
			}
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
			if !yield(&entry{k, v.pos, v.at}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return x.replace(r, nil, func() { x.frozen = nil; x.idle.Broadcast() })
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
		join(group, &failed, func(e *entry) bool { return ctx.Err() == nil && yield(e) })
	})
	if err == nil {
		err = failed
	}
	if err != nil || ctx.Err() != nil {
		return false, err
	}
	return true, x.replace(r, group, func() {})
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
	return x.replace(nil, old, func() {})
}

// pick chooses tier runs of one time span and one order of size, or none.
func pick(runs []*run, span uint32) []*run {
	type class struct{ span, size uint32 }
	groups := map[class][]*run{}
	for _, r := range runs {
		size := uint32(0)
		for n := r.entries; n >= tier; n /= tier {
			size++
		}
		c := class{r.newest / span, size}
		if groups[c] = append(groups[c], r); len(groups[c]) == tier {
			return groups[c]
		}
	}
	return nil
}

// join yields the entries of all runs in key order, of equal keys the latest.
func join(runs []*run, failed *error, yield func(*entry) bool) {
	type head struct {
		e    *entry
		next func() (*entry, bool)
	}
	var heads []head
	for _, r := range runs {
		next, stop := iter.Pull(r.scan(failed))
		defer stop()
		if e, ok := next(); ok {
			heads = append(heads, head{e, next})
		}
	}
	for len(heads) > 0 {
		least := 0
		for i := 1; i < len(heads); i++ {
			if c := bytes.Compare(heads[i].e.key[:], heads[least].e.key[:]); c < 0 {
				least = i
			}
		}
		best := *heads[least].e
		for i := len(heads) - 1; i >= 0; i-- {
			if heads[i].e.key != best.key {
				continue
			}
			if heads[i].e.at > best.at {
				best = *heads[i].e
			}
			e, ok := heads[i].next()
			if !ok {
				heads = slices.Delete(heads, i, i+1)
				continue
			}
			heads[i].e = e
		}
		if !yield(&best) {
			return
		}
	}
}
