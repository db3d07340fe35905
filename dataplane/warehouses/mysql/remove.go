package mysql

import (
	"context"
	"errors"
	"time"

	"weir/dataplane/warehouse"
)

// Tables implements removal.Lister.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	rows, err := w.conn.QueryContext(ctx, "select table_name from information_schema.tables where table_schema = database() and table_type in ('BASE TABLE', 'SYSTEM VERSIONED')")
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	for rows.Next() {
		var name string
		if err = rows.Scan(&name); err != nil {
			break
		}
		names = append(names, name)
	}
	return names, failure(warehouse.CodeFailed, errors.Join(err, rows.Err(), rows.Close()))
}

// Remove implements removal.Remover.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = w.conn.ExecContext(ctx, "delete from "+quote(table)+" where "+condition)
	return w.denied(ctx, failure(warehouse.CodeFailed, err))
}

// Moment implements removal.Remover: columns are in UTC.
func (w *connection) Moment(t time.Time) string {
	return "'" + t.UTC().Format("2006-01-02 15:04:05.000") + "'"
}
