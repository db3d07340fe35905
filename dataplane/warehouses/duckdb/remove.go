package duckdb

import (
	"context"
	"errors"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
)

// Tables implements removal.Lister.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	if err := w.connect(ctx, loading); err != nil {
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
	if err := w.connect(ctx, loading); err != nil {
		return err
	}
	_, err := w.db.ExecContext(ctx, "delete from "+w.table(table)+" where "+condition)
	return failure(warehouse.CodeFailed, err)
}

// Moment implements removal.Remover.
func (w *connection) Moment(t time.Time) string { return "timestamptz " + removal.Moment(t) }
