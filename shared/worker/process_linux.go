package worker

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// self is the path of this program, right also when its file was replaced while
// it runs.
func self() (string, error) { return "/proc/self/exe", nil }

// socketpair returns two connected sockets that no other child inherits.
func socketpair() ([2]int, error) {
	return unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
}

// keep keeps files that this program was started with, and that it knows nothing of, from its
// processes: all that it opens itself no child inherits.
var keep = sync.OnceValue(func() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the open files: %w", err)
	}
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
})

// attributes let a process end with its parent, and keep a terminal's signals
// from it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// kill ends a process that was not waited for, and its group.
func kill(p *os.Process) error { return errors.Join(unix.Kill(-p.Pid, unix.SIGKILL), p.Kill()) }

// confine holds a process to its limits, and forbids it dumps.
func confine(pid int, l Limits) error {
	most := []struct {
		what     string
		resource int
		limit    int64
	}{
		{"memory", unix.RLIMIT_DATA, l.Memory},
		{"processor time", unix.RLIMIT_CPU, int64((l.CPU + time.Second - 1) / time.Second)},
		{"files", unix.RLIMIT_NOFILE, int64(l.Files)},
		{"files' size", unix.RLIMIT_FSIZE, l.FileSize},
	}
	for _, m := range most {
		if m.limit <= 0 {
			continue
		}
		if err := unix.Prlimit(pid, m.resource, &unix.Rlimit{Cur: uint64(m.limit), Max: uint64(m.limit)}, nil); err != nil {
			return fmt.Errorf("limit a worker's %s: %w", m.what, err)
		}
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return fmt.Errorf("limit a worker's dumps: %w", err)
	}
	if l.Nice > 0 {
		if err := unix.Setpriority(unix.PRIO_PGRP, pid, l.Nice); err != nil {
			return fmt.Errorf("lower a worker's priority: %w", err)
		}
	}
	// Where memory is short, this process goes before its parent. Some systems
	// forbid to say so.
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("1000"), 0)
	return nil
}
