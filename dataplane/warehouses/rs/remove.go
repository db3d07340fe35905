package rs

import (
	"context"
	"time"

	"weir/dataplane/warehouse/removal"
)

// Tables implements removal.Lister.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	found, err := w.ask(ctx, "select table_name from svv_tables where table_type = 'BASE TABLE' and table_schema = "+text(w.settings.Schema))
	for _, t := range found {
		names = append(names, t[0])
	}
	return names, err
}

// Remove implements removal.Remover.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	if err := w.make(ctx); err != nil {
		return err
	}
	return w.transact(ctx, "begin", statementTime, func() error { return w.run(ctx, "delete from "+w.table(table)+" where "+condition) })
}

// Moment implements removal.Remover.
func (w *connection) Moment(t time.Time) string { return removal.Moment(t) }
