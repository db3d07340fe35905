//go:build !linux

package worker

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// self is the path of this program.
func self() (string, error) { return os.Executable() }

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

// keep has nothing here.
func keep() error { return nil }

// attributes keep a terminal's signals from a process, which ends with its socket.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// kill ends a process.
func kill(p *os.Process) error { return p.Kill() }

// confine has nothing here.
func confine(int, Limits) error { return nil }
