// Package tables pulls tables of databases, by a column whose value rises when a row
// changes, or whole. A kind says how its server is asked (Session); the rules of cursors
// are here, once for all of them:
//
//   - Rows are read in the order of the cursor column and then of the key, and from behind
//     the last row that was read: whatever has one value is told apart by the key, so
//     nothing is lost at the border of two statements.
//   - A window ends with the greatest value that there was when it was opened. The next one
//     begins so far before it that transactions which were not ended then are read too;
//     what is read again and has not changed is dropped as a duplicate.
//   - A value beyond the server's time moves no window on: the rows behind it are read
//     again until that time has come.
//   - Rows without a value are read in each window.
//   - The columns of a table are read anew in each step: one that is new is pulled, one that
//     is gone is not there.
//
// A step keeps at most one batch of rows in memory.
package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/dataplane/pull"
	"weir/shared/catalog/streams"
)

// Config says which tables are pulled, and how.
type Config struct {
	Tables  map[string]string // the cursor column by table; "": the table is read whole each time
	Keys    map[string]string // by table the columns that name a row, with commas between them, where that is not its primary key
	Deleted map[string]string // by table the column that has a value, which is not false or 0, in a deleted row
	Overlap time.Duration     // so long after a row got its value may its transaction end
}

// Column is a column of a table.
type Column struct {
	Name    string
	Type    string // as the server calls it
	Null    bool   // it may have no value
	Time    bool   // its values are points in time
	Integer bool   // its values are whole numbers
	Binary  bool   // its values are bytes; a Position has them as hex
	Apart   bool   // its values are put in another order than they are compared
}

// Table is a table as it is now.
type Table struct {
	Name    string // as a statement has it, quoted
	Columns []Column
	Key     []string // of its primary key, in order
}

// Query asks for rows.
type Query struct {
	Table *Table
	By    []Column // their order
	Where []Bound  // all hold
	After []string // the values of By of the row behind which rows begin; nil: with the first
	Limit int
}

// Bound is a condition on a column.
type Bound struct {
	Column Column
	Is     string // >=, <=, "is null" or "is not null"
	Value  string // of the former two, a Position
}

// Session is a signed-in connection to a server, which only reads. Its errors are
// *pull.Failure, but for those of contexts and of each.
type Session interface {
	// Now returns the server's time.
	Now(ctx context.Context) (time.Time, error)
	// Table returns a table. A Failure with CodeNoStream: there is none.
	Table(ctx context.Context, name string) (*Table, error)
	// Rows calls each with rows of a query: a text for each of the table's columns in the
	// server's form, nil for no value. They are valid until each returns.
	Rows(ctx context.Context, q Query, each func(row [][]byte) error) error
	// Greatest returns the greatest value of a column, as a Position; "": there is none.
	Greatest(ctx context.Context, t *Table, c Column) (string, error)
	// Append appends a value as JSON.
	Append(dst []byte, c Column, value []byte) []byte
	// Moment reads a Position of a column of times; ok is false where it is none.
	Moment(c Column, position string) (at time.Time, ok bool)
	// Position writes a time as one of a column of times.
	Position(c Column, at time.Time) string
	Close()
}

// New returns what pulls the tables of a server; open signs in.
func New(c Config, d pull.Deps, open func(context.Context) (Session, error)) pull.Puller {
	return &puller{cfg: c, deps: d, open: open, batchRows: 2000, queryRows: 20_000}
}

type puller struct {
	batchRows, queryRows int

	cfg  Config
	deps pull.Deps
	open func(context.Context) (Session, error)
}

// table returns the table of a stream, as settings name it.
func (c *Config) table(stream string) (string, bool) {
	for name := range c.Tables {
		if streams.Named(name) == stream {
			return name, true
		}
	}
	return "", false
}

// position is how far a stream is, the JSON of its cursor.
type position struct {
	By     string   `json:"by,omitempty"`   // the columns that order rows; others begin anew
	From   string   `json:"from,omitempty"` // the window, both ends included; while none is open where the next one begins
	To     string   `json:"to,omitempty"`
	At     string   `json:"at,omitempty"`  // of the last row that was read
	Key    []string `json:"key,omitempty"` // of it
	Open   bool     `json:"open,omitempty"`
	Nulls  bool     `json:"nulls,omitempty"` // rows without a value are read now
	Rose   string   `json:"rose,omitempty"`  // the server's time when the window was opened, RFC 3339
	Former []mark   `json:"former,omitempty"`
}

// mark is the end of a former window.
type mark struct {
	Rose time.Time `json:"rose"`
	To   string    `json:"to"`
}

// Pull implements pull.Puller.
func (p *puller) Pull(ctx context.Context, stream string, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	name, ok := p.cfg.table(stream)
	if !ok {
		return pull.Next{}, &pull.Failure{Code: pull.CodeNoStream, Text: "The settings have no such table any more."}
	}
	var at position
	if len(from) > 0 {
		if err := json.Unmarshal(from, &at); err != nil {
			return pull.Next{}, &pull.Failure{Code: pull.CodeAnswer, Text: "The state of the stream is unreadable: reset it."}
		}
	}
	s, err := p.open(ctx)
	if err != nil {
		return pull.Next{}, err
	}
	defer s.Close()
	t, err := s.Table(ctx, name)
	if err != nil {
		return pull.Next{}, err
	}
	r := &run{Session: s, cfg: &p.cfg, now: p.deps.Now, table: t, budget: b, emit: emit, position: at, batchRows: p.batchRows, queryRows: p.queryRows}
	if err := r.columns(name); err != nil {
		return pull.Next{}, err
	}
	more, err := r.do(ctx)
	return pull.Next{More: more}, err
}

// columns finds the columns that order, name and mark rows.
func (r *run) columns(name string) error {
	keys := r.table.Key
	if given := r.cfg.Keys[name]; given != "" {
		keys = keys[:0:0]
		for part := range strings.SplitSeq(given, ",") {
			keys = append(keys, strings.TrimSpace(part))
		}
	}
	if len(keys) == 0 {
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The table %s has no primary key that the user may read: name the columns that name a row in the setting keys.", name)}
	}
	find := func(column, setting string) (int, error) {
		i := slices.IndexFunc(r.table.Columns, func(c Column) bool { return c.Name == column })
		if i < 0 {
			i = slices.IndexFunc(r.table.Columns, func(c Column) bool { return strings.EqualFold(c.Name, column) })
		}
		if i < 0 {
			return 0, &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The table %s has no column %s that may be read: correct the setting %s, or let the user read it.", name, column, setting)}
		}
		return i, nil
	}
	r.cursor, r.deleted = -1, -1
	var err error
	if c := r.cfg.Tables[name]; c != "" {
		if r.cursor, err = find(c, "tables"); err != nil {
			return err
		}
		r.by = append(r.by, r.table.Columns[r.cursor])
	}
	ordered := func(i int) error {
		if c := r.table.Columns[i]; c.Apart {
			return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("Rows of %s cannot be put in order by the column %s, of the type %s: name others in tables and keys.", name, c.Name, c.Type)}
		}
		return nil
	}
	if r.cursor >= 0 {
		if err := ordered(r.cursor); err != nil {
			return err
		}
	}
	for _, k := range keys {
		i, err := find(k, "keys")
		if err != nil {
			return err
		}
		if err := ordered(i); err != nil {
			return err
		}
		r.key, r.by = append(r.key, i), append(r.by, r.table.Columns[i])
	}
	if c := r.cfg.Deleted[name]; c != "" {
		if r.deleted, err = find(c, "deleted"); err != nil {
			return err
		}
	}
	var by []string
	for _, c := range r.by {
		by = append(by, c.Name+" "+c.Type)
	}
	if text := strings.Join(by, ", "); r.By != text { // it was ordered by others
		r.position = position{By: text}
	}
	for _, c := range r.table.Columns {
		r.names = append(r.names, quotedName(c.Name))
	}
	return nil
}
