package layout_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"weir/dataplane/layout"
)

func TestNames(t *testing.T) {
	t.Parallel()
	pg, _ := layout.ByName("postgres")
	sf, _ := layout.ByName("snowflake")
	plain, div := &layout.Options{}, &layout.Options{UnderscoreDivideNumbers: true}
	for _, c := range []struct {
		d        *layout.Dialect
		o        *layout.Options
		in, want string
	}{
		{pg, plain, "XMLHttp", "xml_http"}, {pg, plain, "test123", "test123"}, {pg, plain, "9mega", "_9mega"},
		{pg, plain, "abc123def456", "abc123_def456"}, {pg, plain, "omega v2", "omega_v2"},
		{pg, div, "test123", "test_123"}, {pg, div, "9mega", "_9_mega"}, {pg, div, "1st", "_1st"},
		{pg, plain, "__x", "__x"}, {pg, plain, "é😀", ""}, {pg, plain, "select", "_select"},
		{sf, plain, "fooBar", "FOO_BAR"}, {pg, plain, strings.Repeat("a", 70), strings.Repeat("a", 63)},
	} {
		if got := c.d.Name(c.in, c.o); got != c.want {
			t.Errorf("Name(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := pg.TableName("Users", plain); got != "_users" {
		t.Errorf("TableName(Users) = %q", got)
	}
}

func TestDialectsHaveNames(t *testing.T) {
	t.Parallel()
	for kind, name := range map[string]string{"POSTGRES": "postgres", "BigQuery": "bq", "redshift": "rs", "databricks": "deltalake", "S3_DATALAKE": "s3_datalake", "duckdb": "duckdb"} {
		d, ok := layout.ByName(kind)
		same, _ := layout.ByName(name)
		if !ok || d != same || !slices.Contains(layout.Names(), name) {
			t.Errorf("ByName(%q) = %v, %v, want %s, which Names lists", kind, d, ok, name)
		}
	}
	if _, ok := layout.ByName("fax"); ok {
		t.Error("ByName(fax) finds a dialect")
	}
}

func TestPathsAreAListOrOneString(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]layout.Paths{`{"jsonPaths":"a, b.c"}`: {"a, b.c"}, `{"jsonPaths":["a","b"]}`: {"a", "b"}, `{"jsonPaths":null}`: nil, `{}`: nil} {
		var o layout.Options
		if err := json.Unmarshal([]byte(text), &o); err != nil || !slices.Equal(o.JSONPaths, want) {
			t.Errorf("%s: %q, %v, want %q", text, o.JSONPaths, err, want)
		}
	}
	if err := json.Unmarshal([]byte(`{"jsonPaths":5}`), &layout.Options{}); err == nil {
		t.Error("a number is taken for jsonPaths")
	}
}
