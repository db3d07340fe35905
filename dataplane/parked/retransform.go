package parked

import (
	"context"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/shared/fault"
)

// dropLast is how long it may take to drop what was sent from its original, also
// when whoever asked went away meanwhile: else it would be sent twice.
const dropLast = 10 * time.Second

// Retransform hands the originals of the selected dead letters of f.Destination
// to Config.Replay, as replayed events that concern only this destination, and
// drops the dead letters when that is durable; it returns how many. Each is reported
// as Settled{FromDead, EndDropped, "retransformed"}; a death in between repeats
// them. An event of which code made several goes once. What is not connected any
// more stays, as does what an older version wrote, which kept no originals.
// fault.Invalid: no destination. fault.Unavailable: the partition does not run here.
func (s *Store) Retransform(ctx context.Context, f Filter) (moved int, err error) {
	if s.cfg.Connected == nil || s.cfg.Replay == nil {
		return 0, fault.New(fault.Unavailable, "Nothing takes events from here through their transformations again.")
	}
	return s.RetransformBy(ctx, f, s.cfg.Connected, s.cfg.Replay)
}

// RetransformBy is Retransform with the given functions.
func (s *Store) RetransformBy(ctx context.Context, f Filter, connected func(event.Event) bool, replay func(context.Context, []event.Event) error) (moved int, err error) {
	sent := map[delivery.Ref]struct{}{} // of which code made several
	return s.move(ctx, f, func(r *Record, chosen []int) (int, error) {
		var going []int
		var events []event.Event
		for _, i := range chosen {
			it := &r.Items[i]
			e, ok := it.original()
			if !ok || !connected(e) {
				continue
			}
			going = append(going, i)
			of := delivery.Ref{Frame: it.Delivery.Frame, Index: it.Delivery.Index}
			if _, did := sent[of]; did {
				continue
			}
			if it.Delivery.Output > 0 {
				sent[of] = struct{}{}
			}
			events = append(events, e)
		}
		if len(events) > 0 {
			if err := replay(ctx, events); err != nil {
				return 0, err
			}
		}
		if len(going) == 0 {
			return 0, nil
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropLast)
		defer cancel()
		if err := s.drop(last, f.Destination, r, going, delivery.CodeRetransformed); err != nil {
			return 0, err
		}
		return len(going), nil
	})
}

// original is the event as it was before transformations, to be sent again;
// false: it is not known.
func (it *Item) original() (event.Event, bool) {
	e := it.Delivery.Event
	if it.old {
		return e, false
	}
	if it.Delivery.Original != nil {
		var parser event.Parser
		parser.Begin(event.Stamp{ReceivedAt: e.ReceivedAt}, nil, len(it.Delivery.Original), 1)
		parsed, code := parser.Event(it.Delivery.Original)
		if code != "" {
			return e, false
		}
		parsed.Workspace, parsed.Source = e.Workspace, e.Source
		e = parsed
	}
	e.Destination, e.Replayed = it.Delivery.Destination, true
	return e, true
}
