// Package erase removes rows from the tables of warehouses: those of a person, and those
// that are older than a rule allows.
//
// It guarantees that a repetition gives the same result, and that after a death of the
// process some tables may be done and others not: nobody is told of a table before it is
// done. It refuses nothing silently: a table without a column by which rows could be found
// is none of a person's, and a kind that cannot remove rows is an error.
package erase

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/quoting"
	"weir/dataplane/warehouse/removal"
	"weir/shared/fault"
)

// MostIDs is how many identifiers a person has at most in one call.
const MostIDs = 1000

// Person is whom rows and events are about.
type Person struct {
	Users     []string `json:"users,omitempty"`
	Anonymous []string `json:"anonymous,omitempty"`
}

// Add adds an identifier, type:value. It reports whether events and rows have it: those of the
// types user_id and anonymous_id.
func (p *Person) Add(id string) bool {
	typ, value, _ := strings.Cut(id, ":")
	into := &p.Users
	switch typ {
	case "user_id":
	case "anonymous_id":
		into = &p.Anonymous
	default:
		return false
	}
	if value != "" && !slices.Contains(*into, value) && len(p.Users)+len(p.Anonymous) < MostIDs {
		*into = append(*into, value)
	}
	return value != ""
}

// Is reports whether an event is the person's. One whose JSON cannot be read is when it names
// an identifier of theirs anywhere.
func (p *Person) Is(e *event.Event) bool {
	var has struct{ UserID, AnonymousID, PreviousID json.RawMessage }
	if json.Unmarshal(e.JSON, &has) != nil {
		return slices.ContainsFunc(slices.Concat(p.Users, p.Anonymous), func(id string) bool {
			b, err := json.Marshal(id)
			return err == nil && strings.Contains(string(e.JSON), string(b))
		})
	}
	user, anonymous, previous := plain(has.UserID), plain(has.AnonymousID), plain(has.PreviousID)
	return slices.Contains(p.Users, user) || slices.Contains(p.Anonymous, anonymous) || slices.Contains(p.Users, previous) || slices.Contains(p.Anonymous, previous)
}

// plain is a text or a number of JSON as rows have it.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// Of is the condition that rows of a table are the person's, as w writes SQL; empty when the
// table has no column that tells.
func (p *Person) Of(w warehouse.Warehouse, table string, have warehouse.TableSchema) string {
	var parts []string
	in := func(column string, ids []string) {
		for _, name := range []string{column, column + "__raw"} {
			if values := literals(w, have.Columns[name], ids); len(values) > 0 {
				parts = append(parts, quoting.Name(w, name)+" in ("+strings.Join(values, ", ")+")")
			}
		}
	}
	in("user_id", p.Users)
	in("anonymous_id", p.Anonymous)
	in("previous_id", slices.Concat(p.Users, p.Anonymous))
	if table == "users" || table == "_users" {
		in("id", p.Users)
	}
	return strings.Join(parts, " or ")
}

// literals are identifiers as a column compares with them; none where it holds none of them.
func literals(w warehouse.Warehouse, c warehouse.Column, ids []string) (all []string) {
	for _, id := range ids {
		switch c.Type {
		case layout.String, layout.Text:
			all = append(all, quoting.Text(w, id))
		case layout.Int:
			if n, err := strconv.ParseInt(id, 10, 64); err == nil {
				all = append(all, strconv.FormatInt(n, 10))
			}
		case layout.Float:
			if f, err := strconv.ParseFloat(id, 64); err == nil && strings.Trim(id, "-+.0123456789eE") == "" {
				all = append(all, strconv.FormatFloat(f, 'g', -1, 64))
			}
		case "": // of somebody's making; a text most likely
			if native := strings.ToLower(c.Native); strings.Contains(native, "char") || strings.Contains(native, "text") || strings.Contains(native, "string") {
				all = append(all, quoting.Text(w, id))
			}
		}
	}
	return all
}

// Table is what became of the rows of a table.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"` // that were removed, or would be
}

// tablesAtOnce is of how many tables a warehouse is asked at once.
const tablesAtOnce = 200

// Rows removes, or with dry only counts, the rows of tables for which the condition of a
// table holds; it leaves out tables for which condition is empty. known are names of tables;
// a kind that lists its own adds those. each hears of each table that has such rows.
func Rows(ctx context.Context, w warehouse.Warehouse, known []string, condition func(table string, have warehouse.TableSchema) string, dry bool, each func(Table) error) error {
	remover, ok := w.(removal.Remover)
	if !ok {
		return warehouse.Fail(warehouse.CodeUnsupported, fault.New(fault.Invalid, "This kind of warehouse cannot remove single rows."))
	}
	names := slices.Clone(known)
	if l, ok := w.(removal.Lister); ok {
		more, err := l.Tables(ctx)
		if err != nil {
			return err
		}
		names = append(names, more...)
	}
	slices.Sort(names)
	for part := range slices.Chunk(slices.Compact(names), tablesAtOnce) {
		have, err := w.Schema(ctx, part)
		if err != nil {
			return err
		}
		for _, name := range part {
			t := have[name]
			if t.Taken || t.Columns == nil {
				continue
			}
			where := condition(name, t)
			if where == "" {
				continue
			}
			n, err := count(ctx, w, name, where)
			if err != nil {
				return fmt.Errorf("count rows of table %s: %w", name, err)
			}
			if n == 0 {
				continue
			}
			if !dry {
				if err := remover.Remove(ctx, name, where); err != nil {
					return fmt.Errorf("remove rows of table %s: %w", name, err)
				}
			}
			if err := each(Table{name, n}); err != nil {
				return err
			}
		}
	}
	return nil
}

func count(ctx context.Context, w warehouse.Warehouse, table, where string) (n int64, err error) {
	err = w.Query(ctx, "select count(*) as n from "+quoting.Name(w, table)+" where "+where, func(row []byte) error {
		var values map[string]json.RawMessage
		if err := json.Unmarshal(row, &values); err != nil {
			return err
		}
		for _, v := range values {
			n, err = strconv.ParseInt(strings.Trim(string(v), `"`), 10, 64)
		}
		return err
	})
	return n, err
}
