package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"weir/shared/fault"
)

// File gives a kind a file of its own: path, of a setting, is relative to DataDir
// and stays inside it, whatever symbolic links say. It makes the folders above the
// file, not the file, and waits until no other warehouse has it; release gives it
// back and may be called once. Errors are Failures: fault.Denied for a path that
// leaves DataDir or names something other than a regular file, fault.Unavailable
// for folders that cannot be made.
func (d Deps) File(ctx context.Context, path string) (full string, release func(), err error) {
	if d.Owners == nil {
		return "", nil, Fail(CodeFailed, errors.New("no owners of files were given"))
	}
	if full, err = inside(d.DataDir, path); err != nil {
		return "", nil, Fail(CodeUnreachable, err)
	}
	if release, err = d.Owners.Take(ctx, full); err != nil {
		return "", nil, Fail(CodeUnreachable, fmt.Errorf("wait for the file: %w", err))
	}
	return full, release, nil
}

// inside returns where a file of a folder lies, its links followed.
func inside(dataDir, path string) (string, error) {
	refused := fault.New(fault.Denied, "The path of the file has to lie in the plane's data folder.")
	if dataDir == "" || !filepath.IsLocal(path) || strings.Contains(path, "\x00") {
		return "", refused
	}
	root, err := filepath.EvalSymlinks(dataDir)
	if err != nil {
		return "", fault.New(fault.Unavailable, "The plane's data folder cannot be read.")
	}
	if err := makeFolder(root, filepath.Dir(path)); err != nil {
		return "", fault.New(fault.Unavailable, "The folder of the file cannot be made in the plane's data folder.")
	}
	folder, err := filepath.EvalSymlinks(filepath.Join(root, filepath.Dir(path)))
	if err != nil || folder != root && !strings.HasPrefix(folder, root+string(filepath.Separator)) {
		return "", refused
	}
	full := filepath.Join(folder, filepath.Base(path))
	if i, err := os.Lstat(full); err == nil && !i.Mode().IsRegular() {
		return "", refused
	}
	return full, nil
}

// makeFolder makes a folder and follows no link out of root.
func makeFolder(root, path string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	return errors.Join(r.MkdirAll(path, 0o700), r.Close())
}

// Owners lets one user at a time have an embedded file.
type Owners struct {
	mu    sync.Mutex
	slots map[string]chan struct{}
}

// Take waits for name; release gives it back and may be called once.
func (o *Owners) Take(ctx context.Context, name string) (release func(), err error) {
	o.mu.Lock()
	if o.slots == nil {
		o.slots = map[string]chan struct{}{}
	}
	slot, ok := o.slots[name]
	if !ok {
		slot = make(chan struct{}, 1)
		o.slots[name] = slot
	}
	o.mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
