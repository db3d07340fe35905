package deliver

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"weir/dataplane/backlog"
	"weir/dataplane/circuit"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/outbound"
	"weir/dataplane/parked"
	"weir/shared/id"
)

// entry is one delivery in memory.
type entry struct {
	d       delivery.Delivery
	n       uint64 // in which order it came into the lane
	size    int64
	chain   *chain
	user    uint16 // its counter
	attempt int
	stage   delivery.Stage
	from    delivery.Place // of stage FromParked and FromDead
	sending bool
	gone    bool // it is settled, or somebody else's now: leave it alone
	hold    bool // from PARKED, and an earlier request for it is still in flight

	park  parking
	place delivery.Place  // with park written
	end   outbound.Result // what ended it, or with park writing what the answer said
}

// parking is how far the way into PARKED an entry is.
type parking uint8

const (
	notParked parking = iota
	pending           // it waits to be written
	cancelled         // it was settled before it was written
	writing           // its record is being written; end is set when an answer comes meanwhile
	written           // it is in PARKED at place
)

// chain is entries that must go one after the other: those of one counter in an
// ordered lane, else a single one.
type chain struct {
	queue     []*entry
	state     chainState
	taken     int // entries being sent, from the first
	drain     bool
	keyed     bool // it is in the lane's map under user
	user      uint16
	notBefore time.Time
}

type chainState uint8

const (
	idle      chainState = iota
	ready                // in a ready list
	busy                 // some of its first entries are being sent
	waiting              // until notBefore
	held                 // its first entry has an earlier request in flight
	dissolved            // everything was taken away; not in any map
)

// lane delivers to one destination, for one partition.
type lane struct {
	l  *Lanes
	id id.Destination

	backlog *backlog.Backlog // called with mu, or without

	mu       sync.Mutex
	target   *destination.Target // as last seen
	presence destination.Presence
	ws       id.Workspace // "" until a delivery was seen
	active   bool         // in the set that is ticked
	nextTick time.Time

	seen      uint64   // entries so far
	fifo      []*entry // live ones, oldest first; gone ones are cut off at the front
	liveBytes int64
	live      map[uint16]*chain
	parked    map[uint16]*chain
	readyLive list
	readyPark list
	sleeping  []*chain // waiting
	turn      bool     // whose turn it is when both lists have something

	workers     int // goroutines
	sending     int // batches under way
	sendingLate int // of them, those with late deliveries from PARKED
	link        outbound.Link

	circuit circuit.Circuit // open: the destination is down, what comes is parked

	// Parked while their request was in flight: by their place, the requests'
	// entries, those read back from PARKED that wait for the answer, and those that
	// the answer ended, which is not reported yet.
	awaiting, held map[delivery.Place]*entry
	ending         map[delivery.Place]struct{}
}

// list is a queue of chains; entries whose chain left the state ready are skipped.
type list struct {
	chains []*chain
	items  int // entries in chains that are ready
	since  time.Time
}

func (q *list) push(c *chain, now time.Time) {
	if q.items == 0 {
		q.since = now
	}
	q.chains = append(q.chains, c)
	q.items += len(c.queue)
}

// late reports whether the delivery that would go first was received long ago.
func (q *list) late(now time.Time) bool {
	for len(q.chains) > 0 {
		if c := q.chains[0]; c.state == ready {
			return backlog.Late(&c.queue[0].d, now)
		}
		q.chains[0] = nil
		q.chains = q.chains[1:]
	}
	return false
}

// pop returns the next ready chain, nil when there is none.
func (q *list) pop() *chain {
	for len(q.chains) > 0 {
		c := q.chains[0]
		q.chains[0] = nil
		q.chains = q.chains[1:]
		if c.state == ready {
			q.items -= len(c.queue)
			return c
		}
	}
	q.chains = nil
	return nil
}

func newLane(l *Lanes, dest id.Destination) *lane {
	ln := &lane{l: l, id: dest, link: outbound.Link{Do: l.cfg.Do, Deps: l.cfg.Deps}, live: map[uint16]*chain{}, parked: map[uint16]*chain{}}
	ln.circuit = circuit.Circuit{OpenAfter: l.cfg.ParkAfter, Seed: l.cfg.Seed + xxh3.HashString(string(dest))}
	ln.awaiting, ln.held, ln.ending = map[delivery.Place]*entry{}, map[delivery.Place]*entry{}, map[delivery.Place]struct{}{}
	ln.backlog = backlog.New(backlog.Config{
		Destination: dest, Feed: ln.feed, Spawn: l.readers.spawn, Memory: &l.mem, MemoryBytes: l.cfg.MemoryBytes, Last: l.last, Log: l.cfg.Log,
		Read: func(ctx context.Context, from, to uint64) iter.Seq2[parked.Record, error] {
			return l.store.Read(ctx, dest, from, to)
		},
		Window: l.cfg.window, Span: l.cfg.span,
	})
	return ln
}

// ordered reports whether e has to wait for earlier ones of its user.
func (ln *lane) ordered(e *entry) bool {
	return e.d.Event.User != "" && (ln.target == nil || ln.target.Limits.Ordered)
}

// limits returns those of the target, with defaults.
func (ln *lane) limits() destination.Limits {
	if ln.target == nil {
		return destination.Limits{Ordered: true}.WithDefaults()
	}
	return ln.target.Limits.WithDefaults()
}

// look asks what the destination is now.
func (ln *lane) look() {
	if ln.ws == "" {
		return
	}
	t, p := ln.l.cfg.Lookup(ln.ws, ln.id)
	ln.seeTarget(t, p)
}

func (ln *lane) seeTarget(t *destination.Target, p destination.Presence) {
	if p == destination.Present && t == nil {
		p = destination.Unknown
	}
	if p == destination.Present {
		ln.target = t
	}
	ln.presence = p
}

// parksAll reports whether everything that comes has to be parked.
func (ln *lane) parksAll(now time.Time) bool {
	return ln.circuit.Open() || ln.presence == destination.Present && ln.target.Disabled ||
		ln.circuit.Paused(now) > ln.l.cfg.ParkAfter
}

// offered is what a lane did with an offer.
type offered uint8

const (
	taken   offered = iota
	full            // it would have to park and the backlog is full: wait, try again
	removed         // the destination is gone; the caller drops it
)

// mayProbe reports whether the next live delivery may be the probe of a
// destination that is down: what is parked may be all of a kind that it never takes.
func (ln *lane) mayProbe(now time.Time) bool {
	return ln.circuit.Open() && ln.readyLive.items == 0 && ln.canSend(now)
}

// offer takes one live delivery. The lane may hold most bytes of them.
func (ln *lane) offer(e *entry, now time.Time, most int64) offered {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.ws == "" {
		ln.ws = e.d.Event.Workspace
	}
	if ln.presence != destination.Present {
		ln.look()
	}
	if ln.presence == destination.Removed {
		return removed
	}
	e.user = backlog.Counter(&e.d)
	ordered := ln.ordered(e)
	waiting, unknown := ln.backlog.Parked(e.user)
	park := unknown || ln.parksAll(now) && !ln.mayProbe(now) || ordered && waiting > 0 && ln.l.cfg.planted != releaseBeforeDrain
	over := (ln.liveBytes+e.size > most || ln.l.mem.Load()+e.size > ln.l.cfg.MemoryBytes) && ln.l.cfg.planted != keepAll
	if (park || over) && ln.l.store.Full() {
		return full
	}
	ln.seen++
	e.n, e.stage = ln.seen, delivery.Live
	ln.activate()
	if park || over {
		if c := ln.live[e.user]; ordered && c != nil {
			ln.parkChain(c) // they go before e
		}
		ln.parkEntry(e)
		return taken
	}
	ln.liveBytes += e.size
	ln.l.mem.Add(e.size)
	ln.fifo = append(ln.fifo, e)
	ln.enqueue(e, ln.live, ordered, now)
	return taken
}

// enqueue puts e at the end of its chain.
func (ln *lane) enqueue(e *entry, in map[uint16]*chain, ordered bool, now time.Time) {
	var c *chain
	if ordered {
		c = in[e.user]
	}
	if c == nil {
		c = &chain{drain: e.stage == delivery.FromParked, keyed: ordered, user: e.user}
		if ordered {
			in[e.user] = c
		}
	}
	e.chain = c
	c.queue = append(c.queue, e)
	switch c.state {
	case idle:
		ln.schedule(c, now)
	case ready:
		ln.listOf(c).items++
		ln.staff()
	}
}

func (ln *lane) listOf(c *chain) *list {
	if c.drain {
		return &ln.readyPark
	}
	return &ln.readyLive
}

// schedule decides what a chain that nobody works on does next.
func (ln *lane) schedule(c *chain, now time.Time) {
	switch {
	case len(c.queue) == 0:
		if c.keyed {
			if c.drain {
				delete(ln.parked, c.user)
			} else {
				delete(ln.live, c.user)
			}
		}
		c.state = dissolved
	case c.queue[0].hold:
		c.state = held
	case c.notBefore.After(now):
		c.state = waiting
		ln.sleeping = append(ln.sleeping, c)
		if c.drain {
			ln.backlog.Wake() // it may be evicted from a full window
		}
	default:
		c.state = ready
		ln.listOf(c).push(c, now)
		ln.staff()
	}
}

// parkChain takes every entry of a live chain that is not settled to PARKED.
func (ln *lane) parkChain(c *chain) {
	if c.state == ready {
		ln.readyLive.items -= len(c.queue)
	}
	if c.keyed {
		delete(ln.live, c.user)
	}
	c.state = dissolved
	queue := c.queue
	c.queue = nil
	if ln.l.cfg.planted == parkLastFirst {
		slices.Reverse(queue)
	}
	for _, e := range queue {
		if !e.gone {
			ln.forgetLive(e)
			ln.parkEntry(e)
		}
	}
}

// forgetLive ends e's life in the live stage's memory.
func (ln *lane) forgetLive(e *entry) {
	e.gone = true
	ln.liveBytes -= e.size
	ln.l.mem.Add(-e.size)
}

// parkEntry hands e to the writer of PARKED.
func (ln *lane) parkEntry(e *entry) {
	e.gone, e.chain, e.park = true, nil, pending
	ln.backlog.Add(e.user)
	ln.l.store.Park(ln, e)
}

// expire parks what was read too long ago, with everything of its user.
func (ln *lane) expire(now time.Time) {
	keep := ln.l.cfg.ParkAfter + ln.limits().BatchWait
	for len(ln.fifo) > 0 {
		e := ln.fifo[0]
		if !e.gone {
			if now.Sub(e.d.Read) < keep || ln.presence == destination.Removed { // of a removed one everything is settled soon
				return
			}
			if (e.sending || e.attempt > 0) && !ln.circuit.AnsweredSince(e.d.Read) && ln.circuit.Trip(now) {
				ln.parkLive()
			}
			if !e.gone {
				ln.parkChain(e.chain)
			}
		}
		ln.fifo[0] = nil
		ln.fifo = ln.fifo[1:]
	}
	ln.fifo = nil
}

// parkLive takes every live entry that is not settled to PARKED.
func (ln *lane) parkLive() {
	for _, e := range ln.fifo {
		if e != nil && !e.gone {
			ln.parkChain(e.chain)
		}
	}
}

// rise lets what waited for a destination that was down go on.
func (ln *lane) rise(now time.Time) {
	for _, c := range ln.sleeping {
		c.notBefore = now // it waited for the destination, not for itself
	}
	ln.awake(now)
	ln.backlog.Wake()
	ln.staff()
}

// awake makes chains ready whose time has come.
func (ln *lane) awake(now time.Time) {
	keep := ln.sleeping[:0]
	for _, c := range ln.sleeping {
		switch {
		case c.state != waiting:
		case c.notBefore.After(now) && ln.presence != destination.Removed:
			keep = append(keep, c)
		default:
			c.state = ready
			ln.listOf(c).push(c, now)
		}
	}
	clear(ln.sleeping[len(keep):])
	ln.sleeping = keep
}

// tick does what time makes due.
func (ln *lane) tick(now time.Time) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if now.Before(ln.nextTick) {
		return
	}
	was := ln.presence
	ln.look()
	ln.expire(now)
	if ln.presence == destination.Removed && was != destination.Removed {
		for _, c := range ln.sleeping {
			c.notBefore = now
		}
		ln.backlog.Wake()
	}
	ln.awake(now)
	ln.backlog.Tick(now, ln.usable())
	ln.staff()
	if len(ln.fifo) == 0 && len(ln.sleeping) == 0 && ln.readyPark.items == 0 {
		ln.nextTick = now.Add(100 * time.Millisecond)
	}
	if len(ln.fifo) == 0 && ln.workers == 0 && len(ln.awaiting) == 0 && ln.backlog.Idle() {
		ln.active = false
		ln.circuit.Reset()
		ln.l.deactivate(ln)
	}
}

// activate makes the lane ticked.
func (ln *lane) activate() {
	ln.nextTick = time.Time{}
	if !ln.active {
		ln.active = true
		ln.l.activate(ln)
	}
}
