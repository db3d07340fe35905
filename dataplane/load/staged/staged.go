// Package staged counts the events that the STAGE logs hold and no closed load has, by
// source and destination. What is appended is counted as it comes; what lies there when
// a plane starts, and what an append left whose outcome is unknown, is read. An event
// that was staged twice, because the plane died before it knew of the first time, counts
// twice until it is loaded.
//
// Its memory does not grow with the events that wait: it keeps one count for many old
// records. A log that cannot be read, or has much to read, delays its own destination in
// its own partition alone.
package staged

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Log is one partition's STAGE log; its keys are destinations.
type Log interface {
	ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error]
	State(ctx context.Context) (queue.State, error)
	Keys(ctx context.Context) (map[string]uint64, error)
}

// Times and bounds of reading.
const (
	every    = time.Second      // how long a log that could not be read is left alone
	turn     = 10 * time.Second // how long one destination is read until others are
	parallel = 4                // how many are read at once
)

// place is a destination in one partition.
type place struct {
	partition   int
	destination id.Destination
}

// Counter counts for all destinations. It is safe for concurrent use.
type Counter struct {
	logs  []Log
	wake  chan struct{}
	slots chan struct{} // of reading

	mu     sync.Mutex
	counts map[place]*count
	sought int   // of the logs, whose destinations are not known yet
	again  []int // of them, those that Run does not look at yet
}

// New returns a Counter of the STAGE logs, by partition. It reads nothing.
func New(logs []Log) *Counter {
	return &Counter{logs: logs, wake: make(chan struct{}, 1), slots: make(chan struct{}, parallel), counts: map[place]*count{}, sought: len(logs)}
}

// Run reads what was staged before, and later what has to be read again, until ctx
// ends. next returns, by partition, the first record of a destination that no closed
// load has; it may be short.
func (c *Counter) Run(ctx context.Context, next func(id.Destination) ([]uint64, error)) {
	var reading sync.WaitGroup
	defer reading.Wait()
	timer := time.NewTicker(every)
	defer timer.Stop()
	for p := range c.logs {
		reading.Go(func() { c.find(ctx, p, next) })
	}
	for {
		for _, p := range c.due() {
			reading.Go(func() { c.find(ctx, p, next) })
		}
		for p, n := range c.unread() {
			reading.Go(func() { c.inTurn(ctx, p, n) })
		}
		select {
		case <-timer.C:
		case <-c.wake:
		case <-ctx.Done():
			return
		}
	}
}

// find makes the counts of the destinations that have something in a log, once it can be
// asked.
func (c *Counter) find(ctx context.Context, partition int, next func(id.Destination) ([]uint64, error)) {
	for err := c.list(ctx, partition, next); err != nil; err = c.list(ctx, partition, next) {
		if !delay.For(ctx, every) {
			return
		}
	}
	c.mu.Lock()
	c.sought--
	c.mu.Unlock()
	c.stir()
}

func (c *Counter) list(ctx context.Context, partition int, next func(id.Destination) ([]uint64, error)) error {
	keys, err := c.logs[partition].Keys(ctx)
	if err != nil {
		return fmt.Errorf("list what is in STAGE: %w", err)
	}
	for key := range keys {
		d := id.Destination(key)
		ends, err := next(d)
		if err != nil {
			return fmt.Errorf("read the cursor of %s: %w", d, err)
		}
		if partition >= len(ends) {
			ends = make([]uint64, partition+1)
		}
		c.pass(ctx, place{partition, d}, ends[partition])
	}
	return nil
}

// at returns the count of a place; a new one has to be read. c.mu is held.
func (c *Counter) at(p place) *count {
	n := c.counts[p]
	if n == nil {
		n = &count{unsure: true}
		c.counts[p] = n
	}
	return n
}

// unread returns the counts that have to be read and are not, and marks them.
func (c *Counter) unread() map[place]*count {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[place]*count{}
	for p, n := range c.counts {
		if n.unsure && !n.busy {
			n.busy = true
			all[p] = n
		}
	}
	return all
}

// Again has a log looked at anew: somebody else may have appended to it.
func (c *Counter) Again(partition int) {
	c.mu.Lock()
	for p, n := range c.counts {
		if p.partition == partition {
			n.doubt(n.end())
		}
	}
	c.sought++
	c.again = append(c.again, partition)
	c.mu.Unlock()
	c.stir()
}

// due returns the logs that are to be looked at anew.
func (c *Counter) due() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.again
	c.again = nil
	return all
}

// Add counts what an append to STAGE gave: a record's number, or an error.
func (c *Counter) Add(partition int, d id.Destination, events []event.Event, seq uint64, err error) {
	if err != nil && fault.KindOf(err) == fault.Limited { // nothing was written
		return
	}
	c.mu.Lock()
	n := c.at(place{partition, d})
	switch {
	case err != nil:
		n.doubt(n.end())
	case n.unsure && seq >= n.lo:
		n.high = max(n.high, seq)
	case seq >= n.from:
		n.add(seq, events)
	}
	unsure := n.unsure
	c.mu.Unlock()
	if unsure {
		c.stir()
	}
}

// stir wakes Run.
func (c *Counter) stir() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// inTurn reads a place for one turn. What it did not come to stays unsure.
func (c *Counter) inTurn(ctx context.Context, p place, n *count) {
	defer func() {
		c.mu.Lock()
		n.busy = false
		c.mu.Unlock()
	}()
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-c.slots }()
	ctx, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	st, err := c.logs[p.partition].State(ctx)
	if err != nil {
		return
	}
	c.mu.Lock()
	from, to := max(n.lo, n.next), max(st.Last, n.high)+1
	n.from, n.unsure, n.lo, n.high = to, false, to, 0
	c.mu.Unlock()
	at, err := c.read(ctx, p, from, to, n.add)
	if err != nil {
		c.mu.Lock()
		n.doubt(at)
		n.high = max(n.high, to-1)
		c.mu.Unlock()
	}
}

// read hands over the records in [from, to) and returns where it stopped: at to, or
// with an error before.
func (c *Counter) read(ctx context.Context, p place, from, to uint64, found func(seq uint64, events []event.Event)) (uint64, error) {
	if from >= to {
		return to, nil
	}
	for r, err := range c.logs[p.partition].ReadTo(ctx, from, string(p.destination)) {
		if err != nil {
			return from, fmt.Errorf("read STAGE: %w", err)
		}
		if r.Seq >= to {
			break
		}
		from = r.Seq + 1
		frame, err := queue.DecodeFrame(r.Data)
		if err != nil {
			continue // a load leaves it out too, and says so
		}
		c.mu.Lock()
		found(r.Seq, frame.Events)
		c.mu.Unlock()
	}
	return to, nil
}

// Pass forgets what closed loads of d have: by partition, everything before next. Where
// that is a part of what is counted together, it reads the rest.
func (c *Counter) Pass(ctx context.Context, d id.Destination, next []uint64) {
	for partition := range min(len(next), len(c.logs)) {
		c.pass(ctx, place{partition, d}, next[partition])
	}
}

func (c *Counter) pass(ctx context.Context, p place, next uint64) {
	c.mu.Lock()
	n := c.at(p)
	last := n.pass(next)
	c.mu.Unlock()
	if last == 0 {
		return
	}
	rest := block{first: next, last: last}
	_, err := c.read(ctx, p, next, last+1, func(_ uint64, events []event.Event) { rest.count(events) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && len(n.blocks) > 0 && n.blocks[0].last == last {
		n.blocks[0] = rest
		return
	}
	n.doubt(next) // not all was read, or the block was merged with the one after it
	c.stir()
}

// Follow forgets what is counted of d and the logs do not have any more: another process of the
// plane has loaded it.
func (c *Counter) Follow(ctx context.Context, d id.Destination) error {
	for p, log := range c.logs {
		c.mu.Lock()
		from, counted := uint64(0), false
		if n := c.counts[place{p, d}]; n != nil {
			from, counted = n.next, len(n.blocks) > 0
		}
		c.mu.Unlock()
		if !counted {
			continue
		}
		st, err := log.State(ctx) // before the log is read: what is appended meanwhile stays counted
		if err != nil {
			return fmt.Errorf("read the state of STAGE: %w", err)
		}
		end := st.Last + 1
		for r, err := range log.ReadTo(ctx, from, string(d)) {
			if err != nil {
				return fmt.Errorf("read STAGE: %w", err)
			}
			end = r.Seq
			break
		}
		c.pass(ctx, place{p, d}, end)
	}
	return nil
}

// Counts returns how many events wait, for each source and destination that has any.
// whole is false while something of it has to be read.
func (c *Counter) Counts() (sums map[ledger.Key]int64, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sums, whole = map[ledger.Key]int64{}, c.sought == 0
	for p, n := range c.counts {
		whole = whole && !n.unsure && !n.busy
		for _, b := range n.blocks {
			for _, e := range b.events {
				sums[ledger.Key{Workspace: e.workspace, Source: e.source, Destination: p.destination}] += e.n
			}
		}
	}
	return sums, whole
}
