// Package disk keeps the objects of a lake in the workspace's own folder of the plane. The
// folder is open only while a load or a test runs, by one of them at a time.
//
// A file is synced before it takes its name. Links inside of the folder are refused.
package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
	"weir/shared/durable"
)

const end = ".lake"

// lockType is the file by which one load at a time has the folder; it is never made.
var lockType = warehouse.FileType{End: end + "/lock"}

// Open returns the folder of a path, which gets the end .lake, as a store, and where it is.
// Errors are Failures.
func Open(ctx context.Context, path string, d warehouse.Deps) (store lake.Store, folder string, err error) {
	full, release, err := d.File(ctx, strings.TrimSuffix(path, end), lockType)
	if err != nil {
		return nil, "", err
	}
	root, err := os.OpenRoot(filepath.Dir(full))
	if err != nil {
		release()
		return nil, "", warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("open the folder: %w", err))
	}
	return &disk{root: root, release: release}, filepath.Dir(full), nil
}

// disk is the folder as a store.
type disk struct {
	root    *os.Root
	release func()
}

func failed(act string, err error) error {
	if err == nil {
		return nil
	}
	return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("%s in the folder of the lake: %w", act, err))
}

// Get implements lake.Store.
func (d *disk) Get(_ context.Context, key string) ([]byte, string, error) {
	content, err := d.root.ReadFile(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	sum := sha256.Sum256(content)
	return content, hex.EncodeToString(sum[:]), failed("read a file", err)
}

// Put implements lake.Store.
func (d *disk) Put(ctx context.Context, key string, content []byte) error {
	if err := ctx.Err(); err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	full := filepath.Join(d.root.Name(), key)
	if err := d.inside(key); err != nil {
		return err
	}
	if err := durable.MakeFolder(filepath.Dir(full)); err != nil {
		return failed("make a folder", err)
	}
	return failed("write a file", durable.WriteFile(full, content, 0o600))
}

// inside refuses a key that leads over a link.
func (d *disk) inside(key string) error {
	at := ""
	for name := range strings.SplitSeq(key, "/") {
		at = filepath.Join(at, name)
		info, err := d.root.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return failed("look at a file", err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("%s in the folder of the lake is a link: put the files in its place", at))
		}
	}
	return nil
}

// Swap implements lake.Store: nobody else has the folder.
func (d *disk) Swap(ctx context.Context, key string, content []byte, version string) error {
	_, is, err := d.Get(ctx, key)
	if err != nil {
		return err
	}
	if is != version {
		return lake.ErrChanged
	}
	return d.Put(ctx, key, content)
}

// Delete implements lake.Store.
func (d *disk) Delete(_ context.Context, key string) error {
	err := d.root.Remove(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return failed("remove a file", err)
}

// Close implements lake.Store.
func (d *disk) Close() error {
	err := d.root.Close()
	d.release()
	return failed("close", err)
}
