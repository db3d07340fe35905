package load

import (
	"context"
	"errors"
	"fmt"

	"weir/dataplane/load/columns"
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
