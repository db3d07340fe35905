package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouses/postgres/session"
)

// maxColumns is how many columns a table may ever have had; Postgres counts
// dropped ones too, up to 1,600.
const maxColumns = 1590

type connection struct {
	conn   *pgx.Conn
	schema string
	blobs  blob.Store
	made   bool // the schema is there
}

func (w *connection) table(name string) string { return quote(w.schema) + "." + quote(name) }

// begin begins a transaction. What it fails at holds up every table.
func (w *connection) begin(ctx context.Context, t session.Transaction) (pgx.Tx, error) {
	tx, err := session.Begin(ctx, w.conn, t)
	if err != nil {
		return nil, refusal.Wrap(refusal.Warehouse, failure(warehouse.CodeUnreachable, err))
	}
	return tx, nil
}

// write begins a transaction that may change the schema, which it makes before. Nobody
// else changes it until the end: but for what people do by hand, one transaction at a
// time does.
func (w *connection) write(ctx context.Context, t session.Transaction) (pgx.Tx, error) {
	t.Lock = "weir:" + w.schema
	if !w.made {
		if err := w.make(ctx, t); err != nil {
			return nil, refusal.Wrap(refusal.Warehouse, err)
		}
		w.made = true
	}
	return w.begin(ctx, t)
}

// make makes the schema when it is not there.
func (w *connection) make(ctx context.Context, t session.Transaction) error {
	tx, err := w.begin(ctx, t)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	var there bool
	if err := tx.QueryRow(ctx, "select exists(select from pg_namespace where nspname = $1)", w.schema).Scan(&there); err != nil || there {
		return failure(warehouse.CodeFailed, err)
	}
	if _, err := tx.Exec(ctx, "create schema if not exists "+quote(w.schema)); err != nil {
		return failure(warehouse.CodeSchema, err)
	}
	return failure(warehouse.CodeFailed, tx.Commit(ctx))
}

// Schema implements warehouse.Warehouse.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	out := warehouse.Schema{}
	taken, err := w.taken(ctx, tables)
	if err != nil {
		return nil, err
	}
	for _, t := range taken {
		out[t] = warehouse.TableSchema{Taken: true}
	}
	rows, err := w.conn.Query(ctx, `select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attisdropped, a.attlen
		from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relname = any($2) and c.relkind in ('r', 'p') and a.attnum > 0`, w.schema, tables)
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, name, typ string
		var dropped bool
		var length int16
		if err := rows.Scan(&table, &name, &typ, &dropped, &length); err != nil {
			return nil, failure(warehouse.CodeFailed, err)
		}
		s, ok := out[table]
		if !ok {
			s = warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns, RowRoom: rowBytes}
		}
		s.Room--
		if !dropped {
			s.RowRoom -= mostBytes(length) // bytes, until all columns are known
			s.Columns[name] = warehouse.Column{Type: columnType(name, typ), Native: typ}
		}
		out[table] = s
	}
	for table, s := range out {
		s.RowRoom = min(s.Room, s.RowRoom/pointerBytes)
		out[table] = s
	}
	return out, failure(warehouse.CodeFailed, rows.Err())
}

// taken returns those of tables whose name something else has: a view, an index, a
// sequence, a foreign table, or a type, which each table has too.
func (w *connection) taken(ctx context.Context, tables []string) ([]string, error) {
	rows, err := w.conn.Query(ctx, `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relname = any($2) and c.relkind not in ('r', 'p')
		union select t.typname from pg_type t join pg_namespace n on n.oid = t.typnamespace
		where n.nspname = $1 and t.typname = any($2) and t.typrelid = 0 and t.typcategory <> 'A'`, w.schema, tables)
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return names, failure(warehouse.CodeFailed, err)
}

// Alter implements warehouse.Warehouse.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	return w.denied(ctx, w.alter(ctx, changes))
}

// denied gives a missing right the scope of one table when the schema has another
// one in which this user may write.
func (w *connection) denied(ctx context.Context, err error) error {
	var p *pgconn.PgError
	if !errors.As(err, &p) || p.Code != insufficientPrivilege {
		return err
	}
	var others bool
	q := `select has_schema_privilege(n.oid, 'usage') and exists(select from pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'p')
		and has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'delete')) from pg_namespace n where n.nspname = $1`
	if w.conn.QueryRow(ctx, q, w.schema).Scan(&others) != nil || !others { // nothing is known, or nothing is allowed
		return err
	}
	return warehouse.Fail(warehouse.CodeAuth, refusal.Wrap(refusal.Table, p))
}

func (w *connection) alter(ctx context.Context, changes []warehouse.Change) error {
	tx, err := w.write(ctx, session.Transaction{})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	var columns map[string]string
	for i, c := range changes {
		if i == 0 || c.Table != changes[i-1].Table {
			if columns, err = w.types(ctx, tx, c.Table); err != nil {
				return err
			}
		}
		is, err := done(columns, c)
		if err == nil && !is {
			err = w.change(ctx, tx, c)
		}
		if err != nil {
			return err
		}
	}
	return failure(warehouse.CodeSchema, tx.Commit(ctx))
}

func (w *connection) change(ctx context.Context, tx pgx.Tx, c warehouse.Change) error {
	table := w.table(c.Table)
	if c.From == "int" && c.To == "float" {
		var wide bool
		q := fmt.Sprintf("select coalesce(max(%[1]s) > 9007199254740992 or min(%[1]s) < -9007199254740992, false) from %[2]s", quote(c.Column), table)
		if err := tx.QueryRow(ctx, q).Scan(&wide); err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		if wide {
			c.To = "string"
		}
	}
	if _, err := tx.Exec(ctx, alter(table, c)); err != nil {
		return failure(warehouse.CodeSchema, err)
	}
	if c.Column == "" { // hash: it takes ids of any length
		_, err := tx.Exec(ctx, fmt.Sprintf(`create index on %s using hash ("id")`, table))
		return failure(warehouse.CodeSchema, err)
	}
	return nil
}

// types returns the columns of a table with their types as the server has them; nil
// when it is not there.
func (w *connection) types(ctx context.Context, tx pgx.Tx, table string) (map[string]string, error) {
	rows, err := tx.Query(ctx, `select coalesce(a.attname, ''), coalesce(format_type(a.atttypid, a.atttypmod), '')
		from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`, w.schema, table)
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	defer rows.Close()
	var all map[string]string
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			return nil, failure(warehouse.CodeFailed, err)
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = typ
	}
	return all, failure(warehouse.CodeFailed, rows.Err())
}

// done says whether somebody made a change to a table with these columns since it was
// read. It is refusal.Busy when somebody made another one: the table has to be read
// again, or a column would become narrower.
func done(columns map[string]string, c warehouse.Change) (bool, error) {
	typ, there := columns[c.Column]
	switch {
	case c.Column == "":
		return columns != nil, nil
	case !there && c.From == "", there && c.From != "" && columnType(c.Column, typ) == c.From:
		return false, nil
	case there && typ == native(c.To):
		return true, nil
	}
	err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, c.Table)
	return false, warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
}

// Merge implements warehouse.Warehouse.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	m, err := w.merge(ctx, t, files)
	return m, w.denied(ctx, err)
}

func (w *connection) merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	tx, err := w.write(ctx, session.Transaction{})
	if err != nil {
		return warehouse.Merged{}, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	var m warehouse.Merged
	l := shape(t)
	if err := l.measure(ctx, tx, w.table(t.Name)); err != nil {
		return warehouse.Merged{}, err
	}
	if t.Keep {
		m.Rows, err = w.keep(ctx, tx, t, l, files)
	} else {
		m.Rows, err = w.replace(ctx, tx, t, l, files)
	}
	if err != nil {
		return warehouse.Merged{}, err
	}
	return m, failure(warehouse.CodeFailed, tx.Commit(ctx))
}

// replace deletes the rows of the files' ids and copies the new ones straight in.
func (w *connection) replace(ctx context.Context, tx pgx.Tx, t warehouse.Table, l *lines, files []warehouse.Staged) (int64, error) {
	n, err := replace(ctx, tx, w.blobs, w.table(t.Name), t, files)
	if err != nil {
		return 0, err
	}
	return w.copy(ctx, fmt.Sprintf("copy %s (%s) from stdin", w.table(t.Name), joined(l.Columns, "?")),
		func(out *bufio.Writer) error {
			return l.write(ctx, w.blobs, out, files, false, func(seq int64) bool { return t.Has(seq) && n.Keep(seq) })
		})
}

// copy runs a COPY with the lines that write makes.
func (w *connection) copy(ctx context.Context, q string, write func(*bufio.Writer) error) (int64, error) {
	r, pipe := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = pipe.CloseWithError(write(bufio.NewWriterSize(pipe, 256<<10))) // always nil
	}()
	tag, err := w.conn.PgConn().CopyFrom(ctx, r, q)
	_ = r.Close() // ends the writer when COPY ended early
	<-done
	return tag.RowsAffected(), failure(warehouse.CodeFailed, err)
}

// keep brings files in through the temporary table weir_staged.
func (w *connection) keep(ctx context.Context, tx pgx.Tx, t warehouse.Table, l *lines, files []warehouse.Staged) (int64, error) {
	defs := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		defs[i] = quote(c) + " " + l.Natives[i]
	}
	create := fmt.Sprintf("create temporary table weir_staged (%s bigint, %s) on commit drop", quote(warehouse.SeqColumn), strings.Join(defs, ","))
	if _, err := tx.Exec(ctx, create); err != nil {
		return 0, failure(warehouse.CodeSchema, err)
	}
	_, err := w.copy(ctx, "copy weir_staged from stdin", func(out *bufio.Writer) error {
		return l.write(ctx, w.blobs, out, files, true, t.Has)
	})
	if err != nil {
		return 0, err
	}
	rows := int64(0)
	for _, q := range statements(w.table(t.Name), t, l) {
		tag, err := tx.Exec(ctx, q)
		if err != nil {
			return 0, failure(warehouse.CodeFailed, err)
		}
		rows = tag.RowsAffected()
	}
	return rows, nil
}

// statements bring weir_staged into a table whose rows keep what a newer write
// does not have. Of each column the newest value counts, together with what its
// sibling has then.
func statements(table string, t warehouse.Table, l *lines) []string {
	seq, all := quote(warehouse.SeqColumn), joined(l.Columns, "?")
	sibling := map[string]string{}
	for _, c := range t.Columns {
		if c.Raw != "" && !c.Over {
			sibling[c.Name] = c.Raw
			if slices.Contains(l.Columns, c.Raw) {
				sibling[c.Raw] = c.Name
			}
		}
	}
	var best, set []string
	for _, c := range l.Columns {
		q, other := quote(c), sibling[c]
		paired := slices.Contains(l.Columns, other)
		switch {
		case c == "id":
			best = append(best, q)
		case c == t.More:
			best = append(best, fmt.Sprintf(`(select jsonb_object_agg(e.key, e.value order by m.%[1]s)::text from weir_staged m, jsonb_each(m.%[2]s::jsonb) e where m."id" = o."id") as %[2]s`, seq, q))
			set = append(set, fmt.Sprintf(`%[1]s = coalesce((case when t.%[1]s is null then '{}' when left(t.%[1]s, 1) = '{' then t.%[1]s::jsonb else jsonb_build_object('%[2]s', t.%[1]s) end || s.%[1]s::jsonb)::text, t.%[1]s)`, q, warehouse.MoreColumn))
		case paired:
			when := fmt.Sprintf("%s is not null or %s is not null", q, quote(other))
			best = append(best, fmt.Sprintf("(array_agg(%[1]s order by %[2]s desc) filter (where %[3]s))[1] as %[1]s", q, seq, when))
			set = append(set, fmt.Sprintf("%[1]s = case when s.%[1]s is not null or s.%[2]s is not null then s.%[1]s else t.%[1]s end", q, quote(other)))
		default:
			best = append(best, fmt.Sprintf("(array_agg(%[1]s order by %[2]s desc) filter (where %[1]s is not null))[1] as %[1]s", q, seq))
			set = append(set, fmt.Sprintf("%[1]s = coalesce(s.%[1]s, t.%[1]s)", q))
			if other != "" {
				set = append(set, fmt.Sprintf("%[2]s = case when s.%[1]s is null then t.%[2]s end", q, quote(other)))
			}
		}
	}
	out := []string{fmt.Sprintf(`create temporary table weir_best on commit drop as select %s from weir_staged o group by "id"`, strings.Join(best, ",")), "analyze weir_best"}
	if len(set) > 0 {
		out = append(out, fmt.Sprintf(`update %s t set %s from weir_best s where t."id" = s."id"`, table, strings.Join(set, ",")))
	}
	return append(out, fmt.Sprintf(`insert into %s (%s) select %s from weir_best s where not exists (select from %s t where t."id" = s."id")`, table, all, joined(l.Columns, "s.?"), table))
}

// queryTime is how long a query may take.
const queryTime = 30 * time.Second

// Query implements warehouse.Warehouse.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	tx, err := w.begin(ctx, session.Transaction{ReadOnly: true, Schema: w.schema, Statement: queryTime})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only read
	rows, err := tx.Query(ctx, query, pgx.QueryExecModeDescribeExec)
	if err != nil {
		return refused(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		names := make([]string, len(values))
		for i, f := range rows.FieldDescriptions() {
			names[i] = f.Name
		}
		b, err := warehouse.RowJSON(names, values)
		if err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		if err := row(b); err != nil {
			return err
		}
	}
	return refused(rows.Err())
}

// execute runs the statement in weir.statement and puts into weir.rows how many
// rows it changed. PL/pgSQL refuses to begin or end a transaction by EXECUTE.
const execute = `do $$ declare n bigint; begin
	execute current_setting('weir.statement');
	get diagnostics n = row_count;
	perform pg_catalog.set_config('weir.rows', n::text, true);
end $$`

// Exec implements warehouse.Warehouse.
func (w *connection) Exec(ctx context.Context, statements []string) (rows int64, err error) {
	tx, err := w.write(ctx, session.Transaction{Schema: w.schema})
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	for _, q := range statements {
		if _, err := tx.Exec(ctx, "select set_config('weir.statement', $1, true)", q); err != nil {
			return 0, failure(warehouse.CodeFailed, err)
		}
		if _, err := tx.Exec(ctx, execute); err != nil {
			return 0, refused(err)
		}
		if err := tx.QueryRow(ctx, "select current_setting('weir.rows')::bigint").Scan(&rows); err != nil {
			return 0, failure(warehouse.CodeFailed, err)
		}
	}
	return rows, failure(warehouse.CodeFailed, tx.Commit(ctx))
}

// Test implements warehouse.Warehouse.
func (w *connection) Test(ctx context.Context) error {
	if err := w.conn.Ping(ctx); err != nil {
		return failure(warehouse.CodeUnreachable, err)
	}
	tx, err := w.write(ctx, session.Transaction{})
	if err != nil {
		return err
	}
	return failure(warehouse.CodeFailed, tx.Rollback(ctx))
}

// closeTime is how long a goodbye may take.
const closeTime = 5 * time.Second

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = w.conn.Close(ctx) // everything was committed; the server ends the rest
	return nil
}
