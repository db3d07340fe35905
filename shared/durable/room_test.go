package durable_test

import (
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/durable"
	"weir/shared/fault"
)

func TestRoomIsAskedForOnlyToBegin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fresh := filepath.Join(dir, "a", "b")
	if err := durable.Room(fresh, 1); err != nil {
		t.Errorf("for one byte: %v", err)
	}
	err := durable.Room(fresh, 1<<62)
	if fault.KindOf(err) != fault.Limited || !strings.Contains(err.Error(), "MiB free") || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("for more than any disk has: %v, want what is missing and what to do", err)
	}
	if err := durable.Room(dir, 1<<62); err != nil {
		t.Errorf("of a folder that exists: %v, want it taken as it is", err)
	}
}
