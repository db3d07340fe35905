package plan

import (
	"context"
	"errors"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/warehouse"
)

// nothing is what a destination refuses that takes all events.
func nothing(event.Event) string { return "" }

// written is what loads work with of a destination whose events wait in STAGE until it
// is time to write them.
func written(o destination.Opened) warehouse.Opened {
	return warehouse.Opened{SyncEvery: o.Limits.Interval, Open: func(ctx context.Context, d warehouse.Deps) (warehouse.Warehouse, error) {
		sink, err := o.Sink(ctx, destination.Deps{Dial: d.Dial, Machine: d.Machine, Now: d.Now, Log: d.Log})
		if err != nil {
			return nil, failed(destination.Wrote(1, nil, err)[0])
		}
		return &batches{sink: sink, most: o.Limits.BatchBytes}, nil
	}}
}

// batches is a destination that has no tables: it is a batches.Writer of loads.
type batches struct {
	sink destination.Sink
	most int64
}

// MostBytes implements batches.Writer.
func (b *batches) MostBytes() int64 { return b.most }

// WriteBatch implements batches.Writer.
func (b *batches) WriteBatch(ctx context.Context, name string, at time.Time, events []event.Event) (refused []event.Event, err error) {
	batch := destination.Batch{Name: name, Now: at, Items: make([]destination.Item, len(events))}
	for i, e := range events {
		batch.Items[i] = destination.Item{Event: e, Attempt: 1}
	}
	verdicts, err := b.sink.Write(ctx, batch)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	for _, v := range destination.Wrote(len(events), verdicts, err) {
		switch v.Outcome {
		case destination.Retry:
			return nil, failed(v)
		case destination.Dropped, destination.Dead:
			e := events[v.Item]
			e.Quarantine, e.Detail = "row_refused", v.Code+": "+v.Detail
			refused = append(refused, e)
		}
	}
	return refused, nil
}

// failed is the failure of a load that a verdict tells.
func failed(v destination.Verdict) error {
	code := warehouse.CodeFailed
	switch v.Code {
	case "egress_denied", "dns", "refused", "tls", "network", "timeout":
		code = warehouse.CodeUnreachable
	case "rejected_401", "rejected_403":
		code = warehouse.CodeAuth
	}
	text := v.Code
	if v.Detail != "" {
		text += ": " + v.Detail
	}
	return warehouse.Fail(code, errors.New(text))
}

// Test implements warehouse.Warehouse. A sink that has no test of its own was reached when
// it was opened.
func (b *batches) Test(ctx context.Context) error {
	if own, ok := b.sink.(interface{ Test(context.Context) error }); ok {
		return warehouse.Fail(warehouse.CodeUnreachable, own.Test(ctx))
	}
	return nil
}

// Close implements warehouse.Warehouse.
func (b *batches) Close() error { return b.sink.Close() }

// errTables says why there is nothing to ask or to change.
var errTables = errors.New("this destination has no tables")

// Schema implements warehouse.Warehouse.
func (b *batches) Schema(context.Context, []string) (warehouse.Schema, error) {
	return nil, warehouse.Fail(warehouse.CodeUnsupported, errTables)
}

// Alter implements warehouse.Warehouse.
func (b *batches) Alter(context.Context, []warehouse.Change) error {
	return warehouse.Fail(warehouse.CodeUnsupported, errTables)
}

// Merge implements warehouse.Warehouse.
func (b *batches) Merge(context.Context, warehouse.Table, []warehouse.Staged) (warehouse.Merged, error) {
	return warehouse.Merged{}, warehouse.Fail(warehouse.CodeUnsupported, errTables)
}

// Query implements warehouse.Warehouse.
func (b *batches) Query(context.Context, string, func([]byte) error) error {
	return warehouse.Refuse(warehouse.CodeUnsupported, errTables)
}

// Exec implements warehouse.Warehouse.
func (b *batches) Exec(context.Context, []string) (int64, error) {
	return 0, warehouse.Refuse(warehouse.CodeUnsupported, errTables)
}
