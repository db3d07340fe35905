package layout_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"weir/dataplane/layout"
)

func TestNames(t *testing.T) {
	t.Parallel()
	pg := dialect(t, "postgres")
	sf := dialect(t, "snowflake")
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

func TestLayoutsHaveOtherNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, name string
		want       bool
	}{{"postgres", "POSTGRES", true}, {"bq", "BigQuery", true}, {"rs", "redshift", true}, {"deltalake", "databricks", true}, {"s3_datalake", "S3_DATALAKE", true}, {"duckdb", "postgres", false}, {"bq", "fax", false}} {
		if d := dialect(t, c.kind); d.Kind() != c.kind || d.IsFor(c.name) != c.want {
			t.Errorf("%s: Kind() = %s, IsFor(%q) = %v, want %v", c.kind, d.Kind(), c.name, !c.want, c.want)
		}
	}
}

func TestLayoutsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	good := "name: x\nfullEventType: json\n"
	for what, files := range map[string]map[string]string{
		"no files":          {},
		"no reserved words": {"layout.yaml": good},
		"an unknown field":  {"layout.yaml": good + "arays: true\n", "reserved.txt": ""},
		"no name":           {"layout.yaml": "fullEventType: json\n", "reserved.txt": ""},
		"no such type":      {"layout.yaml": "name: x\nfullEventType: blob\n", "reserved.txt": ""},
		"a negative limit":  {"layout.yaml": good + "maxName: -1\n", "reserved.txt": ""},
	} {
		folder := fstest.MapFS{}
		for name, text := range files {
			folder[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if _, err := layout.Read(folder); err == nil {
			t.Errorf("%s: it was read", what)
		}
	}
	d, err := layout.Read(fstest.MapFS{"layout.yaml": {Data: []byte(good)}, "reserved.txt": {Data: []byte("order\nBY\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{"Order": "_order", "by": "_by", "other": "other"} {
		if got := d.Name(in, &layout.Options{}); got != want {
			t.Errorf("Name(%s) = %s, want %s", in, got, want)
		}
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
