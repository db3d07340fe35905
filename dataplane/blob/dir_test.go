package blob_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"weir/dataplane/blob"
	"weir/dataplane/blob/blobtest"
)

func open(t testing.TB) blob.Store {
	t.Helper()
	d, err := blob.Open(filepath.Join(t.TempDir(), "deep", "store"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDir(t *testing.T) {
	t.Parallel()
	blobtest.Check(t, open)
}

// remote is a Store that has no files of this machine.
type remote struct{ blob.Store }

func TestStoresWithoutFiles(t *testing.T) {
	t.Parallel()
	blobtest.Check(t, func(t testing.TB) blob.Store { return remote{open(t)} })
}

// TestCopiesGoAway: a temporary copy is there until its release.
func TestCopiesGoAway(t *testing.T) {
	t.Parallel()
	s := remote{open(t)}
	if err := s.Put(t.Context(), "a", func(w io.Writer) error { _, err := io.WriteString(w, "one"); return err }); err != nil {
		t.Fatal(err)
	}
	path, release, err := blob.LocalFile(t.Context(), s, "a")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "one" {
		t.Errorf("the copy is %q, error %v", b, err)
	}
	release()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("after its release the copy is there: %v", err)
	}
}

// TestOpenRemovesWhatWasLeft: a process that ended was writing it.
func TestOpenRemovesWhatWasLeft(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	left := filepath.Join(root, "a.part")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.Open(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
