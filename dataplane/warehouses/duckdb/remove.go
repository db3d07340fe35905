//go:build !noduckdb

package duckdb

import (
	"context"
	"errors"
	"os"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
	"weir/dataplane/warehouses/duckdb/rewrite"
	"weir/shared/worker"
)

// Tables implements removal.Lister.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	if err := w.connect(ctx, mending); err != nil {
		return nil, err
	}
	rows, err := w.db.QueryContext(ctx, `select lower(table_name) from duckdb_tables() where database_name = current_database() and lower(schema_name) = lower(?) and not temporary`, w.schema)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	for rows.Next() {
		var name string
		if err = rows.Scan(&name); err != nil {
			break
		}
		names = append(names, name)
	}
	return names, warehouse.Fail(warehouse.CodeFailed, errors.Join(err, rows.Err(), rows.Close()))
}

// Remove implements removal.Remover.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	if err := w.connect(ctx, mending); err != nil {
		return err
	}
	if err := rewrite.Mark(w.path); err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	_, err := w.db.ExecContext(ctx, "delete from "+w.table(table)+" where "+condition)
	return failure(warehouse.CodeFailed, err)
}

// Moment implements removal.Remover.
func (w *connection) Moment(t time.Time) string { return "timestamptz " + removal.Moment(t) }

// Rewrite implements removal.Rewriter: a process copies the file, and the copy takes its place
// here, where nobody else has the file meanwhile.
func (w *connection) Rewrite(ctx context.Context, anyway bool) error {
	if _, err := os.Stat(w.path); err != nil {
		return nil //nolint:nilerr // nothing was loaded
	}
	if anyway {
		if err := rewrite.Mark(w.path); err != nil {
			return err
		}
	}
	if !rewrite.Marked(w.path) {
		return nil
	}
	if err := rewrite.Room(w.path); err != nil {
		return err
	}
	if _, err := w.ask(ctx, request{Copy: true}, func([]byte) error { return worker.ErrFrame }); err != nil {
		return errors.Join(err, rewrite.Clear(w.path))
	}
	return rewrite.Replace(w.path)
}
