//go:build !noduckdb

package duckdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// TestMain makes the test binary a worker when a query starts it as one.
func TestMain(m *testing.M) {
	duckdb.Tasks.Divert()
	os.Exit(m.Run())
}

func open(t *testing.T, dir, path string) (warehouse.Warehouse, error) {
	t.Helper()
	settings, err := json.Marshal(map[string]string{"path": path})
	if err != nil {
		t.Fatal(err)
	}
	o, err := duckdb.Kind().Open(settings, map[string]secret.String{})
	if err != nil {
		return nil, err
	}
	return o.Open(context.Background(), warehouse.Deps{DataDir: dir, Owners: &warehouse.Owners{}, Workspace: "ws_test"})
}

func TestQueriesOnlyReadTheirFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other.csv")
	if err := os.WriteFile(other, []byte("a\nhush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := open(t, dir, "x.duckdb")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Alter(context.Background(), []warehouse.Change{{Table: "t", To: "string"}}), w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"select * from read_csv('" + other + "')", "select * from read_text('" + other + "')", "select * from '" + other + "'", "select * from glob('" + dir + "/*')",
		"copy (select 1) to '" + other + "2'", "attach '" + filepath.Join(dir, "y.duckdb") + "'", "install httpfs", "load httpfs",
		"set enable_external_access=true", "set access_mode='READ_WRITE'", "insert into t values ('1')", "create table u (i int)", "drop table t",
		"export database '" + filepath.Join(dir, "dump") + "'", "select 1; insert into t values ('1')",
	} {
		w, err := open(t, dir, "x.duckdb")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Query(context.Background(), q, func([]byte) error { return nil }); err == nil {
			t.Errorf("%s went through", q)
		}
		n := 0
		if err := w.Query(context.Background(), "select count(*) as c from t", func(b []byte) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("after %s: %d rows, err %v", q, n, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	var left []string
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			left = append(left, path)
		}
		return err
	})
	if err != nil || len(left) != 2 {
		t.Errorf("files %v, err %v", left, err)
	}
}

func TestQueriesOfAFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	w, err := open(t, t.TempDir(), "x.duckdb")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := w.Query(context.Background(), "select 1", nil); warehouse.CodeOf(err) != warehouse.CodeUnreachable || fault.KindOf(err) == fault.Invalid {
		t.Errorf("got %v", err)
	}
}

// The file of the release before is one that DuckDB made, with its log.
func TestAFileOfTheReleaseBeforeIsMoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := open(t, dir, "x.duckdb")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Alter(t.Context(), []warehouse.Change{{Table: "t", To: "string"}}), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "warehouses", "ws_test", "x.duckdb"), filepath.Join(dir, "x.duckdb")); err != nil {
		t.Fatal(err)
	}
	opened, err := duckdb.Kind().Open([]byte(`{"path":"./x.duckdb"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	owners := &warehouse.Owners{}
	if err := owners.Adopt(dir, map[string][]id.Workspace{opened.File: {"ws_test"}}); err != nil {
		t.Fatal(err)
	}
	w, err = opened.Open(t.Context(), warehouse.Deps{DataDir: dir, Owners: owners, Workspace: "ws_test"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := errors.Join(w.Query(t.Context(), "select count(*) as c from t", func([]byte) error { n++; return nil }), w.Close()); err != nil || n != 1 {
		t.Errorf("%d rows, err %v", n, err)
	}
}

func TestSettingsRefuseWhatIsNoNameInTheWorkspacesFolder(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../x.duckdb", "/etc/x.duckdb", "a/../../x.duckdb", ".", "..", "./..", "a/..", "a/..hidden", "x?access_mode=READ_WRITE", "x\x00y", "x\ny",
		`a\b`, "c:x", "a//b", ".", "", "~/x", "$HOME", strings.Repeat("x", 201)} {
		settings, err := json.Marshal(map[string]string{"path": path})
		if err != nil {
			t.Fatal(err)
		}
		_, err = duckdb.Kind().Open(settings, nil)
		if ps := fault.ProblemsOf(err); len(ps) != 1 || ps[0].Path != "settings.path" {
			t.Errorf("path %q: %v, want one problem of settings.path", path, err)
		}
	}
}

// A schema, a table and a column have the name that was said, whatever it is, and
// nothing else has changed.
func TestNamesAreNeverStatements(t *testing.T) {
	t.Parallel()
	names := []string{`a"; drop table kept; --`, `a""b`, `"`, "a.b", "x/y", "--", "/* */", "$1", "?", "';'", "main.kept", "information_schema", "système", "select"}
	for i, name := range names {
		dir := t.TempDir()
		write := func(schema string, change ...warehouse.Change) warehouse.Warehouse {
			t.Helper()
			settings, err := json.Marshal(map[string]string{"path": "x", "schema": schema})
			if err != nil {
				t.Fatal(err)
			}
			o, err := duckdb.Kind().Open(settings, nil)
			if err != nil {
				t.Fatal(err)
			}
			w, err := o.Open(t.Context(), warehouse.Deps{DataDir: dir, Owners: &warehouse.Owners{}, Workspace: "ws_test"})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Alter(t.Context(), change); err != nil && schema != "information_schema" { // DuckDB's own, which nobody writes
				t.Errorf("schema %q, %+v: %v", schema, change, err)
			}
			return w
		}
		table, column := names[(i+1)%len(names)], names[(i+2)%len(names)]
		if err := write("main", warehouse.Change{Table: "kept", To: "string"}).Close(); err != nil {
			t.Fatal(err)
		}
		if err := write(name, warehouse.Change{Table: table, To: "string"}, warehouse.Change{Table: table, Column: column, To: "string"}).Close(); err != nil {
			t.Fatal(err)
		}
		w := write("main")
		var got []string
		err := w.Query(t.Context(), "select schema_name as s, table_name as t from duckdb_tables() order by schema_name = 'main'", func(row []byte) error {
			var r struct{ S, T string }
			got = append(got, "")
			err := json.Unmarshal(row, &r)
			got[len(got)-1] = r.S + "|" + r.T
			return err
		})
		want := []string{name + "|" + table, "main|kept"}
		if name == "information_schema" {
			want = want[1:]
		}
		if err := errors.Join(err, w.Close()); err != nil || !slices.Equal(got, want) {
			t.Errorf("schema %q: tables %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestHostileStatementsEndAlone runs statements that take memory, time and disk
// without end: each ends in bounded time with a failure, nothing that it spilled
// stays, and the file answers the next one.
func TestHostileStatementsEndAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := open(t, dir, "x.duckdb")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := w.Alter(t.Context(), []warehouse.Change{{Table: "t", To: "string"}}); err != nil {
		t.Fatal(err)
	}
	none := func([]byte) error { return nil }
	for name, tc := range map[string]struct {
		sql  string
		want fault.Kind // Internal: by the deadline, or what DuckDB lacked
	}{
		"a long text":  {"select length(string_agg(repeat('x', 1000), ',')) from range(3000000)", fault.Invalid},
		"a long list":  {"select len(list(repeat('x', 100) || a.range || b.range)) from range(100000) a, range(100000) b", fault.Invalid},
		"a wide row":   {"select repeat('x', 20000000) as x", fault.Invalid},
		"a cross join": {"select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = 7", fault.Internal},
		"no end":       {"with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r", fault.Internal},
		"a large sort": {"select * from (select random() as r, repeat('x', 100) || a.range as x from range(50000000) a) order by r, x", fault.Internal},
	} {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		if tc.want == fault.Invalid {
			stop()
			ctx, stop = context.WithTimeout(t.Context(), 10*time.Minute) // a nice process on a busy machine
		}
		err := w.Query(ctx, tc.sql, none)
		stop()
		if err == nil || tc.want == fault.Invalid && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: error %v, want a failure of kind %v", name, err, tc.want)
		}
		rows := 0
		if err := w.Query(t.Context(), "select count(*) from t", func([]byte) error { rows++; return nil }); err != nil || rows != 1 {
			t.Errorf("after %s: %d rows, error %v", name, rows, err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "warehouses", "ws_test", "*.tmp")); err != nil || len(left) > 0 {
			t.Errorf("after %s there are %v, error %v", name, left, err)
		}
	}
}
