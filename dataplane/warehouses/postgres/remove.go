package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
	"weir/dataplane/warehouses/postgres/session"
)

// Tables implements removal.Lister. Parts of a table are not listed beside it.
func (w *connection) Tables(ctx context.Context) ([]string, error) {
	rows, err := w.conn.Query(ctx, `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition`, w.schema)
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return names, failure(warehouse.CodeFailed, err)
}

// Remove implements removal.Remover.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	tx, err := w.write(ctx, session.Transaction{})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	if _, err := tx.Exec(ctx, "delete from "+w.table(table)+" where "+condition); err != nil {
		return w.denied(ctx, failure(warehouse.CodeFailed, err))
	}
	return failure(warehouse.CodeFailed, tx.Commit(ctx))
}

// Moment implements removal.Remover.
func (w *connection) Moment(t time.Time) string { return removal.Moment(t) }
