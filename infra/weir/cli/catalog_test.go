package cli_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"weir/shared/catalog"
	"weir/shared/command"
)

// TestTheCatalogIsShownWithoutAServer: every kind has a line, and one has all about it.
func TestTheCatalogIsShownWithoutAServer(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), env: map[string]string{}}
	table := s.must("catalog")
	for _, kind := range catalog.All() {
		if !strings.Contains(table, kind.Name) {
			t.Errorf("%s is not in\n%s", kind.Name, table)
		}
	}
	var names []string
	for line := range strings.Lines(s.must("catalog", "--family", "warehouse", "--output", "json")) {
		var kind catalog.Spec
		if err := json.Unmarshal([]byte(line), &kind); err != nil {
			t.Fatal(err)
		}
		names = append(names, kind.Name)
	}
	for _, want := range []string{"duckdb", "postgres"} {
		if !slices.Contains(names, want) {
			t.Errorf("warehouses %v lack %s", names, want)
		}
	}
	one := s.must("catalog", "klaviyo")
	for _, want := range []string{"# Klaviyo", "privateApiKey", "listId"} {
		if !strings.Contains(one, want) {
			t.Errorf("%q is not in\n%s", want, one)
		}
	}
	s.fails(command.ExitFailed, []string{"did you mean klaviyo?"}, "catalog", "klavio")
	s.fails(command.ExitFailed, []string{"--family"}, "catalog", "--family", "plane")
}
