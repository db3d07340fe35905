package bq

import (
	"context"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
)

// Remove implements removal.Remover. Time travel keeps the rows for up to seven days. Rows
// that came within the last half hour by the streaming interface cannot be deleted; loads
// do not use it.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	return failure(warehouse.CodeFailed, w.api.run(ctx, "delete from "+w.within(table)+" where "+condition, statementTime, nil))
}

// Moment implements removal.Remover.
func (w *connection) Moment(t time.Time) string { return "timestamp " + removal.Moment(t) }
