// Package blobtest is the kit that holds every blob.Store to its contract.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"weir/dataplane/blob"
	"weir/shared/fault"
)

// Check holds stores to the contract of blob.Store. Each call of open gives an
// empty one.
func Check(t *testing.T, open func(t testing.TB) blob.Store) {
	for name, check := range map[string]func(*testing.T, blob.Store){
		"references that are no keys": keys, "objects are whole": whole, "reading": reading, "lists": lists, "deletes": deletes, "a context that ended": ended,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func put(t *testing.T, s blob.Store, r blob.Ref, content string) {
	t.Helper()
	if err := s.Put(t.Context(), r, func(w io.Writer) error { _, err := io.WriteString(w, content); return err }); err != nil {
		t.Fatalf("Put(%s): %v", r, err)
	}
}

// want compares an object with what it should be.
func want(t *testing.T, s blob.Store, r blob.Ref, content string) {
	t.Helper()
	f, err := s.Open(t.Context(), r)
	if err != nil {
		t.Fatalf("Open(%s): %v", r, err)
	}
	got, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || string(got) != content || f.Size() != int64(len(content)) {
		t.Errorf("%s is %q of size %d, error %v, want %q", r, got, f.Size(), err, content)
	}
}

func missing(t *testing.T, s blob.Store, r blob.Ref) {
	t.Helper()
	if _, err := s.Open(t.Context(), r); fault.KindOf(err) != fault.Missing {
		t.Errorf("Open(%s): %v, want fault.Missing", r, err)
	}
}

func keys(t *testing.T, s blob.Store) {
	for _, r := range []blob.Ref{"", "../x", "/x", "a/../../x", "a b", "a\\b", "a\x00", "ä"} {
		_, openErr := s.Open(t.Context(), r)
		_, listErr := s.List(t.Context(), r)
		for what, err := range map[string]error{
			"Put": s.Put(t.Context(), r, func(io.Writer) error { return nil }), "Open": openErr, "List": listErr, "Delete": s.Delete(t.Context(), r),
		} {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s(%q): %v, want fault.Invalid", what, r, err)
			}
		}
	}
}

func whole(t *testing.T, s blob.Store) {
	broken := errors.New("broken")
	half := func() {
		t.Helper()
		err := s.Put(t.Context(), "a/b", func(w io.Writer) error {
			_, err := io.WriteString(w, "half")
			return errors.Join(err, broken)
		})
		if !errors.Is(err, broken) {
			t.Errorf("Put with a writer that fails: %v, want its error", err)
		}
	}
	half()
	missing(t, s, "a/b")
	put(t, s, "a/b", "one")
	half()
	want(t, s, "a/b", "one")
	put(t, s, "a/b", "two")
	want(t, s, "a/b", "two")
	put(t, s, "a/b", "")
	want(t, s, "a/b", "")
}

func reading(t *testing.T, s blob.Store) {
	content := bytes.Repeat([]byte("0123456789"), 1<<17)
	put(t, s, "large", string(content))
	want(t, s, "large", string(content))
	f, err := s.Open(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	part := make([]byte, 100)
	if n, err := f.ReadAt(part, 1<<20+3); n != len(part) || err != nil || !bytes.Equal(part, content[1<<20+3:][:100]) {
		t.Errorf("ReadAt read %d bytes %q, error %v", n, part[:n], err)
	}
	if n, err := f.ReadAt(part, int64(len(content))-1); n != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt at the end read %d bytes, error %v, want 1 and io.EOF", n, err)
	}
	path, release, err := blob.LocalFile(t.Context(), s, "large")
	if err != nil || path == "" {
		t.Fatalf("LocalFile gave %q, %v", path, err)
	}
	release()
	want(t, s, "large", string(content))
}

func lists(t *testing.T, s blob.Store) {
	for _, r := range []blob.Ref{"a/2", "a/b/1", "a/1", "ab/1", "c/1"} {
		put(t, s, r, "x")
	}
	for folder, refs := range map[blob.Ref][]blob.Ref{"a": {"a/1", "a/2", "a/b/1"}, "c": {"c/1"}, "none": nil} {
		if got, err := s.List(t.Context(), folder); err != nil || !slices.Equal(got, refs) {
			t.Errorf("List(%s) = %v, %v, want %v", folder, got, err, refs)
		}
	}
	err := s.Put(t.Context(), "a/3", func(io.Writer) error {
		if got, err := s.List(t.Context(), "a"); err != nil || len(got) != 3 {
			t.Errorf("while a/3 is written, List(a) = %v, %v, want the three others", got, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func deletes(t *testing.T, s blob.Store) {
	for _, r := range []blob.Ref{"a/1", "a/b/2", "ab/1", "one"} {
		put(t, s, r, "x")
	}
	for range 2 {
		for _, r := range []blob.Ref{"a", "one"} {
			if err := s.Delete(t.Context(), r); err != nil {
				t.Errorf("Delete(%s): %v", r, err)
			}
		}
	}
	for _, r := range []blob.Ref{"a/1", "a/b/2", "one"} {
		missing(t, s, r)
	}
	want(t, s, "ab/1", "x")
}

func ended(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Put(ctx, "a", func(w io.Writer) error {
		_, err := io.WriteString(w, "x")
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v, want context.Canceled", err)
	}
	missing(t, s, "a")
}
