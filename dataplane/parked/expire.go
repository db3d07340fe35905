package parked

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/parked/record"
	"weir/shared/id"
)

// How much one call of Expire does at most, about.
const (
	expireLetters = 20_000
	expireRecords = 10_000 // that are read to find destinations
)

// Expire drops dead letters that came into DEAD before oldest, whatever their
// destination, and removes damaged records that did. It returns how many letters those
// were and whether there may be more. It skips what came after now: a clock that was
// wrong then gave it its time. Each is reported as Settled{FromDead, EndDropped,
// "expired"}. fault.Unavailable: the partition does not run here.
func (s *Store) Expire(ctx context.Context, oldest, now time.Time) (expired int, more bool, err error) {
	if err := s.serving(); err != nil {
		return 0, false, err
	}
	due, damaged, more, err := s.old(ctx, oldest, now)
	if err != nil {
		return 0, false, err
	}
	for _, dest := range due {
		n, err := s.move(ctx, Filter{Destination: dest, Before: oldest, Most: expireLetters - expired}, func(batch []pick) (int, error) {
			return s.drop(ctx, dest, batch, delivery.CodeExpired)
		})
		if expired += n; err != nil {
			return expired, false, err
		}
		if expired >= expireLetters {
			return expired, true, nil
		}
	}
	if len(damaged) > 0 {
		if err := s.cfg.Dead.Delete(ctx, damaged...); err != nil {
			return expired, false, fmt.Errorf("delete damaged records of DEAD: %w", err)
		}
	}
	return expired, more && expired > 0, nil
}

// old returns the destinations of the oldest records of DEAD that came before oldest,
// the damaged ones among these, and whether there may be more.
func (s *Store) old(ctx context.Context, oldest, now time.Time) (due []id.Destination, damaged []uint64, more bool, err error) {
	found, read := map[id.Destination]bool{}, 0
	for rec, err := range s.cfg.Dead.ReadTo(ctx, 1, "") {
		if err != nil {
			return nil, nil, false, fmt.Errorf("look for expired dead letters: %w", err)
		}
		if read++; read > expireRecords {
			more = true
			break
		}
		if rec.At.After(now) {
			continue
		}
		if !rec.At.Before(oldest) {
			break
		}
		r, err := record.Decode(rec)
		switch {
		case err != nil: // it may be of a newer format
		case r.Kind == record.Damaged:
			damaged = append(damaged, rec.Seq)
		case r.Kind == record.Dead:
			found[id.Destination(rec.Key)] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), damaged, more, ctx.Err()
}
