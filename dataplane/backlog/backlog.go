// Package backlog is what a destination has parked and delivers again: which
// records of PARKED were read, which of their deliveries are in the lane's memory,
// and up to where all are settled.
//
// A bounded window of parked deliveries is in memory; a reader fills it from
// PARKED in the order of its records, whenever the lane can do something with
// them. The lane says what became of each. What fails again and again while the
// destination takes other things is sent out of a full window and read again later,
// so that it hinders nothing else.
//
// It does not know what the lane does with a delivery, and writes nothing.
package backlog

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"

	"weir/dataplane/delivery"
	"weir/dataplane/parked"
	"weir/shared/id"
)

// Bounds of what one backlog keeps of PARKED in memory.
const (
	windowItems = 1024
	windowBytes = 8 << 20
	probeItems  = 64        // the window while the destination is down
	spanItems   = 256 << 10 // between the oldest record that is not settled and the newest read
)

// counters is how many counters of parked users a backlog has. Users that share
// one park together, which costs speed, never order.
const counters = 4096

// Counter returns the counter of what orders a delivery: its user, else its message.
func Counter(d *delivery.Delivery) uint16 {
	key := d.Event.User
	if key == "" {
		key = string(d.Event.MessageID)
	}
	return uint16(xxh3.HashString(key) % counters)
}

// Config is what a Backlog works with.
type Config struct {
	Destination id.Destination
	// Read yields the destination's records from one number to another: parked.Store.Read.
	Read func(ctx context.Context, from, to uint64) iter.Seq2[parked.Record, error]
	// Feed gives the lane a delivery that is parked at a place; the lane asks Admit
	// whether it may take it. false: there is no room, it is given again after Wake.
	Feed func(it *parked.Item, at delivery.Place) bool
	// Spawn starts the reader; false: not any more.
	Spawn       func(func(context.Context)) bool
	Memory      *atomic.Int64 // bytes of deliveries in the memory of all lanes; this one's are added
	MemoryBytes int64         // past which only an empty window is fed
	Last        uint64        // number of PARKED's newest record when the owner began
	Log         *slog.Logger

	Window int // deliveries in memory; 1024
	Span   int // deliveries between the oldest one that is not settled and the newest one read; 256 Ki
}

// Backlog is the parked deliveries of one destination. All methods are safe for
// concurrent use, and none calls the lane, so a lane may call them while it is
// locked. The exception is Feed, which the reader calls and nobody else.
type Backlog struct {
	cfg Config

	mu      sync.Mutex
	changed sync.Cond // there may be room for the reader
	changes uint64    // how often that was said
	waits   uint64    // changes, when the reader found no room

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
	window   int     // deliveries in memory
	winBytes int64
	done     map[delivery.Place]struct{} // settled before they were read

	skipped map[uint16]struct{} // counters whose deliveries are not fed before the next pass: some were evicted
	laterAt time.Time           // of the next pass; zero: none is needed
	passes  int
	again   bool // the next pass begins at the floor

	floor    uint64 // everything up to here is settled
	reported uint64 // by Risen
}

// span is what is remembered of one record that was read.
type span struct {
	seq   uint64
	since time.Time // when it was written
	left  int       // items that are not settled
	at    []spot
}

// spot is where an item of a span is.
type spot uint8

const (
	outside spot = iota // only in PARKED
	inside              // in the window
	settled
)

// New returns the backlog of a destination of which nothing is parked, unless
// Resume says otherwise.
func New(cfg Config) *Backlog {
	cfg.Window, cfg.Span = cmp.Or(cfg.Window, windowItems), cmp.Or(cfg.Span, spanItems)
	b := &Backlog{
		cfg: cfg, cursor: cfg.Last + 1, acked: cfg.Last, through: cfg.Last,
		done: map[delivery.Place]struct{}{}, skipped: map[uint16]struct{}{},
	}
	b.changed.L = &b.mu
	return b
}

// Resume goes on where an earlier owner ended; more says that PARKED has records
// behind d.Floor.
func (b *Backlog) Resume(d delivery.Drained, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.floor, b.reported = d.Floor, d.Floor
	if !more {
		return
	}
	for p := range d.Done {
		if p.Seq > d.Floor {
			b.done[p] = struct{}{}
		}
	}
	b.cursor, b.unknown, b.unread = d.Floor+1, true, true
}

// Parked returns how many deliveries of a counter are parked. unknown: records of
// an earlier owner were not read yet, so there may be more.
func (b *Backlog) Parked(counter uint16) (n int, unknown bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts == nil {
		return 0, b.unknown
	}
	return int(b.counts[counter]), b.unknown
}

// Add counts one more delivery of a counter that is parked, from when it is on its
// way to PARKED.
func (b *Backlog) Add(counter uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(counter, 1)
}

// Remove takes back Add for one that was settled before it was written.
func (b *Backlog) Remove(counter uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(counter, -1)
}

func (b *Backlog) count(counter uint16, n int) {
	if b.counts == nil {
		b.counts = make([]uint32, counters)
	}
	b.counts[counter] = uint32(int(b.counts[counter]) + n)
	b.parkedN += n
}

// Idle reports whether nothing is parked, nor may be, and then gives memory back.
func (b *Backlog) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.parkedN > 0 || b.unread || b.reading || b.unknown || b.window > 0 || len(b.records) > 0 {
		return false
	}
	b.counts = nil
	return true
}

// Wrote says that record seq with so many items is in PARKED and was reported.
// direct: all of them have room; the lane Enters those that are not settled, and
// the reader will not come to them.
func (b *Backlog) Wrote(seq uint64, items int, down bool) (direct bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.acked = seq
	direct = !b.unread && !b.reading && len(b.skipped) == 0 && b.roomFor(items, down) && (b.window == 0 || !down)
	if !direct {
		b.unread = true
		return false
	}
	b.cursor = seq + 1
	b.addSpan(seq, items, time.Now())
	return true
}

// Enter takes a delivery of a direct record into the window.
func (b *Backlog) Enter(at delivery.Place, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.enter(b.spanOf(at.Seq), at, bytes)
}

func (b *Backlog) enter(s *span, at delivery.Place, bytes int64) {
	s.at[at.Item] = inside
	b.window++
	b.winBytes += bytes
	b.cfg.Memory.Add(bytes)
}

// Leave gives the memory of a delivery back that was in the window.
func (b *Backlog) Leave(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave(bytes)
	b.wake()
}

func (b *Backlog) leave(bytes int64) {
	b.window--
	b.winBytes -= bytes
	b.cfg.Memory.Add(-bytes)
}

// Done says that the parked delivery at a place is settled and reported.
func (b *Backlog) Done(at delivery.Place, counter uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(counter, -1)
	s := b.spanOf(at.Seq)
	if s == nil {
		b.done[at] = struct{}{} // the reader will come to it
		return
	}
	s.at[at.Item] = settled
	s.left--
	b.lift()
}

// Waits reports whether the delivery at a place was reported as parked and is not settled,
// and whether it is in the window.
func (b *Backlog) Waits(at delivery.Place) (waits, in bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at.Seq > b.acked {
		return false, false
	}
	if s := b.spanOf(at.Seq); s != nil {
		return s.at[at.Item] != settled, s.at[at.Item] == inside
	}
	_, done := b.done[at]
	return !done && at.Seq > b.floor, false
}

// Drop is Done for one of which nothing was tried, and which may not have been read.
func (b *Backlog) Drop(at delivery.Place, counter uint16) {
	b.mu.Lock()
	if b.spanOf(at.Seq) == nil && at.Seq <= b.through {
		b.done[at] = struct{}{} // an earlier owner's, which is counted when it is read
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	b.Done(at, counter)
}

// Risen returns the floor, up to which all records are settled, once it rose since
// the last call.
func (b *Backlog) Risen() (floor uint64, risen bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	risen = b.floor > b.reported
	b.reported = b.floor
	return b.floor, risen
}

// Since returns when the oldest delivery that is not settled was parked; zero: none is, or
// its record was not read yet.
func (b *Backlog) Since() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.records) == 0 {
		return time.Time{}
	}
	return b.records[0].since
}

// Settled returns the number up to which all of PARKED is settled, and the places
// behind it that are.
func (b *Backlog) Settled() (floor uint64, places map[delivery.Place]struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	places = make(map[delivery.Place]struct{}, len(b.done))
	for p := range b.done {
		places[p] = struct{}{}
	}
	for _, s := range b.records {
		for i, at := range s.at {
			if at == settled {
				places[delivery.Place{Seq: s.seq, Item: uint32(i)}] = struct{}{}
			}
		}
	}
	return b.floor, places
}

// Wake says that there may be room now for what was not fed.
func (b *Backlog) Wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake()
}

func (b *Backlog) wake() {
	b.changes++
	b.changed.Broadcast()
}

// addSpan notes a record that was read.
func (b *Backlog) addSpan(seq uint64, items int, since time.Time) *span {
	s := &span{seq: seq, since: since, left: items, at: make([]spot, items)}
	b.records = append(b.records, s)
	b.spanned += items
	return s
}

// spanOf returns what is remembered of the record seq, nil for nothing.
func (b *Backlog) spanOf(seq uint64) *span {
	i := sort.Search(len(b.records), func(i int) bool { return b.records[i].seq >= seq })
	if i == len(b.records) || b.records[i].seq != seq {
		return nil
	}
	return b.records[i]
}

// lift raises the floor over settled records.
func (b *Backlog) lift() {
	for len(b.records) > 0 && b.records[0].left == 0 {
		b.floor = b.records[0].seq
		b.spanned -= len(b.records[0].at)
		b.records[0] = nil
		b.records = b.records[1:]
	}
	if len(b.records) == 0 {
		b.records = nil
	}
	b.wake()
}

// roomFor reports whether n more deliveries may come into the window.
func (b *Backlog) roomFor(n int, down bool) bool {
	if b.window == 0 {
		return true
	}
	if b.cfg.Memory.Load() > b.cfg.MemoryBytes || b.spanned+n > b.cfg.Span {
		return false
	}
	if down {
		return b.window+n <= min(probeItems, b.cfg.Window) && b.winBytes < windowBytes/8
	}
	return b.window+n <= b.cfg.Window && b.winBytes < windowBytes
}

// Admission is an answer of Admit.
type Admission uint8

// The admissions.
const (
	Admitted Admission = iota // it is in the window
	Unwanted                  // it is there already, or settled, or has to wait for the next pass
	Full                      // there is no room: Evict something, or refuse it
)

// Admit asks for the delivery that Feed gave to come into the window. ordered: it
// must not overtake others of its counter. down: the destination does not answer,
// so a few are enough.
func (b *Backlog) Admit(at delivery.Place, bytes int64, counter uint16, ordered, down bool) Admission {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.spanOf(at.Seq)
	if s == nil || s.at[at.Item] != outside {
		return Unwanted
	}
	if _, skip := b.skipped[counter]; skip && ordered {
		return Unwanted
	}
	if !b.roomFor(1, down) {
		b.waits = b.changes
		return Full
	}
	b.enter(s, at, bytes)
	return Admitted
}

// Crowded reports whether it is the window itself that has no room, so that Evict helps.
func (b *Backlog) Crowded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.window >= b.cfg.Window || b.winBytes >= windowBytes
}

// Evict sends a delivery out of the window, to be read again later. ordered: those
// of its counter that follow wait with it.
func (b *Backlog) Evict(at delivery.Place, bytes int64, counter uint16, ordered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leave(bytes)
	b.spanOf(at.Seq).at[at.Item] = outside
	if ordered {
		b.skipped[counter] = struct{}{}
	}
	if b.laterAt.IsZero() {
		b.laterAt = time.Now().Add(min(30*time.Second<<min(b.passes, 5), 10*time.Minute))
		b.passes++
	}
	b.wake()
}
