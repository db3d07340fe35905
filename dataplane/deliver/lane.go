package deliver

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"weir/dataplane/backlog"
	"weir/dataplane/circuit"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/keyed"
	"weir/dataplane/outbound"
	"weir/dataplane/parked"
	"weir/dataplane/share"
	"weir/shared/id"
)

// entry is one delivery in memory.
type entry struct {
	d       delivery.Delivery
	n       uint64 // in which order it came into the lane
	size    int64
	chain   *keyed.Chain[*entry]
	user    uint16 // its counter
	attempt int
	stage   delivery.Stage
	from    delivery.Place // of stage FromParked and FromDead
	sending bool
	gone    bool // it is settled, or somebody else's now: leave it alone
	hold    bool // from PARKED, and an earlier request for it is still in flight

	park  parking
	why   *outbound.Result // the lane's refusal when it was parked
	place delivery.Place   // with park written
	end   outbound.Result  // what ended it, or with park writing what the answer said
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

// Gone implements keyed.Entry.
func (e *entry) Gone() bool { return e.gone }

// Held implements keyed.Entry.
func (e *entry) Held() bool { return e.hold }

// lane delivers to one destination, for one partition.
type lane struct {
	l  *Lanes
	id id.Destination

	backlog *backlog.Backlog // called with mu, or without

	mu       sync.Mutex
	target   *destination.Target // as last seen
	presence destination.Presence
	ws       id.Workspace // "" until a delivery was seen
	tenant   *share.Held  // the memory of ws; nil until then
	active   bool         // in the set that is ticked
	nextTick time.Time

	seen      uint64   // entries so far
	fifo      []*entry // live ones, oldest first; gone ones are cut off at the front
	liveBytes int64
	live      keyed.Queue[*entry]
	parked    keyed.Queue[*entry] // read back from PARKED
	turn      bool                // whose turn it is when both queues have something

	workers     int // goroutines
	sending     int // batches under way
	sendingLate int // of them, those with late deliveries from PARKED
	link        outbound.Link

	circuit circuit.Circuit  // open: the destination is down, what comes is parked
	refusal *outbound.Result // the last for which a delivery had to wait, never changed; nil: none

	// Parked while their request was in flight: by their place, the requests'
	// entries, those read back from PARKED that wait for the answer, and those that
	// the answer ended, which is not reported yet.
	awaiting, held map[delivery.Place]*entry
	ending         map[delivery.Place]struct{}
}

func newLane(l *Lanes, dest id.Destination) *lane {
	ln := &lane{l: l, id: dest, link: outbound.Link{Do: l.cfg.Do, Deps: l.cfg.Deps, Plane: l.cfg.Plane, Held: l.cfg.Held}}
	ln.circuit = circuit.Circuit{OpenAfter: l.cfg.ParkAfter, Seed: l.cfg.Seed + xxh3.HashString(string(dest))}
	ln.awaiting, ln.held, ln.ending = map[delivery.Place]*entry{}, map[delivery.Place]*entry{}, map[delivery.Place]struct{}{}
	ln.backlog = backlog.New(backlog.Config{
		Destination: dest, Feed: ln.feed, Spawn: l.readers.Spawn, Memory: &l.memory.Used, MemoryBytes: l.cfg.MemoryBytes / 4 * 3, Last: l.last, Log: l.cfg.Log,
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
	return ln.circuit.Open() && ln.live.Items() == 0 && ln.canSend(now)
}

// offer takes one live delivery. The lane may hold most bytes of them.
func (ln *lane) offer(e *entry, now time.Time, most int64) offered {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.see(e.d.Event.Workspace)
	if ln.presence != destination.Present {
		ln.look()
	}
	if ln.presence == destination.Removed {
		return removed
	}
	e.user = backlog.Counter(&e.d)
	ordered := ln.ordered(e)
	waiting, unknown := ln.backlog.Parked(e.user)
	park := unknown || ln.parksAll(now) && !ln.mayProbe(now) || ordered && waiting > 0
	over := ln.liveBytes+e.size > most || !ln.tenant.Fits(e.size)
	if (park || over) && ln.l.store.Full() {
		return full
	}
	ln.seen++
	e.n, e.stage = ln.seen, delivery.Live
	ln.activate()
	if park || over {
		if c := ln.live.Chain(e.user); ordered && c != nil {
			ln.parkChain(c) // they go before e
		}
		ln.parkEntry(e)
		return taken
	}
	ln.hold(e.size)
	ln.fifo = append(ln.fifo, e)
	e.chain = ln.live.Push(e, e.user, ordered, now)
	ln.staff()
	return taken
}

// parkChain takes every entry of a live chain that is not settled to PARKED.
func (ln *lane) parkChain(c *keyed.Chain[*entry]) {
	for _, e := range ln.live.Dissolve(c) {
		if !e.gone {
			ln.forgetLive(e)
			ln.parkEntry(e)
		}
	}
}

// forgetLive ends e's life in the live stage's memory.
func (ln *lane) forgetLive(e *entry) {
	e.gone = true
	ln.hold(-e.size)
}

// hold counts bytes of live deliveries.
func (ln *lane) hold(bytes int64) {
	ln.liveBytes += bytes
	ln.tenant.Add(bytes)
}

// see notes whose lane it is, and reports whether that was not known.
func (ln *lane) see(ws id.Workspace) bool {
	if ln.ws != "" {
		return false
	}
	ln.ws, ln.tenant = ws, ln.l.memory.Of(ws)
	return true
}

// parkEntry hands e to the writer of PARKED.
func (ln *lane) parkEntry(e *entry) {
	e.gone, e.chain, e.park, e.why = true, nil, pending, ln.refusal
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
	ln.awake(now, true)
	ln.backlog.Wake()
	ln.staff()
}

// awake makes deliveries ready that waited until now, or all that wait.
func (ln *lane) awake(now time.Time, all bool) {
	ln.live.Wake(now, all)
	ln.parked.Wake(now, all)
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
		ln.backlog.Wake()
	}
	ln.awake(now, ln.presence == destination.Removed)
	ln.backlog.Tick(now, ln.usable())
	ln.staff()
	if len(ln.fifo) == 0 && ln.live.Sleeping() == 0 && ln.parked.Sleeping() == 0 && ln.parked.Items() == 0 {
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
