package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/texts"
)

// idBytes is how many bytes of ids one statement takes.
const idBytes = 1 << 20

// lookUp makes the planner look each id up in the index, whatever the table's
// size: a plan that does not know how many ids there are takes them for few. A
// just-in-time compiled one takes longer to compile than to run.
const lookUp = `select set_config(name, case name when 'jit' then 'off' else 'force_generic_plan' end, true)
	from pg_settings where name in ('jit', 'plan_cache_mode')`

// replace deletes the rows whose ids are in those rows of files that t has, and
// finds the newest of each.
func replace(ctx context.Context, tx pgx.Tx, blobs blob.Store, table string, t warehouse.Table, files []warehouse.Staged) (*texts.Newest, error) {
	if _, err := tx.Exec(ctx, lookUp); err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	q := fmt.Sprintf(`delete from %s t using unnest($1::text[]) u(id) where t."id" = u.id`, table)
	var ids []string
	held := 0
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		_, err := tx.Exec(ctx, q, ids)
		ids, held = ids[:0], 0
		return failure(warehouse.CodeFailed, err)
	}
	n, err := texts.NewestOf(ctx, blobs, t, files, func(id string) error {
		if ids, held = append(ids, id), held+len(id); held >= idBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return n, flush()
}
