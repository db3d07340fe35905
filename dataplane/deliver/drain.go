package deliver

import (
	"context"
	"slices"
	"sort"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/parked"
	"weir/shared/fault"
)

// Bounds of what one lane keeps of PARKED in memory.
const (
	windowItems = 1024
	windowBytes = 8 << 20
	probeItems  = 64        // the window while the destination is down
	spanItems   = 256 << 10 // between the oldest record that is not settled and the newest read
)

// drainState is a lane's part in PARKED. The lane's mutex guards it.
type drainState struct {
	counts  []uint32 // parked deliveries by counter; nil when there never was one
	parkedN int      // sum of counts

	cursor  uint64 // number from which PARKED is to be read
	acked   uint64 // number up to which records may be read: their parking was reported
	unread  bool   // there are records from cursor on
	reading bool
	readAt  time.Time // not before, after a failed read

	// unknown: an earlier owner's records up to through were not all read yet, so
	// it is not known whose deliveries are parked.
	unknown bool
	through uint64

	records  []*span // read, in order, from the oldest that is not settled
	spanned  int     // items in records
	window   int     // entries in memory
	winBytes int64
	done     map[delivery.Place]struct{} // settled before they were read
	awaiting map[delivery.Place]*entry   // parked while their request was in flight
	held     map[delivery.Place]*entry   // in the window, waiting for that request's answer
	ending   map[delivery.Place]struct{} // that answer ended them, which is not reported yet

	// What fails again and again while the destination takes other things is
	// sent out of a full window, to be read again later.
	skipped map[uint16]struct{} // counters whose deliveries are not fed before the next pass
	laterAt time.Time           // of the next pass; zero: none is needed
	passes  int
	again   bool // the next pass begins at the floor

	floor    uint64 // everything up to here is settled
	reported uint64 // to the store
}

// span is what a lane remembers of one PARKED record that it read.
type span struct {
	seq  uint64
	left int // items that are not settled
	at   []spot
}

// spot is where an item of a span is.
type spot uint8

const (
	outside spot = iota // only in PARKED
	inside              // in the window
	settled
)

func (ln *lane) parkedOf(user uint16) uint32 {
	if ln.counts == nil {
		return 0
	}
	return ln.counts[user]
}

func (ln *lane) addParked(user uint16, n int) {
	if ln.counts == nil {
		ln.counts = make([]uint32, counters)
	}
	ln.counts[user] = uint32(int(ln.counts[user]) + n)
	ln.parkedN += n
}

// hasParked reports whether anything is parked, or may be.
func (ln *lane) hasParked() bool {
	return ln.parkedN > 0 || ln.unread || ln.reading || ln.unknown || ln.window > 0 || len(ln.awaiting) > 0 || len(ln.records) > 0
}

// parkedAs notes that entries are durable in record seq; it was reported.
func (ln *lane) parkedAs(es []parked.Entry, seq uint64, now time.Time) (settle []delivery.Settled, dead []*refused) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.activate()
	ln.acked = seq
	direct := !ln.unread && !ln.reading && len(ln.skipped) == 0 && ln.roomFor(len(es)) && (ln.window == 0 || !ln.down)
	if direct {
		ln.cursor = seq + 1
		ln.addSpan(seq, len(es))
	} else {
		ln.unread = true
	}
	for i, x := range es {
		e := x.(*entry)
		e.place, e.park = delivery.Place{Seq: seq, Item: uint32(i)}, written
		switch {
		case e.end.final():
			ln.ending[e.place] = struct{}{}
			s, d := ln.endParked(e)
			settle, dead = append(settle, s...), append(dead, d...)
		case e.sending:
			ln.awaiting[e.place] = e
			fallthrough
		default:
			if direct {
				ln.feed(&entry{d: e.d, attempt: e.attempt, size: e.size}, e.place, now)
			}
		}
	}
	ln.startReader()
	return settle, dead
}

// endParked turns the final answer to a parked entry into a settlement or, when
// it is dead, an entry for DEAD.
func (ln *lane) endParked(e *entry) ([]delivery.Settled, []*refused) {
	if e.end.outcome == destination.Dead {
		return nil, []*refused{refuse(e, delivery.FromParked, e.place, e.end)}
	}
	end := delivery.EndDelivered
	if e.end.outcome == destination.Dropped {
		end = delivery.EndDropped
	}
	return []delivery.Settled{e.d.Settlement(delivery.FromParked, e.place, end, e.end.code)}, nil
}

// addSpan notes a record that was read.
func (ln *lane) addSpan(seq uint64, items int) *span {
	s := &span{seq: seq, left: items, at: make([]spot, items)}
	ln.records = append(ln.records, s)
	ln.spanned += items
	return s
}

// finished notes that the parked delivery at p is settled and reported.
func (ln *lane) finished(p delivery.Place, user uint16) {
	ln.addParked(user, -1)
	delete(ln.ending, p)
	s := ln.spanOf(p.Seq)
	if s == nil {
		ln.done[p] = struct{}{} // the reader will come to it
		return
	}
	s.at[p.Item] = settled
	s.left--
	ln.lift()
}

// spanOf returns what is remembered of the record seq, nil for nothing.
func (ln *lane) spanOf(seq uint64) *span {
	i := sort.Search(len(ln.records), func(i int) bool { return ln.records[i].seq >= seq })
	if i == len(ln.records) || ln.records[i].seq != seq {
		return nil
	}
	return ln.records[i]
}

// lift raises the floor over settled records.
func (ln *lane) lift() {
	for len(ln.records) > 0 && ln.records[0].left == 0 {
		ln.floor = ln.records[0].seq
		ln.spanned -= len(ln.records[0].at)
		ln.records[0] = nil
		ln.records = ln.records[1:]
	}
	if len(ln.records) == 0 {
		ln.records = nil
	}
	ln.room.Broadcast()
}

// leaveWindow gives e's memory back.
func (ln *lane) leaveWindow(e *entry) {
	e.gone = true
	ln.window--
	ln.winBytes -= e.size
	ln.l.mem.Add(-e.size)
	ln.room.Broadcast()
}

// roomFor reports whether n more entries may come into the window.
func (ln *lane) roomFor(n int) bool {
	if ln.window == 0 {
		return true
	}
	if ln.l.mem.Load() > ln.l.cfg.MemoryBytes || ln.spanned+n > ln.l.cfg.span {
		return false
	}
	if ln.down {
		return ln.window+n <= min(probeItems, ln.l.cfg.window) && ln.winBytes < windowBytes/8
	}
	return ln.window+n <= ln.l.cfg.window && ln.winBytes < windowBytes
}

// feed puts one parked delivery into the drain's chains.
func (ln *lane) feed(e *entry, p delivery.Place, now time.Time) {
	ln.seen++
	e.n, e.stage, e.from = ln.seen, delivery.FromParked, p
	e.user = counterOf(&e.d)
	ln.spanOf(p.Seq).at[p.Item] = inside
	ln.window++
	ln.winBytes += e.size
	ln.l.mem.Add(e.size)
	if ln.awaiting[p] != nil {
		e.hold = true
		ln.held[p] = e
	}
	ln.enqueue(e, ln.drain, ln.ordered(e), now)
}

// startReader starts reading PARKED when there is something to read and
// something can be done with it.
func (ln *lane) startReader() {
	usable := ln.presence == destination.Removed || ln.presence == destination.Present && !ln.target.Disabled || ln.ws == "" || ln.unknown
	if !ln.unread || ln.reading || !usable || time.Now().Before(ln.readAt) {
		return
	}
	ln.reading = ln.l.readers.spawn(ln.read)
}

// read feeds the drain from PARKED until it has read everything.
func (ln *lane) read(ctx context.Context) {
	defer context.AfterFunc(ctx, func() {
		ln.mu.Lock()
		defer ln.mu.Unlock()
		ln.room.Broadcast()
	})()
	for {
		ln.mu.Lock()
		from, pass := ln.cursor, ln.again
		if pass {
			from, ln.again, ln.laterAt = ln.floor+1, false, time.Time{}
			ln.unskip()
		}
		ln.unread = false
		ln.mu.Unlock()
		err := ln.readFrom(ctx, from)
		ln.mu.Lock()
		if err != nil && ctx.Err() == nil {
			ln.l.cfg.Log.WarnContext(ctx, "parked deliveries could not be read", "destination", ln.id, "kind", fault.KindOf(err).String())
			ln.unread, ln.again, ln.readAt = true, ln.again || pass, time.Now().Add(time.Second)
		}
		if err == nil && ctx.Err() == nil && !ln.again && ln.unknown && ln.cursor <= ln.through {
			ln.cursor = ln.through + 1 // nothing of this destination is between
		}
		if ln.cursor > ln.through {
			ln.unknown = false
		}
		if err != nil || ctx.Err() != nil || !ln.unread && !ln.again {
			ln.reading = false
			ln.mu.Unlock()
			return
		}
		ln.mu.Unlock()
	}
}

// readFrom feeds the records that are there now. One whose parking was not
// reported yet ends it; parkedAs starts it again.
func (ln *lane) readFrom(ctx context.Context, from uint64) error {
	ln.mu.Lock()
	to := ln.acked
	ln.mu.Unlock()
	for rec, err := range ln.l.store.Read(ctx, ln.id, from, to) {
		if err != nil {
			return err
		}
		if !ln.feedRecord(ctx, &rec) {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// feedRecord feeds what is not settled of a record, as room allows. It returns
// false when ctx ended, or this pass.
func (ln *lane) feedRecord(ctx context.Context, r *parked.Record) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	s := ln.spanOf(r.Seq)
	if s == nil {
		if r.Seq <= ln.floor {
			return true // it was settled since the log gave it
		}
		if s = ln.open(ctx, r); s == nil {
			return false
		}
	}
	for i := range r.Items {
		p := delivery.Place{Seq: r.Seq, Item: uint32(i)}
		if ln.ends(p) {
			continue
		}
		e := &entry{d: r.Items[i].Delivery, size: sizeOf(&r.Items[i].Delivery)}
		for s.at[i] == outside && !ln.skips(e) && !ln.roomFor(1) && ctx.Err() == nil {
			if !ln.evict(time.Now()) {
				ln.room.Wait()
			}
		}
		if ctx.Err() != nil {
			return false
		}
		if s.at[i] == outside && !ln.skips(e) && !ln.ends(p) {
			ln.feed(e, p, time.Now())
		}
	}
	ln.lift()
	return true
}

// open remembers a record that is read for the first time, once there is room.
// It returns nil when ctx ended, or when what was sent out of the window has to
// be read again first.
func (ln *lane) open(ctx context.Context, r *parked.Record) *span {
	for ln.spanned > 0 && ln.spanned+len(r.Items) > ln.l.cfg.span && ctx.Err() == nil {
		if ln.stuck(time.Now()) {
			ln.again = true
			return nil
		}
		ln.room.Wait()
	}
	if ctx.Err() != nil {
		return nil
	}
	s := ln.addSpan(r.Seq, len(r.Items))
	for i := range r.Items {
		p := delivery.Place{Seq: r.Seq, Item: uint32(i)}
		if _, ok := ln.done[p]; ok {
			delete(ln.done, p)
			s.at[i] = settled
			s.left--
		} else if r.Seq <= ln.through { // an earlier owner's; ours were counted when they were parked
			ln.addParked(counterOf(&r.Items[i].Delivery), 1)
		}
	}
	if ln.ws == "" && len(r.Items) > 0 {
		ln.ws = r.Items[0].Delivery.Event.Workspace
		ln.look()
	}
	ln.cursor = max(ln.cursor, r.Seq+1)
	if ln.cursor > ln.through {
		ln.unknown = false
	}
	return s
}

// ends reports whether the delivery at p ended while it was written to PARKED,
// or after: it is settled as soon as that is reported.
func (ln *lane) ends(p delivery.Place) bool {
	_, ends := ln.ending[p]
	return ends && ln.l.cfg.planted != feedEnded
}

// skips reports whether e has to wait for the next pass.
func (ln *lane) skips(e *entry) bool {
	if len(ln.skipped) == 0 || !ln.ordered(e) {
		return false
	}
	_, skip := ln.skipped[counterOf(&e.d)]
	return skip
}

// unskip lets counters be fed again of which nothing is in the window.
func (ln *lane) unskip() {
	for user := range ln.skipped {
		if ln.drain[user] == nil {
			delete(ln.skipped, user)
		}
	}
}

// evict sends chains out of the window that failed at least three times while
// the destination takes other things. It reports whether it made room.
func (ln *lane) evict(now time.Time) bool {
	if ln.down || ln.window < ln.l.cfg.window && ln.winBytes < windowBytes {
		return false
	}
	made := false
	for _, c := range ln.sleeping {
		if c.state != waiting || !c.drain || c.queue[0].attempt < 3 || slices.ContainsFunc(c.queue, func(e *entry) bool { return e.hold }) {
			continue
		}
		for _, e := range c.queue {
			ln.leaveWindow(e)
			ln.spanOf(e.from.Seq).at[e.from.Item] = outside
		}
		if c.keyed {
			delete(ln.drain, c.user)
			ln.skipped[c.user] = struct{}{}
		}
		c.queue, c.state, made = nil, dissolved, true
	}
	if made && ln.laterAt.IsZero() {
		ln.laterAt = now.Add(min(30*time.Second<<min(ln.passes, 5), 10*time.Minute))
		ln.passes++
	}
	return made
}

// passAgain starts reading from the floor when it is time to.
func (ln *lane) passAgain(now time.Time) {
	switch {
	case ln.reading && ln.stuck(now):
		ln.room.Broadcast()
	case !ln.reading && !ln.laterAt.IsZero() && !now.Before(ln.laterAt):
		ln.again, ln.unread = true, true
	}
}

// stuck reports whether a reader without room for further records gets none by
// waiting, or has waited long enough: what was sent out of the window holds it.
func (ln *lane) stuck(now time.Time) bool {
	return !ln.laterAt.IsZero() && (ln.window == 0 || !now.Before(ln.laterAt))
}

// Settled implements parked.Lane.
func (ln *lane) Settled() (floor uint64, places map[delivery.Place]struct{}) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	places = make(map[delivery.Place]struct{}, len(ln.done))
	for p := range ln.done {
		places[p] = struct{}{}
	}
	for _, s := range ln.records {
		for i, at := range s.at {
			if at == settled {
				places[delivery.Place{Seq: s.seq, Item: uint32(i)}] = struct{}{}
			}
		}
	}
	return ln.floor, places
}
