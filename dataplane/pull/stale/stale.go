// Package stale finds the rows that warehouses have of a stream and that nothing has written
// since a time: what a copy of the stream did not bring is gone at the source, once all that
// was pulled before has come into the warehouse.
package stale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/quoting"
	"weir/shared/id"
)

// Query asks for rows of a stream.
type Query struct {
	Stream string
	Since  time.Time // rows that were received since are not wanted
	// Marks are keys of rows that were pulled last. When the warehouse has them all, received
	// since Since, what was pulled before them is taken to be there. Without marks nothing of
	// the source may wait for the warehouse.
	Marks []string
	Place string // where a former answer ended; "": at the beginning
	Most  int    // rows of an answer
}

// Rows are keys of rows. Nothing else of rows is read.
type Rows struct {
	Keys  []string
	Place string
	Waits bool // what was pulled before is not in the warehouse yet: ask later
	Apart bool // with Waits: not all partitions of the plane are answered for, so that nobody can tell
	Done  bool // there are no more
}

// Warehouse is one that rows of a source go into.
type Warehouse struct {
	ID      id.Destination
	Type    string
	Layout  *layout.Dialect
	Options layout.Options
	Open    func(ctx context.Context) (warehouse.Warehouse, error)
	Quiet   func(ctx context.Context) (quiet, apart bool) // nothing of the source waits for it, anywhere; see Plane
}

// askTime is how long one question to a warehouse may take.
const askTime = time.Minute

// Find answers q for a source of a name, with rows of one of the warehouses at a time.
// Errors are those of the warehouse.
func Find(ctx context.Context, all []Warehouse, source string, q Query) (Rows, error) {
	slices.SortFunc(all, func(a, b Warehouse) int { return strings.Compare(string(a.ID), string(b.ID)) })
	at, after, within := strings.Cut(q.Place, "/")
	for i := range all {
		w := &all[i]
		switch {
		case w.Layout == nil, string(w.ID) < at: // files, and what is behind
			continue
		case string(w.ID) > at:
			after, within = "", false
		}
		found, err := w.find(ctx, source, q, after, within)
		if err != nil {
			return Rows{}, fmt.Errorf("ask %s: %w", w.ID, err)
		}
		if found.Waits || len(found.Keys) > 0 {
			found.Place = string(w.ID)
			if n := len(found.Keys); n > 0 {
				found.Place += "/" + found.Keys[n-1]
			}
			return found, nil
		}
	}
	return Rows{Done: true}, nil
}

// find asks one warehouse; within: it was found that nothing waits for it.
func (w *Warehouse) find(ctx context.Context, source string, q Query, after string, within bool) (found Rows, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	x, err := w.Open(ctx)
	if err != nil {
		return Rows{}, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	name := w.Layout.Table(source+"_"+q.Stream, &w.Options).Out
	schema, err := x.Schema(ctx, []string{name})
	if err != nil {
		return Rows{}, err
	}
	t := table{w: x, typ: w.Type, name: name, columns: schema[name].Columns}
	if t.key = "record_id"; !t.has(t.key) { // rows with all their states have it
		t.key = "id"
	}
	if !t.has(t.key) || !t.has(received) {
		return Rows{}, nil // there are no rows yet
	}
	if !within {
		there, err := t.passed(ctx, q)
		if err != nil {
			return Rows{}, err
		}
		if !there {
			if quiet, apart := w.Quiet(ctx); !quiet {
				return Rows{Waits: true, Apart: apart}, nil
			}
		}
	}
	found.Keys, err = t.keys(ctx, t.unwritten(q, after))
	return found, err
}

// Columns of the layout.
const (
	received = "received_at"
	deleted  = "__deleted_at"
)

// table is a table of a stream.
type table struct {
	w         warehouse.Warehouse
	typ, name string
	key       string // the column with the keys of rows
	columns   map[string]warehouse.Column
}

func (t *table) has(column string) bool { _, ok := t.columns[column]; return ok }

// named writes a name: plain ones as they are, which each kind takes to be its own.
func (t *table) named(name string) string {
	for i, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return quoting.Name(t.w, name)
		}
	}
	return name
}

func (t *table) text(s string) string { return quoting.Text(t.w, s) }

// moment is a time's literal.
func (t *table) moment(at time.Time) string {
	switch t.typ {
	case "mysql", "clickhouse": // their columns are in UTC, and take no zone
		return "'" + at.UTC().Format("2006-01-02 15:04:05.000") + "'"
	}
	return "'" + at.UTC().Format("2006-01-02T15:04:05.000") + "+00:00'"
}

// passed reports whether the marks are there.
func (t *table) passed(ctx context.Context, q Query) (bool, error) {
	if len(q.Marks) == 0 {
		return false, nil
	}
	var texts []string
	for _, m := range q.Marks {
		texts = append(texts, t.text(m))
	}
	there, err := t.keys(ctx, fmt.Sprintf("select distinct %s from %s where %[1]s in (%[3]s) and %[4]s >= %[5]s", t.named(t.key), t.named(t.name), strings.Join(texts, ", "), received, t.moment(q.Since)))
	for _, m := range q.Marks {
		if err == nil && !slices.Contains(there, m) {
			return false, nil
		}
	}
	return err == nil, err
}

// unwritten is a statement that lists keys behind one, of rows that are not deleted.
func (t *table) unwritten(q Query, after string) string {
	key, from := t.named(t.key), t.named(t.name)
	where := ""
	if after != "" {
		where = key + " > " + t.text(after)
	}
	and := func(condition string) {
		if where != "" {
			where += " and "
		}
		where += condition
	}
	if t.key == "id" {
		and(received + " < " + t.moment(q.Since))
		if t.has(deleted) {
			and(deleted + " is null")
		}
		return fmt.Sprintf("select %s from %s where %s order by %[1]s limit %[4]d", key, from, where, q.Most)
	}
	and(key + " is not null")
	having := "max(" + received + ") < " + t.moment(q.Since)
	if t.has(deleted) {
		having += " and (max(" + deleted + ") is null or max(" + deleted + ") < max(" + received + "))"
	}
	return fmt.Sprintf("select %s from %s where %s group by %[1]s having %s order by %[1]s limit %[5]d", key, from, where, having, q.Most)
}

// keys runs a statement whose rows have one column.
func (t *table) keys(ctx context.Context, sql string) (all []string, err error) {
	err = t.w.Query(ctx, sql, func(row []byte) error {
		var one map[string]*string
		if err := json.Unmarshal(row, &one); err != nil {
			return fmt.Errorf("read a key: %w", err)
		}
		for _, v := range one {
			if v != nil {
				all = append(all, *v)
			}
		}
		return nil
	})
	return all, err
}
