package deliver

import (
	"slices"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/shared/id"
)

// counters is how many counters of parked users a lane has. Users that share
// one park together, which costs speed, never order.
const counters = 4096

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
	place delivery.Place // with park written
	end   result         // what ended it, or with park writing what the answer said
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

// result is what became of one attempt.
type result struct {
	outcome destination.Outcome // 0: not tried
	code    string
	detail  string
	status  int
	after   time.Duration
}

func (r result) final() bool { return r.outcome != 0 && r.outcome != destination.Retry }

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

	mu       sync.Mutex
	room     sync.Cond           // the drain window has room, or the lane's state changed
	target   *destination.Target // as last seen
	presence destination.Presence
	ws       id.Workspace // "" until a delivery was seen
	active   bool         // in the set that is ticked
	nextTick time.Time

	seen      uint64   // entries so far
	fifo      []*entry // live ones, oldest first; gone ones are cut off at the front
	liveBytes int64
	live      map[uint16]*chain
	drain     map[uint16]*chain
	readyLive list
	readyPark list
	sleeping  []*chain // waiting
	turn      bool     // whose turn it is when both lists have something

	workers     int // goroutines
	sending     int // batches under way
	sendingLate int // of them, those with late deliveries from PARKED
	sink        openSink

	// Health. down: a delivery was parked and no request has been answered since
	// it came. Then one request at a time probes.
	down         bool
	probing      bool
	failures     int // in a row
	failingSince time.Time
	lastAnswer   time.Time
	probeAt      time.Time
	pausedUntil  time.Time // the destination asked for it
	concurrency  concurrency

	drainState
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

// head returns the delivery that would go first, nil for none.
func (q *list) head() *entry {
	for len(q.chains) > 0 {
		if c := q.chains[0]; c.state == ready {
			return c.queue[0]
		}
		q.chains[0] = nil
		q.chains = q.chains[1:]
	}
	return nil
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
	ln := &lane{l: l, id: dest, live: map[uint16]*chain{}, drain: map[uint16]*chain{}}
	ln.room.L = &ln.mu
	ln.awaiting, ln.held, ln.ending = map[delivery.Place]*entry{}, map[delivery.Place]*entry{}, map[delivery.Place]struct{}{}
	ln.skipped = map[uint16]struct{}{}
	ln.cursor, ln.acked, ln.through = l.last+1, l.last, l.last
	ln.done = map[delivery.Place]struct{}{}
	return ln
}

// counterOf hashes what orders an event.
func counterOf(d *delivery.Delivery) uint16 {
	key := d.Event.User
	if key == "" {
		key = string(d.Event.MessageID)
	}
	return uint16(xxh3.HashString(key) % counters)
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
	return ln.unknown || ln.down || ln.presence == destination.Present && ln.target.Disabled ||
		ln.pausedUntil.Sub(now) > ln.l.cfg.ParkAfter
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
	return ln.down && !ln.unknown && ln.readyLive.items == 0 && ln.pausedUntil.Before(now) && ln.canSend(now)
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
	e.user = counterOf(&e.d)
	ordered := ln.ordered(e)
	park := ln.parksAll(now) && !ln.mayProbe(now) || ordered && ln.parkedOf(e.user) > 0 && ln.l.cfg.planted != releaseBeforeDrain
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
				delete(ln.drain, c.user)
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
			ln.room.Broadcast() // it may be sent out of a full window
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
	ln.addParked(e.user, 1)
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
			if (e.sending || e.attempt > 0) && ln.lastAnswer.Before(e.d.Read) {
				ln.fall(now)
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

// fall declares the destination down and parks everything that waits.
func (ln *lane) fall(now time.Time) {
	if ln.down {
		return
	}
	ln.down = true
	ln.probeAt = now.Add(jitter(time.Second, maxProbe, 0, ln.l.cfg.Seed+ln.seen))
	for _, e := range ln.fifo {
		if e != nil && !e.gone {
			ln.parkChain(e.chain)
		}
	}
}

// maxProbe is the longest time between two probes of a destination that is down.
const maxProbe = 5 * time.Second

// rise notes that the destination answered.
func (ln *lane) rise(now time.Time) {
	ln.lastAnswer, ln.failures = now, 0
	if !ln.down {
		return
	}
	ln.down = false
	ln.concurrency.reopened()
	for _, c := range ln.sleeping {
		c.notBefore = now // it waited for the destination, not for itself
	}
	ln.awake(now)
	ln.room.Broadcast()
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
		ln.room.Broadcast()
	}
	ln.awake(now)
	ln.passAgain(now)
	ln.startReader()
	ln.staff()
	if len(ln.fifo) == 0 && len(ln.sleeping) == 0 && ln.readyPark.items == 0 {
		ln.nextTick = now.Add(100 * time.Millisecond)
	}
	if len(ln.fifo) == 0 && ln.workers == 0 && !ln.hasParked() {
		ln.active, ln.down, ln.counts = false, false, nil
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
