package mssql_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/mssql"
)

var update = flag.Bool("update", false, "write testdata/sql.txt anew")

// TestSQL writes the statements of changes and merges and compares them with
// testdata/sql.txt, which -update writes anew: read its diff as carefully as code.
func TestSQL(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "# a table\n%s\n", mssql.Alter(warehouse.Change{Table: "t", To: layout.String}))
	for _, typ := range []layout.Type{layout.Int, layout.Float, layout.Boolean, layout.Datetime, layout.String, layout.Text, layout.JSON} {
		fmt.Fprintf(&b, "# a column of type %s\n%s\n", typ, mssql.Alter(warehouse.Change{Table: "t", Column: `a ]b`, To: typ}))
		if typ != layout.String {
			fmt.Fprintf(&b, "# %s becomes string\n%s\n", typ, mssql.Alter(warehouse.Change{Table: "t", Column: "c", From: typ, To: layout.String}))
		}
	}
	fmt.Fprintf(&b, "# int becomes float\n%s\n", mssql.Alter(warehouse.Change{Table: "t", Column: "c", From: layout.Int, To: layout.Float}))
	columns := []warehouse.Target{
		{Name: "id", Native: "nvarchar(450)", Type: layout.String}, {Name: "n", Native: "bigint", Type: layout.Int}, {Name: "at", Native: "datetimeoffset(3)", Type: layout.Datetime}, {Name: "b", Native: "bit", Type: layout.Boolean},
		{Name: "g", Native: "decimal(10,2)", Guard: true, Raw: "g__raw"}, {Name: "v", Native: "varchar(9) collate Latin1_General_CI_AS", Guard: true, Raw: "v__raw"}, {Name: "far", Over: true},
	}
	for _, keep := range []bool{false, true} {
		fmt.Fprintf(&b, "# a merge, keep %v\n", keep)
		collation := map[bool]string{false: "Latin1_General_100_BIN2", true: "SQL_Latin1_General_CP1_CI_AS"}[keep]
		for _, q := range mssql.Merge(warehouse.Table{Name: "t", Columns: columns, More: "__more", Keep: keep}, collation, []string{"id", "n", "__more", "other"}) {
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

// TestText breaks a text where SQL Server would read on at the next line.
func TestText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"a": "N'a'", "o'ne": "N'o''ne'", `\`: `N'\'`, "a\\\nb": "(N'a\\'+N'\nb')", "\\\r\n": "(N'\\'+N'\r\n')", "日本😀": "N'日本😀'"} {
		if got := mssql.Text(s); got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	const latin, utf8 = " collate SQL_Latin1_General_CP1_CI_AS", " collate Latin1_General_100_CI_AS_SC_UTF8"
	for _, c := range []struct{ native, value, want string }{
		{"tinyint", "255", "255"}, {"tinyint", "-1", ""}, {"tinyint", "256", ""}, {"smallint", "32767", "32767"}, {"int", "2147483648", ""},
		{"money", "922337203685477.5", ""}, {"money", "12.3456", "12.3456"}, {"money", "12.34567", ""}, {"smallmoney", "99999.9999", "99999.9999"}, {"decimal(10,2)", "1e3", "1000.00"}, {"real", "0.1", "0.1"}, {"real", "16777217", ""},
		{"datetime2(3)", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678"}, {"datetime2(0)", "2026-01-02T03:04:05.678Z", ""}, {"datetimeoffset(0)", "2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.000Z"},
		{"datetime", "2026-01-02T03:04:05.670Z", "2026-01-02T03:04:05.670"}, {"datetime", "2026-01-02T03:04:05.678Z", ""}, {"datetime", "1752-12-31T00:00:00.000Z", ""}, {"datetime", "1753-01-01T00:00:00.000Z", "1753-01-01T00:00:00.000"}, {"smalldatetime", "2026-01-02", ""},
		{"date", "2026-01-02T00:00:00.000Z", "2026-01-02"}, {"date", "2026-01-02T00:00:00.001Z", ""}, {"bit", "true", "true"}, {"bit", "1", ""},
		{"nvarchar(3)", "日本語", "日本語"}, {"nvarchar(3)", "😀😀", ""}, {"nvarchar(max)", "a ", "a "}, {"nchar(3)", "a ", ""}, {"varchar(9)" + latin, "abc", "abc"}, {"varchar(9)" + latin, "ä", ""}, {"varchar(3)" + utf8, "ää", ""}, {"varchar(4)" + utf8, "ää", "ää"},
		{"uniqueidentifier", "f81D4fae-7dec-11d0-a765-00a0c91e6bf6", "f81D4fae-7dec-11d0-a765-00a0c91e6bf6"}, {"varbinary(max)", "a", ""}, {"xml", "<a/>", ""}, {"geography", "x", ""}, {"time(7)", "03:04:05", ""},
	} {
		got, ok := mssql.Fits(c.native, c.value)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s takes %s as %q, %v, want %q", c.native, c.value, got, ok, c.want)
		}
	}
}

// TestTypes reads types of columns as sys.columns has them.
func TestTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, typ               string
		bytes, precision, scale int
		collation               string
		want                    layout.Type
		native                  string
	}{
		{"a", "nvarchar", -1, 0, 0, "SQL_Latin1_General_CP1_CI_AS", layout.String, "nvarchar(max)"},
		{"a", "nvarchar", 1024, 0, 0, "SQL_Latin1_General_CP1_CI_AS", "", "nvarchar(512)"},
		{"id", "nvarchar", 1024, 0, 0, "SQL_Latin1_General_CP1_CI_AS", layout.String, "nvarchar(512)"},
		{"id", "varchar", 512, 0, 0, "SQL_Latin1_General_CP1_CI_AS", "", "varchar(512) collate SQL_Latin1_General_CP1_CI_AS"}, // it would take ? for what it lacks
		{"id", "varchar", 512, 0, 0, "Latin1_General_100_BIN2_UTF8", layout.String, "varchar(512) collate Latin1_General_100_BIN2_UTF8"},
		{"a", "varchar", -1, 0, 0, "Latin1_General_100_BIN2_UTF8", layout.String, "varchar(max) collate Latin1_General_100_BIN2_UTF8"},
		{"a", "datetimeoffset", 10, 34, 7, "", layout.Datetime, "datetimeoffset(7)"}, {"a", "datetimeoffset", 8, 26, 0, "", "", "datetimeoffset(0)"}, {"a", "datetime2", 8, 27, 7, "", "", "datetime2(7)"},
		{"a", "bigint", 8, 19, 0, "", layout.Int, "bigint"}, {"a", "int", 4, 10, 0, "", "", "int"}, {"a", "float", 8, 53, 0, "", layout.Float, "float"}, {"a", "bit", 1, 1, 0, "", layout.Boolean, "bit"}, {"a", "decimal", 9, 10, 2, "", "", "decimal(10,2)"}, {"a", "", 16, 0, 0, "", "", ""},
	} {
		if typ, native := mssql.TypeOf(c.name, c.typ, c.bytes, c.precision, c.scale, c.collation); typ != c.want || native != c.native {
			t.Errorf("%s %s of %d bytes is %q, %s, want %q, %s", c.name, c.typ, c.bytes, typ, native, c.want, c.native)
		}
	}
}

// TestRoom wants rows of a table within 8,060 bytes, whatever their values are.
func TestRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ numbers, texts, table, row int }{{0, 0, 873, 302}, {600, 0, 340, 117}, {982, 0, 0, 0}, {0, 302, 698, 0}, {0, 1000, 0, -697}, {500, 500, 0, -351}} {
		if table, row := mssql.Room(c.numbers, c.texts); table != c.table || row != c.row {
			t.Errorf("with %d numbers and %d texts there is room for %d columns, %d in a row, want %d and %d", c.numbers, c.texts, table, row, c.table, c.row)
		}
	}
}
