package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"weir/shared/durable"
	"weir/shared/fault"
)

// child is the argument that makes the test binary do one thing, named by the
// next argument, to the path that follows.
const child = "durable-child"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == child {
		os.Exit(run(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func run(act, path string) int {
	runtime.LockOSThread() // strace counts calls by thread
	var err error
	switch act {
	case "write":
		syscall.Umask(0o077)
		err = durable.WriteFile(path, []byte("new"), 0o644)
	case "rename":
		err = durable.Rename(path+".part", path)
	case "folder":
		err = durable.MakeFolder(path)
	case "lock":
		var l io.Closer
		if l, err = durable.Lock(path); err == nil {
			fmt.Println("locked")
			_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or ends
			err = l.Close()
		}
	}
	if err != nil {
		fmt.Println(err)
		if fault.KindOf(err) == fault.Unavailable {
			return 2
		}
		return 1
	}
	return 0
}

// trace runs a child under strace with further options of strace, and returns
// the calls that it made, what it printed and its exit code, -1 when it was killed.
func trace(t *testing.T, act, path string, options ...string) (calls, printed string, code int) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "trace")
	args := slices.Concat([]string{"-f", "-qq", "-y", "-o", to, "-e", "trace=fsync,mkdir,mkdirat,rename,renameat,renameat2"}, options, []string{os.Args[0], child, act, path})
	cmd := exec.CommandContext(t.Context(), "strace", args...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("strace: %v", err)
	}
	content, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), string(out), cmd.ProcessState.ExitCode()
}

// order returns the calls of a trace, each with the last parts of its paths,
// without the digits of a temporary name.
func order(calls string) []string {
	var all []string
	for _, call := range regexp.MustCompile(`(?m)^\d+ +(fsync|mkdir|rename)\w*\((.*)\) += 0`).FindAllStringSubmatch(calls, -1) {
		step, paths := call[1], regexp.MustCompile(`"([^"]*)"`)
		if step == "fsync" {
			paths = regexp.MustCompile(`<([^>]*)>`) // of a descriptor
		}
		for _, p := range paths.FindAllStringSubmatch(call[2], -1) {
			step += " " + strings.TrimRight(filepath.Base(p[1]), "0123456789")
		}
		all = append(all, step)
	}
	return all
}

func folder(t *testing.T) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(f, 0o700); err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

func TestEveryStepIsOnTheDiskBeforeTheNext(t *testing.T) {
	t.Parallel()
	for act, want := range map[string][]string{
		"write":  {"fsync .file", "rename .file file", "fsync folder"},
		"rename": {"rename file.part file", "fsync folder"},
		"folder": {"mkdir file", "fsync folder", "mkdir inner", "fsync file"},
	} {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder(t), "file")
			put(t, path+".part", "new")
			target := path
			if act == "folder" {
				target = filepath.Join(path, "inner")
			}
			calls, printed, code := trace(t, act, target)
			if got := order(calls); code != 0 || !slices.Equal(got, want) {
				t.Errorf("exit %d (%s) after %q, want 0 after %q", code, printed, got, want)
			}
			if act != "folder" {
				holds(t, path, "new")
			}
		})
	}
}

func TestACrashLeavesTheFormerFileOrTheNewOne(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ inject, want string }{
		"before the content is on the disk":  {"fsync:signal=SIGKILL:when=1", "former"},
		"before the file has its name":       {"rename,renameat,renameat2:signal=SIGKILL", "former"},
		"before the new name is on the disk": {"fsync:signal=SIGKILL:when=2", "new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder(t), "file")
			put(t, path, "former")
			calls, printed, code := trace(t, "write", path, "-e", "inject="+tc.inject)
			if code != -1 {
				t.Fatalf("exit %d (%s) after %s, want a crash", code, printed, calls)
			}
			holds(t, path, tc.want)
			if err := durable.WriteFile(path, []byte("later"), 0o600); err != nil {
				t.Errorf("write after a crash: %v", err)
			}
			holds(t, path, "later")
		})
	}
}

func TestAFullDiskIsNamedAndLeavesTheFormerFileAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "file")
	put(t, path, "former")
	_, printed, code := trace(t, "write", path, "-e", "inject=fsync:error=ENOSPC:when=1")
	if code != 2 || !strings.Contains(printed, "The disk of "+path+" is full") {
		t.Errorf("exit %d, %q; want 2 for unavailable, and the file whose disk is full", code, printed)
	}
	holds(t, path, "former")
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v; want the former file alone", files, err)
	}
}

func TestAFailedSyncOfTheFolderIsAnError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "file")
	_, printed, code := trace(t, "write", path, "-e", "inject=fsync:error=EIO:when=2")
	if code != 1 || !strings.Contains(printed, "sync "+filepath.Dir(path)) {
		t.Errorf("exit %d, %q; want 1, and the folder", code, printed)
	}
}

func TestWriteFileSetsThePermissionWhateverWasThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "file")
	put(t, path, "former")
	if _, printed, code := trace(t, "write", path); code != 0 { // its umask forbids what it asks for
		t.Fatalf("exit %d: %s", code, printed)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v; want 0644", info.Mode(), err)
	}
}

func TestWriteFileNamesAFileWhoseFolderIsMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "file")
	err := durable.WriteFile(path, []byte("new"), 0o600)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("WriteFile = %v, want fs.ErrNotExist and %s", err, path)
	}
	if err := durable.MakeFolder(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Errorf("WriteFile after MakeFolder = %v", err)
	}
}

func TestMakeFolderRefusesAFileInItsPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "")
	for _, folder := range []string{path, filepath.Join(path, "inner")} {
		if err := durable.MakeFolder(folder); !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), path) {
			t.Errorf("MakeFolder(%s) = %v, want ENOTDIR and %s", folder, err, path)
		}
	}
}

func TestLockIsHeldByOneProcessUntilItEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "lock")
	cmd := exec.CommandContext(t.Context(), os.Args[0], child, "lock", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	ready := make([]byte, len("locked\n"))
	if _, err := io.ReadFull(out, ready); err != nil || !bytes.Equal(ready, []byte("locked\n")) {
		t.Fatalf("the holder says %q, %v", ready, err)
	}

	if _, err := durable.Lock(path); err == nil || fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), path) {
		t.Errorf("Lock of a held file = %v, want fault.Conflict and %s", err, path)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	l, err := durable.Lock(path)
	if err != nil {
		t.Fatalf("Lock after its holder ended = %v", err)
	}
	if _, err := durable.Lock(path); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Errorf("second Lock in one process = %v, want fault.Conflict", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := durable.Lock(path)
	if err != nil {
		t.Fatalf("Lock after Close = %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
