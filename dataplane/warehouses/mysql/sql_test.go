package mysql_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/mysql"
)

var update = flag.Bool("update", false, "write testdata/sql.txt anew")

// TestSQL writes the statements of changes and merges for MySQL, and of JSON for MariaDB
// too, and compares them with testdata/sql.txt, which -update writes anew: read its diff
// as carefully as code.
func TestSQL(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "# a table\n%s\n", mysql.Alter("t", "json", warehouse.Change{Table: "t", To: layout.String}))
	for _, typ := range []layout.Type{layout.Int, layout.Float, layout.Boolean, layout.Datetime, layout.String, layout.Text, layout.JSON} {
		fmt.Fprintf(&b, "# a column of type %s\n%s\n", typ, mysql.Alter("t", "json", warehouse.Change{Table: "t", Column: `a "b`, To: typ}))
		if typ != layout.String {
			fmt.Fprintf(&b, "# %s becomes string\n%s\n", typ, mysql.Alter("t", "json", warehouse.Change{Table: "t", Column: "c", From: typ, To: layout.String}))
		}
	}
	fmt.Fprintf(&b, "# int becomes float\n%s\n", mysql.Alter("t", "json", warehouse.Change{Table: "t", Column: "c", From: layout.Int, To: layout.Float}))
	fmt.Fprintf(&b, "# a column of JSON in MariaDB\n%s\n", mysql.Alter("t", "longtext", warehouse.Change{Table: "t", Column: "c", To: layout.JSON}))
	columns := []warehouse.Target{
		{Name: "id", Native: "longtext", Type: layout.String}, {Name: "n", Native: "bigint", Type: layout.Int},
		{Name: "g", Native: "decimal(10,2)", Guard: true, Raw: "g__raw"}, {Name: "far", Over: true},
	}
	for _, keep := range []bool{false, true} {
		fmt.Fprintf(&b, "# a merge, keep %v\n", keep)
		for _, q := range mysql.Merge(warehouse.Table{Name: "t", Columns: columns, More: "__more", Keep: keep}) {
			fmt.Fprintln(&b, q)
		}
	}
	const golden = "testdata/sql.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the SQL differs (-want +got):\n%s", diff)
	}
}

// TestFits holds the types that only MySQL has, or that MariaDB does not.
func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ native, value, want string }{
		{"json", `{"a":[1,2.5,"ä"]}`, `{"a":[1,2.5,"ä"]}`}, {"json", `{"a":1,"a":2}`, ""}, {"json", `{"a":1e400}`, ""}, {"json", `{"a":0.12345678901234567}`, ""}, {"json", `x`, ""}, {"json", `"\u0000"`, ""},
		{"bigint unsigned", "18446744073709551615", ""}, {"bigint unsigned", "9223372036854775807", "9223372036854775807"}, {"int(10) unsigned", "4294967295", "4294967295"}, {"int unsigned", "-1", ""},
		{"mediumint(9)", "8388607", "8388607"}, {"mediumint(9)", "8388608", ""}, {"tinyint", "-128", "-128"}, {"tinyint(1)", "true", "true"}, {"tinyint(1)", "1", ""},
		{"timestamp", "2038-01-19T03:14:08.000Z", ""}, {"timestamp(3)", "2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05.678"}, {"timestamp", "1970-01-01", ""}, {"datetime", "2026-01-02T03:04:05.678Z", ""},
		{"varchar(3)", "日本語", "日本語"}, {"varchar(2)", "日本語", ""}, {"varchar(9) charset latin1", "ä", ""}, {"varchar(9) charset utf8mb3", "ä", "ä"}, {"varchar(9) charset utf8mb3", "😀", ""}, {"char(3)", "a ", ""}, {"tinytext", strings.Repeat("ä", 128), ""},
		{"enum('a','b')", "a", ""}, {"set('a')", "a", ""}, {"geometry", "1", ""}, {"float(7,2)", "1", ""}, {"decimal(10,0)", "1e3", "1e3"},
	} {
		got, ok := mysql.Fits(c.native, c.value)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s takes %s as %q, %v, want %q", c.native, c.value, got, ok, c.want)
		}
	}
}

func TestStatementsThatAreRun(t *testing.T) {
	t.Parallel()
	for q, want := range map[string][2]bool{ // as a query, in Exec
		"select 1": {true, true}, " -- a\n/* b */ # c\n\tSELECT 1": {true, true}, "(select 1)": {true, true}, "with x as (select 1) select * from x": {true, true}, "show tables": {true, false}, "explain select 1": {true, false},
		"insert into t values (1)": {false, true}, "delete from t": {false, true}, "/*! delete from t */": {false, false}, "/*M! delete from t */": {false, false}, "/*!99999 x */ select 1": {false, false}, "begin": {false, false}, "; commit": {false, false},
		"": {false, false}, "selected": {false, false}, "set password = 'x'": {false, false}, "/* select": {false, false}, "alter table t add x int": {false, false}, "/**/select 1": {true, true},
	} {
		if got := [2]bool{mysql.Query(q), mysql.Exec(q)}; got != want {
			t.Errorf("%q may be run as a query and in Exec: %v, want %v", q, got, want)
		}
	}
}
