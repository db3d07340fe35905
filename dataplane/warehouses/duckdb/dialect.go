//go:build !noduckdb

package duckdb

import (
	"fmt"

	"weir/dataplane/tables"
)

// dialect is DuckDB's.
type dialect struct{}

// Dialect is how sessions on DuckDB write SQL.
var _ tables.Dialect = dialect{}

func (dialect) Quote(name string) string { return quote(name) }
func (dialect) Text(s string) string     { return text(s) }

// Work implements tables.Dialect: the table is the session's, and not in the file.
func (dialect) Work(name, query string) []string {
	return []string{"create or replace temp table " + quote(name) + " as " + query}
}

func (dialect) Analyze(string) []string { return nil }

// Index implements tables.Dialect: joins of columns need none, and one costs memory.
func (dialect) Index(string, string, bool, ...string) []string { return nil }

func (dialect) Latest(x, at, id, cond string) string {
	return fmt.Sprintf("arg_max(%s, row(%s, %s)) filter (where %s)", x, at, id, cond)
}

func (dialect) Earliest(x, at, id, cond string) string {
	return fmt.Sprintf("arg_min(%s, row(%s, %s)) filter (where %s)", x, at, id, cond)
}

func (dialect) Binary(x string) string { return x }

func (dialect) Number(x string) string { return "try_cast(" + x + " as double)" }

// Syntax implements tables.Basics.
func (dialect) Syntax() tables.Syntax { return tables.Standard }

// Basics implements tables.Modelled.
func (w *connection) Basics() tables.Basics { return dialect{} }

// Dialect implements tables.Warehouse.
func (w *connection) Dialect() tables.Dialect { return dialect{} }

// Home implements tables.Warehouse.
func (w *connection) Home() string { return w.schema }
