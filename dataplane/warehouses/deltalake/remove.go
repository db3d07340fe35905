package deltalake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/warehouse/removal"
)

// Tables implements removal.Lister.
func (w *connection) Tables(ctx context.Context) (names []string, err error) {
	found, err := w.ask(ctx, fmt.Sprintf("select table_name from %s.information_schema.tables where table_type in ('MANAGED', 'EXTERNAL') and table_schema = %s", quote(w.settings.Catalog), text(strings.ToLower(w.settings.Schema))))
	for _, t := range found {
		names = append(names, strings.ToLower(t[0]))
	}
	return names, err
}

// Remove implements removal.Remover. Files hold the rows until VACUUM removes them, after the
// table's delta.deletedFileRetentionDuration.
func (w *connection) Remove(ctx context.Context, table, condition string) error {
	return w.run(ctx, "delete from "+w.within(table)+" where "+condition)
}

// Moment implements removal.Remover.
func (w *connection) Moment(t time.Time) string { return "timestamp" + removal.Moment(t) }
