package quarantine

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/queue"
	"weir/shared/fault"
)

// How much one call of Expire does at most, about.
const (
	expireEvents  = 2000
	expireBytes   = 16 << 20
	expireRecords = 10000 // that are read
)

// Expire takes out for good what came into QUARANTINE before oldest, whatever its
// source, and returns how many events it reported and whether there may be more. It
// skips what came after now: a clock that was wrong then gave it its time.
//
// Each event is reported to settle once it is gone. A death of the process in
// between leaves it counted as quarantined, which is how it ended.
// fault.Unavailable: the log is unreachable.
func (s *Store) Expire(ctx context.Context, oldest, now time.Time, settle func([]delivery.Settled)) (expired int, more bool, err error) {
	s.taking.Lock()
	defer s.taking.Unlock()
	var old []queue.Record
	events, read, bytes := 0, 0, 0
	for rec, err := range s.Log.ReadTo(ctx, s.stuck+1, "") {
		if err != nil {
			return 0, false, fmt.Errorf("look for expired events in QUARANTINE: %w", err)
		}
		if read++; read > expireRecords {
			break
		}
		if rec.At.After(now) || rec.At.IsZero() { // its time is wrong, or was damaged
			continue
		}
		if !rec.At.Before(oldest) {
			break
		}
		old, bytes = append(old, rec), bytes+len(rec.Data)
		if f, err := queue.DecodeFrame(rec.Data); err == nil {
			events += len(f.Events)
		}
		if more = events >= expireEvents || bytes >= expireBytes; more {
			break
		}
	}
	gone, err := s.end(ctx, old)
	var settled []delivery.Settled
	for _, rec := range gone {
		settled = append(settled, expiries(rec)...)
	}
	if len(settled) > 0 {
		settle(settled)
	}
	return len(settled), more, err
}

// end removes records and returns those that are gone. One that lies beside damaged
// ones stays, for a person, and is not tried again.
func (s *Store) end(ctx context.Context, records []queue.Record) (gone []queue.Record, err error) {
	seqs := make([]uint64, len(records))
	for i, rec := range records {
		seqs[i] = rec.Seq
	}
	if err := s.delete(ctx, seqs); fault.KindOf(err) != fault.Denied {
		if err != nil {
			return nil, err
		}
		return records, nil
	}
	for _, rec := range records {
		switch err := s.delete(ctx, []uint64{rec.Seq}); {
		case err == nil:
			gone = append(gone, rec)
		case fault.KindOf(err) == fault.Denied:
			s.stuck = rec.Seq
		default:
			return gone, err
		}
	}
	return gone, nil
}

// expiries reports the events of a record as expired. Of a record that cannot be
// read nothing is known.
func expiries(rec queue.Record) []delivery.Settled {
	frame, err := queue.DecodeFrame(rec.Data)
	if err != nil {
		return nil
	}
	all := make([]delivery.Settled, 0, len(frame.Events))
	for i := range frame.Events {
		e := &frame.Events[i]
		all = append(all, delivery.Settled{
			Workspace: e.Workspace, Source: e.Source, Destination: e.Destination,
			Stage: delivery.FromQuarantine, From: delivery.Place{Seq: rec.Seq, Item: uint32(i)},
			End: delivery.EndDropped, Code: delivery.CodeExpired,
		})
	}
	return all
}
