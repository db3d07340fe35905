package mssql

import (
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
)

// Alter is the statements of a change.
func Alter(c warehouse.Change) string {
	table := "[s].[t]"
	switch {
	case c.Column == "":
		return create(table)
	case c.From == "":
		return add(table, []warehouse.Change{c})
	}
	return strings.Join(widen(table, c), "\n")
}

// Merge is the statements of a merge into a table of some columns of texts, all with a
// collation.
func Merge(t warehouse.Table, collation string, all []string) []string {
	var have []column
	for _, name := range all {
		have = append(have, column{name: name, collation: collation})
	}
	shape := rows.Of(t, ofRows)
	return []string{createStage(shape, have), longStage(shape), strings.Join(longIDs("[s].[t]"), "\n"), merge("[s].[t]", shape, have)}
}

// Fits says whether a column of a type takes a value, and as what.
func Fits(native, value string) (string, bool) {
	if g := guard(native); g != nil {
		return g(value)
	}
	return value, false
}

// Text is a text as SQL has it.
func Text(s string) string { return text(s) }

// TypeOf is the type of a column as sys.columns has it.
func TypeOf(name, typ string, bytes, precision, scale int, collation string) (layout.Type, string) {
	c := column{name: name, native: nativeOf(typ, bytes, precision, scale), collation: collation}
	return typeOf(&c), c.guarded()
}

// Room is how many columns a table of some columns takes, of which so many are numbers and
// the rest texts, and a row.
func Room(numbers, texts int) (table, row int) {
	var have []column
	for i := range numbers + texts {
		c := column{bytes: 8}
		if i >= numbers {
			c.bytes = -1
		}
		have = append(have, c)
	}
	return room(have)
}
