package warehouses_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	lakeiceberg "weir/dataplane/warehouse/lake/iceberg"
)

// icebergProgram puts the folder of weir-iceberg into PATH, once; it is built unless make has
// built it.
var icebergProgram = sync.OnceValue(func() error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "bin", "weir-iceberg")); err != nil {
		if out, err := exec.Command(filepath.Join(root, "infra", "tools", "iceberg.sh")).CombinedOutput(); err != nil {
			return fmt.Errorf("build weir-iceberg: %w\n%s", err, out)
		}
	}
	return os.Setenv("PATH", filepath.Join(root, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
})

// folderStore is a folder as a store that is only read.
type folderStore string

func (f folderStore) Get(_ context.Context, key string) ([]byte, string, error) {
	content, err := os.ReadFile(filepath.Join(string(f), key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return content, "there", err
}
func (folderStore) Put(context.Context, string, []byte) error          { return fs.ErrPermission }
func (folderStore) Swap(context.Context, string, []byte, string) error { return fs.ErrPermission }
func (folderStore) Delete(context.Context, string) error               { return fs.ErrPermission }
func (folderStore) Close() error                                       { return nil }

// icebergReader reads the files of the newest snapshots of tables. folder makes objects be
// there and returns where; root is what locations have before their keys.
type icebergReader struct {
	t      testing.TB
	folder func() string
	root   func(folder string) string
	prefix string // below which tables are, with a slash before it
	rest   *lakeiceberg.REST

	tables *lakeiceberg.Tables // once they were asked
}

// open has a view for each table.
func (r *icebergReader) open(view func(table, files string) string) *sql.DB {
	r.t.Helper()
	at := r.folder()
	if r.tables == nil {
		var err error
		r.tables, err = lakeiceberg.New(lakeiceberg.Config{Store: folderStore(at), Root: r.root(at), Location: r.root(at) + r.prefix, Namespace: "events", REST: r.rest, Dial: (&net.Dialer{}).DialContext})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = r.tables.Close() })
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		r.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	entries, err := os.ReadDir(filepath.Join(at, r.prefix, "events"))
	if err != nil {
		r.t.Fatal(err)
	}
	run := func(q string) {
		if _, err := db.Exec(q); err != nil {
			r.t.Fatalf("%s: %v", q, err)
		}
	}
	run("set timezone = 'UTC'")
	run("set threads = 1")
	for _, e := range entries {
		keys, err := r.tables.Files(r.t.Context(), e.Name())
		if err != nil {
			r.t.Fatalf("files of table %s: %v", e.Name(), err)
		}
		if len(keys) == 0 {
			continue
		}
		var files []string
		for _, k := range keys {
			files = append(files, "'"+strings.ReplaceAll(filepath.Join(at, k), "'", "''")+"'")
		}
		run(`create view "` + e.Name() + `" as ` + view(e.Name(), "["+strings.Join(files, ", ")+"], union_by_name = true, hive_partitioning = false"))
	}
	return db
}

func icebergRaw(_, files string) string { return "select * from read_parquet(" + files + ")" }

// icebergNewest has one row for each id.
func icebergNewest(table, files string) string {
	if table == "users" {
		return "select id, arg_max(columns(* exclude (id, load_id)), load_id) from read_parquet(" + files + ") group by id"
	}
	return "select * exclude (load_id) from read_parquet(" + files + ") qualify row_number() over (partition by id order by load_id desc) = 1"
}

func (r *icebergReader) rows(table string) int {
	r.t.Helper()
	return rowsOf(r.t, r.open(icebergRaw), table)
}

// query runs a query of the kit.
func (r *icebergReader) query(ctx context.Context, q string, row func([]byte) error) error {
	return askOf(ctx, r.open(icebergNewest), q, row)
}

func ofIceberg(t testing.TB) loadtest.Setup {
	s, _ := icebergOnDisk(t)
	return s
}

func icebergOnDisk(t testing.TB) (loadtest.Setup, *icebergReader) {
	if err := icebergProgram(); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	at := filepath.Join(data, "warehouses", "ws_test", "events.lake")
	r := &icebergReader{t: t, folder: func() string { return at }, root: func(folder string) string { return folder }}
	return loadtest.Setup{
		Settings: `{"path":"events"}`,
		Deps:     warehouse.Deps{DataDir: data, Owners: &warehouse.Owners{}, Workspace: "ws_test", Now: time.Now},
		Query:    r.query, Rows: r.rows, Undoes: loadtest.UndoesNone, Without: append(slices.Clone(withoutTables), "broad", "traits", "any"), Outside: []string{"select 1"},
	}, r
}
