package columns

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"weir/dataplane/layout"
	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
)

// Evolve gives a table the columns and types that staged rows need, as far as it
// takes them, and says where each column goes. A table whose name is taken by what is
// no table gets '_' before its name. Names that it makes have at most
// maxName bytes, 0 for no limit. meets, which may be nil, is told what each table that it
// looks at has before it changes it.
func Evolve(ctx context.Context, w warehouse.Warehouse, t stage.Table, maxName int, meets func(table string, have warehouse.TableSchema)) (warehouse.Table, error) {
	have, err := schemaOf(ctx, w, t.Name)
	if err != nil {
		return warehouse.Table{}, err
	}
	if meets == nil {
		meets = func(string, warehouse.TableSchema) {}
	}
	meets(t.Name, have)
	keep := t.Name == "users"
	for have.Taken {
		t.Name = short("_"+t.Name, maxName)
		if have, err = schemaOf(ctx, w, t.Name); err != nil {
			return warehouse.Table{}, err
		}
		meets(t.Name, have)
	}
	if have.Columns == nil {
		if err := w.Alter(ctx, []warehouse.Change{{Table: t.Name, To: columnType(t.Columns["id"])}}); err != nil {
			return warehouse.Table{}, err
		}
		if have, err = schemaOf(ctx, w, t.Name); err != nil {
			return warehouse.Table{}, err
		}
	}
	room := have.Room
	if keep { // a row may come to have a value in each column
		room = min(room, have.RowRoom)
	}
	g := growth{t: t, have: have, room: room, maxName: maxName, asked: map[string]bool{}, over: map[string]bool{}}
	more := g.text(func(n int) string { return numbered(warehouse.MoreColumn, n) })
	if _, ok := have.Columns[more]; !ok {
		g.room-- // kept for it
	}
	names := order(t.Columns)
	for _, name := range names {
		if name != warehouse.MoreColumn {
			g.add(name, columnType(t.Columns[name]))
		}
	}
	if err := g.alter(ctx, w); err != nil {
		return warehouse.Table{}, err
	}
	for _, name := range names {
		if err := widen(ctx, w, t, name, have.Columns[name].Type); err != nil {
			return warehouse.Table{}, err
		}
	}
	if g.have, err = schemaOf(ctx, w, t.Name); err != nil {
		return warehouse.Table{}, err
	}
	if err := checkID(t, g.have); err != nil {
		return warehouse.Table{}, err
	}
	out := warehouse.Table{Name: t.Name, Keep: keep}
	overflow := !keep && g.have.RowRoom <= 0
	for _, name := range names {
		target := g.target(name)
		overflow = overflow || target.Over
		out.Columns = append(out.Columns, target)
	}
	if overflow {
		out.More = more
		g.room++
		g.add(more, layout.Text)
	}
	return out, g.alter(ctx, w)
}

// checkID refuses a column id of somebody's making that does not take every
// text: without its id a row could not be found again.
func checkID(t stage.Table, have warehouse.TableSchema) error {
	c, ok := have.Columns["id"]
	if ok && holds(c.Type, t.Columns["id"]) {
		return nil
	}
	is := "has the type " + c.Native + ", which does not take every id"
	if !ok {
		is = "is missing and the table has no room for it"
	}
	return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, fmt.Errorf(`the column "id" of table %s %s: `+
		`give it a column "id" of a text type, or rename the table so that a new one is made`, t.Name, is)))
}

// widen widens a column that does not hold what was staged. One that cannot be
// widened is guarded.
func widen(ctx context.Context, w warehouse.Warehouse, t stage.Table, name string, has layout.Type) error {
	if has == "" || holds(has, t.Columns[name]) {
		return nil
	}
	to := stage.Join(has, t.Columns[name])
	if has == layout.Float && t.Columns[name] == stage.Long {
		to = layout.String
	}
	err := w.Alter(ctx, []warehouse.Change{{Table: t.Name, Column: name, From: has, To: to}})
	if warehouse.CodeOf(err) == warehouse.CodeSchema {
		return nil
	}
	return err
}

// growth is a table that gets columns, as far as it has room.
type growth struct {
	t       stage.Table
	have    warehouse.TableSchema
	room    int
	maxName int
	asked   map[string]bool
	over    map[string]bool // columns without room
	adds    []warehouse.Change
}

func (g *growth) add(name string, typ layout.Type) {
	if _, ok := g.have.Columns[name]; ok || g.asked[name] || g.over[name] {
		return
	}
	if g.room <= 0 {
		g.over[name] = true
		return
	}
	g.room--
	g.asked[name], g.adds = true, append(g.adds, warehouse.Change{Table: g.t.Name, Column: name, To: typ})
}

// alter makes the changes gathered so far.
func (g *growth) alter(ctx context.Context, w warehouse.Warehouse) error {
	if len(g.adds) == 0 {
		return nil
	}
	err := w.Alter(ctx, g.adds)
	g.adds = nil
	return err
}

// text returns the first name that is free or a column of texts.
func (g *growth) text(name func(n int) string) string {
	for n := 1; ; n++ {
		s := name(n)
		c, there := g.have.Columns[s]
		staged := g.t.Columns[s]
		if (!there || isText(c.Type)) && (staged == "" || isText(staged) || s == warehouse.MoreColumn) {
			return s
		}
	}
}

func isText(t layout.Type) bool { return t == layout.String || t == layout.Text }

// target says where a staged column goes and adds its sibling when it needs one.
func (g *growth) target(name string) warehouse.Target {
	c := g.have.Columns[name]
	t := warehouse.Target{Name: name, Native: c.Native, Type: c.Type, Over: g.over[name] || name == warehouse.MoreColumn}
	if t.Over {
		return t
	}
	t.Guard = !holds(c.Type, g.t.Columns[name])
	raw := g.text(func(n int) string { return rawName(name, n, g.maxName) })
	if _, there := g.have.Columns[raw]; there {
		t.Raw = raw
	}
	if t.Guard && t.Raw == "" {
		g.add(raw, layout.Text)
		if t.Raw = raw; g.over[raw] {
			t.Guard, t.Over, t.Raw = false, true, ""
		}
	}
	return t
}

func schemaOf(ctx context.Context, w warehouse.Warehouse, table string) (warehouse.TableSchema, error) {
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
