package workspace_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/shared/catalog"
	"weir/shared/catalog/form"
	"weir/shared/filter"
	"weir/shared/id"
	"weir/shared/script/scripttest"
	"weir/shared/secret"
	"weir/shared/workspace"
)

var specs = []catalog.Spec{
	{Family: catalog.Sources, Name: "http", Title: "HTTP"},
	{Family: catalog.Destinations, Name: "webhook", Title: "Webhook",
		Fields:  []catalog.Field{{Name: "url", Type: catalog.TypeURL, Required: true}},
		Secrets: []catalog.Field{{Name: "token", Type: catalog.TypeString, Required: true}}},
	{Family: catalog.Warehouses, Name: "duckdb", Title: "DuckDB"},
}

func good() workspace.Config {
	return workspace.Config{
		Format: 1, Workspace: "ws_a", Name: "acme-2", Region: "eu",
		Sources:         []workspace.Source{{ID: "src_a", Name: "web", Type: "http", WriteKey: "wk_dev_web"}},
		Transformations: []workspace.Transformation{{ID: "tf_a", Name: "mask-pii", Language: "javascript", Code: "export const transformEvent = (e) => e;"}},
		Destinations: []workspace.Destination{
			{ID: "dst_a", Name: "Hook of Ünal", Type: "webhook", Settings: json.RawMessage(`{"url":"http://127.0.0.1:9999/events"}`), Secrets: map[string]secret.Ref{"token": {Version: 1, Fingerprint: "ab12"}}},
			{ID: "dst_b", Name: "lake", Type: "duckdb"},
		},
		Connections: []workspace.Connection{{Source: "src_a", Destination: "dst_a", Transformations: []id.Transformation{"tf_a"}}, {Source: "src_a", Destination: "dst_b"}},
	}
}

func TestCheckFindsEveryMistake(t *testing.T) {
	t.Parallel()
	if p := workspace.Check(good(), specs); len(p) > 0 {
		t.Fatalf("a good configuration has problems: %v", p)
	}
	for name, tc := range map[string]struct {
		change func(*workspace.Config)
		want   []string
	}{
		"newer format":     {func(c *workspace.Config) { c.Format = 2 }, []string{"format too_new"}},
		"no format":        {func(c *workspace.Config) { c.Format = 0 }, []string{"format malformed"}},
		"bad head":         {func(c *workspace.Config) { c.Workspace, c.Name, c.Region = "WS", "Acme Inc", "EU" }, []string{"workspace bad_id", "name bad_name", "region bad_region"}},
		"no region":        {func(c *workspace.Config) { c.Region = "" }, []string{"region bad_region"}},
		"region as a path": {func(c *workspace.Config) { c.Region = "eu/../us" }, []string{"region bad_region"}},
		"bad ids": {func(c *workspace.Config) { c.Sources[0].ID, c.Destinations[1].ID = "src a", "" }, []string{
			"sources[0].id bad_id", "destinations[1].id bad_id", "connections[0].source unknown_source", "connections[1].source unknown_source", "connections[1].destination unknown_destination"}},
		"names": {func(c *workspace.Config) {
			c.Destinations[1].Name = c.Destinations[0].Name
			c.Sources[0].Name = " web"
			c.Transformations[0].Name = "a\nb"
		}, []string{"sources[0].name bad_name", "transformations[0].name bad_name", "destinations[1].name duplicate_name"}},
		"doubles": {func(c *workspace.Config) {
			c.Sources = append(c.Sources, c.Sources[0])
			c.Connections = append(c.Connections, c.Connections[0])
		}, []string{"sources[1].id duplicate_id", "sources[1].name duplicate_name", "sources[1].writeKey duplicate_write_key", "connections[2] duplicate_connection"}},
		"write key":        {func(c *workspace.Config) { c.Sources[0].WriteKey = "a:b" }, []string{"sources[0].writeKey bad_write_key"}},
		"no write key":     {func(c *workspace.Config) { c.Sources[0].WriteKey = "" }, []string{"sources[0].writeKey bad_write_key"}},
		"types":            {func(c *workspace.Config) { c.Sources[0].Type, c.Destinations[0].Type = "webhook", "http" }, []string{"sources[0].type unknown_type", "destinations[0].type unknown_type"}},
		"settings":         {func(c *workspace.Config) { c.Destinations[0].Settings = json.RawMessage(`{"ur":1}`) }, []string{"destinations[0].settings.url required", "destinations[0].settings.ur unknown_field"}},
		"settings of none": {func(c *workspace.Config) { c.Sources[0].Settings = json.RawMessage(`{"a":1}`) }, []string{"sources[0].settings.a unknown_field"}},
		"long settings":    {func(c *workspace.Config) { c.Destinations[0].Settings = json.RawMessage(strings.Repeat(" ", 70_000)) }, []string{"destinations[0].settings too_large"}},
		"secrets": {func(c *workspace.Config) { c.Destinations[0].Secrets = map[string]secret.Ref{"tokn": {}} }, []string{
			"destinations[0].secrets.token required", "destinations[0].secrets.tokn unknown_field", "destinations[0].secrets.tokn.version bad_version", "destinations[0].secrets.tokn.fingerprint bad_fingerprint"}},
		"transformation": {func(c *workspace.Config) { c.Transformations[0].Language, c.Transformations[0].Code = "perl", "" }, []string{"transformations[0].language unknown_language", "transformations[0].code required"}},
		"code":           {func(c *workspace.Config) { c.Transformations[0].Code = "export function transformEvent(" }, []string{"transformations[0].code syntax_error"}},
		"import": {func(c *workspace.Config) {
			c.Transformations[0].Code = `import { a } from "b"; export const transformEvent = (e) => a(e);`
		}, []string{"transformations[0].code unknown_import"}},
		"library": {func(c *workspace.Config) {
			c.Libraries = []workspace.Library{{Name: "text", Language: "javascript", Code: "x"}, {Name: "../x", Language: "javascript", Code: "x"}, {Name: "text", Language: "lua"}}
		}, []string{"libraries[1].name bad_name", "libraries[2].name duplicate_name", "libraries[2].language unknown_language", "libraries[2].code required"}},
		"consent": {func(c *workspace.Config) {
			c.ConsentCategories = []workspace.ConsentCategory{{Name: "ads"}, {Name: "ads", Description: strings.Repeat("x", 1001)}, {Name: "a\nb"}}
			c.Connections[1].Consent = &filter.Consent{Categories: []string{"ads", "sales"}}
		}, []string{"consentCategories[1].name duplicate_name", "consentCategories[1].description too_large", "consentCategories[2].name bad_name", "connections[1].consent.categories[1] unknown_category"}},
		"long code":        {func(c *workspace.Config) { c.Transformations[0].Code = strings.Repeat("x", 300_000) }, []string{"transformations[0].code too_large"}},
		"too many outputs": {func(c *workspace.Config) { c.Transformations[0].MaxOutputs = 1001 }, []string{"transformations[0].maxOutputs too_large"}},
		"less than none":   {func(c *workspace.Config) { c.Transformations[0].MaxOutputs = -1 }, []string{"transformations[0].maxOutputs malformed"}},
		"chain": {func(c *workspace.Config) {
			c.Connections[0].Transformations = []id.Transformation{"tf_a", "tf_b", "tf_a"}
		}, []string{
			"connections[0].transformations[1] unknown_transformation", "connections[0].transformations[2] duplicate_transformation"}},
		"long chain": {func(c *workspace.Config) { c.Connections[0].Transformations = make([]id.Transformation, 21) }, []string{"connections[0].transformations too_many"}},
		"ends":       {func(c *workspace.Config) { c.Connections[1].Source, c.Connections[1].Destination = "src_b", "dst_c" }, []string{"connections[1].source unknown_source", "connections[1].destination unknown_destination"}},
		"too many":   {func(c *workspace.Config) { c.Sources = make([]workspace.Source, 1001) }, []string{"sources too_many"}},
		"not UTF-8":  {func(c *workspace.Config) { c.Transformations[0].Code = "\xff" }, []string{"transformations[0].code syntax_error"}},
	} {
		c := good()
		tc.change(&c)
		got := workspace.Check(c, specs)
		if len(got) == 0 {
			var err error
			if _, got, err = workspace.Compile(t.Context(), scripttest.Compiler(), c); err != nil {
				t.Fatal(err)
			}
		}
		var short []string
		for _, p := range got {
			short = append(short, p.Path+" "+p.Code)
			if !slices.Contains(slices.Concat(workspace.Codes(), catalog.Codes()), p.Code) || p.Text == "" {
				t.Errorf("%s: problem %+v has a code that Codes does not list, or no text", name, p)
			}
		}
		if d := cmp.Diff(tc.want, short); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestEveryListIsBounded(t *testing.T) {
	t.Parallel()
	for i := range reflect.TypeFor[workspace.Config]().NumField() {
		f := reflect.TypeFor[workspace.Config]().Field(i)
		if f.Type.Kind() != reflect.Slice {
			continue
		}
		c := good()
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.MakeSlice(f.Type, 10_001, 10_001))
		if got := workspace.Check(c, specs); len(got) != 1 || got[0].Code != "too_many" {
			t.Errorf("10,001 of %s have %d problems, want too_many alone", f.Name, len(got))
		}
	}
}

func TestCheckListsABoundedNumberOfProblems(t *testing.T) {
	t.Parallel()
	c := good()
	for i := range 900 {
		c.Sources = append(c.Sources, workspace.Source{ID: id.Source(fmt.Sprint("src_", i)), Name: fmt.Sprint(i), Type: "x", WriteKey: fmt.Sprint(i)})
	}
	got := workspace.Check(c, specs)
	if len(got) != 201 || got[200].Code != "too_many_problems" {
		t.Errorf("%d problems, the last %v; want 201 with too_many_problems", len(got), got[len(got)-1:])
	}
}

func TestChoicesAreOfEverySourceAndDestination(t *testing.T) {
	t.Parallel()
	of := &form.Form{Choices: []form.Choice{{Doc: "Give the key, or the role.", Of: [][]string{{"key"}, {"role"}}}}}
	keys := []catalog.Field{{Name: "key", Type: catalog.TypeString}}
	specs := []catalog.Spec{
		{Family: catalog.Sources, Name: "files", Form: of, Secrets: keys}, {Family: catalog.Destinations, Name: "bucket", Form: of, Secrets: keys},
		{Family: catalog.Warehouses, Name: "lake", Form: of, Secrets: keys}, {Family: catalog.Destinations, Name: "plain"},
	}
	c := workspace.Config{
		Sources:      []workspace.Source{{Type: "files", Settings: []byte(`{"role":true}`)}, {Type: "files"}},
		Destinations: []workspace.Destination{{Type: "plain"}, {Type: "bucket", Secrets: map[string]secret.Ref{"key": {Version: 1}}}, {Type: "lake", Settings: []byte(`{"role":true}`), Secrets: map[string]secret.Ref{"key": {Version: 1}}}, {Type: "none"}},
	}
	var got []string
	for _, p := range workspace.Choices(c, specs) {
		got = append(got, p.Path+" "+p.Code)
	}
	if diff := cmp.Diff([]string{"sources[1].secrets.key required", "destinations[2].settings.role not_allowed"}, got); diff != "" {
		t.Error(diff)
	}
}
