// Package keyed queues entries so that those of one key go one after the other, in
// the order in which they came, while those of different keys go side by side.
//
// The entries of a key that are not done are a chain. A chain is ready, is being
// worked on, waits for its time, or is held up by its first entry. The owner takes
// chains that are ready, does some of their first entries and gives the chain back;
// entries that are gone by then leave it. A queue has no goroutine, timer or lock:
// its owner locks, and calls Wake now and then.
package keyed

import (
	"slices"
	"time"
)

// Entry is what is queued.
type Entry interface {
	comparable
	// Gone reports whether it is done, or was taken away.
	Gone() bool
	// Held reports whether it has to wait until Release, and what is behind it too.
	Held() bool
}

// Chain is the entries of one key, or a single one without a key.
type Chain[E Entry] struct {
	queue     []E
	state     state
	taken     int // entries being worked on, from the first
	key       uint16
	keyed     bool // others of its key come behind it
	notBefore time.Time
}

type state uint8

const (
	idle      state = iota
	ready           // in Queue.ready
	busy            // between Next and Return
	waiting         // until notBefore
	held            // by its first entry
	dissolved       // nothing is left of it
)

// Queue has entries of any number of keys. The zero Queue is empty.
type Queue[E Entry] struct {
	chains   map[uint16]*Chain[E] // by key
	ready    []*Chain[E]          // those that left the state ready are skipped
	items    int                  // entries in chains that are ready
	since    time.Time
	sleeping []*Chain[E] // waiting
}

// Items is how many entries are in chains that are ready.
func (q *Queue[E]) Items() int { return q.items }

// Since is when the first of them became ready after none was.
func (q *Queue[E]) Since() time.Time { return q.since }

// Sleeping is how many chains wait for their time.
func (q *Queue[E]) Sleeping() int { return len(q.sleeping) }

// First returns the entry that goes first, false when none is ready.
func (q *Queue[E]) First() (first E, ok bool) {
	for len(q.ready) > 0 {
		if c := q.ready[0]; c.state == ready {
			return c.queue[0], true
		}
		q.ready[0] = nil
		q.ready = q.ready[1:]
	}
	return first, false
}

// Chain returns the chain of a key, nil when it has none.
func (q *Queue[E]) Chain(key uint16) *Chain[E] { return q.chains[key] }

// Push puts e at the end of the chain of its key, or without keyed into one of its own.
func (q *Queue[E]) Push(e E, key uint16, keyed bool, now time.Time) *Chain[E] {
	var c *Chain[E]
	if keyed {
		c = q.chains[key]
	}
	if c == nil {
		c = &Chain[E]{key: key, keyed: keyed}
		if keyed {
			if q.chains == nil {
				q.chains = map[uint16]*Chain[E]{}
			}
			q.chains[key] = c
		}
	}
	c.queue = append(c.queue, e)
	switch c.state {
	case idle:
		q.schedule(c, now)
	case ready:
		q.items++
	}
	return c
}

// Next takes a chain that is ready, the one that is so for longest; nil: there is
// none. Return has to follow.
func (q *Queue[E]) Next() *Chain[E] {
	for len(q.ready) > 0 {
		c := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		if c.state == ready {
			q.items -= len(c.queue)
			c.state, c.taken = busy, 0
			return c
		}
	}
	q.ready = nil
	return nil
}

// Take gives the first entries of a chain that Next returned to take, as long as
// that takes them and none is held.
func (c *Chain[E]) Take(take func(E) bool) {
	for _, e := range c.queue[c.taken:] {
		if e.Held() || !take(e) {
			return
		}
		c.taken++
	}
}

// Return gives a chain back. notBefore is asked when its new first entry may go; the
// zero time is at once. waits: it is not due yet.
func (q *Queue[E]) Return(c *Chain[E], notBefore func(first E) time.Time, now time.Time) (waits bool) {
	if c.state == dissolved {
		return false
	}
	left := c.queue[:0]
	for i, e := range c.queue {
		if i >= c.taken || !e.Gone() {
			left = append(left, e)
		}
	}
	clear(c.queue[len(left):])
	c.queue, c.taken, c.notBefore = left, 0, time.Time{}
	if len(left) > 0 {
		c.notBefore = notBefore(left[0])
	}
	return q.schedule(c, now)
}

// Release lets go on what e held up; when e is gone it leaves its chain. If it is the
// first, it may go after notBefore. waits: the chain is not due yet.
func (q *Queue[E]) Release(c *Chain[E], e E, notBefore, now time.Time) (waits bool) {
	i := slices.Index(c.queue, e)
	switch {
	case i >= 0 && e.Gone():
		if c.state == ready {
			q.items--
		}
		c.queue = slices.Delete(c.queue, i, i+1)
	case i == 0:
		c.notBefore = notBefore
	}
	if c.state != held {
		return false
	}
	return q.schedule(c, now)
}

// schedule decides what a chain that nobody works on does next.
func (q *Queue[E]) schedule(c *Chain[E], now time.Time) (waits bool) {
	switch {
	case len(c.queue) == 0:
		q.forget(c)
	case c.queue[0].Held():
		c.state = held
	case c.notBefore.After(now):
		c.state = waiting
		q.sleeping = append(q.sleeping, c)
	default:
		q.push(c, now)
	}
	return c.state == waiting
}

func (q *Queue[E]) push(c *Chain[E], now time.Time) {
	c.state = ready
	if q.items == 0 {
		q.since = now
	}
	q.ready = append(q.ready, c)
	q.items += len(c.queue)
}

func (q *Queue[E]) forget(c *Chain[E]) {
	if c.keyed {
		delete(q.chains, c.key)
	}
	c.queue, c.state = nil, dissolved
}

// Dissolve takes all entries of a chain out of the queue, also those being worked on.
func (q *Queue[E]) Dissolve(c *Chain[E]) []E {
	if c.state == ready {
		q.items -= len(c.queue)
	}
	entries := c.queue
	q.forget(c)
	return entries
}

// Each gives every entry that is queued with its chain, but for single ones without a key
// that are being worked on or held.
func (q *Queue[E]) Each(give func(*Chain[E], E)) {
	all := func(c *Chain[E]) {
		for _, e := range c.queue {
			give(c, e)
		}
	}
	for _, c := range q.chains {
		all(c)
	}
	for _, c := range q.ready {
		if !c.keyed && c.state == ready {
			all(c)
		}
	}
	for _, c := range q.sleeping {
		if !c.keyed && c.state == waiting {
			all(c)
		}
	}
}

// Remove takes an entry that nobody works on out of its chain.
func (q *Queue[E]) Remove(c *Chain[E], e E, now time.Time) {
	i := slices.Index(c.queue, e)
	if i < 0 {
		return
	}
	if c.state == ready {
		q.items--
	}
	c.queue = slices.Delete(c.queue, i, i+1)
	switch {
	case c.state == busy: // Return follows
	case len(c.queue) == 0:
		q.forget(c)
	case c.state == held && i == 0:
		q.schedule(c, now)
	}
}

// Wake makes chains ready whose time has come, or all that wait for theirs.
func (q *Queue[E]) Wake(now time.Time, all bool) {
	keep := q.sleeping[:0]
	for _, c := range q.sleeping {
		switch {
		case c.state != waiting:
		case c.notBefore.After(now) && !all:
			keep = append(keep, c)
		default:
			q.push(c, now)
		}
	}
	clear(q.sleeping[len(keep):])
	q.sleeping = keep
}

// Evict takes those chains out of the queue that wait for their time and may go,
// and gives each of their entries to out. It reports whether there were any.
func (q *Queue[E]) Evict(may func([]E) bool, out func(e E, keyed bool)) (evicted bool) {
	for _, c := range q.sleeping {
		if c.state != waiting || !may(c.queue) {
			continue
		}
		for _, e := range c.queue {
			out(e, c.keyed)
		}
		q.forget(c)
		evicted = true
	}
	return evicted
}
