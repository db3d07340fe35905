package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/history"
	"weir/dataplane/load/pace"
	"weir/dataplane/load/reading"
	"weir/dataplane/load/staging"
	"weir/dataplane/queue"
	"weir/dataplane/warehouse"
	"weir/shared/durable"
)

func (l *loader) folder() disk.Folder { return l.e.folder(l.dest) }

func (l *loader) path(name string) string { return l.folder().Path(name) }
func (l *loader) prefix() string          { return string(prefix(l.dest)) }

func (l *loader) reach(s Step) error {
	if l.e.c.Reach == nil {
		return nil
	}
	if err := l.e.c.Reach(s); err != nil {
		return crash{err}
	}
	return nil
}

// crash is an error of Config.Reach.
type crash struct{ error }

// Unwrap returns the error of Reach.
func (c crash) Unwrap() error { return c.error }

// loadOnce makes one load of what is staged: did says that there was something, more
// that the load was full.
func (l *loader) loadOnce(ctx context.Context) (did, more bool, err error) {
	l.work.Lock()
	defer l.work.Unlock()
	job := *l.job.Load()
	var m *disk.Manifest
	began := time.Now()
	err = l.e.term.Within(ctx, func(ctx context.Context) (err error) {
		if m, err = l.openManifest(ctx); m == nil || err != nil {
			return warehouse.Fail(warehouse.CodeStage, err)
		}
		l.begin(m)
		began = time.Now()
		return l.load(ctx, job, m)
	})
	if m == nil {
		return false, false, err
	}
	if err != nil {
		code := warehouse.CodeOf(err)
		if !l.e.term.Mine() {
			code = history.Interrupted
		}
		l.history.Change(func(x *history.Load) { x.State, x.Code, x.Detail = history.Failing, code, err.Error() })
		l.remember(nil)
		return false, false, err
	}
	l.pace.Succeeded()
	l.history.Change(func(x *history.Load) {
		x.State, x.Code, x.Detail, x.Took = history.Done, "", "", time.Since(began)
		l.merged.Add(x.Rows - x.Settle())
	})
	l.remember(nil)
	return true, m.Full, nil
}

// openManifest returns the open load, else makes one, else nil: nothing is staged.
func (l *loader) openManifest(ctx context.Context) (*disk.Manifest, error) {
	ctx, cancel := context.WithTimeout(ctx, pace.Longest)
	defer cancel()
	var c disk.Cursor
	if _, err := durable.GetJSON(l.path("cursor.json"), &c); err != nil {
		return nil, err
	}
	for len(c.Next) < len(l.e.c.Stages) {
		c.Next = append(c.Next, 0)
	}
	var m disk.Manifest
	there, err := durable.GetJSON(l.path("manifest.json"), &m)
	if err != nil {
		return nil, err
	}
	if there && m.ID == c.Last {
		if err := l.clean(ctx, &m); err != nil {
			return nil, err
		}
		there = false
	}
	if !there {
		if there, err = l.promote(ctx, &c, &m); err != nil {
			return nil, err
		}
	}
	if there {
		if there, err = l.stands(ctx, &m); err != nil {
			return nil, err
		}
	}
	if there {
		if m.Format < disk.ManifestFormat {
			m.Staged, m.Tables = false, nil
		}
		return &m, nil
	}
	next, err := l.newManifest(ctx, c.Next, c.Last)
	if next == nil || err != nil {
		return nil, errors.Join(err, l.e.staged.Follow(ctx, l.dest))
	}
	return next, durable.PutJSON(l.path("manifest.json"), next)
}

// newManifest makes a manifest of what there is from records on, for a load behind the
// one of another ID; nil: nothing is.
func (l *loader) newManifest(ctx context.Context, from []uint64, behind string) (*disk.Manifest, error) {
	now := l.e.c.Now().UTC()
	m := &disk.Manifest{ID: now.Format("20060102T150405.000000000"), At: now, From: from}
	if strings.HasPrefix(behind, m.ID) { // a clock that stands still
		m.ID = behind + ".1"
	}
	var err error
	if m.First, m.To, err = reading.Ends(ctx, l.reading(m).Logs, string(l.dest), from); err != nil || m.First == nil {
		return nil, err
	}
	return m, nil
}

// load brings a manifest to its end.
func (l *loader) load(ctx context.Context, job Job, m *disk.Manifest) error {
	if err := l.reach(StepManifest); err != nil {
		return err
	}
	if job.Layout == nil {
		if err := l.write(ctx, job, m); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		return l.end(ctx, m)
	}
	if !m.Staged {
		if err := l.stage(ctx, job, m); err != nil {
			return warehouse.Fail(warehouse.CodeStage, err)
		}
		if err := l.reach(StepStaged); err != nil {
			return err
		}
	}
	l.history.Change(func(x *history.Load) {
		x.State, x.Rows, x.Tables, x.Refused = history.Merging, 0, nil, m.Refused
		for _, t := range m.Tables {
			x.Rows += t.Rows
			x.Tables = append(x.Tables, history.Table{Name: t.Name, Rows: t.Rows, State: history.Staging})
		}
	})
	ahead := l.ahead(ctx, job, m)
	return errors.Join(l.bring(ctx, job, m), ahead())
}

// bring merges what is staged and ends the load.
func (l *loader) bring(ctx context.Context, job Job, m *disk.Manifest) error {
	if len(m.Tables) > 0 {
		began := time.Now()
		if err := l.merge(ctx, job, m); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		l.pace.Size.Took(m.Events, time.Since(began))
	}
	return l.end(ctx, m)
}

// end closes a manifest and removes what it needed.
func (l *loader) end(ctx context.Context, m *disk.Manifest) error {
	if err := l.close(ctx, m); err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	if err := l.reach(StepCursor); err != nil {
		return err
	}
	return warehouse.Fail(warehouse.CodeStage, l.clean(ctx, m))
}

// close moves the cursor behind a manifest.
func (l *loader) close(ctx context.Context, m *disk.Manifest) error {
	if err := durable.PutJSON(l.path("cursor.json"), disk.Cursor{Next: m.To, Last: m.ID, Workspace: l.job.Load().Workspace}); err != nil {
		return err
	}
	l.e.staged.Pass(ctx, l.dest, m.To)
	return nil
}

// stage reads records into files, and lets the manifest name the files and the records
// that are in them.
func (l *loader) stage(ctx context.Context, job Job, m *disk.Manifest) error {
	ctx, cancel := context.WithTimeout(ctx, pace.Longest)
	defer cancel()
	if err := l.folder().Remove(nextFile); err != nil { // it begins where this one ended before
		return err
	}
	if err := l.e.c.Blobs.Delete(ctx, blob.Ref(l.prefix())); err != nil { // of an attempt before
		return err
	}
	if err := l.fill(ctx, job, m); err != nil {
		return err
	}
	if err := l.reach(StepFile); err != nil {
		return err
	}
	return durable.PutJSON(l.path("manifest.json"), m)
}

// fill writes the files of a manifest.
func (l *loader) fill(ctx context.Context, job Job, m *disk.Manifest) error {
	s := staging.Staging{
		Blobs: l.e.c.Blobs, Prefix: blob.Ref(l.prefix() + "/" + m.ID), Reading: l.reading(m), Most: l.pace.Size.Events(l.e.c.MaxEvents), Refused: l.e.c.Refused, Damaged: l.damaged,
		Layout: job.Layout, Options: job.Options, Destination: job.Destination, Type: job.Type, SourceOf: job.SourceOf,
	}
	return s.Run(ctx, m)
}

func (l *loader) damaged(ctx context.Context, partition int, r queue.Record) {
	staging.Keep(ctx, l.e.c.Blobs, l.e.c.Log, l.dest, partition, r)
}

// clean removes what a closed manifest needed.
func (l *loader) clean(ctx context.Context, m *disk.Manifest) error {
	ctx, cancel := context.WithTimeout(ctx, pace.Longest)
	defer cancel()
	for p, log := range l.e.c.Stages {
		if m.To[p] > m.From[p] {
			if err := log.Purge(ctx, m.To[p], string(l.dest)); err != nil {
				return fmt.Errorf("purge STAGE: %w", err)
			}
		}
	}
	if err := l.reach(StepPurged); err != nil {
		return err
	}
	if err := l.e.c.Blobs.Delete(ctx, blob.Ref(l.prefix()+"/"+m.ID)); err != nil {
		return err
	}
	if err := l.reach(StepDeleted); err != nil {
		return err
	}
	return l.folder().Remove("manifest.json")
}
