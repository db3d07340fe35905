package dataplane_test

import (
	"fmt"
	"os"
	"testing"

	"weir/dataplane/transform/worker"
)

// TestMain makes the test binary a transformation worker when a plane starts it
// as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == worker.Command {
		if err := worker.Serve(3); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
