// Package drift knows what the tables of a warehouse had when loads filled them last, and
// tells what somebody changed about them since: tables and columns that are gone, have
// another name or another type, tables in whose place is a view, rights that are gone.
//
// A load that meets a change notes it, mends what can be mended, and from then on expects
// what there is. What is noted names tables, columns and types, never a value; names of
// tables come from names of events, so all of it stays in the plane. It is bounded: so
// many tables, so many changes.
package drift

import (
	"fmt"
	"slices"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
)

// Code says what somebody changed.
type Code string

// The codes.
const (
	TableDropped  Code = "table_dropped"
	TableReplaced Code = "table_replaced" // by what is no table
	TableDenied   Code = "table_denied"   // the destination's user may not fill it
	ColumnDropped Code = "column_dropped"
	ColumnRenamed Code = "column_renamed" // one is gone, and a new one of the same type is there
	ColumnChanged Code = "column_changed" // its type
)

// Change is something that somebody changed.
type Change struct {
	Code   Code      `json:"code"`
	Table  string    `json:"table"`
	Column string    `json:"column,omitempty"`
	Was    string    `json:"was,omitempty"` // of ColumnChanged, the type
	Is     string    `json:"is,omitempty"`  // of ColumnChanged the type, of ColumnRenamed the column that may be it
	At     time.Time `json:"at,omitzero"`   // when a load met it first; zero: none did yet
	Last   time.Time `json:"last,omitzero"` // when one met it last
}

// Says tells people what changed.
func (c Change) Says() string {
	switch c.Code {
	case TableDropped:
		return "The table was dropped."
	case TableReplaced:
		return "A view, or something else that is no table, has the table's name."
	case TableDenied:
		return "The destination's user may not fill the table."
	case ColumnDropped:
		return fmt.Sprintf("The column %s was dropped.", c.Column)
	case ColumnRenamed:
		return fmt.Sprintf("The column %s is gone; %s, of the same type, is new.", c.Column, c.Is)
	}
	return fmt.Sprintf("The column %s has the type %s, and had %s.", c.Column, c.Is, c.Was)
}

// Remedy tells people what the plane does about it, and what they can do.
func (c Change) Remedy() string {
	switch c.Code {
	case TableDropped:
		return "The next load that has rows for it makes it again. The rows that it had are gone: restore them from a backup, or replay them from where they came."
	case TableReplaced:
		return fmt.Sprintf("Rows go into a table _%s. To have them in %[1]s again, give what has that name another one.", c.Table)
	case TableDenied:
		return "Grant the destination's user select, insert, update, delete and alter on the table. Until then its events wait; after some attempts they are in quarantine, from where they can be replayed."
	case ColumnDropped:
		return "The next row that has a value for it adds it again; rows from before have none in it. To keep it away, drop the value in a transformation."
	case ColumnRenamed:
		return fmt.Sprintf("The next row that has a value for %s adds it again, so values of before are in %s and new ones in %[1]s. Rename it back before that, or give the name to people by a view.", c.Column, c.Is)
	}
	return fmt.Sprintf("Values that do not fit go into %s__raw, as they were sent. Give the column its former type to have them in it.", c.Column)
}

// Held says that rows wait until somebody mends it; everything else the loads mend or go
// around by themselves.
func (c Change) Held() bool { return c.Code == TableDenied }

func (c Change) same(o Change) bool {
	return c.Code == o.Code && c.Table == o.Table && c.Column == o.Column && c.Is == o.Is
}

// Column is the type of a column.
type Column struct {
	Type   layout.Type `json:"type,omitempty"`
	Native string      `json:"native,omitempty"` // "": not known
}

// Table is what is expected of a table.
type Table struct {
	Columns map[string]Column `json:"columns"`          // that loads fill
	Others  []string          `json:"others,omitempty"` // columns beside them
}

// Compare tells what somebody changed about a table of a name since it was as expected.
// have has no columns when it is not there. A column that became wider is no change: another
// plane may load into the table.
func Compare(name string, was Table, have warehouse.TableSchema) (all []Change) {
	switch {
	case len(was.Columns) == 0:
		return nil
	case have.Taken:
		return []Change{{Code: TableReplaced, Table: name}}
	case have.Columns == nil:
		return []Change{{Code: TableDropped, Table: name}}
	}
	var fresh []string // columns that may be one that is gone
	for column := range have.Columns {
		if _, known := was.Columns[column]; !known && !slices.Contains(was.Others, column) {
			fresh = append(fresh, column)
		}
	}
	slices.Sort(fresh)
	for _, column := range sorted(was.Columns) {
		before := was.Columns[column]
		now, there := have.Columns[column]
		switch {
		case !there:
			c := Change{Code: ColumnDropped, Table: name, Column: column}
			if i := slices.IndexFunc(fresh, func(f string) bool { return have.Columns[f].Native == before.Native }); i >= 0 {
				c.Code, c.Is = ColumnRenamed, fresh[i]
				fresh = slices.Delete(fresh, i, i+1)
			}
			all = append(all, c)
		case before.Native != "" && now.Native != before.Native && !wider(before.Type, now.Type):
			all = append(all, Change{Code: ColumnChanged, Table: name, Column: column, Was: before.Native, Is: now.Native})
		}
	}
	return all
}

// wider reports whether a column takes all that it took before.
func wider(before, now layout.Type) bool {
	return before != "" && now != "" && stage.Join(before, now) == now
}
