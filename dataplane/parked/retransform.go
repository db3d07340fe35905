package parked

import (
	"context"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
)

// dropLast is how long it may take to drop what was sent from its original, also
// when whoever asked went away meanwhile: else it would be sent twice.
const dropLast = 10 * time.Second

// Retransform hands the originals of the selected dead letters of f.Destination
// to replay, as replayed events that concern only this destination, and drops the
// dead letters when replay returned nil: the events are durable then. It returns how
// many. Each is reported as Settled{FromDead, EndDropped, "retransformed"}; a death
// in between repeats them. An event from which code made several goes once. An event
// that connected refuses, because it has no way to its destination any more, stays,
// as does what an older version wrote, which kept no originals.
// fault.Invalid: no destination. fault.Unavailable: the partition does not run here.
func (s *Store) Retransform(ctx context.Context, f Filter, connected func(event.Event) bool, replay func(context.Context, []event.Event) error) (moved int, err error) {
	sent := f.Sent
	if sent == nil {
		sent = map[delivery.Ref]struct{}{}
	}
	return s.move(ctx, f, func(batch []pick) (int, error) {
		going := make([]pick, 0, len(batch))
		var events []event.Event
		for _, p := range batch {
			goes := pick{rec: p.rec}
			for _, i := range p.chosen {
				it := &p.rec.Items[i]
				e, ok := it.Original()
				if !ok || !connected(e) {
					continue
				}
				goes.chosen = append(goes.chosen, i)
				of := delivery.Ref{Frame: it.Delivery.Frame, Index: it.Delivery.Index}
				if _, did := sent[of]; did {
					continue
				}
				if it.Delivery.Output > 0 {
					sent[of] = struct{}{}
				}
				events = append(events, e)
			}
			going = append(going, goes)
		}
		if len(events) > 0 {
			if err := replay(ctx, events); err != nil {
				return 0, err
			}
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropLast)
		defer cancel()
		return s.drop(last, f.Destination, going, delivery.CodeRetransformed)
	})
}
