package load

import (
	"context"
	"errors"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/staging"
	"weir/shared/durable"
)

// What follows is for planes of several processes, of which one loads at a time. Another one
// may have loaded what is in files here, and rows of it may have been removed since: of a
// person who was erased. Such files are never merged.

// stands reports whether no other process has loaded anything of a load that lies here.
// Else it is removed; what STAGE still has of it is in the next one.
func (l *loader) stands(ctx context.Context, m *disk.Manifest) (bool, error) {
	stands := m.First != nil || !l.e.term.Shared() // a version before kept none
	if stands {
		var err error
		if stands, err = l.reading(m).Whole(ctx, m.First); err != nil {
			return false, err
		}
	}
	if stands {
		return true, nil
	}
	l.e.c.Log.Info("A load that another process of the plane has made was dropped.", "destination", string(l.dest))
	return false, l.drop(ctx)
}

// drop removes the loads that lie here, their files first: by the manifests a repetition
// finds them.
func (l *loader) drop(ctx context.Context) error {
	if err := l.e.c.Blobs.Delete(ctx, blob.Ref(l.prefix())); err != nil {
		return err
	}
	return errors.Join(l.folder().Remove(nextFile), l.folder().Remove("manifest.json"))
}

// idleEvery is how often it is looked what another process has loaded.
const idleEvery = 2 * time.Second

// idle is what a loader does while another process loads: it forgets what that one has
// loaded, and removes what lies here of it.
func (l *loader) idle(ctx context.Context) error {
	l.work.Lock()
	defer l.work.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if l.idles {
		return l.e.staged.Follow(ctx, l.dest)
	}
	if err := l.history.Forget(); err != nil { // persons may be erased there
		return err
	}
	var lies []string
	for _, name := range []string{"manifest.json", nextFile} {
		var m disk.Manifest
		there, err := durable.GetJSON(l.path(name), &m)
		if err == nil && there {
			there, err = l.stands(ctx, &m)
		}
		if err != nil {
			return err
		}
		if there {
			lies = append(lies, m.ID)
		}
	}
	l.idles = len(lies) == 0 // else it is looked again
	return errors.Join(staging.Sweep(ctx, l.e.c.Blobs, blob.Ref(l.prefix()), lies...), l.e.staged.Follow(ctx, l.dest))
}

// Left says that a partition does not run in this process any more: when it is the first one,
// the loads under way end before Left returns. An error says that some had not when ctx ended.
func (e *Engine) Left(ctx context.Context, partition int) error {
	if partition != 0 {
		return nil
	}
	err := e.term.End(ctx)
	e.hastenAll()
	return err
}

// hastenAll has all loaders look at once whether this process loads.
func (e *Engine) hastenAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.loaders {
		l.hasten()
	}
}

// hasten lets the loader go on without delay. It is loaded next at no time until it has looked
// what there is.
func (l *loader) hasten() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = time.Time{}
	select {
	case l.wake <- struct{}{}:
	default: // it is going to
	}
}
