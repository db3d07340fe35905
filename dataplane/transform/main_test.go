package transform_test

import (
	"fmt"
	"os"
	"testing"

	"weir/dataplane/transform"
)

// TestMain makes the test binary a worker when an engine starts it as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == transform.WorkerCommand {
		if err := transform.ServeWorker(3); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
