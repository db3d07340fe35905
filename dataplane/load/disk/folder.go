package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
)

// Folder is the path of a destination's folder.
type Folder string

// FolderOf is that of a destination below dir.
func FolderOf(dir string, d id.Destination) Folder { return Folder(filepath.Join(dir, string(d))) }

// PausedFile is there while the loads of a destination are paused.
const PausedFile = "paused.json"

// Paused says that no load begins until somebody resumes them. At is zero where none are
// paused.
type Paused struct {
	At        time.Time    `json:"at"`
	Workspace id.Workspace `json:"workspace"`
}

// Folders returns the destinations below dir that are known by a cursor, or are paused.
func Folders(dir string) (all []id.Destination, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the folders of loads: %w", err)
	}
	for _, x := range entries {
		f := Folder(filepath.Join(dir, x.Name()))
		there, err := durable.GetJSON(f.Path("cursor.json"), &Cursor{})
		if p, _ := f.Paused(); err == nil && there || !p.At.IsZero() { // one that cannot be read is found another time
			all = append(all, id.Destination(x.Name()))
		}
	}
	return all, nil
}

// Path is that of a file of the folder.
func (f Folder) Path(name string) string { return filepath.Join(string(f), name) }

// Paused reads whether loads are paused.
func (f Folder) Paused() (p Paused, err error) {
	_, err = durable.GetJSON(f.Path(PausedFile), &p)
	return p, err
}

// Running is fault.Conflict while loads are paused.
func (f Folder) Running() error {
	p, err := f.Paused()
	if err == nil && !p.At.IsZero() {
		err = fault.New(fault.Conflict, "Loads of this warehouse are paused since %s; resume them first.", p.At.Format(time.RFC3339))
	}
	return err
}

// Pause keeps that loads are paused, unless they are.
func (f Folder) Pause(p Paused) error {
	if was, err := f.Paused(); err != nil || !was.At.IsZero() {
		return err
	}
	if err := durable.MakeFolder(string(f)); err != nil {
		return err
	}
	return durable.PutJSON(f.Path(PausedFile), p)
}

// Remove removes a file, which may not be there.
func (f Folder) Remove(name string) error {
	err := os.Remove(f.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove a file of loads: %w", err)
	}
	return durable.SyncFolder(string(f))
}

// Adopt moves the staged files from where a former release kept them: among
// the folders of destinations, where one with the identifier "files" had its own.
func Adopt(former, staged string) error {
	if _, err := os.Lstat(staged); err == nil {
		return nil
	}
	if info, err := os.Lstat(former); err != nil || !info.IsDir() {
		return nil // a new plane
	}
	return durable.Rename(former, staged)
}
