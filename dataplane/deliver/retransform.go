package deliver

import (
	"context"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/queue"
)

// dropLast is how long it may take to drop what was sent from its original, also
// when whoever asked went away meanwhile: else it would be sent twice.
const dropLast = 10 * time.Second

// Retransform hands the originals of the selected dead letters of f.Destination
// to again, as replayed events that concern only this destination, and drops the
// dead letters when that is durable; it returns how many. Each is reported as
// Settled{FromDead, EndDropped, "retransformed"}; a death in between repeats
// them. An event of which code made several goes once. What way does not admit
// stays, as does what an older version wrote, which kept no originals.
// fault.Invalid: no destination.
func (l *Lanes) Retransform(ctx context.Context, f Filter, way func(event.Event) bool, again func(context.Context, []event.Event) error) (moved int, err error) {
	ln := l.lane(f.Destination)
	if err := acquire(ctx, l.moving); err != nil {
		return 0, err
	}
	defer func() { l.moving <- struct{}{} }()
	sent := map[delivery.Ref]struct{}{} // of which code made several
	err = l.letters(ctx, f, 1, func(rec queue.Record, all []item, chosen []int) (bool, error) {
		var going []int
		var events []event.Event
		for _, i := range chosen {
			e, ok := all[i].original()
			if !ok || !way(e) {
				continue
			}
			going = append(going, i)
			of := delivery.Ref{Frame: all[i].d.Frame, Index: all[i].d.Index}
			if _, did := sent[of]; did {
				continue
			}
			if all[i].d.Output > 0 {
				sent[of] = struct{}{}
			}
			events = append(events, e)
		}
		if len(events) > 0 {
			if err := again(ctx, events); err != nil {
				return false, err
			}
		}
		if len(going) == 0 {
			return true, nil
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropLast)
		defer cancel()
		if err := l.drop(last, f.Destination, rec.Seq, all, going, delivery.CodeRetransformed); err != nil {
			return false, err
		}
		moved += len(going)
		return true, nil
	})
	if moved > 0 {
		l.sweepLater(ln)
	}
	return moved, err
}

// original is the event as it was before transformations, to be sent again;
// false: it is not known.
func (it *item) original() (event.Event, bool) {
	e := it.d.Event
	if it.old {
		return e, false
	}
	if it.d.Original != nil {
		var parser event.Parser
		parser.Begin(event.Stamp{ReceivedAt: e.ReceivedAt}, nil, len(it.d.Original), 1)
		parsed, code := parser.Event(it.d.Original)
		if code != "" {
			return e, false
		}
		parsed.Workspace, parsed.Source = e.Workspace, e.Source
		e = parsed
	}
	e.Destination, e.Replayed = it.d.Destination, true
	return e, true
}
