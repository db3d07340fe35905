package deliver

import (
	"context"
	"sort"
	"time"

	"weir/dataplane/queue"
)

// Bounds of what one lane keeps of PARKED in memory.
const (
	windowItems = 1024
	windowBytes = 8 << 20
	probeItems  = 64    // the window while the destination is down
	maxSpan     = 65536 // items between the oldest record that is not settled and the newest read
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
	done     map[Place]struct{} // settled before they were read
	awaiting map[Place]*entry   // parked while their request was in flight
	held     map[Place]*entry   // in the window, waiting for that request's answer
	floor    uint64             // everything up to here is settled
	reported uint64             // to the pipeline
	purge    uint64             // confirmed by the pipeline, to be purged
	purged   uint64
}

// span is what a lane remembers of one PARKED record that it read.
type span struct {
	seq   uint64
	items int
	left  int // not settled
	fed   int // items before this one came into the window, or were settled before
}

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
func (ln *lane) parkedAs(es []*entry, seq uint64, now time.Time) (settle []Settled, dead []*entry) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.activate()
	ln.acked = seq
	direct := !ln.unread && !ln.reading && ln.roomFor(len(es)) && (ln.window == 0 || !ln.down)
	if direct {
		ln.cursor = seq + 1
		ln.addSpan(seq, len(es)).fed = len(es)
	} else {
		ln.unread = true
	}
	for i, e := range es {
		e.place, e.park = Place{Seq: seq, Item: uint32(i)}, written
		switch {
		case e.end.final():
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
func (ln *lane) endParked(e *entry) ([]Settled, []*entry) {
	if e.end.outcome == Dead {
		return nil, []*entry{{d: e.d, size: e.size, user: e.user, stage: FromParked, from: e.place, end: e.end}}
	}
	end := EndDelivered
	if e.end.outcome == Dropped {
		end = EndDropped
	}
	return []Settled{settlement(&e.d, FromParked, e.place, end, e.end.code)}, nil
}

// addSpan notes a record that was read.
func (ln *lane) addSpan(seq uint64, items int) *span {
	s := &span{seq: seq, items: items, left: items}
	ln.records = append(ln.records, s)
	ln.spanned += items
	return s
}

// finished notes that the parked delivery at p is settled and reported.
func (ln *lane) finished(p Place, user uint16) {
	ln.addParked(user, -1)
	i := sort.Search(len(ln.records), func(i int) bool { return ln.records[i].seq >= p.Seq })
	if i == len(ln.records) || ln.records[i].seq != p.Seq || int(p.Item) >= ln.records[i].fed {
		ln.done[p] = struct{}{} // the reader will come to it
		return
	}
	ln.records[i].left--
	ln.lift()
}

// lift raises the floor over settled records.
func (ln *lane) lift() {
	for len(ln.records) > 0 && ln.records[0].left == 0 {
		ln.floor = ln.records[0].seq
		ln.spanned -= ln.records[0].items
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
	if ln.l.mem.Load() > ln.l.cfg.MemoryBytes || ln.spanned+n > maxSpan {
		return false
	}
	if ln.down {
		return ln.window+n <= probeItems && ln.winBytes < windowBytes/8
	}
	return ln.window+n <= windowItems && ln.winBytes < windowBytes
}

// feed puts one parked delivery into the drain's chains.
func (ln *lane) feed(e *entry, p Place, now time.Time) {
	ln.seen++
	e.n, e.stage, e.from = ln.seen, FromParked, p
	e.user = counterOf(&e.d)
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
	usable := ln.presence == Removed || ln.presence == Present && !ln.target.Disabled || ln.ws == "" || ln.unknown
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
		from := ln.cursor
		ln.unread = false
		ln.mu.Unlock()
		err := ln.readFrom(ctx, from)
		ln.mu.Lock()
		if err != nil && ctx.Err() == nil {
			ln.l.cfg.Log.WarnContext(ctx, "parked deliveries could not be read", "destination", ln.id)
			ln.unread, ln.readAt = true, time.Now().Add(time.Second)
		}
		if err == nil && ctx.Err() == nil && ln.unknown && ln.cursor <= ln.through {
			ln.cursor = ln.through + 1 // nothing of this destination is between
		}
		if ln.cursor > ln.through {
			ln.unknown = false
		}
		if err != nil || ctx.Err() != nil || !ln.unread {
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
	for rec, err := range ln.l.cfg.Parked.ReadTo(ctx, from, string(ln.id)) {
		if err != nil {
			return err
		}
		ln.mu.Lock()
		early := rec.Seq > ln.acked
		ln.mu.Unlock()
		if early {
			return nil
		}
		r, err := decode(ln.id, rec.Data)
		if err != nil {
			if err := ln.l.keepDamaged(ctx, ln, rec); err != nil {
				return err
			}
			r = record{}
		}
		if !ln.feedRecord(ctx, rec, &r) {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// feedRecord feeds what is not settled of a record, as room allows. It returns
// false when ctx ended.
func (ln *lane) feedRecord(ctx context.Context, rec queue.Record, r *record) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	counted := rec.Seq > ln.through // parked by this owner
	for i := range r.items {
		if _, ok := ln.done[Place{Seq: rec.Seq, Item: uint32(i)}]; !ok && !counted {
			ln.addParked(counterOf(&r.items[i].d), 1)
		}
	}
	if ln.ws == "" && len(r.items) > 0 {
		ln.ws = r.items[0].d.Event.Workspace
		ln.look()
	}
	for !ln.roomFor(1) && ctx.Err() == nil || ln.spanned > 0 && ln.spanned+len(r.items) > maxSpan && ctx.Err() == nil {
		ln.room.Wait()
	}
	if ctx.Err() != nil {
		return false
	}
	s := ln.addSpan(rec.Seq, len(r.items))
	ln.cursor = rec.Seq + 1
	if ln.cursor > ln.through {
		ln.unknown = false
	}
	for i := range r.items {
		p := Place{Seq: rec.Seq, Item: uint32(i)}
		for !ln.roomFor(1) && ctx.Err() == nil {
			ln.room.Wait()
		}
		if ctx.Err() != nil {
			return false
		}
		s.fed++
		if _, ok := ln.done[p]; ok {
			delete(ln.done, p)
			s.left--
			continue
		}
		ln.feed(&entry{d: r.items[i].d, size: sizeOf(&r.items[i].d)}, p, time.Now())
	}
	ln.lift()
	return true
}
