package clickhouse_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/clickhouse"
)

var update = flag.Bool("update", false, "write testdata/sql.txt anew")

// TestSQL writes the statements of changes and merges, and the values of types of older and
// newer servers, and compares them with testdata/sql.txt, which -update writes anew: read
// its diff as carefully as code.
func TestSQL(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "# a table\n%s\n", strings.Join(clickhouse.Alter(warehouse.Change{Table: "t", To: layout.String}), "\n"))
	for _, typ := range []layout.Type{layout.Int, layout.Float, layout.Boolean, layout.Datetime, layout.String, layout.Text, layout.JSON} {
		fmt.Fprintf(&b, "# a column of type %s\n%s\n", typ, strings.Join(clickhouse.Alter(warehouse.Change{Table: "t", Column: "a `b\\", To: typ}), "\n"))
		if typ != layout.String {
			fmt.Fprintf(&b, "# %s becomes string\n%s\n", typ, strings.Join(clickhouse.Alter(warehouse.Change{Table: "t", Column: "c", From: typ, To: layout.String}), "\n"))
		}
	}
	columns := []warehouse.Target{
		{Name: "id", Native: "String", Type: layout.String}, {Name: "n", Native: "Nullable(Int64)", Type: layout.Int},
		{Name: "g", Native: "Nullable(Decimal(10, 2))", Guard: true, Raw: "g__raw"}, {Name: "far", Over: true},
	}
	all := [][2]string{{"id", "String"}, {"n", "Nullable(Int64)"}, {"g", "Nullable(Decimal(10, 2))"}, {"g__raw", "Nullable(String)"}, {"__more", "Nullable(String)"}, {"other", "Nullable(UInt8)"}, {"day", "Date"}, {"tags", "Array(String)"}}
	for _, keep := range []bool{false, true} {
		fmt.Fprintf(&b, "# a merge, keep %v\n%s\n", keep, strings.Join(clickhouse.Merge(warehouse.Table{Name: "t", Columns: columns, More: "__more", Keep: keep}, all), "\n"))
	}
	for _, native := range []string{"Int64", "Nullable(Int8)", "UInt8", "Nullable(Bool)", "Bool", "Float32", "LowCardinality(String)", "LowCardinality(Nullable(String))", "Decimal(38, 10)", "Date", "DateTime('Europe/Berlin')", "Nullable(DateTime)",
		"Nullable(DateTime64(3, 'UTC'))", "DateTime64(6)", "UUID", "Nullable(UUID)", "FixedString(3)", "Nullable(FixedString(24))", "Enum8('a' = 1)", "Array(String)"} {
		fmt.Fprintf(&b, "# a value of type %s\n%s\n", native, clickhouse.Value(native))
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

// TestFits holds the types that only ClickHouse has.
func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		native, value, as string
		ok                bool
	}{
		{"UInt8", "255", "255", true}, {"UInt8", "256", "256", false}, {"UInt8", "-1", "-1", false}, {"UInt64", "9223372036854775807", "9223372036854775807", true}, {"Nullable(UInt8)", "1", "1", false}, {"Nullable(UInt8)", "true", "true", true},
		{"Int8", "-128", "-128", true}, {"Int8", "128", "128", false}, {"Nullable(Float32)", "0.1", "0.1", true}, {"Float32", "16777217", "16777217", false}, {"Decimal(5, 2)", "1e2", "100.00", true}, {"Decimal(5, 2)", "1.239", "1.239", false},
		{"Date", "2026-01-01T00:00:00.000Z", "20454", true}, {"Date", "1969-12-31T00:00:00.000Z", "-1", false}, {"Date", "2026-01-01T01:00:00.000Z", "20454", false},
		{"DateTime('UTC')", "1970-01-01T00:00:01.000Z", "1", true}, {"DateTime", "2107-01-01T00:00:00.000Z", "4323283200", false}, {"DateTime", "2026-01-01T00:00:00.500Z", "1767225600", false},
		{"DateTime64(3, 'UTC')", "2026-01-01T00:00:00.500Z", "1767225600500", true}, {"DateTime64(3)", "0001-01-01T00:00:00.000Z", "-62135596800000", false}, {"DateTime64(0)", "2026-01-01T00:00:00.000Z", "", false},
		{"FixedString(3)", "abc", "abc", true}, {"FixedString(3)", "ab", "ab", false}, {"Nullable(FixedString(24))", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", true}, {"Nullable(FixedString(24))", "abcdefghijklmnopqrstuvwx", "", false},
		{"Array(String)", "a", "a", false}, {"LowCardinality(Nullable(String))", "a", "a", true}, {"Enum8('a' = 1)", "a", "a", false},
	} {
		if as, ok := clickhouse.Fits(c.native, c.value); ok != c.ok || ok && as != c.as {
			t.Errorf("%s in %s: got %q, %v, want %q, %v", c.value, c.native, as, ok, c.as, c.ok)
		}
	}
}
