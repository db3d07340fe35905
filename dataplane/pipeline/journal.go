package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// Limits of the journal.
const (
	appendEvery    = 10 * time.Millisecond // at least, between two appends
	recordKeys     = 32 << 10              // dedupe keys of a record, when it holds more than one opening
	recordSettled  = 16 << 10              // settlements of a record
	recordFans     = 256                   // fans of a record
	waitingSettled = 64 << 10              // settlements that wait for a record; above it lanes wait
	slowest        = 2 * time.Second       // between two tries of what the log refuses
	farewell       = 5 * time.Second       // for what is to be written after ctx ended
)

// journal is the one writer of a partition's JOURNAL: one append in flight, at
// least 10 ms apart, each expected to be the next one, so that an owner which
// lost the partition cannot write.
type journal struct {
	log    queue.Log
	wrong  mistake
	epoch  uint64
	alarms *alarms
	done   func(frames []uint64)                // they are settled and journaled
	said   func(d id.Destination, floor uint64) // a drain is journaled
	ready  func() bool                          // a checkpoint may be made
	wake   chan struct{}                        // something waits
	last   time.Time                            // when the newest append began
	limit  int                                  // bytes of journal after which there is a new checkpoint, at least
	grown  int                                  // bytes since the newest checkpoint
	size   int                                  // bytes of it

	mu       sync.Mutex
	room     *sync.Cond // settled was taken, or closed
	st       *state     // changed by the writer alone
	openings []opening
	fans     []waitingFan
	settled  [][]delivery.Settled // as they were reported
	waiting  int                  // how many that are
	drains   []drain
	closed   bool
}

func newJournal(cfg *Config, epoch uint64, st *state, alarms *alarms) *journal {
	j := &journal{log: cfg.Journal, wrong: cfg.planted, limit: cfg.Checkpoint, epoch: epoch, st: st, alarms: alarms, wake: make(chan struct{}, 1)}
	j.room = sync.NewCond(&j.mu)
	return j
}

// open takes the opening of a frame. It comes before any report of the frame.
func (j *journal) open(o opening) {
	j.mu.Lock()
	j.openings = append(j.openings, o)
	j.mu.Unlock()
	j.nudge()
}

// waitingFan is a fan and who waits for it.
type waitingFan struct {
	fan
	journaled chan<- struct{}
}

// fan takes fans of frames that were opened before. journaled is closed when
// they are in the journal, and never when the owner ends before.
func (j *journal) fan(all []fan) (journaled <-chan struct{}) {
	done := make(chan struct{})
	j.mu.Lock()
	for i := range all {
		w := waitingFan{fan: all[i]}
		if i == len(all)-1 {
			w.journaled = done
		}
		j.fans = append(j.fans, w)
	}
	j.mu.Unlock()
	j.nudge()
	return done
}

// settle takes reports of lanes, in their order. Those of one call come into one
// record, because a recovery looks for what is behind the newest record of
// PARKED or DEAD that the journal has. It blocks while too many wait.
func (j *journal) settle(all []delivery.Settled) {
	j.mu.Lock()
	for j.waiting >= waitingSettled && !j.closed {
		j.room.Wait()
	}
	if !j.closed {
		j.settled = append(j.settled, all)
		j.waiting += len(all)
	}
	j.mu.Unlock()
	j.nudge()
}

// drained takes the report that a destination's PARKED records are settled up
// to floor, behind the settlements that make it true.
func (j *journal) drained(d id.Destination, floor uint64) {
	j.mu.Lock()
	j.drains = append(j.drains, drain{d, floor})
	j.mu.Unlock()
	j.nudge()
}

func (j *journal) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// close lets go of those who wait for room; what comes later is not kept.
func (j *journal) close() {
	j.mu.Lock()
	j.closed = true
	j.room.Broadcast()
	j.mu.Unlock()
}

// look gives f the state, between two records.
func (j *journal) look(f func(*state)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(j.st)
}

// run writes until sealed is closed, and then what still waits. It ends with an
// error when the journal cannot go on, or ctx ended before all was written.
// fault.Conflict: another owner writes.
func (j *journal) run(ctx context.Context, sealed <-chan struct{}) error {
	for {
		select {
		case <-sealed:
			return j.flush(ctx)
		case <-j.wake:
		}
		if err := j.flush(ctx); err != nil {
			return err
		}
	}
}

// flush writes all that waits.
func (j *journal) flush(ctx context.Context) error {
	for {
		r, told, some := j.take()
		if !some {
			return nil
		}
		if err := j.append(ctx, &r); err != nil {
			return err
		}
		for _, c := range told {
			close(c)
		}
		if err := j.checkpoint(ctx); err != nil {
			return err
		}
	}
}

// take makes a record of what waits, as much as one should hold: openings
// first, then fans, then reports, then drains, so that nothing overtakes what it
// needs. told are to be closed when the record is in the journal.
func (j *journal) take() (r record, told []chan<- struct{}, some bool) {
	// The pace comes first, so that what gathers meanwhile is in the record.
	if wait := appendEvery - time.Since(j.last); wait > 0 && !j.last.IsZero() {
		time.Sleep(wait)
	}
	j.mu.Lock()
	n, keys := 0, 0
	for n < len(j.openings) && (n == 0 || keys+len(j.openings[n].keys) <= recordKeys) {
		keys += len(j.openings[n].keys)
		n++
	}
	openings := j.openings[:n:n]
	j.openings = j.openings[n:]
	var settled []delivery.Settled
	var drains []drain
	var fans []fan
	if len(j.openings) == 0 {
		j.openings = nil
		n := min(len(j.fans), recordFans)
		for _, w := range j.fans[:n] {
			fans = append(fans, w.fan)
			if w.journaled != nil {
				told = append(told, w.journaled)
			}
		}
		j.fans = j.fans[n:]
		for len(j.settled) > 0 && (len(settled) == 0 || len(settled)+len(j.settled[0]) <= recordSettled) {
			settled = append(settled, j.settled[0]...)
			j.settled = j.settled[1:]
		}
		j.waiting -= len(settled)
		if len(j.settled) == 0 {
			j.settled = nil
			drains, j.drains = j.drains, nil
		}
		j.room.Broadcast()
	}
	j.mu.Unlock()
	if len(openings)+len(fans)+len(settled)+len(drains) == 0 {
		return record{}, nil, false
	}
	return j.compose(record{openings: openings, fans: fans, drains: drains}, settled, false), told, true
}

// compose adds settlements to r, and what all of it books. Only the writer calls it.
func (j *journal) compose(r record, settled []delivery.Settled, recovering bool) record {
	r.parked, r.dead = j.st.parked, j.st.dead
	b := newBooker(j.st, &r, recovering)
	for i := range settled {
		if j.wrong == parkedIsDelivered && settled[i].End == delivery.EndParked {
			settled[i].End = delivery.EndDelivered
		}
		b.add(&settled[i])
	}
	b.finish()
	if b.strange > 0 {
		j.alarms.raise(flawUnknown)
	}
	return r
}

// append writes r and applies it. fault.Conflict: another owner writes.
func (j *journal) append(ctx context.Context, r *record) error {
	r.epoch, r.counter, r.base, r.floor = j.epoch, j.st.counter+1, j.st.base, j.st.floor()
	if r.part.of > 0 {
		r.parked, r.dead = j.st.parked, j.st.dead
	}
	data := r.encode()
	seq, err := j.insist(ctx, r.counter, data)
	if err != nil {
		return fmt.Errorf("journal record %d: %w", r.counter, err)
	}
	j.grown += len(data)
	j.mu.Lock()
	done := j.st.apply(seq, r)
	flaws := j.st.flaws
	j.st.flaws = nil
	j.mu.Unlock()
	for _, code := range flaws {
		j.alarms.raise(code)
	}
	if j.done != nil {
		j.done(done)
	}
	if j.said != nil {
		for _, d := range r.drains {
			j.said(d.destination, d.floor)
		}
	}
	return nil
}

// insist appends data as the next record until it is known to be there.
func (j *journal) insist(ctx context.Context, counter uint64, data []byte) (uint64, error) {
	for wait := appendEvery; ; wait = min(2*wait, slowest) {
		j.last = time.Now()
		seq, err := j.log.AppendAfter(ctx, j.st.seq, "", data)
		if err == nil {
			j.alarms.over(alarmFull, alarmAway)
			return seq, nil
		}
		switch fault.KindOf(err) {
		case fault.Conflict, fault.Unavailable:
			j.alarms.raise(alarmAway)
			if j.wrong == lostAnswerIsYes {
				return j.st.seq + 1, nil
			}
			if seq, written, err := j.written(ctx, counter); written || err != nil {
				return seq, err
			}
		case fault.Limited:
			j.alarms.raise(alarmFull)
		default:
			return 0, err
		}
		if !sleep(ctx, wait) {
			return 0, fault.New(fault.Unavailable, "The owner of the partition ended before its journal was written.")
		}
	}
}

// written looks whether the record with counter is the newest of the journal:
// after a lost answer it may be. fault.Conflict: another owner's is.
func (j *journal) written(ctx context.Context, counter uint64) (seq uint64, ok bool, err error) {
	rec, err := j.log.Last(ctx)
	if err != nil || rec.Seq <= j.st.seq {
		return 0, false, nil // away, or not written so far: tried again
	}
	r, err := decodeRecord(rec.Data)
	if err == nil && r.epoch == j.epoch && r.counter == counter {
		return rec.Seq, true, nil
	}
	if j.wrong == writeOverSuccessor {
		j.st.seq = rec.Seq
		return 0, false, nil
	}
	return 0, false, fault.New(fault.Conflict, "Another owner has written the journal of this partition.")
}

// checkpoint writes one when the journal has grown enough since the last, so
// that a recovery reads a bounded tail.
func (j *journal) checkpoint(ctx context.Context) error {
	if j.grown < max(j.limit, 4*j.size) || j.ready != nil && !j.ready() {
		return nil
	}
	if j.wrong == checkpointWithoutDone {
		for _, d := range j.st.drains {
			clear(d.Done)
		}
	}
	data := j.st.checkpoint()
	if j.wrong == forgetOpenings {
		data = (&state{readThrough: j.st.readThrough, book: j.st.book, drains: j.st.drains, parked: j.st.parked, dead: j.st.dead}).checkpoint()
	}
	piece := j.limit/4 + 1
	of := uint32(len(data)/piece) + 1
	for i := range of {
		r := record{part: part{index: i, of: of, data: data[int(i)*piece : min(len(data), int(i+1)*piece)]}}
		if err := j.append(ctx, &r); err != nil {
			return err
		}
		time.Sleep(max(0, appendEvery-time.Since(j.last)))
	}
	j.grown, j.size = 0, len(data)
	return nil
}

// sleep waits for d; false: ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
