package load

import (
	"errors"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/load/disk"
	"weir/shared/id"
)

func (e *Engine) folder(d id.Destination) disk.Folder { return disk.FolderOf(e.c.Dir, d) }

// Pause lets no load of a destination begin until it is called without paused, also in
// lives of the process to come; the one under way ends. Events wait in STAGE meanwhile, and
// are loaded without delay after it. fault.Missing: no such job.
func (e *Engine) Pause(d id.Destination, paused bool) error {
	j, err := e.job(d)
	if err != nil {
		return err
	}
	if paused {
		return e.folder(d).Pause(disk.Paused{At: e.c.Now().UTC(), Workspace: j.Workspace})
	}
	return errors.Join(e.folder(d).Remove(disk.PausedFile), e.Hasten(d))
}

// Alone does something with the store of staged files while no load of a destination runs here.
func (e *Engine) Alone(d id.Destination, do func(blobs blob.Store) error) error {
	l := e.loaderOf(d)
	l.work.Lock()
	defer l.work.Unlock()
	return do(e.c.Blobs)
}

// Paused returns since when the loads of a destination are paused, as far as that can be
// read; zero: they are not.
func (e *Engine) Paused(d id.Destination) time.Time {
	p, _ := e.folder(d).Paused() // a disk that cannot be read is told by the load that fails
	return p.At
}
