package mssql

import (
	"context"
	"time"

	"weir/dataplane/warehouse"
)

// Tables implements removal.Lister.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	err = w.ask(ctx, "select o.name from sys.objects o where o.schema_id = schema_id("+text(w.settings.Schema)+") and o.type = N'U'", func(row []any) error {
		names = append(names, textOf(row[0]))
		return nil
	})
	return names, err
}

// Remove implements removal.Remover.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	defer w.bound(ctx)()
	return w.transact(ctx, func() error {
		return w.denied(ctx, w.run(ctx, warehouse.CodeFailed, "delete from "+w.within(table)+" where "+condition))
	})
}

// Moment implements removal.Remover: ISO 8601 is the form that reads the same in every
// language of a session.
// Source: https://learn.microsoft.com/en-us/sql/t-sql/data-types/datetimeoffset-transact-sql
func (w *connection) Moment(t time.Time) string {
	return "'" + t.UTC().Format("2006-01-02T15:04:05.000") + "+00:00'"
}
