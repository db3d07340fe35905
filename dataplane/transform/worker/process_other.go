//go:build !linux

package worker

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Self is the path of this program.
func Self() (string, error) { return os.Executable() }

// socketpair returns two connected sockets that no other child inherits.
func socketpair() ([2]int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	return fds, err
}

// attributes has nothing here: a worker ends with its socket.
func attributes() *syscall.SysProcAttr { return nil }

// confine has nothing here: memory is limited by the engine alone. Planes in
// production run on Linux.
func confine(int, uint64) error { return nil }
