package deltalake

import (
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
)

const table = "`c`.`s`.`t`"

// Alter is the statements of a change; "" for one that is not made.
func Alter(c warehouse.Change) string {
	switch {
	case c.Column == "":
		return create(table)
	case c.From == "":
		return add(table, []string{c.Column}, []layout.Type{c.To})
	}
	statements, _ := widen(table, c)
	return strings.Join(statements, "\n")
}

// Merge is the statement of a merge.
func Merge(t warehouse.Table, all []string) string {
	shape := rows.Of(t, ofRows)
	return shape.Merge(dialect, table, from("/Volumes/c/s/v/x/", shape), all)
}

// Text is a text as SQL has it.
func Text(s string) string { return text(s) }

// Value is a value of a result.
func Value(typ, s string) any { return value(typ, s) }
