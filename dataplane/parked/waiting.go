package parked

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/parked/record"
	"weir/shared/fault"
	"weir/shared/id"
)

// waitingRecords is how many records of PARKED one call of Waiting reads.
const waitingRecords = 64

// Waiting is one delivery that is parked.
type Waiting struct {
	delivery.Place
	Delivery delivery.Delivery // its Read is zero
	At       time.Time         // when it was parked
}

// Waiting lists parked deliveries of a workspace's destination behind place
// after, in order of their places, up to limit of them and about so many bytes of
// events, and where to go on: the zero Place when that was all. It reads a
// bounded part of PARKED, so it may return none before the end. What is delivered
// meanwhile may still be among them. fault.Invalid: no destination.
// fault.Unavailable: the partition does not run here.
func (s *Store) Waiting(ctx context.Context, ws id.Workspace, dest id.Destination, after delivery.Place, limit, bytes int) (found []Waiting, next delivery.Place, err error) {
	if dest == "" {
		return nil, delivery.Place{}, fault.New(fault.Invalid, "Name the destination whose parked events are meant.")
	}
	if err := s.serving(); err != nil {
		return nil, delivery.Place{}, err
	}
	floor, settled := s.cfg.Lane(dest).Settled()
	records := 0
	for rec, err := range s.cfg.Parked.ReadTo(ctx, max(floor+1, after.Seq), string(dest)) {
		if err != nil {
			return nil, delivery.Place{}, fmt.Errorf("read parked events of %s: %w", dest, err)
		}
		if records++; records > waitingRecords {
			return found, next, nil
		}
		r, err := record.Decode(rec)
		if err != nil || r.Kind != record.Parked {
			next = delivery.Place{Seq: rec.Seq, Item: lastItem}
			continue // it will go to DEAD as it is; there is nothing to show
		}
		for i := range r.Items {
			p, d := delivery.Place{Seq: rec.Seq, Item: uint32(i)}, r.Items[i].Delivery
			if p.Seq == after.Seq && p.Item <= after.Item {
				continue
			}
			if _, done := settled[p]; done || d.Event.Workspace != ws {
				continue
			}
			if len(found) == limit || bytes <= 0 {
				return found, next, nil
			}
			found, next, bytes = append(found, Waiting{Place: p, Delivery: d, At: rec.At}), p, bytes-len(d.Event.JSON)
		}
		next = delivery.Place{Seq: rec.Seq, Item: lastItem}
	}
	return found, delivery.Place{}, ctx.Err()
}

// DropWaiting drops the parked deliveries that f selects by Workspace, Destination and Is,
// with a reason, and returns how many, and how many it could not because a request for them is
// under way; with dry it only counts. Each is reported as Settled{FromParked, EndDropped, code}.
// fault.Invalid: no destination. fault.Unavailable: the partition does not run here.
func (s *Store) DropWaiting(ctx context.Context, f Filter, code string, dry bool) (dropped, busy int, err error) {
	if f.Destination == "" {
		return 0, 0, fault.New(fault.Invalid, "Name the destination whose parked deliveries are meant.")
	}
	if err := s.serving(); err != nil {
		return 0, 0, err
	}
	lane := s.cfg.Lane(f.Destination)
	floor, settled := lane.Settled()
	for rec, err := range s.cfg.Parked.ReadTo(ctx, floor+1, string(f.Destination)) {
		if err != nil {
			return dropped, busy, fmt.Errorf("read parked deliveries of %s: %w", f.Destination, err)
		}
		r, err := record.Decode(rec)
		if err != nil || r.Kind != record.Parked {
			continue // it will go to DEAD as it is
		}
		var all []delivery.Delivery
		var at []delivery.Place
		for i := range r.Items {
			p, d := delivery.Place{Seq: rec.Seq, Item: uint32(i)}, r.Items[i].Delivery
			if _, done := settled[p]; done || f.Workspace != "" && d.Event.Workspace != f.Workspace || !f.is(&d) {
				continue
			}
			all, at = append(all, d), append(at, p)
		}
		switch {
		case len(all) == 0:
		case dry:
			dropped += len(all)
		default:
			n, left := lane.Drop(all, at, code)
			dropped, busy = dropped+n, busy+left
		}
	}
	return dropped, busy, ctx.Err()
}

// lastItem is behind every item of a record.
const lastItem = ^uint32(0)
