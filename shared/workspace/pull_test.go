package workspace_test

import (
	"slices"
	"testing"

	"weir/shared/catalog"
	"weir/shared/catalog/streams"
	"weir/shared/workspace"
)

func TestStreamsOfChangesAreNamedWithTheirTables(t *testing.T) {
	t.Parallel()
	spec := catalog.Spec{
		Family: catalog.Sources, Name: "db", StreamsOf: "tables", Feed: &streams.Feed{Stream: "replication", Where: "replication", Is: "logical"},
		Fields: []catalog.Field{{Name: "tables", Type: catalog.TypeMap, Required: true}, {Name: "replication", Type: catalog.TypeString}},
	}
	const logical, cursor = `{"tables":{"orders":"","refunds":""},"replication":"logical"}`, `{"tables":{"orders":"","refunds":""}}`
	for name, tc := range map[string]struct {
		settings string
		streams  []string
		want     string
	}{
		"all":                    {logical, nil, ""},
		"tables and changes":     {logical, []string{"orders", "replication"}, ""},
		"tables alone":           {logical, []string{"orders"}, "required"},
		"changes alone":          {logical, []string{"replication"}, "required"},
		"an unknown table":       {logical, []string{"replication", "sales"}, "not_in_enum"},
		"tables by their cursor": {cursor, []string{"orders"}, ""},
		"changes that are none":  {cursor, []string{"orders", "replication"}, "not_in_enum"},
	} {
		c := workspace.Config{
			Format: 1, Workspace: "ws", Name: "acme", Region: "eu",
			Sources: []workspace.Source{{ID: "db", Name: "db", Type: "db", WriteKey: "wk_db", Settings: []byte(tc.settings), Pull: &workspace.Pull{Streams: tc.streams}}},
		}
		var codes []string
		for _, p := range workspace.Check(c, []catalog.Spec{spec}) {
			codes = append(codes, p.Code)
		}
		if tc.want == "" && len(codes) > 0 || tc.want != "" && !slices.Contains(codes, tc.want) {
			t.Errorf("%s: %v, want %q", name, codes, tc.want)
		}
	}
}
