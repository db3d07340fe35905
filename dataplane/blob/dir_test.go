package blob_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"weir/dataplane/blob"
	"weir/shared/fault"
)

func TestKeysStayInside(t *testing.T) {
	t.Parallel()
	d, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []blob.Ref{"", "../x", "/x", "a/../../x", "a b", "a\\b", "a\x00", "ä"} {
		if _, err := d.Path(r); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Path(%q): %v", r, err)
		}
		if _, err := d.Create(r); err == nil {
			t.Errorf("Create(%q) went through", r)
		}
		if err := d.Delete(r); err == nil {
			t.Errorf("Delete(%q) went through", r)
		}
	}
}

func TestObjectsAreSeenWhole(t *testing.T) {
	t.Parallel()
	d, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path, err := d.Path("a/b")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		write  string
		commit bool
		want   string
	}{{"half", false, ""}, {"one", true, "one"}, {"half", false, "one"}, {"two", true, "two"}} {
		w, err := d.Create("a/b")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(c.write); err != nil {
			t.Fatal(err)
		}
		if !c.commit {
			w.Abort()
		} else if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(path); string(b) != c.want { // missing is empty
			t.Errorf("after writing %q: %q, want %q", c.write, b, c.want)
		}
	}
	for range 2 {
		if err := d.Delete("a"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestListAndWhatWasLeft lists whole objects only, and removes what a process
// that ended was writing.
func TestListAndWhatWasLeft(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "deep", "store")
	d, err := blob.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []blob.Ref{"a/2", "a/b/1", "a/1", "c/1"} {
		w, err := d.Create(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Create("a/3"); err != nil { // never ended
		t.Fatal(err)
	}
	for folder, want := range map[blob.Ref][]blob.Ref{"a": {"a/1", "a/2", "a/b/1"}, "c": {"c/1"}, "none": nil} {
		if got, err := d.List(folder); err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%s) = %v, %v, want %v", folder, got, err, want)
		}
	}
	if _, err := d.List("../x"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("List outside: %v", err)
	}
	if _, err := blob.Open(root); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(root, "a", "*.part")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
