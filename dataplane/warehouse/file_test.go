package warehouse_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/dataplane/warehouse"
	"weir/shared/fault"
	"weir/shared/id"
)

var databases = warehouse.FileType{End: ".db", Beside: ".wal", Magic: "MAGIC", MagicAt: 2}

// database is what a file of the type holds.
const database = "__MAGIC and rows"

func write(t *testing.T, content string, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

func of(dir string, ws id.Workspace) warehouse.Deps {
	return warehouse.Deps{DataDir: dir, Owners: &warehouse.Owners{}, Workspace: ws}
}

func TestAFileStaysInItsWorkspacesFolder(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	own := filepath.Join(dir, "warehouses", "ws_a")
	write(t, "rows", own, "There.db")
	write(t, "rules", dir, "guard.yaml")
	if err := errors.Join(os.Symlink(outside, filepath.Join(own, "out")), os.Symlink(filepath.Join(outside, "f"), filepath.Join(own, "link.db")),
		os.Symlink(filepath.Join(dir, "guard.yaml"), filepath.Join(own, "near.db")), os.Mkdir(filepath.Join(own, "folder.db"), 0o700), os.Symlink(".", filepath.Join(own, "within"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", ".", "..", "../x", "../ws_b/x", "/etc/x", "a/../../x", "a/../x", "out/x", "out/deep/x", "link", "link.db", "near", "folder", "within/x", "x\x00y", "x\ny", "a//b", `..\x`,
		"x?mode=rw", "..hidden", ".../x", "./.", "there", "THERE.db", strings.Repeat("x", 200), "x\xff"} {
		full, release, err := of(dir, "ws_a").File(t.Context(), path, databases)
		if err == nil {
			release()
			t.Errorf("File(%q) = %q", path, full)
		} else if fault.KindOf(err) != fault.Denied || warehouse.CodeOf(err) != warehouse.CodeUnreachable || !strings.Contains(err.Error(), "setting path") {
			t.Errorf("File(%q): %v, kind %v, want Denied that names the setting", path, err, fault.KindOf(err))
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside are %v, err %v", left, err)
	}
	root, err := filepath.EvalSymlinks(own)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"./deep/er/x": "deep/er/x.db", "There.db": "There.db", "There": "There.db", "guard.yaml": "guard.yaml.db", "x.db.wal": "x.db.wal.db", "Zürich (1)": "Zürich (1).db", ".hidden/v1.2/x": ".hidden/v1.2/x.db"} {
		full, release, err := of(dir, "ws_a").File(t.Context(), path, databases)
		if err != nil || full != filepath.Join(root, want) {
			t.Fatalf("File(%q) = %q, %v, want %s", path, full, err, want)
		}
		release()
	}
	for _, ws := range []id.Workspace{"", "..", "ws/a", "WS"} {
		if full, _, err := of(dir, ws).File(t.Context(), "x", databases); err == nil {
			t.Errorf("workspace %q has the file %s", ws, full)
		}
	}
}

// Paths of random pieces, each of which has led out of a folder somewhere.
func TestNoPathLeadsOutOfItsWorkspacesFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, "warehouses", "ws_a") + string(filepath.Separator)
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	own = strings.Replace(own, dir, root, 1)
	pieces := []string{"..", ".", "/", "/", "/", "a", "B", "ws_b", "warehouses", "former.json", "guard.yaml", ".db", ".wal", ".tmp", "\x00", "\\", "~", "$X", ":", "%2e", "?", "*", " ", "\u202e", "ﬀ", "İ", "\n", "é"}
	r := rand.New(rand.NewPCG(1, 2))
	taken := 0
	for range 5000 {
		var path strings.Builder
		for range 1 + r.IntN(7) {
			path.WriteString(pieces[r.IntN(len(pieces))])
		}
		full, release, err := of(dir, "ws_a").File(t.Context(), path.String(), databases)
		if err != nil {
			continue
		}
		taken++
		release()
		if rel := strings.TrimPrefix(full, own); rel == full || !filepath.IsLocal(rel) || !strings.HasSuffix(full, ".db") || strings.ContainsAny(full, "?\x00\\*\n") {
			t.Errorf("File(%q) = %q", path.String(), full)
		}
	}
	if taken == 0 {
		t.Error("no path was taken")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the data folder holds %v, err %v", entries, err)
	}
}

func TestAFileOfTheReleaseBeforeGoesToWhoUsedItAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"mine.db", "mine.db.wal", "deep/mine.db", "shared.db", "theirs.db", "no end"} {
		write(t, database+name, dir, name)
	}
	write(t, "rules: a guard", dir, "guard.yaml")
	write(t, database+"new", dir, "warehouses/ws_b/new.db")
	used := map[string][]id.Workspace{"./mine.db": {"ws_a"}, "deep/mine.db": {"ws_a"}, "shared.db": {"ws_a"}, "./shared.db": {"ws_b"}, "guard.yaml": {"ws_a"}, "theirs.db": {"ws_b"}, "no end": {"ws_a"},
		"warehouses/ws_b/new.db": {"ws_a"}}
	d := of(dir, "ws_a")
	if err := d.Owners.Adopt(dir, used); err != nil {
		t.Fatal(err)
	}
	// A later start, with revisions that name other files.
	d = of(dir, "ws_a")
	if err := d.Owners.Adopt(dir, map[string][]id.Workspace{"theirs.db": {"ws_a"}}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"mine.db": database + "mine.db", "deep/mine.db": database + "deep/mine.db", "no end": database + "no end", "guard.yaml": "", "theirs.db": "", "new.db": "", "warehouses/ws_b/new.db": ""} {
		full, release, err := d.File(t.Context(), path, databases)
		if err != nil {
			t.Errorf("File(%q): %v", path, err)
			continue
		}
		release()
		if got := read(t, full); got != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	if got := read(t, dir, "warehouses/ws_a/mine.db.wal"); got != database+"mine.db.wal" {
		t.Errorf("the log beside holds %q", got)
	}
	if _, _, err := d.File(t.Context(), "shared.db", databases); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a file that two workspaces used: %v, want Conflict", err)
	}
	for name, want := range map[string]string{"shared.db": database + "shared.db", "theirs.db": database + "theirs.db", "guard.yaml": "rules: a guard", "warehouses/ws_b/new.db": database + "new"} {
		if got := read(t, dir, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if read(t, dir, "mine.db")+read(t, dir, "mine.db.wal") != "" {
		t.Error("the file that was moved is also where it was")
	}
}

func TestAMoveThatACrashCutIsFinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, database, dir, "x.db")
	write(t, "log", dir, "warehouses/ws_a/x.db.wal") // moved before the crash
	d := of(dir, "ws_a")
	if err := d.Owners.Adopt(dir, map[string][]id.Workspace{"x.db": {"ws_a"}}); err != nil {
		t.Fatal(err)
	}
	full, release, err := d.File(t.Context(), "x", databases)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if read(t, full) != "" { // x is another path than x.db, and was not in use
		t.Error("a path that was not used took the file")
	}
	full, release, err = d.File(t.Context(), "x.db", databases)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if read(t, full) != database || read(t, full+".wal") != "log" {
		t.Errorf("the file holds %q, the log %q", read(t, full), read(t, full+".wal"))
	}
}

func TestAFileHasOneUserAtATime(t *testing.T) {
	t.Parallel()
	d := of(t.TempDir(), "ws_a")
	if _, _, err := (warehouse.Deps{DataDir: d.DataDir, Workspace: "ws_a"}).File(t.Context(), "x", databases); err == nil {
		t.Error("without Owners a file was given")
	}
	_, release, err := d.File(t.Context(), "x", databases)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, path := range []string{"./x", "x.db", "X"} {
		if _, _, err := d.File(ended, path, databases); !errors.Is(err, context.Canceled) || warehouse.CodeOf(err) != warehouse.CodeUnreachable {
			t.Errorf("the second user, of %s, got %v", path, err)
		}
	}
	release()
	_, release, err = d.File(t.Context(), "x", databases)
	if err != nil {
		t.Fatal(err)
	}
	release()
}
