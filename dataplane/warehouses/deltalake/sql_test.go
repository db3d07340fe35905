package deltalake_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/deltalake"
)

var update = flag.Bool("update", false, "write testdata/sql.txt anew")

// TestSQL writes the statements of changes and merges and compares them with
// testdata/sql.txt, which -update writes anew: read its diff as carefully as code.
func TestSQL(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "# a table\n%s\n", deltalake.Alter(warehouse.Change{Table: "t", To: layout.String}))
	for _, typ := range []layout.Type{layout.Int, layout.Float, layout.Boolean, layout.Datetime, layout.String, layout.Text, layout.JSON} {
		fmt.Fprintf(&b, "# a column of type %s\n%s\n", typ, deltalake.Alter(warehouse.Change{Table: "t", Column: "a `b", To: typ}))
		if typ != layout.String {
			fmt.Fprintf(&b, "# %s becomes string\n%s\n", typ, deltalake.Alter(warehouse.Change{Table: "t", Column: "c", From: typ, To: layout.String}))
		}
	}
	columns := []warehouse.Target{
		{Name: "id", Native: "string", Type: layout.String}, {Name: "n", Native: "bigint", Type: layout.Int}, {Name: "at", Native: "timestamp", Type: layout.Datetime}, {Name: "b", Native: "boolean", Type: layout.Boolean},
		{Name: "g", Native: "decimal(10,2)", Guard: true, Raw: "g__raw"}, {Name: "l", Native: "timestamp_ntz", Guard: true, Raw: "l__raw"}, {Name: "v", Native: "varchar(9)", Guard: true, Raw: "v__raw"}, {Name: "far", Over: true},
	}
	for _, keep := range []bool{false, true} {
		fmt.Fprintf(&b, "# a merge, keep %v\n%s\n", keep, deltalake.Merge(warehouse.Table{Name: "t", Columns: columns, More: "__more", Keep: keep}, []string{"id", "n", "other"}))
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

func TestText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"a": "'a'", "o'ne": `'o\'ne'`, `\n`: `'\\n'`, "a\nb": "'a\nb'", "日本😀": "'日本😀'"} {
		if got := deltalake.Text(s); got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}

// TestValues reads values of results as the API writes them.
func TestValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	for _, c := range []struct {
		typ, text string
		want      any
	}{
		{"LONG", "9007199254740993", json.Number("9007199254740993")}, {"DECIMAL", "1.50", json.Number("1.50")}, {"DOUBLE", "1.0E10", 1e10}, {"DOUBLE", "0.1", 0.1}, {"FLOAT", "0.1", float32(0.1)}, {"FLOAT", "NaN", "NaN"}, {"BOOLEAN", "true", true},
		{"TIMESTAMP", "2026-01-02T03:04:05.678Z", at}, {"TIMESTAMP", "2026-01-02T04:04:05.678+01:00", at}, {"TIMESTAMP", "2026-01-02 03:04:05.678", at}, {"TIMESTAMP_NTZ", "2026-01-02T03:04:05.678", at}, {"DATE", "2026-01-02", at.Truncate(24 * time.Hour)},
		{"STRING", "1", "1"}, {"ARRAY", "[1]", "[1]"}, {"LONG", "x", "x"},
	} {
		got := deltalake.Value(c.typ, c.text)
		if g, ok := got.(time.Time); ok {
			if w, is := c.want.(time.Time); is && g.Equal(w) {
				continue
			}
		}
		if got != c.want {
			t.Errorf("%s %s is %v (%T), want %v", c.typ, c.text, got, got, c.want)
		}
	}
}
