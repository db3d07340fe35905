package rs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/upload"
	"weir/shared/fault"
)

type connection struct {
	conn     *pgx.Conn
	settings Settings
	to       upload.To
	blobs    blob.Store
	made     bool // the schema is there
}

func (w *connection) table(name string) string { return quote(w.settings.Schema) + "." + quote(name) }

// Text writes a text as Redshift has it; see room quoting.
func (w *connection) Text(s string) string { return text(s) }

// run runs statements of Weir's own.
func (w *connection) run(ctx context.Context, sql string) error {
	_, err := w.conn.PgConn().Exec(ctx, sql).ReadAll()
	return failure(warehouse.CodeFailed, err)
}

// ask runs a query of Weir's own and returns its rows as texts; null is "".
func (w *connection) ask(ctx context.Context, sql string) (all [][]string, err error) {
	results, err := w.conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	for _, r := range results {
		for _, values := range r.Rows {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = string(v)
			}
			all = append(all, row)
		}
	}
	return all, nil
}

// Times of statements.
const (
	statementTime = 10 * time.Minute
	queryTime     = 30 * time.Second
)

// transact runs do in a transaction that may take as long as a statement may.
// Statements without an error count.
func (w *connection) transact(ctx context.Context, begin string, most time.Duration, do func() error) error {
	if err := w.run(ctx, fmt.Sprintf("set statement_timeout to %d; %s", most.Milliseconds(), begin)); err != nil {
		return refusal.Wrap(refusal.Warehouse, err)
	}
	if err := do(); err != nil {
		if w.conn.PgConn().TxStatus() != 'I' {
			_ = w.run(context.WithoutCancel(ctx), "rollback") // a connection that is gone rolls back too
		}
		return err
	}
	return w.run(ctx, "commit")
}

// make makes the schema when it is not there.
func (w *connection) make(ctx context.Context) error {
	if w.made {
		return nil
	}
	there, err := w.ask(ctx, "select 1 from pg_namespace where nspname = "+text(w.settings.Schema))
	if err == nil && len(there) == 0 {
		err = w.run(ctx, "create schema if not exists "+quote(w.settings.Schema))
	}
	w.made = err == nil
	return refusal.Wrap(refusal.Warehouse, err)
}

// Schema implements warehouse.Warehouse.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	if len(tables) == 0 {
		return warehouse.Schema{}, nil
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = text(t)
	}
	where := " where table_schema = " + text(w.settings.Schema) + " and table_name in (" + strings.Join(names, ", ") + ")"
	found, err := w.ask(ctx, "select table_name, table_type from svv_tables"+where)
	if err != nil {
		return nil, err
	}
	out := warehouse.Schema{}
	for _, t := range found {
		if t[1] == "BASE TABLE" {
			out[t[0]] = warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns, RowRoom: maxColumns}
		} else if _, is := out[t[0]]; !is {
			out[t[0]] = warehouse.TableSchema{Taken: true}
		}
	}
	columns, err := w.ask(ctx, "select table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale from svv_columns"+where)
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		s, ok := out[c[0]]
		if !ok || s.Taken {
			continue
		}
		typ := c[2]
		switch {
		case strings.HasPrefix(typ, "character") && c[3] != "":
			typ += "(" + c[3] + ")"
		case typ == "numeric" && c[4] != "":
			typ += "(" + c[4] + "," + c[5] + ")"
		}
		s.Columns[c[1]] = warehouse.Column{Type: typeOf(c[1], typ), Native: typ}
		s.Room--
		s.RowRoom--
		out[c[0]] = s
	}
	return out, nil
}

// Alter implements warehouse.Warehouse.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	if err := w.make(ctx); err != nil {
		return err
	}
	return w.transact(ctx, "begin", statementTime, func() error {
		for _, c := range changes {
			if err := w.change(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// change makes one change, unless it is made.
func (w *connection) change(ctx context.Context, c warehouse.Change) error {
	if c.Column != "" {
		if err := w.run(ctx, "lock "+w.table(c.Table)); err != nil {
			return schemaError(err)
		}
		have, err := w.Schema(ctx, []string{c.Table})
		if err != nil {
			return err
		}
		is, there := have[c.Table].Columns[c.Column]
		switch {
		case c.From == "" && there && is.Native == native(c.To), c.From != "" && there && is.Type == c.To:
			return nil
		case c.From == "" && there, c.From != "" && (!there || is.Type != c.From):
			err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, c.Table)
			return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
		}
	}
	if c.From == "int" && c.To == "float" {
		wide, err := w.ask(ctx, fmt.Sprintf("select 1 from %s where %[2]s > 9007199254740992 or %[2]s < -9007199254740992 limit 1", w.table(c.Table), quote(c.Column)))
		if err != nil {
			return err
		}
		if len(wide) > 0 {
			c.To = "string"
		}
	}
	statements := alter(w.table(c.Table), c)
	if statements == nil {
		return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, fmt.Errorf("column %[2]s stays as it is: the server writes a %[1]s with other digits than it holds", c.From, c.Column)))
	}
	for _, q := range statements {
		if err := w.run(ctx, q); err != nil {
			return schemaError(err)
		}
	}
	return nil
}

// schemaError gives what has no code of its own that of a table that cannot be changed.
func schemaError(err error) error {
	var f *warehouse.Failure
	if errors.As(err, &f) && f.Code == warehouse.CodeFailed && refusal.Of(f.Err) != refusal.Busy {
		f.Code = warehouse.CodeSchema
	}
	return err
}

// Merge implements warehouse.Warehouse.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	if err := w.make(ctx); err != nil {
		return warehouse.Merged{}, err
	}
	var m warehouse.Merged
	shape := rows.Of(t, ofRows)
	f := upload.New(w.to)
	defer f.Remove(ctx)
	// Of a table that keeps values what there is counts, so that the lock comes first; of
	// another the files are written before.
	within := func(do func() error) error { return w.transact(ctx, "begin; lock "+w.table(t.Name), statementTime, do) }
	bring := func(ctx context.Context) error { return w.bring(ctx, t.Name, shape, f.Prefix, &m) }
	load := func() error {
		merge := bring
		if !shape.Keep() {
			merge = func(ctx context.Context) error { return within(func() error { return bring(ctx) }) }
		}
		return shape.Load(ctx, w.blobs, files, rows.Loading{
			Next:   func(context.Context) error { f.Next(); return nil },
			Put:    f.Put,
			Merge:  merge,
			Former: shape.Former(dialect, w.table(t.Name), text, w.ask),
		})
	}
	if shape.Keep() {
		err := within(load)
		return m, err
	}
	err := load()
	return m, err
}

// bring brings the files below a prefix into a table.
func (w *connection) bring(ctx context.Context, table string, shape *rows.Table, prefix string, m *warehouse.Merged) error {
	for _, q := range append([]string{create(shape), copyFrom(&w.settings, prefix)}, merge(w.settings.Schema, table, shape)...) {
		results, err := w.conn.PgConn().Exec(ctx, q).ReadAll()
		if err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		if strings.HasPrefix(q, "insert") {
			for _, r := range results {
				m.Rows += r.CommandTag.RowsAffected()
			}
		}
	}
	return nil
}

// leading is what may come before a statement.
var leading = regexp.MustCompile(`^(\s|;|--[^\n]*(\n|$)|(?s:/\*.*?\*/))*`)

// firstWord is the word that a statement begins with, in lower case.
func firstWord(sql string) string {
	word := strings.ToLower(strings.TrimLeft(leading.ReplaceAllLiteralString(sql, ""), "("))
	if i := strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		word = word[:i]
	}
	return word
}

// Query implements warehouse.Warehouse. UNLOAD and others that write outside of the
// database begin with another word.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	switch firstWord(query) {
	case "select", "with", "show", "explain", "values":
	default:
		return warehouse.Refuse(warehouse.CodeFailed, errors.New("a query only reads: select, with, show or explain"))
	}
	return w.transact(ctx, "begin read only", queryTime, func() error {
		found, err := w.conn.Query(ctx, query, pgx.QueryExecModeDescribeExec)
		if err != nil {
			return refused(err)
		}
		defer found.Close()
		for found.Next() {
			values, err := found.Values()
			if err != nil {
				return failure(warehouse.CodeFailed, err)
			}
			names := make([]string, len(values))
			for i, f := range found.FieldDescriptions() {
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
		return refused(found.Err())
	})
}

// Exec implements warehouse.Warehouse. TRUNCATE would commit.
func (w *connection) Exec(ctx context.Context, statements []string) (changed int64, err error) {
	if err := w.make(ctx); err != nil {
		return 0, err
	}
	err = w.transact(ctx, "begin", statementTime, func() error {
		for _, q := range statements {
			switch firstWord(q) {
			case "begin", "start", "commit", "end", "rollback", "abort", "truncate", "unload", "copy", "call", "vacuum":
				return warehouse.Fail(warehouse.CodeFailed, fault.New(fault.Invalid, "A statement may not begin or end a transaction, truncate a table, or reach outside of the database."))
			}
			found, err := w.conn.Query(ctx, q) // one statement, by the extended protocol
			if err != nil {
				return refused(err)
			}
			found.Close()
			if err := found.Err(); err != nil {
				return refused(err)
			}
			changed = found.CommandTag().RowsAffected()
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return changed, nil
}

// Test implements warehouse.Warehouse: it looks at every right that a load needs, and
// loads a file of no rows from the bucket.
func (w *connection) Test(ctx context.Context) error {
	schema := text(w.settings.Schema)
	have, err := w.ask(ctx, fmt.Sprintf(`select case when has_database_privilege(current_database(), 'temp') then 1 else 0 end,
		case when has_database_privilege(current_database(), 'create') then 1 else 0 end, (select count(*) from pg_namespace where nspname = %s)`, schema))
	if err != nil {
		return err
	}
	user := quote(w.settings.User)
	missing := func(grant string) error {
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the user %s lacks a right: %s", w.settings.User, grant))
	}
	switch {
	case have[0][0] == "0":
		return missing("grant temp on database " + quote(w.settings.Database) + " to " + user)
	case have[0][2] == "0" && have[0][1] == "0":
		return missing("grant create on database " + quote(w.settings.Database) + " to " + user + ", or make the schema " + quote(w.settings.Schema) + " for it")
	case have[0][2] != "0":
		for _, right := range []string{"usage", "create"} {
			has, err := w.ask(ctx, fmt.Sprintf("select case when has_schema_privilege(%s, %s) then 1 else 0 end", schema, text(right)))
			if err != nil {
				return err
			}
			if has[0][0] == "0" {
				return missing("grant " + right + " on schema " + quote(w.settings.Schema) + " to " + user)
			}
		}
	}
	f := upload.New(w.to)
	defer f.Remove(ctx)
	f.Next()
	shape := rows.Of(warehouse.Table{Columns: []warehouse.Target{{Name: "id", Native: textType, Type: "string"}}}, ofRows)
	empty, err := shape.Empty()
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	if err := f.Put(ctx, empty); err != nil {
		return err
	}
	done := errors.New("tested")
	err = w.transact(ctx, "begin", statementTime, func() error {
		for _, q := range []string{create(shape), copyFrom(&w.settings, f.Prefix)} {
			if err := w.run(ctx, q); err != nil {
				return err
			}
		}
		return done
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// closeTime is how long a goodbye may take.
const closeTime = 5 * time.Second

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = w.conn.Close(ctx) // everything was committed; the server ends the rest
	w.to.Store.Close()
	return nil
}
