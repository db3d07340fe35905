package blob_test

import (
	"os"
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
