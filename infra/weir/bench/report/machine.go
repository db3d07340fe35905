package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// syncs is how many appends are measured.
const syncs = 50

// fileSystems names those that are met; source: statfs(2).
var fileSystems = map[int64]string{
	0x01021994: "tmpfs (memory: a sync costs nothing)", 0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x794c7630: "overlayfs", 0x2fc12fc1: "zfs",
}

// Look measures what the figures depend on: the disk under dir, the load.
func Look(dir string) (Machine, error) {
	m := Machine{CPUs: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &m.Load) // without it the load is 0
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return m, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	m.Filesystem = fileSystems[st.Type]
	if m.Filesystem == "" {
		m.Filesystem = fmt.Sprintf("file system %#x", st.Type)
	}
	took, err := syncTime(dir)
	m.SyncMicros = float64(took) / float64(time.Microsecond)
	return m, err
}

// syncTime is the median of an fsync after an append of 4 KiB.
func syncTime(dir string) (time.Duration, error) {
	name := filepath.Join(dir, "sync")
	f, err := os.Create(name)
	if err != nil {
		return 0, fmt.Errorf("measure fsync: %w", err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(name)
	}()
	page := bytes.Repeat([]byte("x"), 4<<10)
	var all []time.Duration
	for range syncs {
		if _, err := f.Write(page); err != nil {
			return 0, fmt.Errorf("measure fsync: %w", err)
		}
		start := time.Now()
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure fsync: %w", err)
		}
		all = append(all, time.Since(start))
	}
	return Quantile(all, 0.5), nil
}
