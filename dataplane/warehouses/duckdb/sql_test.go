//go:build !noduckdb

package duckdb_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb"
)

var update = flag.Bool("update", false, "write testdata/sql.txt anew")

// TestSQL writes the statements of changes and merges and compares them with
// testdata/sql.txt, which -update writes anew: read its diff as carefully as code.
func TestSQL(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, typ := range []layout.Type{layout.Int, layout.Float, layout.Boolean, layout.Datetime, layout.String, layout.Text, layout.JSON} {
		fmt.Fprintf(&b, "# a table, and a column of type %[1]s\n%[2]s\n%[3]s\n", typ,
			duckdb.Alter(`"s"."t"`, warehouse.Change{Table: "t", To: typ}), duckdb.Alter(`"s"."t"`, warehouse.Change{Table: "t", Column: `a "b`, To: typ}))
		if typ != layout.Datetime && layout.Type("string") != typ {
			fmt.Fprintf(&b, "# %s becomes string\n%s\n", typ, duckdb.Alter(`"s"."t"`, warehouse.Change{Table: "t", Column: "c", From: typ, To: layout.String}))
		}
	}
	fmt.Fprintf(&b, "# int becomes float\n%s\n", duckdb.Alter(`"s"."t"`, warehouse.Change{Table: "t", Column: "c", From: layout.Int, To: layout.Float}))
	fmt.Fprintf(&b, "# datetime becomes string\n%s\n", duckdb.Alter(`"s"."t"`, warehouse.Change{Table: "t", Column: "c", From: layout.Datetime, To: layout.String}))
	columns := []warehouse.Target{
		{Name: "id", Native: "TEXT", Type: layout.String}, {Name: "n", Native: "INT", Type: layout.Int},
		{Name: "g", Native: "NUMERIC", Guard: true, Raw: "g__raw"}, {Name: "far", Over: true},
	}
	for _, keep := range []bool{false, true} {
		fmt.Fprintf(&b, "# a merge, keep %v\n", keep)
		for _, q := range duckdb.Merge(`"s"."t"`, warehouse.Table{Name: "t", Columns: columns, More: "__more", Keep: keep}) {
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
