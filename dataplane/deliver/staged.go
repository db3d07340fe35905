package deliver

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/live"
	"weir/shared/fault"
	"weir/shared/id"
)

// Staged is a destination whose deliveries end in the plane's own STAGE log: a
// warehouse, whose load takes them from there. refuses returns the code of an
// event that is dropped instead, "" for none. Order among deliveries means
// nothing to a load, so they go in batches as large as they come.
func Staged(d id.Destination, refuses func(event.Event) (code string)) Opened {
	return Opened{
		Staged: true,
		Sink: func(_ context.Context, deps Deps) (Sink, error) {
			if deps.Stage == nil {
				return nil, fault.New(fault.Internal, "deliver.Deps.Stage is required for warehouses")
			}
			return stage{d, refuses, deps}, nil
		},
		Limits: Limits{Concurrency: 1, BatchSize: 1000, BatchWait: 100 * time.Millisecond, Timeout: 30 * time.Second},
	}
}

// stage is the Sink of a warehouse.
type stage struct {
	id      id.Destination
	refuses func(event.Event) (code string)
	deps    Deps
}

func (s stage) Write(ctx context.Context, b Batch) ([]Verdict, error) {
	events := make([]event.Event, 0, len(b.Items))
	verdicts := make([]Verdict, len(b.Items))
	for i, it := range b.Items {
		if code := s.refuses(it.Event); code != "" {
			verdicts[i] = Verdict{Item: i, Outcome: Dropped, Code: code}
			continue
		}
		events = append(events, it.Event)
		verdicts[i] = Verdict{Item: i, Outcome: Delivered}
	}
	if len(events) == 0 {
		return verdicts, nil
	}
	if err := s.deps.Stage(ctx, s.id, events); err != nil {
		return nil, fmt.Errorf("stage for %s: %w", s.id, err)
	}
	return verdicts, nil
}

func (s stage) Close() error { return nil }

// show shows a result to who watches.
func (ln *lane) show(d *Delivery, r result) {
	stage, outcome := live.Deliver, live.Retrying
	switch r.outcome {
	case Delivered:
		if outcome = live.Delivered; ln.target != nil && ln.target.Staged {
			stage, outcome = live.Load, live.Staged
		}
	case Dropped:
		outcome = live.Dropped
	case Dead:
		outcome = live.Dead
	}
	ln.l.see(d, stage, outcome, r.code)
}

// see shows a delivery to who watches its workspace.
func (l *Lanes) see(d *Delivery, stage live.Stage, outcome live.Outcome, code string) {
	e := &d.Event
	if !l.cfg.Live.Watching(e.Workspace) {
		return
	}
	l.cfg.Live.See(live.Sighting{
		At: time.Now(), Workspace: e.Workspace, Source: e.Source, Destination: d.Destination, MessageID: e.MessageID,
		Stage: stage, Outcome: outcome, Code: code, Event: e.JSON,
	})
}
