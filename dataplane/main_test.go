package dataplane_test

import (
	"os"
	"testing"

	"weir/dataplane"
)

// TestMain makes the test binary a worker when a plane starts it as one.
func TestMain(m *testing.M) {
	dataplane.Tasks().Divert()
	os.Exit(m.Run())
}
