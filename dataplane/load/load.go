package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"weir/dataplane/blob"
	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/load/batches"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/pace"
	"weir/dataplane/load/stage"
	"weir/dataplane/queue"
	"weir/dataplane/warehouse"
	"weir/shared/durable"
	"weir/shared/fault"
)

func (l *loader) path(name string) string { return filepath.Join(l.e.c.Dir, string(l.dest), name) }

func (l *loader) prefix() string { return "stage/" + string(l.dest) }

func (l *loader) reach(s Step) error {
	if l.e.c.Reach == nil {
		return nil
	}
	return l.e.c.Reach(s)
}

// loadOnce makes one load of what is staged: did says that there was something, more
// that the load was full.
func (l *loader) loadOnce(ctx context.Context) (did, more bool, err error) {
	l.work.Lock()
	defer l.work.Unlock()
	job := *l.job.Load()
	m, err := l.openManifest(ctx)
	if err != nil {
		return false, false, warehouse.Fail(warehouse.CodeStage, err)
	}
	if m == nil {
		return false, false, nil
	}
	l.begin(m)
	if err := l.load(ctx, job, m); err != nil {
		l.change(func(x *Load) { x.State, x.Code, x.Detail = Failing, warehouse.CodeOf(err), err.Error() })
		return false, false, err
	}
	l.pace.Succeeded()
	l.change(func(x *Load) {
		x.State, x.Code, x.Detail = Done, "", ""
		l.merged.Add(x.Rows - x.refused())
	})
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
	if there {
		if m.Format < disk.ManifestFormat {
			m.Staged, m.Tables = false, nil
		}
		return &m, nil
	}
	now := l.e.c.Now().UTC()
	m = disk.Manifest{ID: now.Format("20060102T150405.000000000"), At: now, From: c.Next, To: slices.Clone(c.Next)}
	if m.ID == c.Last { // a clock that stands still, or jumped back
		m.ID += ".1"
	}
	some := false
	for p, log := range l.e.c.Stages {
		st, err := log.State(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the state of STAGE: %w", err)
		}
		if st.Last < c.Next[p] || st.Records == 0 {
			continue
		}
		has, err := hasRecords(ctx, log, c.Next[p], string(l.dest))
		if err != nil {
			return nil, err
		}
		if has {
			m.To[p], some = st.Last+1, true
		}
	}
	if !some {
		return nil, nil
	}
	if err := durable.PutJSON(l.path("manifest.json"), m); err != nil {
		return nil, err
	}
	return &m, nil
}

// hasRecords says whether a destination has a record from a number on.
func hasRecords(ctx context.Context, s Stage, from uint64, key string) (bool, error) {
	for _, err := range s.ReadTo(ctx, from, key) {
		return err == nil, err
	}
	return false, nil
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
	l.change(func(x *Load) {
		x.State, x.Rows, x.Tables = Merging, 0, nil
		for _, t := range m.Tables {
			x.Rows += t.Rows
			x.Tables = append(x.Tables, TableLoad{Name: t.Name, Rows: t.Rows, State: Staging})
		}
	})
	if len(m.Tables) > 0 {
		if err := l.merge(ctx, job, m); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
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

// stage reads records into files, at most MaxEvents events, and lets the manifest
// name the files and the records that are in them.
func (l *loader) stage(ctx context.Context, job Job, m *disk.Manifest) error {
	ctx, cancel := context.WithTimeout(ctx, pace.Longest)
	defer cancel()
	dialect := job.Layout
	if err := l.e.c.Blobs.Delete(ctx, blob.Ref(l.prefix())); err != nil { // of an attempt before
		return err
	}
	s := stage.New(l.e.c.Blobs, blob.Ref(l.prefix()+"/"+m.ID))
	refused := map[string]int{}
	count := 0
	err := l.reading(m).Each(ctx, func(p int, r queue.Record, frame *queue.Frame) (bool, error) {
		if count >= l.e.c.MaxEvents {
			m.Full = true
			m.To[p] = r.Seq
			return false, nil
		}
		if frame == nil {
			l.damaged(ctx, p, r)
			refused[batches.DamagedRecord]++
			return true, nil
		}
		count += len(frame.Events)
		return true, l.rows(ctx, job, dialect, m, s, p, frame.Events, refused)
	})
	if err != nil {
		return err
	}
	tables, err := s.Finish(ctx)
	if err != nil {
		return err
	}
	if err := l.reach(StepFile); err != nil {
		return err
	}
	l.change(func(x *Load) { x.Refused = refused })
	m.Tables, m.Staged, m.Format = tables, true, disk.ManifestFormat
	return durable.PutJSON(l.path("manifest.json"), m)
}

// damaged keeps a record that cannot be read as the blob damaged/<destination>-
// <partition>-<number>, as well as it goes, and calls for somebody. It would stop
// its destination for ever otherwise.
func (l *loader) damaged(ctx context.Context, partition int, r queue.Record) {
	err := l.e.c.Blobs.Put(ctx, blob.Ref(fmt.Sprintf("damaged/%s-%d-%d", l.dest, partition, r.Seq)), func(w io.Writer) error {
		_, err := w.Write(r.Data)
		return err
	})
	l.e.c.Log.Error("A record of STAGE is damaged and was left out of a load.", "destination", string(l.dest), "partition", partition, "number", r.Seq, "kept", err == nil)
}

// rows stages the rows of the events of a frame of partition p.
func (l *loader) rows(ctx context.Context, job Job, d *layout.Dialect, m *disk.Manifest, s *stage.Writer, p int, events []event.Event, refused map[string]int) error {
	var without []event.Event // rows
	for i := range events {
		e := &events[i]
		s.Event()
		meta := layout.Meta{SourceID: string(e.Source), DestinationID: string(job.Destination), DestinationType: job.Type, Now: m.At}
		if job.SourceOf != nil {
			meta.SourceName, meta.SourceType = job.SourceOf(e.Source)
		}
		rows, code, err := d.Rows(&job.Options, meta, e.JSON)
		if err != nil {
			code = "bad_event"
			if fault.KindOf(err) != fault.Invalid {
				return err
			}
		}
		if code != "" {
			refused[code]++
			kept := *e
			kept.Quarantine, kept.Destination = code, job.Destination
			if err != nil {
				kept.Detail = err.Error() // it never quotes the event
			}
			without = append(without, kept)
			continue
		}
		for _, r := range rows {
			if err := s.Add(ctx, r); err != nil {
				return err
			}
		}
	}
	if len(without) == 0 || l.e.c.Refused == nil {
		return nil
	}
	if err := l.e.c.Refused(ctx, p, without); err != nil {
		return fmt.Errorf("keep refused events: %w", err)
	}
	return nil
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
	if err := l.e.c.Blobs.Delete(ctx, blob.Ref(l.prefix())); err != nil {
		return err
	}
	if err := l.reach(StepDeleted); err != nil {
		return err
	}
	if err := os.Remove(l.path("manifest.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a manifest: %w", err)
	}
	return durable.SyncFolder(l.path(""))
}
