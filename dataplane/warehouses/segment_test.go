package warehouses_test

import (
	"strings"
	"testing"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouses/duckdb"
	"weir/dataplane/warehouses/postgres"
)

// inSegment is a warehouse of the setup in Segment's layout.
func inSegment(setup func(testing.TB) loadtest.Setup) func(testing.TB) loadtest.Setup {
	return func(t testing.TB) loadtest.Setup {
		s := setup(t)
		s.Settings = strings.TrimSuffix(s.Settings, "}") + `,"layout":"segment"}`
		return s
	}
}

// TestSegmentsLayout loads in the other layout: what the preview shows is what is loaded.
func TestSegmentsLayout(t *testing.T) {
	t.Parallel()
	parts := []string{"calls", "repeat", "preview", "names", "own names", "users", "ids", "traits", "wide"}
	t.Run("duckdb", func(t *testing.T) { loadtest.Check(t, duckdb.Kind(), inSegment(duckDB), parts...) })
	t.Run("postgres", func(t *testing.T) { loadtest.Check(t, postgres.Kind(), inSegment(ofPostgres), parts...) })
}
