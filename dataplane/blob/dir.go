package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weir/shared/fault"
)

// Ref names an object: a slash-separated key of letters, digits, '-', '_', '.'.
type Ref string

// Dir is a store in one folder. It is safe for concurrent use of different keys.
type Dir struct{ root string }

// Open makes the folder when it is not there.
func Open(root string) (*Dir, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the blob folder: %w", err)
	}
	return &Dir{root: root}, nil
}

// Path returns the file of an object. fault.Invalid: the key is no key.
func (d *Dir) Path(r Ref) (string, error) {
	if !filepath.IsLocal(string(r)) || strings.Trim(string(r), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") != "" {
		return "", fault.New(fault.Invalid, "This is no key of an object.")
	}
	return filepath.Join(d.root, filepath.FromSlash(string(r))), nil
}

// Writer is an object being written; Commit or Abort ends it.
type Writer struct {
	*os.File
	path string
}

// Create begins an object, which replaces one of the same key at Commit.
func (d *Dir) Create(r Ref) (*Writer, error) {
	path, err := d.Path(r)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make a blob's folder: %w", err)
	}
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create a blob: %w", err)
	}
	return &Writer{File: f, path: path}, nil
}

// Commit makes the object durable and visible.
func (w *Writer) Commit() error {
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		return fmt.Errorf("write a blob: %w", err)
	}
	if err := os.Rename(w.path+".part", w.path); err != nil {
		return fmt.Errorf("name a blob: %w", err)
	}
	return SyncFolder(filepath.Dir(w.path))
}

// Abort drops what was written.
func (w *Writer) Abort() {
	_ = w.Close() // it is removed
	_ = os.Remove(w.path + ".part")
}

// Delete removes an object, or all under a folder's key. A missing one is no error.
func (d *Dir) Delete(r Ref) error {
	path, err := d.Path(r)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete a blob: %w", err)
	}
	return nil
}

// SyncFolder makes renames in a folder durable.
func SyncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open a folder: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync a folder: %w", err)
	}
	return nil
}
