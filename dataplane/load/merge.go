package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"weir/dataplane/layout"
)

// merge brings every staged table into the warehouse.
func (l *lane) merge(ctx context.Context, job Job, m *manifest) (err error) {
	w, err := job.Open(ctx)
	if err != nil {
		return Fail(CodeUnreachable, err)
	}
	defer func() { err = errors.Join(err, Fail(CodeFailed, w.Close())) }()
	for i, t := range m.Tables {
		l.change(func(x *Load) { x.Tables[i].State = Merging })
		target, err := evolve(ctx, w, t)
		if err != nil {
			return err
		}
		if err := l.reach(StepAltered); err != nil {
			return err
		}
		var files []Staged
		for _, f := range t.Files {
			path, err := l.e.c.Blobs.Path(f.Ref)
			if err != nil {
				return err
			}
			files = append(files, Staged{Path: path, Columns: f.Columns})
		}
		if _, err := w.Merge(ctx, target, files); err != nil {
			return fmt.Errorf("merge table %s: %w", t.Name, err)
		}
		if err := l.reach(StepMerged); err != nil {
			return err
		}
		l.change(func(x *Load) { x.Tables[i].State = Done })
	}
	return nil
}

// evolve gives a table the columns and types that staged rows need, as far as it
// takes them, and says where each column goes.
func evolve(ctx context.Context, w Warehouse, t TableFiles) (Table, error) {
	have, err := schemaOf(ctx, w, t.Name)
	if err != nil {
		return Table{}, err
	}
	if have.Columns == nil {
		if err := w.Alter(ctx, []Change{{Table: t.Name, To: t.Columns["id"]}}); err != nil {
			return Table{}, err
		}
		if have, err = schemaOf(ctx, w, t.Name); err != nil {
			return Table{}, err
		}
	}
	names := order(t.Columns)
	room := have.Room
	if _, ok := have.Columns[MoreColumn]; !ok {
		room-- // kept for it
	}
	over := map[string]bool{}
	var adds []Change
	asked := map[string]bool{}
	add := func(name string, typ layout.Type) {
		if _, ok := have.Columns[name]; ok || asked[name] {
			return
		}
		if room <= 0 && name != MoreColumn {
			over[name] = true
			return
		}
		room--
		asked[name], adds = true, append(adds, Change{Table: t.Name, Column: name, To: typ})
	}
	for _, name := range names {
		add(name, t.Columns[name])
	}
	if err := alter(ctx, w, &adds); err != nil {
		return Table{}, err
	}
	for _, name := range names {
		c := have.Columns[name]
		if c.Type == "" || holds(c.Type, t.Columns[name]) {
			continue
		}
		to := Join(c.Type, t.Columns[name])
		if c.Type == layout.Float && t.Columns[name] == Long {
			to = layout.String
		}
		// A column that cannot be widened is guarded below.
		if err := w.Alter(ctx, []Change{{Table: t.Name, Column: name, From: c.Type, To: to}}); err != nil && CodeOf(err) != CodeSchema {
			return Table{}, err
		}
	}
	if have, err = schemaOf(ctx, w, t.Name); err != nil {
		return Table{}, err
	}
	out := Table{Name: t.Name, Keep: t.Name == "users"}
	for _, name := range names {
		c := have.Columns[name]
		guard := !over[name] && !holds(c.Type, t.Columns[name])
		target := Target{Name: name, Native: c.Native, Type: c.Type, Guard: guard, Over: over[name]}
		if guard {
			target.Raw = RawName(name)
			add(target.Raw, layout.Text)
			if over[target.Raw] {
				target.Guard, target.Over = false, true
			}
		}
		out.Columns = append(out.Columns, target)
		out.More = out.More || target.Over
	}
	if out.More {
		add(MoreColumn, layout.Text)
	}
	return out, alter(ctx, w, &adds)
}

// alter makes the changes gathered so far.
func alter(ctx context.Context, w Warehouse, changes *[]Change) error {
	if len(*changes) == 0 {
		return nil
	}
	err := w.Alter(ctx, *changes)
	*changes = nil
	return err
}

func schemaOf(ctx context.Context, w Warehouse, table string) (TableSchema, error) {
	s, err := w.Schema(ctx, []string{table})
	return s[table], err
}

// order puts the columns that every row has first.
func order(columns map[string]layout.Type) []string {
	first := []string{"id", "received_at", "uuid_ts"}
	names := slices.Sorted(maps.Keys(columns))
	slices.SortStableFunc(names, func(a, b string) int { return rank(first, a) - rank(first, b) })
	return names
}

func rank(first []string, name string) int {
	if i := slices.Index(first, name); i >= 0 {
		return i
	}
	return len(first)
}
