package plan

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/id"
)

// staged is a destination whose deliveries end in the plane's own STAGE log: a
// warehouse, whose load takes them from there. refuses returns the code of an
// event that is dropped instead, "" for none. Order among deliveries means
// nothing to a load, so they go in batches as large as they come.
func staged(d id.Destination, refuses func(event.Event) (code string)) destination.Opened {
	return destination.Opened{
		Staged: true,
		Sink: func(_ context.Context, deps destination.Deps) (destination.Sink, error) {
			if deps.Stage == nil {
				return nil, fault.New(fault.Internal, "destination.Deps.Stage is required for warehouses")
			}
			return stage{d, refuses, deps}, nil
		},
		Limits: destination.Limits{Concurrency: 1, BatchSize: 1000, BatchWait: 100 * time.Millisecond, Timeout: 30 * time.Second},
	}
}

// stage is the destination.Sink of a warehouse.
type stage struct {
	id      id.Destination
	refuses func(event.Event) (code string)
	deps    destination.Deps
}

func (s stage) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	events := make([]event.Event, 0, len(b.Items))
	verdicts := make([]destination.Verdict, len(b.Items))
	names := deliveries(b.Items)
	for i, it := range b.Items {
		if code := s.refuses(it.Event); code != "" {
			verdicts[i] = destination.Verdict{Item: i, Outcome: destination.Dropped, Code: code}
			continue
		}
		it.Event.Delivery = names[i]
		events = append(events, it.Event)
		verdicts[i] = destination.Verdict{Item: i, Outcome: destination.Delivered}
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

// deliveries returns the names of items' deliveries in their partition, the same each
// time. All are parts of one text.
func deliveries(items []destination.Item) []string {
	var all []byte
	ends := make([]int, len(items))
	for i := range items {
		r := &items[i].Ref
		all = strconv.AppendUint(all, r.Frame, 36)
		all = strconv.AppendUint(append(all, '.'), uint64(r.Index), 36)
		all = strconv.AppendUint(append(all, '.'), uint64(r.Output), 36)
		ends[i] = len(all)
	}
	text, names, from := string(all), make([]string, len(items)), 0
	for i, end := range ends {
		names[i], from = text[from:end], end
	}
	return names
}
