// Package lake keeps the tables of a warehouse that is nothing but objects: Parquet files in
// folders by table and by the day and hour in which events were received, in any store.
//
// A load only adds files. Their names come from the load, so that one that is repeated after
// a crash writes the same files again, and an event that was loaded once has one row. What
// comes again in a later load, as after a replay, is there again: readers take the row of the
// greatest load_id. Rows of users hold what one load says of a user.
//
// Columns are added and keep their type for ever, so that every reader can read all files of
// a table as one: a value that does not fit goes into the column's text sibling. Which columns
// a table has is kept in the object _weir/<table>.json.
//
// It refuses to run queries: other engines read the files.
//
// With Config.Tables the files belong to tables of a format that keeps account of them: a
// load counts when its files are committed, all of them at once, and one that is repeated
// commits nothing.
package lake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
)

// ErrChanged is what Store.Swap says when an object is another version than the given one.
var ErrChanged = errors.New("the object was changed by somebody else")

// Store holds objects. Errors but ErrChanged are Failures, which name the right that is
// missing. It need not be safe for concurrent use, but for Put.
type Store interface {
	// Get returns an object and its version; without one both are empty.
	Get(ctx context.Context, key string) (content []byte, version string, err error)
	// Put writes an object, in the place of one that there is. After it returned nil the
	// object is durable.
	Put(ctx context.Context, key string, content []byte) error
	// Swap writes an object in the place of a version, or of none.
	Swap(ctx context.Context, key string, content []byte, version string) error
	// Delete removes an object, as far as it may.
	Delete(ctx context.Context, key string) error
	// Close gives back what the store holds.
	Close() error
}

// Config says where a lake is. All of it but Prefix is required.
type Config struct {
	Store  Store
	Prefix string // that keys begin with; empty, or with a slash at its end
	Hours  bool   // files are in folders by hour below those by day
	Blobs  blob.Store
	Tables Tables // optional: a format of tables, which the lake then owns
}

// Names of the columns that a lake has for itself; the layouts of its kinds keep events from
// having them.
const (
	LoadColumn = "load_id"       // in files: texts that sort as loads do
	DayColumn  = "received_day"  // of folders: a date
	HourColumn = "received_hour" // of folders: two digits
)

// New returns a lake. It owns the store.
func New(c Config) warehouse.Warehouse { return &lake{Config: c, tables: map[string]*table{}} }

type lake struct {
	Config
	tables map[string]*table // that were asked for
}

// table is what is known of a table.
type table struct {
	Columns []column `json:"columns"`
	Events  []string `json:"events,omitempty"`

	version string // of the object; empty without
	changed bool   // the object is to be written
	known   Known  // with Config.Tables
}

// column is a column of a table.
type column struct {
	Name string      `json:"name"`
	Type layout.Type `json:"type"`

	id     int    // of its field, with Config.Tables
	native string // empty: what its type says
}

func (t *table) has(name string) (column, bool) {
	i := slices.IndexFunc(t.Columns, func(c column) bool { return c.Name == name })
	if i < 0 {
		return column{}, false
	}
	return t.Columns[i], true
}

// maxColumns is how many columns loads give a table: every open file has a buffer for each.
const maxColumns = 2000

// longest is how many bytes the name of a folder has at most, with room for an end: file systems
// have 255, and a key of an object 1,024 with all of its folders.
const longest = 200

// folderOf is the name of a table's folder: a longer one is cut and gets a part of its SHA-256.
func folderOf(table string) string {
	if len(table) <= longest {
		return table
	}
	sum := sha256.Sum256([]byte(table))
	end := "_" + hex.EncodeToString(sum[:8])
	return strings.ToValidUTF8(table[:longest-len(end)], "") + end
}

// about is the key of the object that says which columns a table has.
func (l *lake) about(name string) string { return l.Prefix + "_weir/" + folderOf(name) + ".json" }

// table reads what is known of a table, once.
func (l *lake) table(ctx context.Context, name string) (*table, error) {
	if t, ok := l.tables[name]; ok {
		return t, nil
	}
	if l.Tables != nil {
		known, err := l.Tables.Table(ctx, folderOf(name))
		if err != nil {
			return nil, err
		}
		l.tables[name] = of(known)
		return l.tables[name], nil
	}
	text, version, err := l.Store.Get(ctx, l.about(name))
	if err != nil {
		return nil, err
	}
	t := &table{version: version}
	if version != "" {
		if err := json.Unmarshal(text, t); err != nil {
			return nil, warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table,
				fmt.Errorf("the object %s does not say which columns the table has: put a former version back, or move the table's files elsewhere and remove it", l.about(name))))
		}
	}
	l.tables[name] = t
	return t, nil
}

// Schema implements warehouse.Warehouse.
func (l *lake) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	out := warehouse.Schema{}
	for _, name := range tables {
		t, err := l.table(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(t.Columns) == 0 {
			continue
		}
		s := warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns - len(t.Columns)}
		s.RowRoom = s.Room
		for _, c := range t.Columns {
			s.Columns[c.Name] = warehouse.Column{Type: c.Type, Native: cmp.Or(c.native, native(c.Type))}
		}
		out[name] = s
	}
	return out, nil
}

// Events are names of events that the rows of a table are of, the first of them first; loads
// ask for them in the place of a query.
func (l *lake) Events(ctx context.Context, name string) ([]string, error) {
	t, err := l.table(ctx, name)
	if err != nil {
		return nil, err
	}
	return t.Events, nil
}

// Alter implements warehouse.Warehouse. The object is written by Merge.
func (l *lake) Alter(ctx context.Context, changes []warehouse.Change) error {
	for _, c := range changes {
		t, err := l.table(ctx, c.Table)
		if err != nil {
			return err
		}
		name := c.Column
		switch {
		case c.From != "":
			return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, fmt.Errorf("column %s of table %s keeps its type: a lake's files are not written again", c.Column, c.Table)))
		case name == "":
			name = "id"
		}
		if _, there := t.has(name); !there {
			t.Columns, t.changed = append(t.Columns, column{Name: name, Type: kept(c.To)}), true
		}
	}
	return nil
}

// mostEvents is how many names of events are kept of a table.
const mostEvents = 20

// settle writes down what a table has, before files have it.
func (l *lake) settle(ctx context.Context, into *warehouse.Table) error {
	t, err := l.table(ctx, into.Name)
	if err != nil {
		return err
	}
	if into.Event != "" && len(t.Events) < mostEvents && !slices.Contains(t.Events, into.Event) {
		t.Events, t.changed = append(t.Events, into.Event), true
	}
	if !t.changed {
		return nil
	}
	text, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	delete(l.tables, into.Name) // it is read again: it has another version then
	err = l.Store.Swap(ctx, l.about(into.Name), append(text, '\n'), t.version)
	if errors.Is(err, ErrChanged) {
		return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, fmt.Errorf("the columns of table %s were changed by another plane at the same time", into.Name)))
	}
	return err
}

// Query implements warehouse.Warehouse: it refuses.
func (l *lake) Query(context.Context, string, func([]byte) error) error {
	return warehouse.Refuse(warehouse.CodeUnsupported, errors.New("a data lake has no engine of its own: read its files with yours, such as DuckDB, Athena, BigQuery, Synapse or Spark"))
}

// Exec implements warehouse.Warehouse: it refuses.
func (l *lake) Exec(context.Context, []string) (int64, error) {
	return 0, warehouse.Refuse(warehouse.CodeUnsupported, errors.New("a data lake has no engine that runs statements"))
}

// Test implements warehouse.Warehouse: it writes an object, reads it, and removes it as far
// as it may, and asks for one that is not there.
func (l *lake) Test(ctx context.Context) error {
	if l.Tables != nil {
		if err := l.Tables.Test(ctx); err != nil {
			return err
		}
	}
	key := l.Prefix + "_weir/connection-test"
	if err := l.Store.Put(ctx, key, []byte("Weir was here.\n")); err != nil {
		return err
	}
	if _, version, err := l.Store.Get(ctx, key); err != nil {
		return err
	} else if version == "" {
		return warehouse.Fail(warehouse.CodeFailed, errors.New("an object that was written is not there"))
	}
	if _, _, err := l.Store.Get(ctx, key+"-missing"); err != nil {
		return err
	}
	_ = l.Store.Delete(ctx, key) // loads remove nothing
	return nil
}

// Close implements warehouse.Warehouse.
func (l *lake) Close() error {
	if l.Tables != nil {
		return errors.Join(l.Tables.Close(), l.Store.Close())
	}
	return l.Store.Close()
}
