package dataplane

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/guard"
	"weir/dataplane/layout"
	"weir/dataplane/pipeline"
	"weir/dataplane/quarantine"
	"weir/dataplane/transform"
	"weir/dataplane/view"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// eyes is the view's configuration: what a browser or a command line may see of
// this plane.
//
// again takes events that are replayed, as the gateway's are taken.
func (d *DataPlane) eyes(g *guard.Guard, again func(context.Context, []event.Event) error) view.Config {
	cfg := view.Config{
		Plane: d.plane.Plane, Key: d.plane.CapabilityKey, Origins: d.plane.Origins, Guard: g, Plans: &d.plans, Rows: d.rows,
		Live: &d.live, Replay: again, Previews: view.Previews{Destination: previewDraft, Transformation: d.previewCode}, Warehouses: loads{d}, Dial: d.dialer(g), Healthy: d.ready, Log: d.cfg.Log,
	}
	for _, p := range d.partitions {
		cfg.Dead = append(cfg.Dead, func() (view.Dead, error) { return p.parked() })
		cfg.Parked = append(cfg.Parked, parkedShelf{p})
		cfg.Quarantine = append(cfg.Quarantine, quarantineShelf{p})
		cfg.Broken = append(cfg.Broken, quarantineMoves{p, again})
	}
	return cfg
}

// shelfEvents is how many held events one read of a log gives at most: they may
// be of a mebibyte each.
const shelfEvents = 32

// parkedShelf is a partition's parked events.
type parkedShelf struct{ *partition }

// List lists those that are not settled.
func (s parkedShelf) List(ctx context.Context, f view.HeldFilter, after delivery.Place, events, bytes int) ([]view.Held, delivery.Place, error) {
	store, err := s.parked()
	if err != nil {
		return nil, delivery.Place{}, err
	}
	found, next, err := store.Waiting(ctx, f.Workspace, f.Destination, after, events, bytes)
	held := make([]view.Held, len(found))
	for i, w := range found {
		held[i] = view.Held{Place: w.Place, Destination: w.Delivery.Destination, At: w.At, Event: w.Delivery.Event}
	}
	return held, next, err
}

// quarantineShelf is a partition's quarantined events.
type quarantineShelf struct{ *partition }

// List reads the log beside whoever owns the partition.
func (s quarantineShelf) List(ctx context.Context, f view.HeldFilter, after delivery.Place, events, _ int) ([]view.Held, delivery.Place, error) {
	last := s.last()
	if last == nil {
		return nil, delivery.Place{}, fault.New(fault.Unavailable, "Partition %d does not run at the moment.", s.number)
	}
	events = min(events, shelfEvents)
	found, err := last.Quarantined(ctx, quarantine.Filter{Workspace: f.Workspace, Source: f.Source}, after, events)
	if err != nil {
		return nil, delivery.Place{}, err
	}
	held := make([]view.Held, len(found))
	for i, q := range found {
		held[i] = view.Held{Place: q.Place, Destination: q.Event.Destination, Code: q.Event.Quarantine, At: q.Event.ReceivedAt, Event: q.Event}
	}
	if len(found) < events {
		return held, delivery.Place{}, nil
	}
	return held, found[len(found)-1].Place, nil
}

// quarantineMoves moves a partition's quarantined events.
type quarantineMoves struct {
	*partition
	again func(context.Context, []event.Event) error
}

// Replay sends them through the pipeline again.
func (m quarantineMoves) Replay(ctx context.Context, c view.BrokenChoice, span view.Span) (int, view.Span, error) {
	return m.move(func(now *pipeline.Pipeline) (int, quarantine.Span, error) {
		return now.Replay(ctx, quarantine.Filter(c), quarantine.Span(span), m.again)
	})
}

// Discard removes them.
func (m quarantineMoves) Discard(ctx context.Context, c view.BrokenChoice, span view.Span) (int, view.Span, error) {
	return m.move(func(now *pipeline.Pipeline) (int, quarantine.Span, error) {
		return now.Remove(ctx, quarantine.Filter(c), quarantine.Span(span))
	})
}

// move does one thing at a time: two replays of an event would be two events.
func (m quarantineMoves) move(do func(*pipeline.Pipeline) (int, quarantine.Span, error)) (int, view.Span, error) {
	if !m.moving.TryLock() {
		return 0, view.Span{}, fault.New(fault.Conflict, "Quarantined events of partition %d are being moved already; ask again when that is done.", m.number)
	}
	defer m.moving.Unlock()
	now, err := m.now()
	if err != nil {
		return 0, view.Span{}, err
	}
	n, rest, err := do(now)
	return n, view.Span(rest), err
}

// previewCode runs a draft of a transformation over events. The workers of the
// plane do it, so that an editor cannot start any number of processes.
func (d *DataPlane) previewCode(ctx context.Context, ws id.Workspace, draft view.TransformationDraft) ([]any, error) {
	libraries := make([]transform.Script, len(draft.Libraries))
	for i, l := range draft.Libraries {
		libraries[i] = transform.Script{Name: l.Name, Code: l.Code}
	}
	chain, problems := transform.Compile([]transform.Script{{Name: "draft", Code: draft.Code}}, libraries)
	if err := fault.Problems("The code has problems:", problems); err != nil {
		return nil, err
	}
	texts := make([][]byte, len(draft.Events))
	for i, e := range draft.Events {
		texts[i] = e
	}
	outcomes, err := previewChain(ctx, d.code, chain, transform.Meta{Workspace: ws}, texts, time.Now())
	if err != nil {
		return nil, err
	}
	lines := make([]any, len(outcomes))
	for i, o := range outcomes {
		lines[i] = o
	}
	return lines, nil
}

// previewDraft tells what would be sent for a draft's events now. A secret that
// the kind cannot do without is a word in its place.
func previewDraft(_ context.Context, d view.DestinationDraft) ([]any, error) {
	if _, ok := layout.ByName(d.Type); ok {
		preview, err := OpenWarehousePreview(d.Type, d.Settings, time.Now())
		if err != nil {
			return nil, err
		}
		lines := make([]any, len(d.Events))
		for i, e := range d.Events {
			lines[i] = preview(e)
		}
		return lines, nil
	}
	all := kinds().Destinations
	secrets := map[string]secret.String{}
	if i := slices.IndexFunc(all, func(k destination.Kind) bool { return k.Spec.Name == d.Type }); i >= 0 {
		for _, f := range all[i].Spec.Secrets {
			if f.Required {
				secrets[f.Name] = secret.NewString("secret")
			}
		}
	}
	preview, err := OpenPreview(d.Type, d.Settings, secrets, time.Now())
	if err != nil {
		return nil, err
	}
	lines := make([]any, len(d.Events))
	for i, e := range d.Events {
		lines[i] = preview(e)
	}
	return lines, nil
}
