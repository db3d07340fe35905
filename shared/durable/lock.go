package durable

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/gofrs/flock"

	"weir/shared/fault"
)

// Lock takes a lock file for the caller until it closes what Lock returns, or its
// process ends, however it ends. It makes the file and its folder when they are
// missing, and leaves the file there. It does not wait.
//
// fault.Conflict: the file is locked, by another process or in this one.
func Lock(path string) (io.Closer, error) {
	if err := MakeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	l := flock.New(path)
	held, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !held {
		return nil, fault.New(fault.Conflict, "%s is in use by another process, which holds the lock file %s.", filepath.Dir(path), path)
	}
	return l, nil
}
