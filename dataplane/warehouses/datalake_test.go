package warehouses_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"weir/dataplane/layout"
	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	s3datalake "weir/dataplane/warehouses/s3_datalake"
	"weir/shared/secret"
)

// withoutTables are the parts of the kit in which somebody has tables of their own, and the
// ones in which columns get wider types and rows go: a lake has none of these. And mixed is
// about staging.
var withoutTables = []string{"mixed", "evolve", "drift", "removed", "foreign", "view", "ids", "users", "taken", "kept names", "fits", "former", "refused", "shut"}

// lakeReader reads the files of a lake as its page tells people to. folder makes the files be
// there and returns where.
type lakeReader struct {
	t      testing.TB
	folder func() string
}

// tables are the tables, with all of their rows.
func (r *lakeReader) open(view func(table, files string) string) *sql.DB {
	r.t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		r.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	at := r.folder()
	entries, err := os.ReadDir(at)
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
		if e.IsDir() && e.Name() != "_weir" {
			run(`create view "` + e.Name() + `" as ` + view(e.Name(), "'"+filepath.Join(at, e.Name(), "**", "*.parquet")+"', union_by_name = true"))
		}
	}
	return db
}

// raw has every row that is in files.
func raw(_, files string) string {
	return "select * from read_parquet(" + files + ", hive_partitioning = true)"
}

// newest has one row for each id.
func newest(table, files string) string {
	if table == "users" {
		return "select id, arg_max(columns(* exclude (id, load_id)), load_id) from read_parquet(" + files + ", hive_partitioning = false) group by id"
	}
	return "select * exclude (load_id, received_day, received_hour) from (" + raw(table, files) + ") qualify row_number() over (partition by id order by load_id desc) = 1"
}

// rows counts the rows of a table in all files.
func (r *lakeReader) rows(table string) int {
	r.t.Helper()
	return rowsOf(r.t, r.open(raw), table)
}

// rowsOf counts the rows of a table and closes db.
func rowsOf(t testing.TB, db *sql.DB, table string) (n int) {
	t.Helper()
	defer func() { _ = db.Close() }()
	if err := db.QueryRow(`select count(*) from "` + table + `"`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// query runs a query of the kit.
func (r *lakeReader) query(ctx context.Context, q string, row func([]byte) error) error {
	return askOf(ctx, r.open(newest), q, row)
}

// askOf runs a query of the kit and closes db.
func askOf(ctx context.Context, db *sql.DB, q string, row func([]byte) error) error {
	defer func() { _ = db.Close() }()
	l := &lake{db: db}
	found, err := l.query(q)
	if err != nil {
		return err
	}
	for _, values := range found.rows {
		b, err := warehouse.RowJSON(found.names, values)
		if err == nil {
			err = row(b)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func ofLocalDatalake(t testing.TB) loadtest.Setup {
	s, _ := localDatalake(t)
	return s
}

func localDatalake(t testing.TB) (loadtest.Setup, *lakeReader) {
	data := t.TempDir()
	at := filepath.Join(data, "warehouses", "ws_test", "events.lake")
	r := &lakeReader{t: t, folder: func() string { return at }}
	return loadtest.Setup{
		Settings: `{"path":"events"}`,
		Deps:     warehouse.Deps{DataDir: data, Owners: &warehouse.Owners{}, Workspace: "ws_test", Now: time.Now},
		Query:    r.query, Rows: r.rows, Undoes: loadtest.UndoesNone, Without: withoutTables, Outside: []string{"select 1"},
	}, r
}

// withoutWide are parts that are about the files alone: local_datalake has them.
var withoutWide = append(slices.Clone(withoutTables), "wide", "broad", "traits", "any")

// objectStore is a bucket of the tests, behind what a test puts before it.
type objectStore struct {
	backend *s3mem.Backend
	before  atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // true: it answered
	url     string
}

// folder writes the objects below a prefix into a folder.
func (o *objectStore) folder(t testing.TB, prefix string) string {
	at := t.TempDir()
	o.write(t, prefix, at)
	return at
}

// write does so into a folder that is there.
func (o *objectStore) write(t testing.TB, prefix, at string) {
	list, err := o.backend.ListBucket("files", &gofakes3.Prefix{HasPrefix: true, Prefix: prefix}, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Contents {
		object, err := o.backend.GetObject("files", c.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(at, strings.TrimPrefix(c.Key, prefix))
		var f *os.File
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			f, err = os.Create(name)
		}
		if err == nil {
			_, err = f.ReadFrom(object.Contents)
			err = errors.Join(err, f.Close(), object.Contents.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// withOpened opens a warehouse of a setup for use.
func withOpened(t *testing.T, kind warehouse.Kind, s loadtest.Setup, use func(warehouse.Warehouse) error) error {
	t.Helper()
	o, err := kind.Open([]byte(s.Settings), s.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	w, err := o.Open(t.Context(), s.Deps)
	if err != nil {
		t.Fatal(err)
	}
	return errors.Join(use(w), w.Close())
}

// TestDatalakeTells wants of a connection test which right is missing.
func TestDatalakeTells(t *testing.T) {
	t.Parallel()
	s, _, o := s3Datalake(t)
	test := func() error {
		return withOpened(t, s3datalake.Kind(), s, func(w warehouse.Warehouse) error { return w.Test(t.Context()) })
	}
	if err := test(); err != nil {
		t.Fatal(err)
	}
	for right, refuses := range map[string]func(*http.Request) bool{
		"s3:PutObject":  func(r *http.Request) bool { return r.Method == http.MethodPut },
		"s3:GetObject":  func(r *http.Request) bool { return r.Method == http.MethodGet },
		"s3:ListBucket": func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "-missing") },
	} {
		before := func(w http.ResponseWriter, r *http.Request) bool {
			if refuses(r) {
				w.WriteHeader(http.StatusForbidden)
			}
			return refuses(r)
		}
		o.before.Store(&before)
		if err := test(); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), right) {
			t.Errorf("without %s the test says %v", right, err)
		}
	}
	o.before.Store(nil)
	s.Settings = strings.Replace(s.Settings, `"files"`, `"other"`, 1)
	if err := test(); warehouse.CodeOf(err) != warehouse.CodeUnreachable || !strings.Contains(err.Error(), "there is no bucket other") {
		t.Errorf("without a bucket the test says %v", err)
	}
}

// TestDatalakeColumns has two planes that give a table columns at the same time: neither loses
// one of the other, and a column keeps the type that it got first.
func TestDatalakeColumns(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _, o := s3Datalake(t)
	alter := func(w warehouse.Warehouse, column string, typ layout.Type) error {
		into := warehouse.Table{Name: "order_done", Load: "l", Columns: []warehouse.Target{{Name: "id", Type: layout.String}}}
		if _, err := w.Schema(ctx, []string{"order_done"}); err != nil {
			return err
		}
		if err := w.Alter(ctx, []warehouse.Change{{Table: "order_done", To: layout.String}, {Table: "order_done", Column: column, To: typ}}); err != nil {
			return err
		}
		before := func(http.ResponseWriter, *http.Request) bool { return false }
		if column == "slow" { // the other plane is faster
			before = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					o.before.Store(nil)
					if err := o.put("weir/_weir/order_done.json", `{"columns":[{"name":"id","type":"string"},{"name":"n","type":"int"}]}`); err != nil {
						t.Error(err)
					}
				}
				return false
			}
		}
		o.before.Store(&before)
		_, err := w.Merge(ctx, into, nil)
		return err
	}
	err := withOpened(t, s3datalake.Kind(), s, func(w warehouse.Warehouse) error { return alter(w, "slow", layout.Float) })
	if refusal.Of(err) != refusal.Busy {
		t.Errorf("a change that another plane's overtook says %v, want busy", err)
	}
	err = withOpened(t, s3datalake.Kind(), s, func(w warehouse.Warehouse) error {
		if err := alter(w, "next", layout.Float); err != nil {
			return err
		}
		have, err := w.Schema(ctx, []string{"order_done"})
		if c := have["order_done"].Columns; len(c) != 3 || c["n"].Type != layout.Int || c["next"].Native != "double" {
			t.Errorf("the columns are %v", c)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	err = withOpened(t, s3datalake.Kind(), s, func(w warehouse.Warehouse) error {
		return w.Alter(ctx, []warehouse.Change{{Table: "order_done", Column: "n", From: layout.Int, To: layout.Float}})
	})
	if warehouse.CodeOf(err) != warehouse.CodeSchema {
		t.Errorf("a wider type: %v, want %s", err, warehouse.CodeSchema)
	}
}

// put writes an object beside the lake.
func (o *objectStore) put(key, content string) error {
	_, err := o.backend.PutObject("files", key, nil, strings.NewReader(content), int64(len(content)), nil)
	return err
}

func ofS3Datalake(t testing.TB) loadtest.Setup {
	s, _, _ := s3Datalake(t)
	return s
}

func s3Datalake(t testing.TB) (loadtest.Setup, *lakeReader, *objectStore) {
	o := &objectStore{backend: s3mem.New()}
	if err := o.backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(o.backend, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0)).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := o.before.Load(); before != nil && (*before)(w, r) {
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	r := &lakeReader{t: t, folder: func() string { return o.folder(t, "weir/") }}
	return loadtest.Setup{
		Settings: fmt.Sprintf(`{"bucket":"files","baseUrl":%q}`, o.url),
		Secrets:  map[string]secret.String{"accessKey": secret.NewString("AKIA"), "secretKey": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: (&net.Dialer{}).DialContext, Now: time.Now},
		Query:    r.query, Rows: r.rows, Undoes: loadtest.UndoesNone, Without: withoutWide, Outside: []string{"select 1"},
	}, r, o
}
