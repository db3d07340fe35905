package snowflake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/warehouse/removal"
)

// Tables implements removal.Lister.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	found, err := w.ask(ctx, fmt.Sprintf("select table_name from %s.information_schema.tables where table_type = 'BASE TABLE' and table_schema = %s", quote(w.settings.Database), text(strings.ToUpper(w.settings.Schema))))
	for _, t := range found {
		names = append(names, strings.ToLower(t[0]))
	}
	return names, err
}

// Remove implements removal.Remover. Time Travel keeps the rows for as long as the table's
// DATA_RETENTION_TIME_IN_DAYS says.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	return w.run(ctx, "delete from "+w.within(table)+" where "+condition)
}

// Moment implements removal.Remover.
func (w *connection) Moment(t time.Time) string { return removal.Moment(t) }
