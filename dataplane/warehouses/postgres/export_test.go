package postgres

import (
	"fmt"

	"weir/dataplane/warehouse"
)

// Alter is the statement of a change.
var Alter = alter

// Merge is what a merge copies into, and the statements that follow it.
func Merge(table string, t warehouse.Table) []string {
	l := shape(t)
	if !t.Keep {
		return []string{fmt.Sprintf("copy %s (%s) from stdin", table, joined(l.Columns, "?"))}
	}
	return statements(table, t, l)
}
