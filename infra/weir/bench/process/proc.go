package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc/PID/stat: USER_HZ is 100 on Linux.
// Source: proc_pid_stat(5) and times(2).
const tick = time.Second / 100

// stat is what is read of /proc/PID/stat.
type stat struct {
	pid, parent int
	cpu         time.Duration // its own, and of children that it waited for
}

// readStat parses one /proc/PID/stat. The command's name may hold blanks and
// brackets; what follows its last bracket may not.
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 15 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	s := stat{pid: pid}
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		s.cpu += time.Duration(n) * tick
	}
	return s, nil
}

// tree returns root and all its descendants that are alive.
func tree(root int) ([]stat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]stat{}
	var out []stat
	for _, p := range paths {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			continue
		}
		s, err := readStat(pid)
		if err != nil {
			continue // it ended since the directory was read
		}
		if pid == root {
			out = append(out, s)
		}
		children[s.parent] = append(children[s.parent], s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("process %d is gone", root)
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].pid]...)
	}
	return out, nil
}

// CPUTime returns the CPU time that the tree under root has used.
func CPUTime(root int) (time.Duration, error) {
	all, err := tree(root)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, s := range all {
		sum += s.cpu
	}
	return sum, nil
}

// Written returns how many bytes the process has made dirty on a disk, those of
// files that were removed since included. A page that is Written again after a
// sync counts again. Source: proc_pid_io(5). Workers write nothing.
func Written(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, "write_bytes:"); ok {
			return strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/%d/io: no write_bytes", pid)
}

// Memory returns the proportional set size of the tree under root, in bytes:
// a page that n processes share counts a n-th in each.
func Memory(root int) (int64, error) {
	all, err := tree(root)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, s := range all {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.pid))
		if err != nil {
			if s.pid == root {
				return 0, err
			}
			continue // it ended since the tree was read
		}
		kib, err := pss(b)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/smaps_rollup: %w", s.pid, err)
		}
		sum += kib << 10
	}
	return sum, nil
}

// pss finds the line "Pss: n kB".
func pss(rollup []byte) (int64, error) {
	for l := range strings.Lines(string(rollup)) {
		if rest, ok := strings.CutPrefix(l, "Pss:"); ok {
			return strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		}
	}
	return 0, fmt.Errorf("no Pss line")
}
