package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"weir/shared/durable"
	"weir/shared/fault"
)

// Dir is a Store in one folder of a disk.
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

// path returns the file of an object. fault.Invalid: the reference is no key.
func (d *Dir) path(r Ref) (string, error) {
	if !filepath.IsLocal(string(r)) || path.Clean(string(r)) != string(r) || r == "." || strings.HasSuffix(string(r), unnamed) || strings.Trim(string(r), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") != "" {
		return "", fault.New(fault.Invalid, "This is no key of an object.")
	}
	return filepath.Join(d.root, filepath.FromSlash(string(r))), nil
}

// Put implements Store: a temporary file is synced and then takes its name.
func (d *Dir) Put(ctx context.Context, r Ref, write func(io.Writer) error) error {
	path, err := d.path(r)
	if err != nil {
		return err
	}
	if err := durable.MakeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make a blob's folder: %w", err)
	}
	f, err := os.OpenFile(path+unnamed, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create a blob: %w", err)
	}
	err = errors.Join(write(f), ctx.Err())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write a blob: %w", errors.Join(err, os.Remove(path+unnamed)))
	}
	if err := durable.Rename(path+unnamed, path); err != nil {
		return fmt.Errorf("name a blob: %w", err)
	}
	return nil
}

// file is an open object.
type file struct {
	*os.File
	size int64
}

// Size implements Reader.
func (f file) Size() int64 { return f.size }

// Open implements Store.
func (d *Dir) Open(_ context.Context, r Ref) (Reader, error) {
	path, err := d.path(r)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Missing, "There is no object %s.", r)
	}
	if err != nil {
		return nil, fmt.Errorf("open a blob: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open a blob: %w", errors.Join(err, f.Close()))
	}
	return file{f, info.Size()}, nil
}

// Delete implements Store.
func (d *Dir) Delete(_ context.Context, r Ref) error {
	path, err := d.path(r)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete a blob: %w", err)
	}
	return nil
}

// List implements Store.
func (d *Dir) List(_ context.Context, folder Ref) ([]Ref, error) {
	path, err := d.path(folder)
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
