package layout_test

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/fstest"

	"weir/dataplane/layout"
)

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
	rows, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, []byte(`{"type":"page","properties":{"Order":1,"by":2,"other":3}}`))
	if err != nil || len(rows) != 1 {
		t.Fatalf("rows %v, %v", rows, err)
	}
	for _, want := range []string{"_order", "_by", "other"} {
		if !slices.ContainsFunc(rows[0].Columns, func(c layout.Column) bool { return c.Name == want }) {
			t.Errorf("columns %v lack %s", rows[0].Columns, want)
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
