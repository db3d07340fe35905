package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
)

// FileType is what the files of a kind have in common.
type FileType struct {
	End    string // of every name; it is added to a path that lacks it
	Beside string // behind the whole name: a file that belongs to the file, such as its log
	// Magic is what every file holds from the byte MagicAt on.
	Magic   string
	MagicAt int64
}

// filesFolder, in the plane's data folder, has a folder for each workspace by its
// identifier. Names of the plane's own in it hold a '.', as no identifier does.
const filesFolder = "warehouses"

// longestName is the longest name of a file or folder, in bytes: of the 255 that
// file systems keep, some are left for the ends that a kind adds.
const longestName = 200

// filePath is the form of a path: folders and a name, none of them "." or "..". The
// spec of a kind has the same pattern, so a revision with another path is refused
// before.
var filePath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\./)?(\.?[\p{L}\p{N}_@(+-][\p{L}\p{M}\p{N} _.@()+,=-]*/)*\.?[\p{L}\p{N}_@(+-][\p{L}\p{M}\p{N} _.@()+,=-]*$`)
})

// File gives a kind a file of its own: path, of a setting, is a name inside the
// folder of Workspace in DataDir. No name reaches the file of another workspace
// or of the plane: what a path cannot be is refused, links are, and so is a name
// that differs from one that is there in nothing but case, for some disks do not
// tell the two apart. File makes the folders above the file, not the file, and waits
// until no other warehouse has it; release gives it back and may be called once.
//
// A file of the release before, which lay at path in DataDir, is moved here once,
// with what lies beside it, when Workspace alone used it; see Owners.Adopt.
//
// Errors are Failures: fault.Denied for a path that is refused, fault.Conflict for
// a file that several workspaces used, fault.Unavailable for a disk that refuses.
func (d Deps) File(ctx context.Context, path string, t FileType) (full string, release func(), err error) {
	if d.Owners == nil || d.DataDir == "" || !id.Valid(d.Workspace) {
		return "", nil, Fail(CodeFailed, errors.New("no owners of files, no folder or no workspace was given"))
	}
	local, err := localPath(path, t)
	if err != nil {
		return "", nil, Fail(CodeUnreachable, err)
	}
	local = filepath.Join(filesFolder, string(d.Workspace), local)
	if release, err = d.Owners.Take(ctx, strings.ToLower(local)); err != nil {
		return "", nil, Fail(CodeUnreachable, fmt.Errorf("wait for the file: %w", err))
	}
	if full, err = d.place(local); err == nil {
		err = d.bring(path, full, t)
	}
	if err != nil {
		release()
		return "", nil, Fail(CodeUnreachable, err)
	}
	return full, release, nil
}

// localPath is a path with the end of its type.
func localPath(path string, t FileType) (string, error) {
	if !filePath().MatchString(path) {
		return "", fault.New(fault.Denied, "The setting path has to be a name inside the workspace's own folder of the plane: letters, digits, spaces and any of _ . @ ( ) + , = -, with folders before it if wanted.")
	}
	if !strings.HasSuffix(path, t.End) {
		path += t.End
	}
	for name := range strings.SplitSeq(path, "/") {
		if len(name) > longestName {
			return "", fault.New(fault.Denied, "The setting path has a name of over %d bytes.", longestName)
		}
	}
	return filepath.Clean(path), nil
}

// place makes the folders of a file, and returns where it lies. It follows no link
// below the data folder.
func (d Deps) place(local string) (string, error) {
	at, err := filepath.EvalSymlinks(d.DataDir)
	if err != nil {
		return "", fault.New(fault.Unavailable, "The plane's data folder cannot be read.")
	}
	names := strings.Split(local, string(filepath.Separator))
	for i, name := range names {
		last := i == len(names)-1
		if err := onlyCase(at, name); err != nil {
			return "", err
		}
		at = filepath.Join(at, name)
		info, err := os.Lstat(at)
		switch {
		case err == nil && !last && !info.IsDir(), err == nil && last && !info.Mode().IsRegular():
			return "", fault.New(fault.Denied, "The setting path leads over a link, or to something that is no file: %s.", name)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fault.New(fault.Unavailable, "The file's folder in the plane's data folder cannot be read.")
		}
	}
	if err := durable.MakeFolder(filepath.Dir(at)); err != nil {
		return "", fault.New(fault.Unavailable, "The file's folder cannot be made in the plane's data folder.")
	}
	return at, nil
}

// onlyCase refuses a name beside one that differs in nothing but case.
func onlyCase(folder, name string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Unavailable, "The file's folder in the plane's data folder cannot be read.")
	}
	for _, e := range entries {
		if e.Name() != name && strings.EqualFold(e.Name(), name) {
			return fault.New(fault.Denied, "The setting path says %s, and %s is there; names have to differ in more than case.", name, e.Name())
		}
	}
	return nil
}

// bring moves the file of the release before to full, when nothing is there yet.
// The log beside goes first: the file is what tells that the move is done.
func (d Deps) bring(path, full string, t FileType) error {
	if _, err := os.Lstat(full); err == nil {
		return nil
	}
	users := d.Owners.former(path)
	from := filepath.Join(d.DataDir, filepath.Clean(path))
	if !slices.Contains(users, d.Workspace) || !t.is(from) {
		return nil
	}
	if len(users) > 1 {
		return fault.New(fault.Conflict, "The file %s in the plane's data folder was used by several workspaces, so it is nobody's now; the plane's owner moves it to %s, or removes it, or settings.path gets another name.",
			filepath.Clean(path), filepath.Join(filesFolder, string(d.Workspace)))
	}
	for _, end := range []string{t.Beside, ""} {
		info, err := os.Lstat(from + end)
		if err != nil || !info.Mode().IsRegular() {
			continue // nothing lies beside, or it was moved before a crash
		}
		if err := durable.Rename(from+end, full+end); err != nil {
			return fault.New(fault.Unavailable, "The file %s cannot be moved into the workspace's own folder.", filepath.Clean(path))
		}
	}
	return nil
}

// is reports whether a file that may be moved lies at path.
func (t FileType) is(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	head := make([]byte, len(t.Magic))
	n, _ := f.ReadAt(head, t.MagicAt)
	return string(head[:n]) == t.Magic
}
