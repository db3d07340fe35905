package quarantine

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/queue"
)

// How much one call of Expire does at most, about.
const (
	expireEvents  = 2000
	expireBytes   = 16 << 20
	expireRecords = 10000 // that are read
)

// Expire takes out for good what came into QUARANTINE before oldest, whatever its
// source, and returns how many events that were and whether there may be more. It
// skips what came after now: a clock that was wrong then gave it its time.
//
// Each event is reported to settle once it is gone. A death of the process in
// between leaves it counted as quarantined, which is how it ended.
// fault.Unavailable: the log is unreachable.
func (s *Store) Expire(ctx context.Context, oldest, now time.Time, settle func([]delivery.Settled)) (expired int, more bool, err error) {
	s.taking.Lock()
	defer s.taking.Unlock()
	var seqs []uint64
	var settled []delivery.Settled
	read, bytes := 0, 0
	for rec, err := range s.Log.ReadTo(ctx, 1, "") {
		if err != nil {
			return 0, false, fmt.Errorf("look for expired events in QUARANTINE: %w", err)
		}
		if read++; read > expireRecords {
			break
		}
		if rec.At.After(now) {
			continue
		}
		if !rec.At.Before(oldest) {
			break
		}
		seqs, bytes = append(seqs, rec.Seq), bytes+len(rec.Data)
		settled = append(settled, expiries(rec)...)
		if more = len(settled) >= expireEvents || bytes >= expireBytes; more {
			break
		}
	}
	if err := s.delete(ctx, seqs); err != nil {
		return 0, false, err
	}
	if len(settled) > 0 {
		settle(settled)
	}
	return len(settled), more, nil
}

// expiries reports the events of a record as expired. Of a record that cannot be
// read nothing is known.
func expiries(rec queue.Record) []delivery.Settled {
	frame, err := queue.DecodeFrame(rec.Data)
	if err != nil {
		return nil
	}
	all := make([]delivery.Settled, len(frame.Events))
	for i := range frame.Events {
		e := &frame.Events[i]
		all[i] = delivery.Settled{
			Workspace: e.Workspace, Source: e.Source, Destination: e.Destination,
			Stage: delivery.FromQuarantine, From: delivery.Place{Seq: rec.Seq, Item: uint32(i)},
			End: delivery.EndDropped, Code: delivery.CodeExpired,
		}
	}
	return all
}
