package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/jobs"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/removal"
	"weir/shared/fault"
)

// Bounds of the work.
const (
	mostTables   = 2000
	tablesAtOnce = 200             // that a warehouse is asked for
	pageTime     = 5 * time.Minute // of a page, with its merge
)

// step lists the tables of a backfill, or copies one page of rows.
func (b *Board) step(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	all := b.Warehouses()
	i := slices.IndexFunc(all, func(w Warehouse) bool { return Job(w.Workspace, w.ID) == k })
	if i < 0 || !b.Owner() {
		return jobs.Next{Idle: true, Wait: look}, nil
	}
	into := all[i]
	x, _, err := b.read(ctx, into.ID)
	if err != nil {
		return jobs.Next{}, err
	}
	if x.State != Running {
		return jobs.Next{Idle: true}, nil
	}
	from, err := b.find(into.Workspace, x.From)
	if err != nil {
		return b.failed(ctx, x, "source_missing")
	}
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	if !x.Listed {
		return b.list(ctx, x, from)
	}
	at := slices.IndexFunc(x.Progress, func(t Table) bool { return !t.Done && t.Code == "" })
	if at < 0 {
		return b.ended(ctx, x, into)
	}
	var moved page
	err = into.Alone(func(blobs blob.Store) error {
		var err error
		moved, err = b.page(ctx, blobs, from, into, x, x.Progress[at])
		return err
	})
	if stop := b.reach("merged"); stop != nil {
		return jobs.Next{}, stop
	}
	return b.note(ctx, x, x.Progress[at].Name, moved, err)
}

// list finds the tables that can be copied.
func (b *Board) list(ctx context.Context, x Backfill, from Warehouse) (jobs.Next, error) {
	w, err := from.Open(ctx)
	if err != nil {
		return b.waits(ctx, x, warehouse.Fail(warehouse.CodeUnreachable, err))
	}
	tables, err := tablesOf(ctx, w, from.Known(), x.Tables)
	if err = errors.Join(err, w.Close()); err != nil {
		return b.waits(ctx, x, err)
	}
	var progress []Table
	for _, name := range x.Tables { // what is named and cannot be copied is told
		if !slices.Contains(tables, name) {
			progress = append(progress, Table{Name: name, Code: "no_such_table"})
		}
	}
	for _, name := range tables {
		progress = append(progress, Table{Name: name})
	}
	_, err = b.change(ctx, x.Into, func(now *Backfill) error {
		if now.ID == x.ID {
			now.Progress, now.Listed, now.Code = progress, true, ""
		}
		return nil
	})
	return jobs.Next{More: true}, err
}

// tablesOf returns those tables of a warehouse that can be copied, among those of only.
func tablesOf(ctx context.Context, w warehouse.Warehouse, known, only []string) (all []string, err error) {
	names := slices.Clone(known)
	if l, ok := w.(removal.Lister); ok {
		more, err := l.Tables(ctx)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	slices.Sort(names)
	for part := range slices.Chunk(slices.Compact(names), tablesAtOnce) {
		have, err := w.Schema(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, name := range part {
			t := have[name]
			id := t.Columns["id"].Type
			if t.Taken || t.Columns["received_at"].Type != layout.Datetime || id != layout.String && id != layout.Text && id != layout.Int || len(only) > 0 && !slices.Contains(only, name) {
				continue
			}
			all = append(all, name)
		}
	}
	if len(all) > mostTables {
		return nil, warehouse.Fail(warehouse.CodeUnsupported, fault.New(fault.Invalid, "The warehouse has more than %d tables: name those to copy.", mostTables))
	}
	return all, nil
}

// note keeps what a page moved, or why it did not.
func (b *Board) note(ctx context.Context, x Backfill, table string, moved page, failure error) (jobs.Next, error) {
	switch {
	case fault.KindOf(failure) == fault.Conflict && warehouse.CodeOf(failure) == warehouse.CodeFailed:
		if x.Code != CodePaused {
			if _, err := b.change(ctx, x.Into, waiting(x, CodePaused)); err != nil {
				return jobs.Next{}, err
			}
		}
		return jobs.Next{Wait: paused, Code: CodePaused}, nil
	case failure != nil && refusal.Of(failure) != refusal.Table && refusal.Of(failure) != refusal.Rows:
		return b.waits(ctx, x, failure)
	}
	code := ""
	if failure != nil {
		code = warehouse.CodeOf(failure)
		b.Log.WarnContext(ctx, "a table takes no rows of a backfill", "destination", string(x.Into), "code", code)
	}
	_, err := b.change(ctx, x.Into, func(now *Backfill) error {
		i := slices.IndexFunc(now.Progress, func(t Table) bool { return t.Name == table })
		if now.ID != x.ID || i < 0 {
			return nil
		}
		t := &now.Progress[i]
		if now.Code = ""; code != "" {
			t.Code = code
			return nil
		}
		t.Copied, t.There, t.Without = t.Copied+moved.copied, t.There+moved.there, t.Without+moved.without
		t.At, t.Last, t.Window, t.Done = moved.at, moved.last, moved.window.Milliseconds(), moved.done
		now.Pages++
		return nil
	})
	return jobs.Next{More: true, Rows: moved.copied}, err
}

// waiting notes what a backfill waits for.
func waiting(x Backfill, code string) func(*Backfill) error {
	return func(now *Backfill) error {
		if now.ID == x.ID && now.State == Running {
			now.Code = code
		}
		return nil
	}
}

// waits notes an error of a warehouse: the step is done again, unless it never can.
func (b *Board) waits(ctx context.Context, x Backfill, err error) (jobs.Next, error) {
	keep := context.WithoutCancel(ctx)
	code := warehouse.CodeOf(err)
	if code == warehouse.CodeUnsupported {
		return b.failed(keep, x, code)
	}
	if x.Code != code {
		if _, err := b.change(keep, x.Into, waiting(x, code)); err != nil {
			return jobs.Next{}, err
		}
	}
	return jobs.Next{}, fmt.Errorf("backfill %s: %w", x.ID, &warehouse.Failure{Code: code, Err: fault.New(fault.Unavailable, "A warehouse does not answer as it should.")})
}

// failed ends a backfill that never can go on.
func (b *Board) failed(ctx context.Context, x Backfill, code string) (jobs.Next, error) {
	_, err := b.change(ctx, x.Into, func(now *Backfill) error {
		if now.ID == x.ID && now.State == Running {
			now.State, now.Code, now.Ended = Failed, code, b.Now().UTC()
		}
		return nil
	})
	return jobs.Next{Code: code}, err
}

// ended ends a backfill whose tables are done.
func (b *Board) ended(ctx context.Context, x Backfill, into Warehouse) (jobs.Next, error) {
	if err := into.Alone(func(blobs blob.Store) error { return blobs.Delete(ctx, prefix(into.ID)) }); err != nil && fault.KindOf(err) != fault.Conflict {
		return jobs.Next{}, err
	}
	code := ""
	for _, t := range x.Progress {
		code = max(code, t.Code)
	}
	if code != "" {
		return b.failed(ctx, x, code)
	}
	_, err := b.change(ctx, x.Into, func(now *Backfill) error {
		if now.ID == x.ID && now.State == Running {
			now.State, now.Code, now.Ended = Done, "", b.Now().UTC()
		}
		return nil
	})
	b.Log.InfoContext(ctx, "backfill ended", "destination", string(x.Into), "backfill", x.ID, "pages", x.Pages)
	return jobs.Next{}, err
}
