package worker

import (
	"fmt"
	"net"
	"os"
	"time"

	"weir/shared/fault"
)

// Tasks are what a program runs in processes of its own, by name. A task speaks
// with the parent until it is done or the parent is gone.
type Tasks map[string]func(parent net.Conn) error

// parentFD is where a process finds its socket.
const parentFD = 3

// Serve is what a process under Command runs: the task that its argument names.
// fault.Invalid: there is no such task, or the process was not started by Start.
func (t Tasks) Serve(task string) error {
	do, ok := t[task]
	if !ok {
		return fault.New(fault.Invalid, "There is no task of this name.")
	}
	time.Local = time.UTC
	file := os.NewFile(parentFD, "parent")
	if file == nil {
		return fmt.Errorf("descriptor %d: %w", parentFD, os.ErrInvalid)
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return fault.New(fault.Invalid, "This command is for processes of this program alone.")
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("the parent's socket: %w", err)
	}
	defer func() { _ = conn.Close() }() // the parent has all or is gone
	return do(conn)
}

// Divert ends this process with the task's exit code where it was started as a
// worker, and returns otherwise. It is for programs that are no command, such as
// tests.
func (t Tasks) Divert() {
	if len(os.Args) < 3 || os.Args[1] != Command || t[os.Args[2]] == nil {
		return
	}
	if err := t.Serve(os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
