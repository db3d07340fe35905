package worker

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Self is the path of this program, right also when its file was
// replaced while it runs.
func Self() (string, error) { return "/proc/self/exe", nil }

// socketpair returns two connected sockets that no other child inherits.
func socketpair() ([2]int, error) {
	return unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}

// attributes let a worker end with the plane.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// confine limits a worker's memory, in bytes, and forbids it dumps.
func confine(pid int, most uint64) error {
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
		return fmt.Errorf("limit a worker's memory: %w", err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return fmt.Errorf("limit a worker's dumps: %w", err)
	}
	return nil
}
