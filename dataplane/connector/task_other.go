//go:build !linux

package connector

import (
	"net"
	"os"
	"os/exec"

	"weir/shared/fault"
)

// pipes are the parent's ends of what a connector writes.
type pipes struct{ out, err *os.File }

func spawn([]string) (*exec.Cmd, *net.UnixConn, pipes, error) {
	return nil, nil, pipes{}, fault.New(fault.Unavailable, "Connectors run on Linux alone, which can confine them.")
}

func begin(*net.UnixConn, launch) (net.Listener, error) { return nil, os.ErrInvalid }

func exitOf(byte, []byte) (Exit, error) { return Exit{}, os.ErrInvalid }

// Serve is the task; there is none here.
func Serve(net.Conn) error { return os.ErrInvalid }
