package dataplane_test

import (
	"fmt"
	"os"
	"testing"

	"weir/dataplane"
)

// TestMain makes the test binary a transformation worker when a plane starts it
// as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == dataplane.TransformWorkerCommand {
		if err := dataplane.ServeTransformWorker(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
