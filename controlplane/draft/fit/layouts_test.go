package fit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/controlplane/draft/fit"
	"weir/shared/catalog"
	"weir/shared/workspace"
)

// warehouse is a destination of a kind with settings.
func warehouse(name, typ, settings string) workspace.Destination {
	return workspace.Destination{Name: name, Type: typ, Settings: json.RawMessage(settings)}
}

func TestTablesStayInOneLayout(t *testing.T) {
	t.Parallel()
	specs := catalog.All()
	was := []workspace.Destination{warehouse("lake", "duckdb", `{"path":"a"}`)}
	for name, tc := range map[string]struct {
		next []workspace.Destination
		want string // the path of the problem
	}{
		"as it was":              {[]workspace.Destination{warehouse("lake", "duckdb", `{"path":"a","layout":"rudderstack","syncEvery":"5s"}`)}, ""},
		"changed in place":       {[]workspace.Destination{warehouse("lake", "duckdb", `{"path":"a","layout":"segment"}`)}, "destinations[0].settings.layout"},
		"another default schema": {[]workspace.Destination{warehouse("lake", "duckdb", `{"path":"a","layout":"segment","schema":"main"}`)}, "destinations[0].settings.layout"},
		"into another schema":    {[]workspace.Destination{warehouse("lake", "duckdb", `{"path":"a","layout":"segment","schema":"seg"}`)}, ""},
		"made anew":              {[]workspace.Destination{warehouse("other", "duckdb", `{"path":"a","layout":"segment"}`)}, "destinations[0].settings.layout"},
		"another kind":           {[]workspace.Destination{warehouse("lake", "local_datalake", `{"path":"a","layout":"segment"}`)}, ""},
		"two that differ": {[]workspace.Destination{was[0], warehouse("b", "duckdb", `{"path":"b"}`), warehouse("c", "duckdb", `{"path":"b","layout":"segment"}`)},
			"destinations[2].settings.layout"},
		"no warehouse": {[]workspace.Destination{warehouse("hook", "webhook", `{"url":"http://127.0.0.1/"}`)}, ""},
	} {
		problems := fit.Layouts(&workspace.Config{Destinations: was}, workspace.Config{Destinations: tc.next}, specs)
		var got string
		if len(problems) > 0 {
			got = problems[0].Path
		}
		if got != tc.want || len(problems) > 1 || got != "" && !strings.Contains(problems[0].Text, "another schema") {
			t.Errorf("%s: %+v, want a problem at %q", name, problems, tc.want)
		}
	}
	if got := fit.Layouts(nil, workspace.Config{Destinations: was}, specs); len(got) > 0 {
		t.Errorf("a new workspace: %v", got)
	}
}
