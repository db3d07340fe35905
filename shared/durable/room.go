package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"weir/shared/fault"
)

// Room refuses to make the folder dir, for a store of at least so many bytes, on a disk
// that has fewer free. One that exists is taken as it is: what a full disk holds must not
// keep its owner from starting.
//
// fault.Limited: there is too little room; the text says how much is missing.
func Room(dir string, least int64) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	above := filepath.Dir(dir)
	for _, err := os.Lstat(above); err != nil && filepath.Dir(above) != above; _, err = os.Lstat(above) {
		above = filepath.Dir(above)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(above, &st); err != nil {
		return nil // who writes there will say it
	}
	if free := int64(st.Bavail) * int64(st.Bsize); free < least {
		return fault.New(fault.Limited, "The disk of %s has %d MiB free, and at least %d MiB are needed to begin; make room, or choose a folder on another disk with --data-dir.", above, free>>20, least>>20)
	}
	return nil
}
