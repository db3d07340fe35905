package dedupe

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"time"

	"weir/shared/id"
)

// Owner is who a key counts for: a hash of a workspace. 0: not known.
type Owner uint32

// OwnerOf returns the owner of a workspace's keys.
func OwnerOf(ws id.Workspace) Owner {
	h := fnv.New32a()
	_, _ = h.Write([]byte(ws)) // it never fails
	return Owner(max(h.Sum32(), 1))
}

const (
	shares   = 16   // a run has a sixteenth of the keys at most, and so many are forgotten at once
	leastCut = 8    // a run is rewritten without an owner's keys when these are an eighth of it
	tiny     = 1024 // an owner with less than this part of the keys is not held to a share
)

// cut is what is forgotten of a run before its time.
type cut struct {
	run    *run
	owners map[Owner]bool
	keys   uint64 // so many of run's
}

// cuts chooses what has to be forgotten so that runs (newest first) have most keys
// and a sixteenth less. Whoever has most keys loses of them, the oldest first,
// down to a level that all others stay below; when all are small, the oldest
// runs go whole.
func cuts(runs []*run, most uint64) (all []cut) {
	total, held := uint64(0), map[Owner]uint64{}
	for _, r := range runs {
		total += r.entries
		for _, c := range r.owners {
			held[c.owner] += c.keys
		}
	}
	if most == 0 || total <= most {
		return nil
	}
	excess := int64(total - (most - most/shares))
	above := surplus(held, excess, int64(most/tiny))
	gone := map[*run]int{} // index of its cut, and one
	for _, r := range slices.Backward(runs) {
		if excess <= 0 {
			return all
		}
		c := cut{run: r, owners: map[Owner]bool{}}
		for _, held := range r.owners {
			if above[held.owner] > 0 {
				c.owners[held.owner] = true
				c.keys += held.keys
			}
		}
		if c.keys == 0 || c.keys < r.entries/leastCut {
			continue
		}
		for _, held := range r.owners {
			above[held.owner] -= int64(held.keys) // also of those who are below: they stay so
		}
		excess -= int64(c.keys)
		all = append(all, c)
		gone[r] = len(all)
	}
	for _, r := range slices.Backward(runs) {
		if excess <= 0 {
			break
		}
		whole := cut{r, map[Owner]bool{0: true}, r.entries}
		if i := gone[r]; i > 0 {
			excess += int64(all[i-1].keys)
			all[i-1] = whole
		} else {
			all = append(all, whole)
		}
		excess -= int64(r.entries)
	}
	return all
}

// surplus returns by how much owners are above the level that takes excess keys
// from those who have most; the level is at least tiny.
func surplus(held map[Owner]uint64, excess, least int64) map[Owner]int64 {
	most := make([]int64, 0, len(held))
	for _, n := range held {
		most = append(most, int64(n))
	}
	slices.SortFunc(most, func(a, b int64) int { return cmp.Compare(b, a) })
	level, sum := int64(0), int64(0)
	for i, n := range most {
		sum += n
		level = (sum - excess) / int64(i+1)
		if i+1 == len(most) || level >= most[i+1] {
			break
		}
	}
	level = max(level, least)
	above := map[Owner]int64{}
	for o, n := range held {
		if extra := int64(n) - level; extra > 0 {
			above[o] = extra
		}
	}
	return above
}

// forget takes keys off the disk until there are few enough, by cuts.
func (x *Index) forget(ctx context.Context) error {
	for _, c := range cuts(x.all(), x.cfg.Most) {
		if ctx.Err() != nil {
			return nil
		}
		forgot := map[Owner]uint32{}
		for o := range c.owners {
			forgot[o] = c.run.newest
		}
		if err := x.rewrite(ctx, []*run{c.run}, c.run.entries-c.keys, func(e *entry) bool { return !c.owners[e.owner] }, forgot); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) all() []*run {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.runs
}

// State is how an index is at a moment.
type State struct {
	Keys    uint64        // on the disk
	Runs    int           // files that hold them
	Bytes   int64         // of those
	Held    time.Duration // the shortest window that an owner has: the whole one, or what is left after keys were forgotten for lack of room
	Short   []Owner       // whose window is shorter than the whole one; 0: everybody's
	Damaged uint64        // keys that were lost with damaged files since Open
	Blocked bool          // keys cannot be written now; it is tried again
}

// State returns how the index is.
func (x *Index) State() State {
	s := State{Held: x.cfg.Window, Damaged: x.damaged.Load(), Blocked: x.blocked.Load()}
	horizon := x.horizon.Load()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.runs {
		s.Keys += r.entries
		s.Bytes += r.size()
	}
	s.Runs = len(x.runs)
	now := newestOf(x.runs)
	for o, through := range x.forgot {
		if through < horizon {
			continue
		}
		s.Short = append(s.Short, o)
		s.Held = min(s.Held, time.Duration(now-min(now, through))*time.Second)
	}
	slices.Sort(s.Short)
	return s
}
