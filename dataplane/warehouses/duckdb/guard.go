//go:build !noduckdb

package duckdb

import (
	"fmt"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb/columntype"
)

// value is the expression of a staged value in its column's type; null when it
// does not fit and the target is guarded.
func value(c warehouse.Target, staged layout.Type, spelled bool) string {
	q := quote(c.Name)
	switch {
	case c.Guard:
		return columntype.Guarded(asText(q, staged), c.Native)
	case c.Type == layout.String || c.Type == layout.Text:
		return ownText(c.Name, staged, spelled)
	case c.Type == staged:
		return q
	}
	return fmt.Sprintf("cast(%s as %s)", q, c.Native)
}
