package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/pace"
	"weir/dataplane/load/staging"
	"weir/shared/durable"
)

// nextFile is the manifest of the load behind the one under way, once its files are
// written.
const nextFile = "next.json"

// ahead stages the load behind m while m is merged: at once when m was full, else when it
// is time for the next load and m is still being merged. wait ends it, and returns an
// error only of a crash: what cannot be staged ahead is staged in its turn, and its
// failure told then.
func (l *loader) ahead(ctx context.Context, job Job, m *disk.Manifest) (wait func() error) {
	ctx, cancel := context.WithTimeout(ctx, pace.Longest)
	due := l.e.c.Now()
	if !m.Full {
		due = m.At.Add(job.SyncEvery)
	}
	merged := make(chan struct{})
	var err error
	var working sync.WaitGroup
	working.Go(func() {
		if left := due.Sub(l.e.c.Now()); left > 0 {
			select {
			case <-time.After(left):
			case <-merged:
				return
			case <-ctx.Done():
				return
			}
		}
		err = l.stageAhead(ctx, job, m)
	})
	return func() error {
		close(merged)
		working.Wait()
		cancel()
		if errors.As(err, &crash{}) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			l.e.c.Log.Warn("The load behind the one under way could not be staged yet.", "destination", string(l.dest), "error", err)
		}
		return nil
	}
}

// stageAhead stages the load behind m, unless it is staged.
func (l *loader) stageAhead(ctx context.Context, job Job, m *disk.Manifest) error {
	var next disk.Manifest
	if there, err := durable.GetJSON(l.path(nextFile), &next); err != nil || there && slices.Equal(next.From, m.To) {
		return err
	}
	if err := l.folder().Remove(nextFile); err != nil {
		return err
	}
	if err := staging.Sweep(ctx, l.e.c.Blobs, blob.Ref(l.prefix()), m.ID); err != nil { // of an attempt before
		return err
	}
	made, err := l.newManifest(ctx, slices.Clone(m.To), m.ID)
	if made == nil || err != nil {
		return err
	}
	if err := l.fill(ctx, job, made); err != nil {
		return errors.Join(err, l.e.c.Blobs.Delete(context.WithoutCancel(ctx), blob.Ref(l.prefix()+"/"+made.ID))) // others may need the disk
	}
	if err := l.reach(StepAheadFile); err != nil {
		return err
	}
	if err := durable.PutJSON(l.path(nextFile), made); err != nil {
		return err
	}
	return l.reach(StepAhead)
}

// promote makes what was staged ahead the load under way, when it begins where the
// cursor is. there is false when nothing was.
func (l *loader) promote(ctx context.Context, c *disk.Cursor, m *disk.Manifest) (there bool, err error) {
	var next disk.Manifest
	there, err = durable.GetJSON(l.path(nextFile), &next)
	if err != nil || !there {
		return false, err
	}
	if next.Format != disk.ManifestFormat || next.ID == c.Last || !slices.Equal(next.From, c.Next) {
		return false, errors.Join(l.folder().Remove(nextFile), staging.Sweep(ctx, l.e.c.Blobs, blob.Ref(l.prefix())))
	}
	if err := durable.Rename(l.path(nextFile), l.path("manifest.json")); err != nil {
		return false, err
	}
	if err := l.reach(StepPromoted); err != nil {
		return false, err
	}
	*m = next
	return true, nil
}
