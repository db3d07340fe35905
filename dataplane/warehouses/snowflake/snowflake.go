package snowflake

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/upload"
)

type connection struct {
	api      *api
	settings Settings
	to       upload.To
	blobs    blob.Store
	made     bool // the schema is there
}

// Times of statements.
const (
	statementTime = 20 * time.Minute
	queryTime     = 30 * time.Second
)

// within is a name of the schema.
func (w *connection) within(name string) string {
	return quote(w.settings.Database) + "." + quote(w.settings.Schema) + "." + quote(name)
}

// Quote writes a name as Snowflake has it; see room quoting.
func (w *connection) Quote(name string) string { return quote(name) }

// Text writes a text as Snowflake has it; see room quoting.
func (w *connection) Text(s string) string { return text(s) }

// run runs one statement of Weir's own.
func (w *connection) run(ctx context.Context, sql string) error {
	_, err := w.api.run(ctx, sql, 1, statementTime)
	return failure(warehouse.CodeFailed, err)
}

// ask runs a query of Weir's own and returns its rows as texts; null is "".
func (w *connection) ask(ctx context.Context, sql string) (all [][]string, err error) {
	out, err := w.api.run(ctx, sql, 1, statementTime)
	if err != nil {
		return nil, failure(warehouse.CodeFailed, err)
	}
	err = w.api.each(ctx, out, func(values []*string) error {
		row := make([]string, len(values))
		for i, v := range values {
			if v != nil {
				row[i] = *v
			}
		}
		all = append(all, row)
		return nil
	})
	return all, failure(warehouse.CodeFailed, err)
}

// make makes the schema when it is not there.
func (w *connection) make(ctx context.Context) error {
	if w.made {
		return nil
	}
	there, err := w.ask(ctx, fmt.Sprintf("select schema_name from %s.information_schema.schemata where schema_name = %s", quote(w.settings.Database), text(strings.ToUpper(w.settings.Schema))))
	if err == nil && len(there) == 0 {
		err = w.run(ctx, "create schema if not exists "+quote(w.settings.Database)+"."+quote(w.settings.Schema))
	}
	w.made = err == nil
	return refusal.Wrap(refusal.Warehouse, err)
}

// Schema implements warehouse.Warehouse. It ends what a crash left of a widening.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	out := warehouse.Schema{}
	if len(tables) == 0 {
		return out, nil
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = text(strings.ToUpper(t))
	}
	from := func(what, view string) string {
		return fmt.Sprintf("select %s from %s.information_schema.%s where table_schema = %s and table_name in (%s)", what, quote(w.settings.Database), view, text(strings.ToUpper(w.settings.Schema)), strings.Join(names, ", "))
	}
	found, err := w.ask(ctx, from("table_name, table_type", "tables"))
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		s := warehouse.TableSchema{Taken: true}
		if t[1] == "BASE TABLE" {
			s = warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns, RowRoom: maxColumns}
		}
		out[strings.ToLower(t[0])] = s
	}
	columns, err := w.ask(ctx, from("table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale", "columns"))
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		table, name, typ := strings.ToLower(c[0]), strings.ToLower(c[1]), strings.ToLower(c[2])
		s, ok := out[table]
		if !ok || s.Taken {
			continue
		}
		s.Room--
		s.RowRoom--
		out[table] = s
		if c[1] != strings.ToUpper(c[1]) { // loads never mean it
			continue
		}
		switch length, _ := strconv.Atoi(c[3]); {
		case typ == "text" && length > 0 && length < maxText:
			typ = "varchar(" + c[3] + ")"
		case typ == "text":
			typ = "varchar"
		case typ == "number":
			typ += "(" + c[4] + "," + c[5] + ")"
		}
		s.Columns[name] = warehouse.Column{Type: typeOf(name, typ), Native: typ}
	}
	for table, s := range out {
		for name, c := range s.Columns {
			stem, is := strings.CutSuffix(name, widerEnd)
			if _, narrow := s.Columns[stem]; !is || narrow {
				continue
			}
			if err := w.run(ctx, rename(w.within(table), stem)); err != nil {
				return nil, err
			}
			delete(s.Columns, name)
			s.Columns[stem] = c
		}
	}
	return out, nil
}

// Alter implements warehouse.Warehouse. What adds columns is one statement.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	if err := w.make(ctx); err != nil || len(changes) == 0 {
		return err
	}
	have, err := w.Schema(ctx, []string{changes[0].Table})
	if err != nil {
		return err
	}
	var missing []warehouse.Change
	for _, c := range changes {
		is, there := have[c.Table].Columns[c.Column]
		switch {
		case c.Column == "":
		case c.From == "" && there && is.Native == native(c.To), c.From != "" && there && is.Type == c.To:
			continue
		case c.From == "" && there, c.From != "" && (!there || is.Type != c.From):
			err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, c.Table)
			return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
		}
		if c.From == "int" && c.To == "float" {
			wide, err := w.ask(ctx, fmt.Sprintf("select 1 from %s where %[2]s > 9007199254740992 or %[2]s < -9007199254740992 limit 1", w.within(c.Table), quote(c.Column)))
			if err != nil {
				return err
			}
			if len(wide) > 0 {
				c.To = "string"
			}
		}
		missing = append(missing, c)
	}
	statements, ok := alters(w.within(changes[0].Table), missing)
	if !ok {
		return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, errors.New("a column of floats stays as it is: they would be written with other digits than they hold")))
	}
	for _, q := range statements {
		if _, err := w.api.run(ctx, q, 1, statementTime); err != nil {
			return failure(warehouse.CodeSchema, err)
		}
	}
	return nil
}

// Merge implements warehouse.Warehouse: one MERGE, and of a table that keeps values one for
// each part of the rows, in their order, which give the same when they are repeated.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (m warehouse.Merged, err error) {
	if err := w.make(ctx); err != nil {
		return m, err
	}
	have, err := w.Schema(ctx, []string{t.Name})
	if err != nil {
		return m, err
	}
	var all []string
	for name := range have[t.Name].Columns {
		all = append(all, name)
	}
	shape := rows.Of(t, ofRows)
	f := upload.New(w.to)
	defer f.Remove(ctx)
	return m, shape.Load(ctx, w.blobs, files, rows.Loading{
		Next: func(context.Context) error { f.Next(); return nil },
		Put:  f.Put,
		Merge: func(ctx context.Context) error {
			table := w.within("weir_rows_" + rand.Text())
			sql := strings.Join([]string{create(table, shape), copyInto(&w.settings, table, f.Prefix), shape.Merge(dialect, w.within(t.Name), table, all)}, ";\n")
			_, err := w.api.run(ctx, sql, 3, statementTime)
			return failure(warehouse.CodeFailed, err)
		},
		Former: shape.Former(dialect, w.within(t.Name), text, w.ask),
	})
}

// leading is what may come before a statement.
var leading = regexp.MustCompile(`^(\s|;|--[^\n]*(\n|$)|//[^\n]*(\n|$)|(?s:/\*.*?\*/))*`)

// Query implements warehouse.Warehouse. Statements that write begin with another word than
// those that read, and the API takes one at a time. A column named in upper case comes back
// so.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	word := strings.ToLower(strings.TrimLeft(leading.ReplaceAllLiteralString(query, ""), "("))
	if i := strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		word = word[:i]
	}
	switch word {
	case "select", "with", "show", "describe", "desc", "explain", "values":
	default:
		return warehouse.Refuse(warehouse.CodeFailed, errors.New("a query only reads: select, with, show, describe or explain"))
	}
	out, err := w.api.run(ctx, query, 1, queryTime)
	if err != nil {
		return refused(err)
	}
	columns := out.Meta.Columns
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return w.api.each(ctx, out, func(texts []*string) error {
		values := make([]any, len(texts))
		for i, t := range texts {
			if t != nil {
				values[i] = value(columns[i], *t)
			}
		}
		b, err := warehouse.RowJSON(names, values)
		if err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		return row(b)
	})
}

// value reads a value of a result; one that is none of its type stays its text.
// Source: https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses
func value(c column, s string) any {
	switch strings.ToLower(c.Type) {
	case "fixed":
		if json.Valid([]byte(s)) {
			return json.Number(s)
		}
	case "real":
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	case "boolean":
		return s == "true" || s == "1"
	case "date": // days since 1970
		if n, err := strconv.ParseInt(s, 10, 32); err == nil {
			return time.Unix(n*24*60*60, 0).UTC()
		}
	case "timestamp_tz", "timestamp_ltz", "timestamp_ntz": // seconds since 1970, then an offset
		seconds, _, _ := strings.Cut(s, " ")
		whole, part, _ := strings.Cut(seconds, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		nanos, err2 := strconv.ParseInt((part + "000000000")[:9], 10, 64)
		if err == nil && err2 == nil {
			if strings.HasPrefix(whole, "-") {
				nanos = -nanos
			}
			return time.Unix(n, nanos).UTC()
		}
	}
	return s
}

// Exec implements warehouse.Warehouse: Snowflake ends a transaction at each statement that
// makes or changes a table, so it could not be taken back.
func (w *connection) Exec(context.Context, []string) (int64, error) {
	return 0, warehouse.Refuse(warehouse.CodeUnsupported, errors.New("statements that make or change tables cannot be taken back here, so several cannot count as one"))
}

// Test implements warehouse.Warehouse: it looks at every right that a load needs, and loads
// a file of no rows from the bucket.
func (w *connection) Test(ctx context.Context) error {
	have, err := w.ask(ctx, "select current_role(), current_warehouse(), current_database()")
	if err != nil {
		return err
	}
	role := have[0][0]
	missing := func(grant string, err error) error {
		text := fmt.Errorf("the role %s lacks a right: grant %s to role %[1]s", role, grant)
		if err != nil {
			text = fmt.Errorf("%w: %w", text, err)
		}
		return warehouse.Fail(warehouse.CodeAuth, text)
	}
	database, schema := quote(w.settings.Database), quote(w.settings.Database)+"."+quote(w.settings.Schema)
	switch {
	case have[0][1] == "":
		return missing("usage, operate on warehouse "+quote(w.settings.Warehouse), nil)
	case have[0][2] == "":
		return missing("usage on database "+database, nil)
	}
	if err := w.make(ctx); err != nil {
		return missing("create schema on database "+database, err)
	}
	f := upload.New(w.to)
	defer f.Remove(ctx)
	f.Next()
	shape := rows.Of(warehouse.Table{Columns: []warehouse.Target{{Name: "id", Native: "varchar", Type: "string"}}}, ofRows)
	empty, err := shape.Empty()
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	if err := f.Put(ctx, empty); err != nil {
		return err
	}
	table := w.within("weir_test_" + rand.Text())
	if err := w.run(ctx, create(table, shape)); err != nil {
		return missing("usage, create table on schema "+schema, err)
	}
	if _, err := w.api.run(ctx, create(table, shape)+";\n"+copyInto(&w.settings, table, f.Prefix), 2, statementTime); err != nil {
		var e *sqlError
		if errors.As(err, &e) {
			return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the account cannot read the bucket %s: let the storage integration, or the access key, have s3:GetObject and s3:ListBucket below %s: %w", w.settings.Bucket, w.settings.Prefix, err))
		}
		return err
	}
	return nil
}

// Close implements warehouse.Warehouse. The warehouse suspends itself by its auto_suspend.
func (w *connection) Close() error {
	w.api.client.Close()
	w.to.Store.Close()
	return nil
}
