package load

import (
	"context"
	"errors"
	"fmt"

	"weir/dataplane/event"
	"weir/dataplane/load/batches"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/history"
	"weir/dataplane/warehouse"
	"weir/shared/durable"
)

// writtenBatches is where a manifest notes which batch is the next one.
const writtenBatches = "batches"

// write brings the events of a manifest to a destination without tables, in batches.
func (l *loader) write(ctx context.Context, job Job, m *disk.Manifest) (err error) {
	put := func() error { return durable.PutJSON(l.path("manifest.json"), m) }
	b := batches.Load{
		Reading: l.reading(m), Name: m.ID + "-" + string(l.dest), At: m.At, Most: l.e.c.MaxEvents, Damaged: l.damaged,
		Note: func(next int64) error {
			m.Progress(writtenBatches, next)
			return warehouse.Fail(warehouse.CodeStage, put())
		},
		Refused: func(ctx context.Context, partition int, events []event.Event) error {
			if l.e.c.Refused == nil {
				return nil
			}
			for i := range events {
				events[i].Destination = job.Destination
			}
			return l.e.c.Refused(ctx, partition, events)
		},
	}
	if !m.Staged {
		if m.Full, err = b.Bound(ctx); err == nil {
			m.Staged, m.Format = true, disk.ManifestFormat
			err = put()
		}
		if err != nil {
			return warehouse.Fail(warehouse.CodeStage, err)
		}
	}
	if err := l.reach(StepStaged); err != nil {
		return err
	}
	l.history.Change(func(x *history.Load) { x.State = history.Merging })
	w, err := l.pace.Open(ctx, job.Open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, warehouse.Fail(warehouse.CodeFailed, w.Close())) }()
	to, ok := w.Warehouse.(batches.Writer)
	if !ok {
		return &warehouse.Failure{Code: warehouse.CodeUnsupported, Err: fmt.Errorf("no layout for warehouses of type %s", job.Type)}
	}
	b.Step = func(ctx context.Context, rows int64, do func(context.Context) error) error {
		w.Rows = rows
		if err := w.Step(ctx, do); err != nil {
			return err
		}
		return l.reach(StepMerged)
	}
	done, err := b.Write(ctx, to, m.Merged[writtenBatches])
	l.history.Change(func(x *history.Load) { x.Rows, x.Refused = done.Events, done.Refused })
	return err
}
