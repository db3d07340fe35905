package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Ref names an object: a slash-separated key of letters, digits, '-', '_', '.'.
type Ref string

// Store keeps objects by their references. It is safe for concurrent use of
// different references. Every method is fault.Invalid for a reference that is no
// key. Package blobtest holds every implementation to this contract.
type Store interface {
	// Put makes an object of what write writes and replaces one of the same
	// reference. When it returns nil the object is durable. After an error, also
	// one of write, what was there before is there, whole.
	Put(ctx context.Context, r Ref, write func(io.Writer) error) error
	// Open reads an object. fault.Missing: there is none.
	Open(ctx context.Context, r Ref) (Reader, error)
	// Delete removes an object, or all below a folder's reference. A missing one is
	// no error.
	Delete(ctx context.Context, r Ref) error
	// List returns the objects below a folder's reference, in order, and none when
	// there is no such folder. What is being written is not among them.
	List(ctx context.Context, folder Ref) ([]Ref, error)
}

// Reader reads one object, in order or at any place. Size is in bytes.
type Reader interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Size() int64
}

// LocalFolder is the folder that the files of LocalFile lie in.
func LocalFolder(s Store) string {
	if d, ok := s.(*Dir); ok {
		return d.root
	}
	return os.TempDir()
}

// LocalFile returns the path of a file with an object's content, for programs that
// read files alone. The file is read only; release ends its use. A store of files
// gives its own file, of others a temporary copy is made. Errors: those of Open.
func LocalFile(ctx context.Context, s Store, r Ref) (path string, release func(), err error) {
	if d, ok := s.(*Dir); ok {
		path, err = d.path(r)
		return path, func() {}, err
	}
	from, err := s.Open(ctx, r)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = from.Close() }() // it was only read
	f, err := os.CreateTemp("", "weir-blob-*")
	if err != nil {
		return "", nil, fmt.Errorf("make a copy of a blob: %w", err)
	}
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", nil, fmt.Errorf("copy a blob: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return f.Name(), func() { _ = os.Remove(f.Name()) }, nil // a temporary file
}
