package deltalake

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouses/deltalake/reading"
)

type connection struct {
	api      *api
	settings Settings
	blobs    blob.Store
	made     bool // the schema and the volume are there
}

// Times of statements.
const (
	statementTime = 20 * time.Minute
	queryTime     = 30 * time.Second
)

// within is a name of the schema.
func (w *connection) within(name string) string { return w.settings.within(name) }

// Quote writes a name as Databricks has it; see room quoting.
func (w *connection) Quote(name string) string { return quote(name) }

// Text writes a text as Databricks has it; see room quoting.
func (w *connection) Text(s string) string { return text(s) }

// run runs one statement of Weir's own.
func (w *connection) run(ctx context.Context, sql string) error {
	_, err := w.api.run(ctx, sql, "", statementTime)
	return failure(warehouse.CodeFailed, err)
}

// ask runs a query of Weir's own and returns its rows as texts; null is "".
func (w *connection) ask(ctx context.Context, sql string) (all [][]string, err error) {
	out, err := w.api.run(ctx, sql, "", statementTime)
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

// make makes the schema and the volume when they are not there.
func (w *connection) make(ctx context.Context) error {
	if w.made {
		return nil
	}
	catalog, schema := quote(w.settings.Catalog), text(strings.ToLower(w.settings.Schema))
	there, err := w.ask(ctx, fmt.Sprintf("select schema_name from %s.information_schema.schemata where schema_name = %s", catalog, schema))
	if err == nil && len(there) == 0 {
		err = w.missing("create schema on catalog "+catalog, w.run(ctx, "create schema if not exists "+catalog+"."+quote(w.settings.Schema)))
	}
	if err == nil {
		there, err = w.ask(ctx, fmt.Sprintf("select volume_name from %s.information_schema.volumes where volume_schema = %s and volume_name = %s", catalog, schema, text(strings.ToLower(w.settings.Volume))))
	}
	if err == nil && len(there) == 0 { // or it cannot be seen
		volume := w.within(w.settings.Volume)
		err = w.missing("read volume, write volume on volume "+volume+", or create volume on schema "+catalog+"."+quote(w.settings.Schema), w.run(ctx, "create volume if not exists "+volume))
	}
	w.made = err == nil
	return refusal.Wrap(refusal.Warehouse, err)
}

// missing says of a refused statement which right it needs.
func (w *connection) missing(grant string, err error) error {
	if err == nil || warehouse.CodeOf(err) != warehouse.CodeAuth {
		return err
	}
	return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the sign-in lacks a right: grant %s to it: %w", grant, errors.Unwrap(err)))
}

// Schema implements warehouse.Warehouse. It ends what a crash left of a widening.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	out := warehouse.Schema{}
	if len(tables) == 0 {
		return out, nil
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = text(t)
	}
	from := func(what, view, order string) string {
		return fmt.Sprintf("select %s from %s.information_schema.%s where table_schema = %s and table_name in (%s)%s", what, quote(w.settings.Catalog), view, text(strings.ToLower(w.settings.Schema)), strings.Join(names, ", "), order)
	}
	found, err := w.ask(ctx, from("table_name, table_type", "tables", ""))
	if err != nil {
		return nil, refusal.Wrap(refusal.Warehouse, err)
	}
	for _, t := range found {
		s := warehouse.TableSchema{Taken: true}
		if t[1] == "MANAGED" || t[1] == "EXTERNAL" {
			s = warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns, RowRoom: maxColumns}
		}
		out[strings.ToLower(t[0])] = s
	}
	columns, err := w.ask(ctx, from("table_name, column_name, full_data_type", "columns", " order by ordinal_position"))
	if err != nil {
		return nil, refusal.Wrap(refusal.Warehouse, err)
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
		s.Columns[name] = warehouse.Column{Type: typeOf(typ), Native: typ}
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
	name := changes[0].Table
	read, err := w.Schema(ctx, []string{name})
	if err != nil {
		return err
	}
	table, have := w.within(name), read[name].Columns
	var adds []string
	var types []layout.Type
	var wider []warehouse.Change
	for _, c := range changes {
		is, there := have[c.Column]
		switch {
		case c.Column == "":
			if err := w.alter(ctx, create(table)); err != nil {
				return err
			}
			continue
		case c.From == "" && there && is.Native == native(c.To), c.From != "" && there && is.Type != "" && is.Native == native(c.To):
			continue // it was made before
		case c.From == "" && !there:
			adds, types = append(adds, c.Column), append(types, c.To)
			continue
		case c.From == "" || !there || is.Type != c.From:
			err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, c.Table)
			return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
		}
		if c.From == layout.Int && c.To == layout.Float {
			wide, err := w.ask(ctx, fmt.Sprintf("select 1 from %s where %[2]s > 9007199254740992 or %[2]s < -9007199254740992 limit 1", table, quote(c.Column)))
			if err != nil {
				return err
			}
			if len(wide) > 0 {
				c.To = layout.String
			}
		}
		if _, ok := widen(table, c); !ok {
			return w.stays(c, "Databricks could write a "+string(c.From)+" with other digits than it holds")
		}
		if is, there := have[c.Column+widerEnd]; !there {
			adds, types = append(adds, c.Column+widerEnd), append(types, c.To)
		} else if is.Native != native(c.To) {
			return w.stays(c, "column "+c.Column+widerEnd+" is in the way: drop it")
		}
		wider = append(wider, c)
	}
	if len(wider) > 0 {
		if err := w.mapped(ctx, table, wider[0]); err != nil {
			return err
		}
	}
	if len(adds) > 0 {
		if err := w.alter(ctx, add(table, adds, types)); err != nil {
			return err
		}
	}
	for _, c := range wider {
		statements, _ := widen(table, c)
		for _, q := range statements {
			if err := w.alter(ctx, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// stays says why a column is not widened.
func (w *connection) stays(c warehouse.Change, why string) error {
	return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, fmt.Errorf("column %s of table %s stays as it is: %s", c.Column, c.Table, why)))
}

// mapped is an error for a table without column mapping.
func (w *connection) mapped(ctx context.Context, table string, c warehouse.Change) error {
	found, err := w.ask(ctx, fmt.Sprintf("show tblproperties %s ('%s')", table, mapping))
	if err != nil {
		return err
	}
	if len(found) == 1 && len(found[0]) == 2 && (found[0][1] == "name" || found[0][1] == "id") {
		return nil
	}
	return w.stays(c, fmt.Sprintf("the table has no column mapping: alter table %s set tblproperties ('%s' = 'name')", table, mapping))
}

// alter runs a statement that changes a table. What a table's rows may not be is said of the
// table here.
func (w *connection) alter(ctx context.Context, sql string) error {
	_, err := w.api.run(ctx, sql, "", statementTime)
	err = failure(warehouse.CodeSchema, err)
	if refusal.Of(err) == refusal.Rows {
		var f *warehouse.Failure
		errors.As(err, &f)
		return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, f.Err))
	}
	return err
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
	d := &directory{w: w}
	defer d.remove(ctx)
	err = shape.Load(ctx, w.blobs, files, rows.Loading{
		Next: d.next,
		Put:  d.put,
		Merge: func(ctx context.Context) error {
			out, err := w.api.run(ctx, shape.Merge(dialect, w.within(t.Name), from(d.path, shape), all), "", statementTime)
			if err != nil {
				return failure(warehouse.CodeFailed, err)
			}
			m.Rows += affected(out)
			return nil
		},
		Former: shape.Former(dialect, w.within(t.Name), text, w.ask),
	})
	return m, err
}

// affected is how many rows a statement says that it changed.
func affected(out *answer) (n int64) {
	columns := out.Manifest.Schema.Columns
	if len(out.Result.Data) != 1 || len(columns) == 0 || columns[0].Name != "num_affected_rows" || len(out.Result.Data[0]) == 0 || out.Result.Data[0][0] == nil {
		return 0
	}
	n, _ = strconv.ParseInt(*out.Result.Data[0][0], 10, 64) // 0 for what is no number
	return n
}

// Query implements warehouse.Warehouse. The API takes one statement at a time, and rights are
// those of the sign-in; what names files or other systems is refused before.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	if err := reading.Query(query); err != nil {
		return warehouse.Refuse(warehouse.CodeFailed, fmt.Errorf("a query is one statement that only reads: %w", err))
	}
	out, err := w.api.run(ctx, query, w.settings.Schema, queryTime)
	if err != nil {
		return refused(err)
	}
	columns := out.Manifest.Schema.Columns
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return w.api.each(ctx, out, func(texts []*string) error {
		values := make([]any, len(texts))
		for i, t := range texts {
			if t != nil {
				values[i] = value(columns[i].Type, *t)
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
func value(typ, s string) any {
	switch strings.ToUpper(typ) {
	case "BYTE", "SHORT", "INT", "LONG", "DECIMAL":
		if json.Valid([]byte(s)) {
			return json.Number(s)
		}
	case "DOUBLE":
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	case "FLOAT":
		if f, err := strconv.ParseFloat(s, 32); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return float32(f)
		}
	case "BOOLEAN":
		return s == "true"
	case "DATE":
		if at, err := time.Parse(time.DateOnly, s); err == nil {
			return at
		}
	case "TIMESTAMP", "TIMESTAMP_NTZ":
		for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
			if at, err := time.Parse(form, s); err == nil {
				return at
			}
		}
	}
	return s
}

// Exec implements warehouse.Warehouse: each statement of Databricks counts for itself.
func (w *connection) Exec(context.Context, []string) (int64, error) {
	return 0, warehouse.Refuse(warehouse.CodeUnsupported, errors.New("statements that make or change tables cannot be taken back here, so several cannot count as one"))
}

// Test implements warehouse.Warehouse: it looks at every right that a load needs, reads a
// file of no rows from the volume, and makes a table and drops it.
func (w *connection) Test(ctx context.Context) error {
	s := w.settings
	catalog, schema := quote(s.Catalog), quote(s.Catalog)+"."+quote(s.Schema)
	if _, err := w.ask(ctx, "select current_user()"); err != nil {
		return err
	}
	if err := w.make(ctx); err != nil {
		return w.missing("use catalog on catalog "+catalog+", and use schema on schema "+schema, err)
	}
	shape := rows.Of(warehouse.Table{Columns: []warehouse.Target{{Name: "id", Native: "string", Type: layout.String}}}, ofRows)
	empty, err := shape.Empty()
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	d := &directory{w: w}
	defer d.remove(ctx)
	if err := d.next(ctx); err != nil {
		return err
	}
	if err := d.put(ctx, empty); err != nil {
		return err
	}
	if _, err := w.ask(ctx, "select * from "+from(d.path, shape)+" s"); err != nil {
		return w.missing("read volume on volume "+s.within(s.Volume), err)
	}
	table := w.within("weir_test_" + strings.ToLower(rand.Text()))
	if err := w.missing("use schema, create table, select, modify on schema "+schema, w.run(ctx, create(table))); err != nil {
		return err
	}
	return w.run(ctx, "drop table if exists "+table)
}

// Close implements warehouse.Warehouse. The SQL warehouse stops by itself.
func (w *connection) Close() error {
	w.api.client.Close()
	return nil
}
