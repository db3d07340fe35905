package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestAWarehouseFindsItsFileOfTheReleaseBefore puts a plane's files where the release
// before kept them.
func TestAWarehouseFindsItsFileOfTheReleaseBefore(t *testing.T) {
	const config = "workspace: acme\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: wk_web }\ndestinations:\n" +
		"  - { name: lake, type: duckdb, settings: { path: ./acme.duckdb, syncEvery: 5s } }\nconnections:\n  - { source: web, destination: lake }\n"
	dir, ports := t.TempDir(), addresses(t)
	p, in := dev(t, dir, config, ports...)
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Paid","messageId":"m1"}`)
	until(t, "a row", func() bool { return rowCount(t, in, "paid") == 1 })
	p.stop()

	plane := filepath.Join(in.Dir, "planes", "eu")
	files, err := filepath.Glob(filepath.Join(plane, "warehouses", "ws_*", "acme.duckdb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v, want one", files, err)
	}
	if err := errors.Join(os.Rename(files[0], filepath.Join(plane, "acme.duckdb")), os.RemoveAll(filepath.Join(plane, "warehouses")),
		os.Rename(filepath.Join(plane, "staged"), filepath.Join(plane, "loads", "files"))); err != nil {
		t.Fatal(err)
	}
	_, in = dev(t, dir, config, ports...)
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Paid","messageId":"m2"}`)
	until(t, "both rows", func() bool { return rowCount(t, in, "paid") == 2 })
	for _, gone := range []string{"acme.duckdb", filepath.Join("loads", "files")} {
		if _, err := os.Lstat(filepath.Join(plane, gone)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", gone, err)
		}
	}
}
