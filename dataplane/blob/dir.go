package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weir/shared/durable"
	"weir/shared/fault"
)

// Ref names an object: a slash-separated key of letters, digits, '-', '_', '.'.
type Ref string

// Dir is a store in one folder. It is safe for concurrent use of different keys.
type Dir struct{ root string }

// unnamed ends the name of a file that is being written.
const unnamed = ".part"

// Open makes the folder when it is not there, and removes what a process that
// ended was writing.
func Open(root string) (*Dir, error) {
	if err := durable.MakeFolder(root); err != nil {
		return nil, fmt.Errorf("make the blob folder: %w", err)
	}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, unnamed) {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("clean the blob folder: %w", err)
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
	if err := durable.MakeFolder(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make a blob's folder: %w", err)
	}
	f, err := os.OpenFile(path+unnamed, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
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
	if err := durable.Rename(w.path+unnamed, w.path); err != nil {
		return fmt.Errorf("name a blob: %w", err)
	}
	return nil
}

// Abort drops what was written.
func (w *Writer) Abort() {
	_ = w.Close() // it is removed
	_ = os.Remove(w.path + unnamed)
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

// List returns the objects under a folder's key, in order; none when there is no
// such folder. What is being written is not among them.
func (d *Dir) List(folder Ref) ([]Ref, error) {
	path, err := d.Path(folder)
	if err != nil {
		return nil, err
	}
	var all []Ref
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.IsDir() || strings.HasSuffix(p, unnamed):
			return nil
		}
		rel, err := filepath.Rel(d.root, p)
		all = append(all, Ref(filepath.ToSlash(rel)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	return all, nil
}
