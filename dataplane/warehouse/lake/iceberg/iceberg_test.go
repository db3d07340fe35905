package iceberg_test

import (
	"strings"
	"testing"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake/iceberg"
)

// TestProgramIsMissing wants whoever has no weir-iceberg to be told how to get it.
func TestProgramIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := iceberg.New(iceberg.Config{})
	if warehouse.CodeOf(err) != warehouse.CodeUnsupported || !strings.Contains(err.Error(), "make iceberg") {
		t.Errorf("without the program: %v", err)
	}
}
