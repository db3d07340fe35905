// Package durable writes files that outlive a crash of the process and a loss of
// power, and locks files between processes.
//
// It guarantees that a file is at every moment either the former one or the new
// one, whole, and that what a function returned nil for is on the disk. A process
// that ends inside WriteFile can leave a temporary file beside the target, named
// with a dot, the target's name and digits (.plane.json4711): it is never read
// and may be removed.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"

	"weir/shared/fault"
)

// WriteFile puts content in the file path with the permission perm, whatever the
// umask. It replaces a file that is there, and returns when the new one outlives
// a loss of power. Its folder must be there: see MakeFolder.
//
// fault.Unavailable: the disk is full. After any error the former file is there,
// except when its replacement could not be made durable: then it may be either.
func WriteFile(path string, content []byte, perm fs.FileMode) error {
	folder := filepath.Dir(path)
	// renameio would try other folders for the temporary file, and follow the umask.
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(folder), renameio.WithStaticPermissions(perm))
	if err != nil {
		return explain("write", path, err)
	}
	defer func() { _ = f.Cleanup() }() // nothing to remove once it has its name
	if _, err := f.Write(content); err != nil {
		return explain("write", path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil { // it syncs the file, but not the folder
		return explain("write", path, err)
	}
	return SyncFolder(folder)
}

// Rename gives a file, which its caller has synced, the name to in place of a
// file that has it, and returns when that outlives a loss of power. Both names are
// in one folder. It is for files too large for WriteFile.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return explain("name", to, err)
	}
	return SyncFolder(filepath.Dir(to))
}

// MakeFolder makes a folder for its owner alone, and those above it that are
// missing, and returns when they outlive a loss of power: else that would take
// what was synced in them.
func MakeFolder(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return explain("make", path, syscall.ENOTDIR)
		}
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MakeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return explain("make", path, err)
	}
	return SyncFolder(parent)
}

// SyncFolder makes durable which names are in a folder.
func SyncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return explain("sync", path, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return explain("sync", path, err)
	}
	return nil
}

// explain says what could not be done to which file, and gives a full disk its kind.
func explain(act, path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w (%w)", fault.New(fault.Unavailable, "The disk of %s is full: the file could not be written.", path), err)
	}
	return fmt.Errorf("%s %s: %w", act, path, err)
}
