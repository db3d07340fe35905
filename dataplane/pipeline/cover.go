package pipeline

import (
	"context"
	"time"
)

const (
	mostUncovered = 16 << 20  // bytes of journal between two snapshots of the dedupe index; less with a small log
	trimKeptEvery = time.Hour // where the journal keeps keys for owners elsewhere; sooner when much was added
)

// coverBytes is how long the journal becomes between two snapshots.
func (o *owner) coverBytes() int64 {
	if most := o.cfg.JournalMax; most > 0 {
		return min(mostUncovered, most/16)
	}
	return mostUncovered
}

// covering lets the dedupe index have durably what it has, and purges from the
// journal what is needed neither for that nor by a recovery, so that the journal
// holds its tail alone. It is a goroutine of its own, so that a loop that waits
// for something does not keep the journal from being trimmed. What fails is done
// later.
func (o *owner) covering(ctx context.Context) {
	tick := time.NewTicker(o.cfg.Snapshot)
	defer tick.Stop()
	var trimmed time.Time
	var trimmedAt int64 // of what was written
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-o.grown:
		}
		written, seq := o.journal.Written(), o.journal.Newest() // every key in it was given to the index
		if seq > o.cfg.Seen.Position() {
			if err := o.cfg.Seen.Snapshot(ctx, seq); err != nil && ctx.Err() == nil {
				o.cfg.Log.WarnContext(ctx, "no snapshot of the dedupe index", "partition", o.cfg.Partition, "error", err)
			}
		}
		o.coveredAt.Store(written)
		if o.cfg.KeepKeys > 0 && time.Since(trimmed) < trimKeptEvery && (o.cfg.JournalMax == 0 || written-trimmedAt < o.coverBytes()) {
			continue
		}
		trimmed, trimmedAt = time.Now(), written
		if err := o.journal.Trim(ctx); err != nil && ctx.Err() == nil {
			o.cfg.Log.WarnContext(ctx, "journal not trimmed", "partition", o.cfg.Partition, "error", err)
		}
	}
}

// checkIndex raises the alarms of the dedupe index, and takes them back.
func (o *owner) checkIndex() {
	s, blocked := o.cfg.Seen.State(), int64(0)
	if s.Blocked {
		blocked = 1
	}
	o.alarms.set(alarmKeys, int64(s.Damaged))
	o.alarms.set(alarmBlocked, blocked)
}
