package blob_test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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

// References of random pieces, as identifiers and settings would put them together.
func TestNoReferenceLeavesTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := blob.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "outside"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	pieces := []string{"..", ".", "/", "/", "a", "outside", "store", "\x00", "\\", "~", "%2e", "*", "é", "\n", ".part"}
	r := rand.New(rand.NewPCG(7, 8))
	taken := 0
	for range 2000 {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		ref := blob.Ref(b.String())
		if s.Put(t.Context(), ref, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }) == nil {
			taken++
		}
		if path, release, err := blob.LocalFile(t.Context(), s, ref); err == nil {
			release()
			if rel, err := filepath.Rel(filepath.Join(dir, "store"), path); err != nil || !filepath.IsLocal(rel) {
				t.Errorf("%q is the file %s", ref, path)
			}
		}
		if ref != "." && !strings.HasPrefix(filepath.Clean(string(ref)), ".") {
			_ = s.Delete(t.Context(), ref)
		}
	}
	left, err := os.ReadDir(dir)
	if kept, _ := os.ReadFile(filepath.Join(dir, "outside")); err != nil || len(left) != 2 || string(kept) != "kept" || taken == 0 {
		t.Errorf("beside the store are %v, %q, %v; %d references were taken", left, kept, err, taken)
	}
}
