package journal

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/shared/id"
)

// Index knows which events the partition has had; *dedupe.Index is one.
type Index interface {
	First(o dedupe.Owner, k dedupe.Key, pos dedupe.Pos, at time.Time) (bool, error)
	Snapshot(ctx context.Context, seq uint64) error
	Position() uint64 // the newest record whose keys it has durably
}

// Config is what a journal works with. Fields without a default are required.
type Config struct {
	Log        queue.Log
	Epoch      uint64        // greater than that of every earlier owner
	Index      Index         // gets the dedupe keys that it misses
	Keep       time.Duration // how long records stay, for an index elsewhere; zero: until neither a recovery nor Index needs them
	Checkpoint int           // bytes of journal after which there is a new checkpoint, at least
	Limit      int64         // bytes that Log may hold; zero: no limit

	Raise func(code string)     // an alarm is on
	Clear func(codes ...string) // alarms are over
}

// Codes of alarms about a log; see also the checks of state.
const (
	AlarmFull        = "disk_full"         // it takes no more; it is tried again
	AlarmUnreachable = "queue_unavailable" // it does not answer; it is tried again
)

// Journal is one owner's journal of a partition. Run is its one writer; the
// other methods are safe for concurrent use.
type Journal struct {
	cfg  Config
	wake chan struct{} // something waits
	last time.Time     // when the newest append began
	size int           // bytes of the newest checkpoint
	grew int           // bytes since then
	on   Observer      // empty until Run

	total atomic.Int64 // bytes that were appended

	resumed uint64 // the highest frame that a former owner opened

	mu       sync.Mutex
	room     *sync.Cond // settlements were taken, or closed
	st       *state     // changed by the writer alone
	openings []record.Opening
	fans     []waitingFan
	settled  [][]delivery.Settled // as they were reported
	waiting  int                  // how many settlements that are
	drains   []record.Drain
	barriers []chan<- struct{} // of Barrier
	closed   bool
}

// waitingFan is a fan, and what to close when it is journaled; nil: nothing.
type waitingFan struct {
	record.Fan
	journaled chan<- struct{}
}

// Open takes the opening of a frame. It comes before any report of the frame.
func (j *Journal) Open(o record.Opening) {
	j.mu.Lock()
	j.openings = append(j.openings, o)
	j.mu.Unlock()
	j.wakeWriter()
}

// Fan takes fans of frames that were opened before. journaled is closed when
// they are in the journal, and never when Run ends before.
func (j *Journal) Fan(all []record.Fan) (journaled <-chan struct{}) {
	done := make(chan struct{})
	j.mu.Lock()
	for i := range all {
		w := waitingFan{Fan: all[i]}
		if i == len(all)-1 {
			w.journaled = done
		}
		j.fans = append(j.fans, w)
	}
	j.mu.Unlock()
	j.wakeWriter()
	return done
}

// Settle takes reports of lanes, in their order. Those of one call come into one
// record, because a recovery looks for what is behind the newest record of
// PARKED or DEAD that the journal has. It blocks while too many wait.
func (j *Journal) Settle(all []delivery.Settled) {
	j.mu.Lock()
	for j.waiting >= waitingSettled && !j.closed {
		j.room.Wait()
	}
	if !j.closed {
		j.settled = append(j.settled, all)
		j.waiting += len(all)
	}
	j.mu.Unlock()
	j.wakeWriter()
}

// Drain takes the report that a destination's PARKED records are settled up to
// floor, behind the settlements that make it true.
func (j *Journal) Drain(d id.Destination, floor uint64) {
	j.mu.Lock()
	j.drains = append(j.drains, record.Drain{Destination: d, Floor: floor})
	j.mu.Unlock()
	j.wakeWriter()
}

// Barrier returns a channel that is closed when all that was given before is in the
// journal, and never when Run ends before.
func (j *Journal) Barrier() <-chan struct{} {
	done := make(chan struct{})
	j.mu.Lock()
	j.barriers = append(j.barriers, done)
	j.mu.Unlock()
	j.wakeWriter()
	return done
}

func (j *Journal) wakeWriter() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Close lets go of callers that wait for room; what comes later is not kept.
func (j *Journal) Close() {
	j.mu.Lock()
	j.closed = true
	j.room.Broadcast()
	j.mu.Unlock()
}

// Frame reports whether a frame that is read is fresh: it was never opened, so
// everything about it is to be decided now, except about early, the outputs that
// a former owner settled before it could journal the opening.
func (j *Journal) Frame(frame uint64) (fresh bool, early []Output) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.fresh(frame), j.st.early[frame]
}

// Left returns the outputs of a frame that are not settled, for one destination
// or, with "", for all, in the order of delivery.
func (j *Journal) Left(frame uint64, d id.Destination) []Output {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.left(frame, d)
}

// Floor is the highest frame below and at which everything is settled.
func (j *Journal) Floor() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.floor()
}

// Oldest returns when the log took the oldest frame that is open; ok is false
// when none is.
func (j *Journal) Oldest() (at time.Time, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.st.order) == 0 {
		return time.Time{}, false
	}
	return j.st.frames[j.st.order[0]].at, true
}

// Newest returns the number of the newest record.
func (j *Journal) Newest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.seq
}

// Written returns how many bytes were appended since Recover.
func (j *Journal) Written() int64 { return j.total.Load() }

// Entries returns the ledger as it is journaled, with what was in flight then.
// After a failed check no entry is balanced.
func (j *Journal) Entries() []ledger.Row {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.entries()
}

// Booked returns Entries, and the newest frame that they count.
func (j *Journal) Booked() (entries []ledger.Row, through uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.entries(), j.st.readThrough
}

// Check raises an alarm while an entry of the ledger does not balance.
func (j *Journal) Check() {
	for _, r := range j.Entries() {
		if !r.Balanced {
			j.cfg.Raise(flawUnbalanced)
			return
		}
	}
	j.cfg.Clear(flawUnbalanced)
}
