// Package duckdb loads into a DuckDB file in the workspace's own folder of the plane.
// The file is open only while a load, a query, a session or a test runs, by one of them
// at a time.
//
// It refuses paths that leave that folder, and statements that write or read
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

// fileType is DuckDB's files. Source: the storage format's header, a checksum of 8
// bytes and then the magic bytes, in
// https://duckdb.org/docs/stable/internals/storage
var fileType = warehouse.FileType{End: ".duckdb", Beside: ".wal", Magic: "DUCK", MagicAt: 8}

// File returns the path of the file.
func (s Settings) File() string { return s.Path }
