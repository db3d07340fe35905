package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/publication"
	"weir/dataplane/sources/postgres/session"
	"weir/shared/catalog/document"
	"weir/shared/catalog/streams"
)

// relation is a table as the changes that follow have it.
type relation struct {
	name    string // as settings name the table
	stream  string // "": its rows are not wanted
	columns []tables.Column
	names   [][]byte // of columns, as JSON with the colon
	known   []bool   // columns that old rows have
	key     []int
}

// Kinds of the values of a row.
// Source: TupleData in https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
const (
	valueNull      = 'n'
	valueUnchanged = 'u' // it is kept apart from the row, and was not written
)

// relate takes what the server says of a table whose changes follow.
func (f *follower) relate(ctx context.Context, m *pglogrepl.RelationMessage) error {
	rel := &relation{}
	f.relations[m.RelationID] = rel
	for name := range f.r.s.Tables {
		schema, table, ok := strings.Cut(name, ".")
		if !ok {
			schema, table = f.control.Schema, name
		}
		if schema == m.Namespace && table == m.RelationName {
			rel.name, rel.stream = name, streams.Named(name)
		}
	}
	if rel.stream == "" {
		return nil
	}
	var missing []string
	for _, c := range m.Columns {
		typ := strconv.FormatUint(uint64(c.DataType), 10)
		if !f.control.Knows(typ) {
			missing = append(missing, typ)
		}
		rel.columns = append(rel.columns, tables.Column{Name: c.Name, Type: typ})
		rel.names = append(rel.names, append(document.Quoted(c.Name), ':'))
		rel.known = append(rel.known, c.Flags&1 != 0)
	}
	if len(missing) > 0 {
		err := f.control.Query(ctx, rel.name, "select t.oid, "+session.BaseOf+" from pg_catalog.pg_type t "+session.JoinBase+" where t.oid = any($1::oid[])", []string{"{" + strings.Join(missing, ",") + "}"}, func(row [][]byte) error {
			f.control.Column("", string(row[0]), string(row[1]), string(row[2]), string(row[3]), false)
			return nil
		})
		if err != nil {
			return err
		}
	}
	primary := []string(nil)
	if f.r.s.Keys[rel.name] == "" {
		t, err := f.control.Table(ctx, rel.name)
		if err != nil {
			return f.gone(rel, err)
		}
		primary = t.Key
	}
	for _, k := range publication.Keys(f.r.s.Keys[rel.name], primary) {
		i := slices.IndexFunc(m.Columns, func(c *pglogrepl.RelationMessageColumn) bool { return c.Name == k })
		if i < 0 {
			rel.key = nil
			break
		}
		rel.key = append(rel.key, i)
	}
	if len(rel.key) == 0 { // its key had another name then
		for i, known := range rel.known {
			if known && m.ReplicaIdentity != 'f' {
				rel.key = append(rel.key, i)
			}
		}
	}
	if len(rel.key) == 0 {
		rel.stream = "" // its copy says what is wrong with it
	}
	return nil
}

// gone leaves the changes of a table aside that is gone, or may not be read any more: its
// own stream says so, and holds up no other.
func (f *follower) gone(rel *relation, err error) error {
	if failure, ok := err.(*pull.Failure); ok && (failure.Code == pull.CodeNoStream || failure.Code == pull.CodeRefused) {
		rel.stream = ""
		return nil
	}
	return err
}

// version names a change: what is read again has the same.
func (f *follower) version() string {
	return f.end.String() + "/" + strconv.FormatInt(f.changes, 10)
}

// upsert takes a row as it is now, with what it was where the server says that.
func (f *follower) upsert(rel *relation, now, old *pglogrepl.TupleData) error {
	if now == nil || len(now.Columns) != len(rel.columns) {
		return errRow(rel)
	}
	if old != nil && len(old.Columns) == len(now.Columns) {
		for i, c := range now.Columns {
			if c.DataType == valueUnchanged && rel.known[i] { // it stands in the old row
				now.Columns[i] = old.Columns[i]
			}
		}
		was, err := rel.keyOf(old)
		if err != nil {
			return err
		}
		is, err := rel.keyOf(now)
		if err != nil {
			return err
		}
		if !slices.Equal(was, is) {
			if err := f.remove(rel, old); err != nil {
				return err
			}
		}
	}
	key, err := rel.keyOf(now)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(now.Columns, func(c *pglogrepl.TupleDataColumn) bool { return c.DataType == valueUnchanged }) {
		f.again = append(f.again, again{len(f.batch), rel, key})
	}
	f.add(pull.Record{Stream: rel.stream, Key: strings.Join(key, ":"), Row: f.row(rel, now, false)})
	return nil
}

// remove takes a row that is gone.
func (f *follower) remove(rel *relation, old *pglogrepl.TupleData) error {
	if old == nil || len(old.Columns) != len(rel.columns) {
		return errRow(rel)
	}
	key, err := rel.keyOf(old)
	if err != nil {
		return err
	}
	f.add(pull.Record{Stream: rel.stream, Key: strings.Join(key, ":"), Deleted: true, Row: f.row(rel, old, true)})
	return nil
}

func (f *follower) add(r pull.Record) {
	r.Version, r.At = f.version(), f.when
	f.batch, f.size = append(f.batch, r), f.size+len(r.Row)
}

func errRow(rel *relation) error {
	return &pull.Failure{Code: pull.CodeAnswer, Text: "A change of " + rel.name + " is not of its columns."}
}

// keyOf is the key of a row, as copies of tables write it.
func (rel *relation) keyOf(t *pglogrepl.TupleData) ([]string, error) {
	key := make([]string, len(rel.key))
	for i, n := range rel.key {
		if n >= len(t.Columns) || t.Columns[n].DataType == valueNull || t.Columns[n].DataType == valueUnchanged {
			return nil, &pull.Failure{Code: pull.CodeAnswer, Text: fmt.Sprintf("A change of %s has no value in a column of its key: correct the setting keys.", rel.name)}
		}
		key[i] = strings.ToValidUTF8(string(t.Columns[n].Data), "\uFFFD")
	}
	return key, nil
}

// row is a row as JSON; only: the columns that old rows have.
func (f *follower) row(rel *relation, t *pglogrepl.TupleData, only bool) []byte {
	size := 2
	for i, c := range t.Columns {
		size += len(rel.names[i]) + len(c.Data) + 6
	}
	b := append(make([]byte, 0, size+size/8), '{')
	for i, c := range t.Columns {
		if only && !rel.known[i] || c.DataType == valueUnchanged {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, rel.names[i]...)
		if c.DataType == valueNull {
			b = append(b, "null"...)
		} else {
			b = f.control.Append(b, rel.columns[i], c.Data)
		}
	}
	return append(b, '}')
}

// reread reads rows whose changes leave values out. A row that is gone leaves the batch:
// what became of it follows, and an older state must not come behind that when changes are
// read again. For the same reason all of the row is read, not what is missing alone.
func (f *follower) reread(ctx context.Context) error {
	if len(f.again) == 0 {
		return nil
	}
	found := map[*relation]map[string][]byte{}
	for _, a := range f.again {
		found[a.relation] = nil
	}
	for rel := range found {
		rows, err := f.rows(ctx, rel)
		if err != nil {
			return err
		}
		found[rel] = rows
	}
	drop := map[int]bool{}
	for _, a := range f.again {
		if row := found[a.relation][f.batch[a.at].Key]; row != nil {
			f.batch[a.at].Row = row
		} else {
			drop[a.at] = true
		}
	}
	kept := f.batch[:0]
	for i, r := range f.batch {
		if !drop[i] {
			kept = append(kept, r)
		}
	}
	f.batch = kept
	return nil
}

// rows reads the rows of a table that are to be read again, by their keys.
func (f *follower) rows(ctx context.Context, rel *relation) (map[string][]byte, error) {
	t, err := f.control.Table(ctx, rel.name)
	if err != nil {
		return nil, f.gone(rel, err)
	}
	var key, arrays, columns []string
	var at []int
	values := make([][]string, len(rel.key))
	for i, n := range rel.key {
		name := rel.columns[n].Name
		place := slices.IndexFunc(t.Columns, func(c tables.Column) bool { return c.Name == name })
		if place < 0 { // its key has another name now
			return nil, &pull.Failure{Code: pull.CodeRefused, Text: "The key of " + rel.name + " has changed: run weir pull reset for its stream."}
		}
		at, key = append(at, place), append(key, quote(name))
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+1, t.Columns[place].Type))
		for _, a := range f.again {
			if a.relation == rel {
				values[i] = append(values[i], a.key[i])
			}
		}
	}
	args := make([]string, len(values))
	for i, v := range values {
		args[i] = session.Array(v)
	}
	names := make([][]byte, len(t.Columns))
	for i, c := range t.Columns {
		columns = append(columns, quote(c.Name))
		names[i] = append(document.Quoted(c.Name), ':')
	}
	all := map[string][]byte{}
	text := "select " + strings.Join(columns, ", ") + " from " + t.Name + " where (" + strings.Join(key, ", ") + ") in (select * from unnest(" + strings.Join(arrays, ", ") + "))"
	return all, f.control.Query(ctx, rel.name, text, args, func(row [][]byte) error {
		k := make([]string, len(at))
		for i, n := range at {
			k[i] = strings.ToValidUTF8(string(row[n]), "\uFFFD")
		}
		b := []byte{'{'}
		for i, v := range row {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, names[i]...)
			if v == nil {
				b = append(b, "null"...)
			} else {
				b = f.control.Append(b, t.Columns[i], v)
			}
		}
		all[strings.Join(k, ":")] = append(b, '}')
		return nil
	})
}
