package lake

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
)

// Tables is a format of tables that keeps account of files: which of them a table has is
// changed by one commit. Errors are Failures. It need not be safe for concurrent use.
type Tables interface {
	// Table returns what is known of a table; one without columns is not there.
	Table(ctx context.Context, name string) (Known, error)
	// Settle makes a table where there is none, gives it the columns that it lacks and widens
	// those of Narrow. committed says that a load of this name was committed to it before.
	Settle(ctx context.Context, name, load, event string, columns []Field) (after Known, committed bool, err error)
	// Commit gives a table all files of a load, once for each name of a load.
	Commit(ctx context.Context, name, load string, files []File) error
	// Test says whether tables could be made and committed to.
	Test(ctx context.Context) error
	// Close gives back what it holds.
	Close() error
}

// Known is what is known of a table.
type Known struct {
	Columns []Field
	Events  []string // names that events of its rows had
	Folder  string   // that keys of its files begin with, with a slash at its end
	By      string   // how its files divide rows by received_at: "day", "hour", or "" for not at all
}

// Field is a column of a table of a format.
type Field struct {
	Name string
	ID   int         // that files have; 0 for one to be made
	Type layout.Type // empty for a type that loads never make, which Native names
	// Native is empty where Type says it.
	Native string
	// Narrow: the type is a narrower one than Type says, and has to be widened before files have
	// values of it.
	Narrow bool
}

// File is a file of rows that was written.
type File struct {
	Key  string
	Size int64 // bytes
	Rows int64
	// Part is the day or the hour that rows of the file were received in, counted from
	// 1970-01-01 in UTC; nil where they have no time, or are not divided.
	Part    *int64
	Columns []Stat
}

// Stat says what a file has of a column.
type Stat struct {
	ID            int
	Values, Nulls int64
	Bytes         int64 // in the file
	// Least and Most are bounds of the values as Parquet's plain encoding has them; nil where
	// none are known.
	Least, Most []byte
}

// of is a table as loads see it.
func of(k Known) *table {
	t := &table{known: k, Events: k.Events}
	for _, f := range k.Columns {
		if f.Name != LoadColumn {
			t.Columns = append(t.Columns, column{Name: f.Name, Type: f.Type, id: f.ID, native: f.Native})
		}
	}
	return t
}

// settleTable has a format's table take what a merge brings. committed says that the load is
// in it already.
func (l *lake) settleTable(ctx context.Context, into *warehouse.Table, load string) (t *table, committed bool, err error) {
	if t, err = l.table(ctx, into.Name); err != nil {
		return nil, false, err
	}
	var fields []Field
	brings := func(name string) bool {
		return slices.ContainsFunc(into.Columns, func(c warehouse.Target) bool { return c.Name == name && !c.Over })
	}
	for _, c := range t.Columns {
		narrow := c.id > 0 && brings(c.Name) && slices.ContainsFunc(t.known.Columns, func(f Field) bool { return f.ID == c.id && f.Narrow })
		if c.id == 0 || narrow {
			fields = append(fields, Field{Name: c.Name, ID: c.id, Type: c.Type, Narrow: narrow})
		}
	}
	if !slices.ContainsFunc(t.known.Columns, func(f Field) bool { return f.Name == LoadColumn }) {
		fields = append(fields, Field{Name: LoadColumn, Type: layout.String})
	}
	event := into.Event
	if len(t.Events) >= mostEvents || slices.Contains(t.Events, event) {
		event = ""
	}
	delete(l.tables, into.Name)
	after, committed, err := l.Tables.Settle(ctx, folderOf(into.Name), load, event, fields)
	if err != nil {
		return nil, false, err
	}
	l.tables[into.Name] = of(after)
	return l.tables[into.Name], committed, nil
}

// exact is the longest text that indexes of files have whole, in bytes.
// Source: ColumnIndexSizeLimit of parquet-go.
const exact = parquet.DefaultColumnIndexSizeLimit - 1

// stats says what a finished file has of its columns.
func stats(content []byte, ids map[string]int) ([]Stat, error) {
	f, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("read a file of rows: %w", err)
	}
	names := f.Schema().Columns()
	all := make([]Stat, len(names))
	for i, path := range names {
		all[i].ID = ids[path[0]]
	}
	bounded := make([]bool, len(names))
	for i := range bounded {
		bounded[i] = true
	}
	least, most := make([]parquet.Value, len(names)), make([]parquet.Value, len(names))
	for g, group := range f.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			index, err := chunk.ColumnIndex()
			if err != nil {
				return nil, fmt.Errorf("read a file of rows: %w", err)
			}
			all[i].Bytes += f.Metadata().RowGroups[g].Columns[i].MetaData.TotalCompressedSize
			all[i].Values += chunk.NumValues()
			for p := range index.NumPages() {
				all[i].Nulls += index.NullCount(p)
				if index.NullPage(p) {
					continue
				}
				low, high := index.MinValue(p), index.MaxValue(p)
				if unbounded(low) || unbounded(high) {
					bounded[i] = false
					continue
				}
				if compare := chunk.Type().Compare; least[i].IsNull() || compare(low, least[i]) < 0 {
					least[i] = low.Clone()
				}
				if compare := chunk.Type().Compare; most[i].IsNull() || compare(high, most[i]) > 0 {
					most[i] = high.Clone()
				}
			}
		}
	}
	for i := range all {
		if bounded[i] && !least[i].IsNull() && !most[i].IsNull() {
			all[i].Least, all[i].Most = append([]byte{}, least[i].Bytes()...), append([]byte{}, most[i].Bytes()...)
		}
	}
	return all, nil
}

// unbounded says of a value of an index that it may be no bound.
func unbounded(v parquet.Value) bool {
	switch v.Kind() {
	case parquet.ByteArray:
		return len(v.ByteArray()) > exact
	case parquet.Double:
		return math.IsNaN(v.Double())
	}
	return false
}
