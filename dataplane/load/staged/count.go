package staged

import (
	"slices"

	"weir/dataplane/event"
	"weir/shared/id"
)

// mostBlocks is how many blocks a place may have; past it the older half is merged by
// pairs.
const mostBlocks = 2048

// part is how many events of a source a block counts.
type part struct {
	workspace id.Workspace
	source    id.Source
	n         int64
}

// block is the count of one record, or of neighbouring ones.
type block struct {
	first, last uint64
	events      []part
}

// count is what is known of a place. Counter.mu guards it.
type count struct {
	busy   bool    // somebody reads it or is about to
	blocks []block // in the order of their numbers
	next   uint64  // records before it are in closed loads
	from   uint64  // records before it are read, and not counted as they come
	unsure bool    // records from lo on have to be read; what comes is not counted
	lo     uint64
	high   uint64 // the last that came while unsure
}

// end returns the number after the last one that is counted.
func (n *count) end() uint64 {
	if k := len(n.blocks); k > 0 {
		return max(n.from, n.next, n.blocks[k-1].last+1)
	}
	return max(n.from, n.next)
}

// doubt lets the records from at on be read again.
func (n *count) doubt(at uint64) {
	at = max(at, n.next)
	if !n.unsure {
		n.unsure, n.lo, n.high = true, at, 0
	}
	n.lo = min(n.lo, at)
	for k := len(n.blocks); k > 0 && n.blocks[k-1].last >= n.lo; k-- {
		n.high = max(n.high, n.blocks[k-1].last)
		n.lo = min(n.lo, max(n.blocks[k-1].first, n.next))
		n.blocks = n.blocks[:k-1]
	}
}

// add counts a record. Appends that were under way at once may come in any order.
func (n *count) add(seq uint64, events []event.Event) {
	if seq < n.next {
		return
	}
	i := len(n.blocks)
	for i > 0 && n.blocks[i-1].first > seq {
		i--
	}
	b := block{first: seq, last: seq}
	b.count(events)
	n.blocks = slices.Insert(n.blocks, i, b)
	if len(n.blocks) > mostBlocks {
		n.merge()
	}
}

// merge halves the older half of the blocks.
func (n *count) merge() {
	k := 0
	for i := 0; i < mostBlocks/2; i += 2 {
		a, b := n.blocks[i], n.blocks[i+1]
		a.last = max(a.last, b.last)
		for _, e := range b.events {
			a.add(e)
		}
		n.blocks[k] = a
		k++
	}
	n.blocks = slices.Delete(n.blocks, k, mostBlocks/2)
}

func (b *block) count(events []event.Event) {
	for i := range events {
		b.add(part{events[i].Workspace, events[i].Source, 1})
	}
}

func (b *block) add(e part) {
	for i := len(b.events) - 1; i >= 0; i-- {
		if b.events[i].source == e.source && b.events[i].workspace == e.workspace {
			b.events[i].n += e.n
			return
		}
	}
	b.events = append(b.events, e)
}

// pass forgets what closed loads have. If that is a part of the first block, it returns
// the last record of that block, whose rest has to be counted anew; else 0.
func (n *count) pass(next uint64) (last uint64) {
	if next <= n.next {
		return 0
	}
	n.next = next
	if n.lo < next {
		n.lo = next
	}
	k := 0
	for k < len(n.blocks) && n.blocks[k].last < next {
		k++
	}
	n.blocks = slices.Delete(n.blocks, 0, k)
	if len(n.blocks) > 0 && n.blocks[0].first < next {
		return n.blocks[0].last
	}
	return 0
}
