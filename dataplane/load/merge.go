package load

import (
	"context"
	"errors"
	"fmt"

	"weir/dataplane/load/columns"
	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
)

// merge brings every staged table into the warehouse.
func (l *loader) merge(ctx context.Context, job Job, m *manifest) (err error) {
	w, err := l.open(ctx, job)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, warehouse.Fail(warehouse.CodeFailed, w.Close())) }()
	for i, t := range m.Tables {
		l.change(func(x *Load) { x.Tables[i].State = Merging })
		w.rows = t.Rows
		if err := l.named(ctx, w, job, i, &t); err != nil {
			return err
		}
		target, err := columns.Evolve(ctx, w, t, job.Layout.MaxName)
		if err != nil {
			return err
		}
		if err := l.reach(StepAltered); err != nil {
			return err
		}
		var files []warehouse.Staged
		for _, f := range t.Files {
			files = append(files, warehouse.Staged{Ref: f.Ref, Columns: f.Columns})
		}
		if _, err := w.Merge(ctx, target, files); err != nil {
			return fmt.Errorf("merge table %s: %w", t.Name, err)
		}
		if err := l.reach(StepMerged); err != nil {
			return err
		}
		l.change(func(x *Load) { x.Tables[i].State = Done })
	}
	return nil
}

// named gives a staged table the name of the table that its rows go into.
func (l *loader) named(ctx context.Context, w warehouse.Warehouse, job Job, i int, t *stage.Table) error {
	name, known := l.names[t.Name]
	if !known {
		var sure bool
		var err error
		name, sure, err = columns.Named(ctx, w, *t, func(event string) string { return job.Layout.Table(event, &job.Options).Out })
		if err != nil {
			return err
		}
		if sure && t.Shared != "" {
			l.names[t.Name] = name
		}
	}
	t.Name = name
	l.change(func(x *Load) { x.Tables[i].Name, x.Tables[i].Event = name, t.Event })
	return nil
}
