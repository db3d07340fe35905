package partition

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// keyWindow is how long a dedupe key is remembered, unless there is no room.
const keyWindow = 7 * 24 * time.Hour

// The room of a plane's dedupe indexes: whatever is less of the disk and of the
// memory bounds the keys.
const (
	keyDiskPart   = 8 // an eighth of the disk
	keyFreePart   = 2 // and half of what is free and what the indexes have
	keyMemoryPart = 8 // an eighth of the memory
	keyBytes      = 34
	keyMemoryBits = 12
	leastKeys     = 1 << 20
)

// indexKeys returns how many dedupe keys each of parts partitions may have on the
// disk of dir, where all their indexes are.
func indexKeys(dir string, parts int) uint64 {
	keys := memory() / keyMemoryPart * 8 / keyMemoryBits
	var st unix.Statfs_t
	if os.MkdirAll(dir, 0o700) == nil && unix.Statfs(dir, &st) == nil {
		block := uint64(st.Bsize)
		disk := min(st.Blocks*block/keyDiskPart, (st.Bavail*block+used(dir))/keyFreePart)
		keys = min(keys, disk/keyBytes)
	}
	return max(keys, leastKeys) / uint64(max(parts, 1))
}

// used returns how many bytes the files below dir have.
func used(dir string) (n uint64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // a file that went away counts nothing
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			n += uint64(info.Size())
		}
		return nil
	})
	return n
}

// memory returns how many bytes of memory this process may have: those of the
// machine, or less in a container. 2 GiB when nobody says.
func memory() uint64 {
	most := uint64(2 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		_, rest, _ := strings.Cut(string(b), "MemTotal:")
		if fields := strings.Fields(rest); len(fields) > 0 {
			if kb, err := strconv.ParseUint(fields[0], 10, 64); err == nil {
				most = kb << 10
			}
		}
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
			most = min(most, limit)
		}
	}
	return most
}
