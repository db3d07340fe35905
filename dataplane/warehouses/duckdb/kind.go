// Package duckdb loads into a DuckDB file in the plane's data folder. The file is
// open only while a load, a query or a test runs, by one of them at a time.
//
// It refuses paths that leave the data folder, and statements that write or read
// files in queries. Names are matched without regard to case, as DuckDB does.
package duckdb

import (
	"embed"

	"weir/dataplane/warehouse"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind duckdb.
var Kind = warehouse.Define(folder, open)
