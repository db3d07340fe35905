package statements_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"

	"weir/controlplane/store/database/statements"
)

func open(t *testing.T) *sql.DB {
	t.Helper()
	base, err := sqlite.NewConnector("file:" + filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(statements.Connector(base))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func exec(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// TestOneStatementServesQueriesInsideEachOther reads rows of a query while the same query
// runs for each of them.
func TestOneStatementServesQueriesInsideEachOther(t *testing.T) {
	t.Parallel()
	db := open(t)
	exec(t, db, "create table numbers (n integer)")
	for i := range 4 {
		exec(t, db, "insert into numbers (n) values (?)", i)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	const above = "select n from numbers where n > ? order by n"
	pairs := 0
	outer, err := tx.QueryContext(t.Context(), above, 0)
	if err != nil {
		t.Fatal(err)
	}
	for outer.Next() {
		var n int
		if err := outer.Scan(&n); err != nil {
			t.Fatal(err)
		}
		inner, err := tx.QueryContext(t.Context(), above, n)
		if err != nil {
			t.Fatal(err)
		}
		for inner.Next() {
			pairs++
		}
		if err := inner.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := outer.Err(); err != nil || pairs != 3 {
		t.Errorf("got %d pairs and error %v, want 3 and none", pairs, err)
	}
}

// TestStatementsOutliveChangesOfTables has a table get a column between two runs of one
// query, and more texts than a connection keeps.
func TestStatementsOutliveChangesOfTables(t *testing.T) {
	t.Parallel()
	db := open(t)
	exec(t, db, "create table things (a integer); insert into things (a) values (1)")
	columns := func() int {
		rows, err := db.QueryContext(t.Context(), "select * from things where a = ?", 1)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		names, err := rows.Columns()
		if err != nil || !rows.Next() {
			t.Fatalf("no row; error %v", err)
		}
		return len(names)
	}
	if n := columns(); n != 1 {
		t.Errorf("got %d columns, want 1", n)
	}
	exec(t, db, "alter table things add column b integer")
	for i := range 500 {
		exec(t, db, fmt.Sprintf("update things set b = ? where a = %d", i), i)
	}
	if n := columns(); n != 2 {
		t.Errorf("got %d columns after one was added, want 2", n)
	}
	var b int
	if err := db.QueryRowContext(t.Context(), "select b from things where a = ?", 1).Scan(&b); err != nil || b != 1 {
		t.Errorf("got %d and error %v, want 1", b, err)
	}
}
