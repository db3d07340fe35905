package journal

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/journal/record"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Limits of the writer.
const (
	appendEvery    = 10 * time.Millisecond // at least, between two appends
	recordKeys     = 32 << 10              // dedupe keys of a record, when it holds more than one opening
	recordSettled  = 16 << 10              // settlements of a record
	recordFans     = 256                   // fans of a record
	waitingSettled = 64 << 10              // settlements that wait for a record; above it lanes wait
	slowest        = 2 * time.Second       // between two tries of what the log refuses
)

// Observer is what an owner hears of its journal and tells it. Run alone calls
// its functions, one at a time; none of them may wait for the journal.
type Observer struct {
	Settled func(frames []uint64)                // every output of them is settled, and that is journaled
	Drained func(d id.Destination, floor uint64) // the report is journaled
	Read    func() uint64                        // the newest frame that the owner has read
}

// Run writes until sealed is closed, and then what still waits: one append in
// flight, 10 ms apart at least. It ends with an error when the journal cannot go
// on, or ctx ended before all was written. fault.Conflict: another owner writes.
func (j *Journal) Run(ctx context.Context, sealed <-chan struct{}, on Observer) error {
	j.on = on
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
func (j *Journal) flush(ctx context.Context) error {
	for {
		r, journaled, some := j.take()
		if some {
			if err := j.append(ctx, &r); err != nil {
				return err
			}
		}
		for _, c := range journaled {
			close(c)
		}
		if !some {
			return nil
		}
		if err := j.checkpoint(ctx); err != nil {
			return err
		}
	}
}

// take makes a record of what waits, as much as one should hold: openings
// first, then fans, then settlements, then drains, so that nothing overtakes what
// it needs. journaled are to be closed when the record is in the journal.
func (j *Journal) take() (r record.Record, journaled []chan<- struct{}, some bool) {
	// The pace comes first, so that what comes during the wait is in the record.
	if wait := appendEvery - time.Since(j.last); wait > 0 && !j.last.IsZero() {
		time.Sleep(wait)
	}
	j.mu.Lock()
	n, keys := 0, 0
	for n < len(j.openings) && (n == 0 || keys+len(j.openings[n].DedupeKeys) <= recordKeys) {
		keys += len(j.openings[n].DedupeKeys)
		n++
	}
	r.Openings = j.openings[:n:n]
	j.openings = j.openings[n:]
	var settled []delivery.Settled
	if len(j.openings) == 0 {
		j.openings = nil
		n := min(len(j.fans), recordFans)
		for _, w := range j.fans[:n] {
			r.Fans = append(r.Fans, w.Fan)
			if w.journaled != nil {
				journaled = append(journaled, w.journaled)
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
			r.Drains, j.drains = j.drains, nil
			if len(j.fans) == 0 {
				journaled, j.barriers = append(journaled, j.barriers...), nil
			}
		}
		j.room.Broadcast()
	}
	j.mu.Unlock()
	if len(r.Openings)+len(r.Fans)+len(settled)+len(r.Drains) == 0 {
		return record.Record{}, journaled, false
	}
	j.compose(&r, settled, false)
	return r, journaled, true
}

// compose adds settlements to r, and what all of it counts. Only the writer
// calls it.
func (j *Journal) compose(r *record.Record, settled []delivery.Settled, recovering bool) {
	if unknown := j.st.compose(r, settled, recovering); unknown > 0 {
		j.cfg.Raise(flawUnknown)
	}
}

// append writes r and applies it. fault.Conflict: another owner writes.
func (j *Journal) append(ctx context.Context, r *record.Record) error {
	j.st.number(r, j.cfg.Epoch)
	data := r.Encode()
	seq, err := j.write(ctx, r.Counter, data)
	if err != nil {
		return fmt.Errorf("journal record %d: %w", r.Counter, err)
	}
	j.grew += len(data)
	j.total.Add(int64(len(data)))
	j.mu.Lock()
	done := j.st.apply(seq, r)
	flaws := j.st.flaws
	j.st.flaws = nil
	j.mu.Unlock()
	for _, code := range flaws {
		j.cfg.Raise(code)
	}
	if j.on.Settled != nil {
		j.on.Settled(done)
	}
	if j.on.Drained != nil {
		for _, d := range r.Drains {
			j.on.Drained(d.Destination, d.Floor)
		}
	}
	return nil
}

// write appends data as the next record until it is known to be there.
func (j *Journal) write(ctx context.Context, counter uint64, data []byte) (uint64, error) {
	for wait := appendEvery; ; wait = min(2*wait, slowest) {
		j.last = time.Now()
		seq, err := j.cfg.Log.AppendAfter(ctx, j.st.seq, "", data)
		if err == nil {
			j.cfg.Clear(AlarmFull, AlarmUnreachable)
			return seq, nil
		}
		switch fault.KindOf(err) {
		case fault.Conflict, fault.Unavailable:
			j.cfg.Raise(AlarmUnreachable)
			if seq, written, err := j.written(ctx, counter); written || err != nil {
				return seq, err
			}
		case fault.Limited:
			j.cfg.Raise(AlarmFull)
			j.makeRoom(ctx)
		default:
			return 0, err
		}
		if !delay.For(ctx, wait) {
			return 0, fault.New(fault.Unavailable, "The owner of the partition ended before its journal was written.")
		}
	}
}

// written looks whether the record with counter is the newest of the journal:
// after a lost answer it may be. fault.Conflict: another owner's is.
func (j *Journal) written(ctx context.Context, counter uint64) (seq uint64, ok bool, err error) {
	rec, err := j.cfg.Log.Last(ctx)
	if err != nil || rec.Seq <= j.st.seq {
		return 0, false, nil // unreachable, or not written so far: tried again
	}
	r, err := record.Decode(rec.Data)
	if err == nil && r.Epoch == j.cfg.Epoch && r.Counter == counter {
		return rec.Seq, true, nil
	}
	return 0, false, fault.New(fault.Conflict, "Another owner has written the journal of this partition.")
}

// checkpoint writes one when the journal has grown enough since the last, so
// that a recovery reads a bounded tail. After a gap it waits until every frame
// that may have been opened in it was read again.
func (j *Journal) checkpoint(ctx context.Context) error {
	due := max(j.cfg.Checkpoint, 4*j.size)
	if j.cfg.Limit > 0 { // the log has two checkpoints, and what came since the older one
		due = min(due, int(j.cfg.Limit/8))
	}
	if j.grew < due || j.st.gap && j.on.Read() < j.resumed {
		return nil
	}
	c := j.st.checkpoint()
	data := c.Encode()
	piece := j.cfg.Checkpoint/4 + 1
	of := uint32(len(data)/piece) + 1
	for i := range of {
		r := record.Record{Part: record.Part{Index: i, Of: of, Data: data[int(i)*piece : min(len(data), int(i+1)*piece)]}}
		if err := j.append(ctx, &r); err != nil {
			return err
		}
		time.Sleep(max(0, appendEvery-time.Since(j.last)))
	}
	j.grew, j.size = 0, len(data)
	return nil
}
