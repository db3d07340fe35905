package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"weir/dataplane/load/columns"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/history"
	"weir/dataplane/load/pace"
	"weir/dataplane/load/sift"
	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/shared/durable"
)

// settled is the progress of a table of which every row is merged or refused.
const settled = math.MaxInt64

// merging is one attempt to merge one table.
type merging struct {
	at    int // in the manifest's tables
	into  warehouse.Table
	files []warehouse.Staged
	err   error
}

// merge brings every staged table into the warehouse. A table that refuses its rows
// holds up none of the others: they are merged first, and then it is seen which rows
// it refuses.
func (l *loader) merge(ctx context.Context, job Job, m *disk.Manifest) (err error) {
	w, err := l.pace.Open(ctx, job.Open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, warehouse.Fail(warehouse.CodeFailed, w.Close())) }()
	var refused []merging
	for i := range m.Tables {
		t := &m.Tables[i]
		if m.Merged[t.Name] == settled {
			l.history.Table(i, func(x *history.Table) { x.State = history.Done })
			continue
		}
		l.history.Table(i, func(x *history.Table) { x.State = history.Merging })
		a := l.try(ctx, w, job, m, i)
		if a.err != nil && warehouse.CodeOf(a.err) == warehouse.CodeAuth {
			l.tables.Denied(cmp.Or(a.into.Name, t.Name))
		}
		switch {
		case a.err == nil:
			l.history.Table(i, func(x *history.Table) { x.State, x.Code, x.Detail = history.Done, "", "" })
			l.refusing.Takes(t.Name)
		case refusal.Of(a.err) == refusal.Warehouse:
			return a.err
		default:
			l.history.Table(i, func(x *history.Table) {
				x.State, x.Code, x.Detail = history.Failing, warehouse.CodeOf(a.err), reason(a.err)
			})
			refused = append(refused, a)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return l.refused(ctx, w, job, m, refused)
}

// try evolves a table and merges what is left of it.
func (l *loader) try(ctx context.Context, w *pace.Warehouse, job Job, m *disk.Manifest, i int) (a merging) {
	t := m.Tables[i]
	staged := t.Name
	a.at, w.Rows = i, t.Rows
	if a.err = l.named(ctx, w, job, i, &t); a.err != nil {
		return a
	}
	var had warehouse.TableSchema
	a.into, a.err = columns.Evolve(ctx, w, t, job.Layout.MaxName, func(table string, have warehouse.TableSchema) {
		had = have
		l.tables.Meets(table, have)
	})
	if a.err != nil {
		if refusal.Of(a.err) == refusal.Rows { // there are none in it
			a.err = warehouse.Fail(warehouse.CodeOf(a.err), refusal.Wrap(refusal.Table, errors.New(reason(a.err))))
		}
		return a
	}
	if a.into.Name != t.Name {
		l.history.Table(i, func(x *history.Table) { x.Name = a.into.Name + " (" + t.Name + " is no table)" })
	}
	if a.err = l.reach(StepAltered); a.err != nil {
		return a
	}
	for _, f := range t.Files {
		a.files = append(a.files, warehouse.Staged{Ref: f.Ref, Columns: f.Columns})
	}
	a.into.Load, a.into.Event = m.ID+"-"+string(l.dest), t.Event
	if from := m.Merged[staged]; from > 0 {
		a.into.From, a.into.To = from, settled
	}
	if _, err := w.Merge(ctx, a.into, a.files); err != nil {
		a.err = fmt.Errorf("merge table %s: %w", t.Name, err)
		return a
	}
	l.tables.Fills(a.into, had)
	a.err = l.reach(StepMerged)
	return a
}

// refused ends a load in which tables refused their rows. One that refuses them
// whatever they are is tried again first, a few times: somebody may be changing it.
func (l *loader) refused(ctx context.Context, w *pace.Warehouse, job Job, m *disk.Manifest, refused []merging) error {
	for i := range m.Tables {
		if !slices.ContainsFunc(refused, func(a merging) bool { return a.at == i }) {
			m.Progress(m.Tables[i].Name, settled)
		}
	}
	if err := durable.PutJSON(l.path("manifest.json"), m); err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	var errs []error
	for _, a := range refused {
		name := m.Tables[a.at].Name
		var err error
		switch scope := refusal.Of(a.err); {
		case scope == refusal.Busy, scope == refusal.Table && l.refusing.Add(name, 1) < tableTries:
			errs = append(errs, a.err)
			continue
		case scope == refusal.Table:
			err = l.refuseRest(ctx, job, m, a)
		default:
			l.refusing.Add(name, 0)
			err = l.sift(ctx, w, job, m, a)
		}
		switch {
		case refusal.Of(err) == refusal.Table:
			errs = append(errs, err)
			continue
		case err != nil:
			return err
		}
		l.history.Table(a.at, func(x *history.Table) { x.State = history.Done })
	}
	return errors.Join(errs...)
}

// sift merges the rows of a table that refuses some of them: in halves of halves.
//
// What is merged or refused is noted in the manifest before the next rows are
// merged, and so is each part before it is merged, so that a repetition, which begins
// with that part, brings no row over a newer one.
func (l *loader) sift(ctx context.Context, w *pace.Warehouse, job Job, m *disk.Manifest, a merging) error {
	t := &m.Tables[a.at]
	seqs, err := t.Seqs(ctx, l.e.c.Blobs, m.Merged[t.Name])
	if err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	s := sift.Table{
		Again: func() bool { return l.refusing.Add(t.Name, 1) < tableTries },
		Plan:  func(end int64) error { return l.plan(m, t.Name, end) },
		Note:  func(end int64) error { return l.note(m, t.Name, end) },
		Merge: func(part []int64, end int64) error {
			a.into.From, a.into.To, w.Rows = part[0], end, int64(len(part))
			_, err := w.Merge(ctx, a.into, a.files)
			return err
		},
		Refuse: func(row []int64, why error) error {
			code := rowRefused
			if refusal.Of(why) == refusal.Table {
				code = tableRefused
			}
			a.err = why
			return l.refuse(ctx, job, m, a, row, code)
		},
	}
	switch whole, err := s.Sift(seqs, m.Part[t.Name]); {
	case err != nil:
		return fmt.Errorf("merge a part of table %s: %w", t.Name, err)
	case !whole:
		return l.refuseRest(ctx, job, m, a)
	}
	return l.note(m, t.Name, settled)
}

// refuseRest refuses what is left of a table.
func (l *loader) refuseRest(ctx context.Context, job Job, m *disk.Manifest, a merging) error {
	t := &m.Tables[a.at]
	seqs, err := t.Seqs(ctx, l.e.c.Blobs, m.Merged[t.Name])
	if err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	if err := l.refuse(ctx, job, m, a, seqs, tableRefused); err != nil {
		return err
	}
	return l.note(m, t.Name, settled)
}

// note keeps that the rows of a table before next are merged or refused.
func (l *loader) note(m *disk.Manifest, table string, next int64) error {
	if err := l.reach(stepPart); err != nil {
		return err
	}
	m.Progress(table, next)
	return warehouse.Fail(warehouse.CodeStage, durable.PutJSON(l.path("manifest.json"), m))
}

// plan keeps that the rows of a table before end may be merged.
func (l *loader) plan(m *disk.Manifest, table string, end int64) error {
	if m.Part == nil {
		m.Part = map[string]int64{}
	}
	m.Part[table] = end
	return warehouse.Fail(warehouse.CodeStage, durable.PutJSON(l.path("manifest.json"), m))
}

// refuse keeps the events of rows of a table with the reason, once for each event of
// a load.
func (l *loader) refuse(ctx context.Context, job Job, m *disk.Manifest, a merging, seqs []int64, code string) error {
	l.history.Table(a.at, func(x *history.Table) {
		x.Refused, x.Code, x.Detail = x.Refused+int64(len(seqs)), code, reason(a.err)
	})
	var events []int64
	for _, seq := range seqs {
		if e := stage.EventOf(seq); !l.told[e] {
			l.told[e] = true
			events = append(events, e)
		}
	}
	err := l.keep(ctx, job, m, events, code, "table "+l.history.Name(a.at)+": "+reason(a.err))
	if err != nil {
		for _, e := range events {
			delete(l.told, e)
		}
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	return nil
}

// named gives a staged table the name of the table that its rows go into.
func (l *loader) named(ctx context.Context, w warehouse.Warehouse, job Job, i int, t *stage.Table) error {
	name, known := l.names[t.Name]
	if !known {
		var sure bool
		var err error
		name, sure, err = columns.Named(ctx, w, *t, func(event string) string { return job.Layout.Table(event, &job.Options).Out })
		if err != nil {
			return err
		}
		if sure && t.Shared != "" {
			l.names[t.Name] = name
		}
	}
	t.Name = name
	l.history.Change(func(x *history.Load) { x.Tables[i].Name, x.Tables[i].Event = name, t.Event })
	return nil
}
