package transform_test

import (
	"bytes"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"weir/dataplane/transform/worker"
	child "weir/shared/worker"
)

// mortalTask is a worker that dies when it is given an event with deadly
// in it, as one whose engine is broken by an event.
const (
	mortalTask = "mortal"
	deadly     = "DIE-WORKER-DIE"
)

// TestMain makes the test binary a worker when an engine starts it as one.
func TestMain(m *testing.M) {
	child.Tasks{worker.Task: worker.Serve, mortalTask: serveMortal}.Divert()
	os.Exit(m.Run())
}

// serveMortal stands between the plane and a worker of the same process.
func serveMortal(plane net.Conn) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	behind, err := net.FileConn(os.NewFile(uintptr(fds[0]), "worker"))
	if err != nil {
		return err
	}
	pass := func(to, from net.Conn) {
		buffer := make([]byte, 1<<20)
		for {
			n, err := from.Read(buffer)
			if err != nil || bytes.Contains(buffer[:n], []byte(deadly)) {
				os.Exit(2)
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				os.Exit(2)
			}
		}
	}
	go pass(behind, plane)
	go pass(plane, behind)
	serving, err := net.FileConn(os.NewFile(uintptr(fds[1]), "plane"))
	if err != nil {
		return err
	}
	return worker.Serve(serving)
}
