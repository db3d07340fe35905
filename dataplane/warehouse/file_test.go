package warehouse_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

func TestFilesStayInTheDataFolder(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Symlink(outside, filepath.Join(dir, "out")), os.Symlink(filepath.Join(outside, "f"), filepath.Join(dir, "link")),
		os.Mkdir(filepath.Join(dir, "folder"), 0o700), os.Symlink("folder", filepath.Join(dir, "within"))); err != nil {
		t.Fatal(err)
	}
	d := warehouse.Deps{DataDir: dir, Owners: &warehouse.Owners{}}
	for path, want := range map[string]fault.Kind{"": fault.Denied, "../x": fault.Denied, "/etc/x": fault.Denied, "a/../../x": fault.Denied, "out/x": fault.Unavailable,
		"out/deep/x": fault.Unavailable, "link": fault.Denied, "folder": fault.Denied, ".": fault.Denied, "x\x00y": fault.Denied} {
		full, release, err := d.File(t.Context(), path)
		if err == nil {
			release()
			t.Errorf("File(%q) = %q", path, full)
		} else if fault.KindOf(err) != want || warehouse.CodeOf(err) != warehouse.CodeUnreachable {
			t.Errorf("File(%q): %v, kind %v, want %v", path, err, fault.KindOf(err), want)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside are %v, err %v", left, err)
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"./deep/er/x": "deep/er/x", "within/x": "folder/x"} {
		full, release, err := d.File(t.Context(), path)
		if err != nil || full != filepath.Join(root, want) {
			t.Fatalf("File(%q) = %q, %v, want %s", path, full, err, want)
		}
		release()
	}
}

func TestAFileHasOneUserAtATime(t *testing.T) {
	t.Parallel()
	d := warehouse.Deps{DataDir: t.TempDir(), Owners: &warehouse.Owners{}}
	if _, _, err := (warehouse.Deps{DataDir: d.DataDir}).File(t.Context(), "x"); err == nil {
		t.Error("without Owners a file was given")
	}
	_, release, err := d.File(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := d.File(ended, "./x"); !errors.Is(err, context.Canceled) || warehouse.CodeOf(err) != warehouse.CodeUnreachable {
		t.Errorf("the second user got %v", err)
	}
	release()
	_, release, err = d.File(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	release()
}
