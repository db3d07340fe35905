// Package duckdb loads into a DuckDB file in the plane's data folder. The file is
// open only while a load, a query or a test runs, by one of them at a time.
//
// It refuses paths that leave the data folder, and statements that write or read
// files in queries. Names are matched without regard to case, as DuckDB does.
package duckdb

import (
	"embed"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind duckdb.
var Kind = warehouse.Define(folder, open)

// file returns where a database lies: inside the data folder, whatever links say.
func file(dataDir, path string) (string, error) {
	refused := fault.New(fault.Denied, "The path of a DuckDB file has to lie in the plane's data folder.")
	if dataDir == "" || !filepath.IsLocal(path) || strings.ContainsAny(path, "?\x00") {
		return "", refused
	}
	root, err := filepath.EvalSymlinks(dataDir)
	if err != nil {
		return "", fault.New(fault.Unavailable, "The plane's data folder cannot be read.")
	}
	full := filepath.Join(root, path)
	if err := makeFolder(root, filepath.Dir(path)); err != nil {
		return "", fault.New(fault.Unavailable, "The folder of the DuckDB file cannot be made in the plane's data folder.")
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(full))
	if err != nil || folder != root && !strings.HasPrefix(folder, root+string(filepath.Separator)) {
		return "", refused
	}
	full = filepath.Join(folder, filepath.Base(full))
	if i, err := os.Lstat(full); err == nil && !i.Mode().IsRegular() {
		return "", refused
	}
	return full, nil
}

// makeFolder makes a folder and follows no link out of root.
func makeFolder(root, path string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	return errors.Join(r.MkdirAll(path, 0o700), r.Close())
}
