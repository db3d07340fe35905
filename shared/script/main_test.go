package script_test

import (
	"os"
	"testing"

	"weir/shared/script"
	"weir/shared/script/bundle"
	"weir/shared/worker"
)

// TestMain makes the test binary a worker when a compiler starts it as one.
func TestMain(m *testing.M) {
	worker.Tasks{script.Task: bundle.Serve}.Divert()
	os.Exit(m.Run())
}
