package deliver

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/delivery"
	"weir/shared/fault"
	"weir/shared/id"
)

// waitingRecords is how many records of PARKED one call of Waiting reads.
const waitingRecords = 64

// Waiting is one delivery that is parked.
type Waiting struct {
	delivery.Place
	Delivery delivery.Delivery // its Read is zero
	At       time.Time
}

// Waiting lists parked deliveries of a workspace's destination behind place
// after, in order of their places, up to limit of them and about so many bytes of
// events, and where to go on: the zero Place when that was all. It reads a
// bounded part of PARKED, so it may return none before the end. What is delivered
// meanwhile may still be among them. fault.Invalid: no destination.
func (l *Lanes) Waiting(ctx context.Context, ws id.Workspace, dest id.Destination, after delivery.Place, limit, bytes int) (found []Waiting, next delivery.Place, err error) {
	if dest == "" {
		return nil, delivery.Place{}, fault.New(fault.Invalid, "Name the destination whose parked events are meant.")
	}
	floor, gone := l.lane(dest).settledPlaces()
	records := 0
	for rec, err := range l.cfg.Parked.ReadTo(ctx, max(floor+1, after.Seq), string(dest)) {
		if err != nil {
			return nil, delivery.Place{}, fmt.Errorf("read parked events of %s: %w", dest, err)
		}
		if records++; records > waitingRecords {
			return found, next, nil
		}
		r, err := decode(dest, rec.Data)
		if err != nil || r.kind != kindParked {
			next = delivery.Place{Seq: rec.Seq, Item: lastItem}
			continue // it will go to DEAD as it is; there is nothing to show
		}
		for i := range r.items {
			p, d := delivery.Place{Seq: rec.Seq, Item: uint32(i)}, r.items[i].d
			if p.Seq == after.Seq && p.Item <= after.Item {
				continue
			}
			if _, done := gone[p]; done || d.Event.Workspace != ws {
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

// lastItem is behind every item of a record.
const lastItem = ^uint32(0)

// settledPlaces returns the number up to which all of PARKED is settled, and the
// places behind it that are.
func (ln *lane) settledPlaces() (floor uint64, gone map[delivery.Place]struct{}) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	gone = make(map[delivery.Place]struct{}, len(ln.done))
	for p := range ln.done {
		gone[p] = struct{}{}
	}
	for _, s := range ln.records {
		for i, at := range s.at {
			if at == settled {
				gone[delivery.Place{Seq: s.seq, Item: uint32(i)}] = struct{}{}
			}
		}
	}
	return ln.floor, gone
}
