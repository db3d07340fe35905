package clickhouse

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/warehouse"
	"weir/shared/delay"
)

// Tables implements removal.Lister: tables that can delete rows, but for those of merges.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	q := fmt.Sprintf("select name from system.tables where database = %s and endsWith(engine, 'MergeTree') and position(name, 'weir_rows_') != 1", text(w.database))
	err = w.api.rows(ctx, q, large(), func(_ []field, v []any) error {
		names = append(names, fmt.Sprint(v[0]))
		return nil
	})
	return names, failure(warehouse.CodeFailed, err)
}

// Remove implements removal.Remover. It waits until the server has written the table's
// parts anew, with what else it was told to delete from it.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	if err := w.api.run(ctx, "alter table "+w.at(table)+" delete where "+condition, ""); err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	q := fmt.Sprintf("select count() from system.mutations where database = %s and table = %s and is_done = 0", text(w.database), text(table))
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		n, err := w.api.count(ctx, q)
		if err != nil || n == 0 {
			return failure(warehouse.CodeFailed, err)
		}
		if !delay.For(ctx, wait) {
			return warehouse.Fail(warehouse.CodeSlow, context.Cause(ctx))
		}
	}
}

// Moment implements removal.Remover: columns are texts that sort as times do.
func (w *connection) Moment(t time.Time) string {
	return "'" + t.UTC().Format("2006-01-02T15:04:05.000Z") + "'"
}
