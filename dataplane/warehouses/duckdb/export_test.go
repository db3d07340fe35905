//go:build !noduckdb

package duckdb

import (
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
)

// Alter is the statement of a change.
var Alter = alter

// Merge is the statements that bring in two files, whose column n differs.
func Merge(table string, t warehouse.Table) []string {
	columns := func(n layout.Type) []warehouse.StagedColumn {
		return []warehouse.StagedColumn{{Name: "id", Type: layout.String}, {Name: "n", Type: n}, {Name: "g", Type: layout.Float}, {Name: "far", Type: layout.Datetime}}
	}
	return merge(table, t, []staged{{"/files/1.parquet", columns(layout.Int)}, {"/files/2.parquet", columns(layout.String)}})
}
