//go:build !noduckdb

package duckdb_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb"
	"weir/shared/fault"
	"weir/shared/secret"
)

func open(t *testing.T, dir, path string) (warehouse.Warehouse, error) {
	t.Helper()
	settings, err := json.Marshal(map[string]string{"path": path})
	if err != nil {
		t.Fatal(err)
	}
	o, err := duckdb.Kind.Open(settings, map[string]secret.String{})
	if err != nil {
		return nil, err
	}
	return o.Open(context.Background(), warehouse.Deps{DataDir: dir, Owners: &warehouse.Owners{}})
}

func TestPathsStayInTheDataFolder(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Symlink(outside, filepath.Join(dir, "out")), os.Symlink(filepath.Join(outside, "f.duckdb"), filepath.Join(dir, "link.duckdb")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../x.duckdb", "/etc/x.duckdb", "a/../../x.duckdb", "out/x.duckdb", "out/deep/x.duckdb", "link.duckdb", "folder", ".", "x?access_mode=READ_WRITE", "x\x00y"} {
		w, err := open(t, dir, path)
		if err == nil {
			err = errors.Join(w.Test(context.Background()), w.Close())
		}
		if err == nil {
			t.Errorf("%q was opened", path)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside are %v, err %v", left, err)
	}
	w, err := open(t, dir, "./deep/er/x.duckdb")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Test(context.Background()), w.Close()); err != nil {
		t.Error(err)
	}
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
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) != 2 {
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
