package identity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/tables"
)

// always are texts that are no identifier of anybody, in lower case.
// Hashes are those of the empty text.
var always = []string{
	"", "null", "nil", "none", "undefined", "unknown", "anonymous", "n/a", "na", "nan", "0", "-1", "(not set)", "test@test.com", "test@example.com",
	"00000000-0000-0000-0000-000000000000", "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}

// Value is the expression of a column as an identifier of a type: cleaned, and null when it
// is none.
func (g *Graph) Value(t Type, column string) string {
	text := g.Text(t, column)
	return "case when " + g.nobodys(t, text) + " then null else " + text + " end"
}

// nobodys is the condition that a cleaned text is no identifier of a type.
func (g *Graph) nobodys(t Type, text string) string {
	quoted := make([]string, len(always))
	for i, v := range always {
		quoted[i] = g.SQL.Text(v)
	}
	return strings.Join(append([]string{"lower(" + text + ") in (" + strings.Join(quoted, ", ") + ")"}, excluded(t, text)...), " or ")
}

// excluded are the conditions that the rules of a type exclude a cleaned text.
func excluded(t Type, text string) (all []string) {
	for _, b := range t.Blocks {
		all = append(all, b(text))
	}
	return all
}

// Somebodys is the condition that the value of a node, cleaned as it is, of a type by name, is an identifier still:
// patterns may have come since. What is compared with such values need not be checked row by row.
func (g *Graph) Somebodys(typ, value string) string {
	q := "case " + typ
	for _, t := range g.Types {
		q += fmt.Sprintf(" when %s then %s", g.SQL.Text(t.Name), g.nobodys(t, value))
	}
	return "not coalesce(" + q + " end, false)"
}

// Text is the expression of a column as a cleaned text, which may be no identifier.
func (g *Graph) Text(t Type, column string) string {
	text := "cast(" + column + " as varchar)"
	if t.Clean == nil {
		return "trim(" + text + ")"
	}
	return t.Clean(text)
}

// rows is what an input says of nodes since its cursor, one row for each of its rows.
func (g *Graph) rows(in Input, since string) string {
	cols := []string{"cast(" + in.At + " as timestamptz) as f"}
	changed := in.Changed
	if changed == "" {
		changed = in.At
	}
	cols = append(cols, "cast("+changed+" as timestamptz) as k")
	for i, t := range g.Types {
		column := "cast(null as varchar)"
		if expr, ok := in.IDs[t.Name]; ok {
			column = g.Value(t, expr)
		}
		cols = append(cols, fmt.Sprintf("%s as c%d", column, i))
	}
	q := "select " + strings.Join(cols, ", ") + " from " + in.From
	if in.Changed != "" && since != "" {
		q += " where " + in.Changed + " > " + since
	}
	return q
}

// cursor is where an input was read to at the last published run, and zero before the first.
func (g *Graph) cursor(r *run, in Input) (upto time.Time) {
	if r.err != nil {
		return upto
	}
	var v any
	v, r.err = tables.One(r.ctx, r.s, fmt.Sprintf("select upto from _cursors where entity = %s and input = %s", g.SQL.Text(g.Entity), g.SQL.Text(in.Name)))
	upto, _ = v.(time.Time)
	return upto
}

// Collect brings the rows that are new since the last published run into nodes and links,
// all rows with full.
func (g *Graph) Collect(ctx context.Context, s tables.Session, full bool) error {
	r := g.run(ctx, s)
	var parts, upto []string
	for _, in := range g.Inputs {
		since := ""
		if at := g.cursor(r, in); !at.IsZero() && !full {
			since = tables.Time(at.Add(-g.Overlap))
		}
		parts = append(parts, g.rows(in, since))
		if in.Changed != "" {
			upto = append(upto, fmt.Sprintf("select %s as input, max(cast(%s as timestamptz)) as upto from %s", g.SQL.Text(in.Name), in.Changed, in.From))
		}
	}
	upto = append(upto, "select cast(null as varchar) as input, cast(null as timestamptz) as upto where false")
	r.make("_w_upto", "%s", strings.Join(upto, " union all ")) // before the rows: what comes between is read again
	names := make([]string, len(g.Types))
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	all := strings.Join(names, ", ")
	if len(parts) == 0 {
		return r.err
	}
	r.make("_w_rows", "select %[1]s, min(f) as f, max(f) as l, min(k) as k from (%[2]s) s where f is not null group by %[1]s", all, strings.Join(parts, " union all "))
	g.code(r, names)
	g.keep(r)
	r.drop("_w_rows", "_w_seen", "_w_ids", "_w_code", "_w_coded", "_w_pairs", "_w_links")
	return r.err
}

// code makes the work tables of new identifiers, and of the pairs of nodes in rows: all
// pairs of a row, as a star loses links when its centre is set apart.
func (g *Graph) code(r *run, names []string) {
	var parts, sel, join []string
	for i, t := range g.Types {
		n := g.numbers[t.Name]
		parts = append(parts, fmt.Sprintf("select %d as type, c%d as value, f, l from _w_rows where c%[2]d is not null", n, i))
		sel = append(sel, fmt.Sprintf("n%d.node as n%[1]d", i))
		join = append(join, fmt.Sprintf("left join _w_code n%d on n%[1]d.type = %d and n%[1]d.value = c.c%[1]d", i, n))
	}
	r.make("_w_seen", "select cast(type as bigint) as type, value, min(f) as f, max(l) as l from (%s) s group by type, value", strings.Join(parts, " union all "))
	base := r.int("select next from _entities where entity = %s", g.SQL.Text(g.Entity))
	r.make("_w_ids", `select (%d + row_number() over (order by s.f, s.type, %s)) * 32 + s.type as node, s.type, s.value, s.f, s.l
		from _w_seen s left join %s i on i.type = s.type and i.value = s.value where i.node is null`, base, g.SQL.Binary("s.value"), g.t("nodes"))
	r.make("_w_code", `select i.node, s.type, s.value from _w_seen s join %s i on i.type = s.type and i.value = s.value
		union all select node, type, value from _w_ids`, g.t("nodes"))
	r.make("_w_coded", "select %s, c.f, c.l, c.k from _w_rows c %s", strings.Join(sel, ", "), strings.Join(join, " "))
	parts = nil
	for x := range names {
		for y := x + 1; y < len(names); y++ {
			parts = append(parts, fmt.Sprintf("select least(n%[1]d, n%[2]d) as a, greatest(n%[1]d, n%[2]d) as b, f, l, k from _w_coded where n%[1]d is not null and n%[2]d is not null", x, y))
		}
	}
	if len(parts) == 0 {
		parts = []string{"select cast(null as bigint) as a, cast(null as bigint) as b, f, l, k from _w_coded where false"}
	}
	r.make("_w_pairs", "select a, b, min(f) as f, max(l) as l, min(k) as k from (%s) s group by a, b", strings.Join(parts, " union all "))
	// Links that are new, that turn out to be older, and that expired and are seen again move hulls.
	r.make("_w_links", "select p.*, e.a is null as fresh from _w_pairs p left join %s e on e.a = p.a and e.b = p.b where e.a is null or p.f < e.first_seen or (p.l > e.last_seen and %s)",
		g.t("links"), g.stale(g.then(r)))
}

// keep brings new identifiers and links into their tables, with the mark of the run, which
// is the one after the last published run.
func (g *Graph) keep(r *run) {
	if r.err != nil {
		return
	}
	next := g.published(r) + 1
	r.err = r.s.Tx(r.ctx, func(in tables.Session) error {
		t := g.run(r.ctx, in)
		count := t.int("select count(*) from _w_ids")
		t.exec("insert into %s select node, type, value, f, l, %d from _w_ids", g.t("nodes"), next)
		t.exec("update %[1]s set last_seen = s.l from _w_seen s where %[1]s.type = s.type and %[1]s.value = s.value and %[1]s.last_seen < s.l", g.t("nodes"))
		t.exec("update _entities set next = next + %d where entity = %s", count, g.SQL.Text(g.Entity))
		t.exec(`update %[1]s set last_seen = greatest(%[1]s.last_seen, p.l), first_seen = least(%[1]s.first_seen, p.f), known = least(%[1]s.known, p.k),
			run = case when exists (select 1 from _w_links x where x.a = p.a and x.b = p.b) then %[2]d else %[1]s.run end
			from _w_pairs p where %[1]s.a = p.a and %[1]s.b = p.b and (%[1]s.last_seen < p.l or %[1]s.first_seen > p.f or %[1]s.known > p.k)`, g.t("links"), next)
		t.exec("insert into %s select a, b, f, l, k, %d from _w_links where fresh", g.t("links"), next)
		return t.err
	})
	r.analyze(g.t("links"))
	r.analyze(g.t("nodes"))
}

// published is the number of the last published run.
func (g *Graph) published(r *run) int64 {
	return r.int("select published from _entities where entity = %s", g.SQL.Text(g.Entity))
}

// then is the moment of the last published run, zero before the first.
func (g *Graph) then(r *run) (at time.Time) {
	if r.err != nil {
		return at
	}
	var v any
	v, r.err = tables.One(r.ctx, r.s, "select as_of from _entities where entity = "+g.SQL.Text(g.Entity))
	at, _ = v.(time.Time)
	return at
}

// stale is the condition that a link e does not count any more at a moment.
func (g *Graph) stale(at time.Time) string {
	parts := []string{"false"}
	for _, t := range g.Types {
		if t.Expire > 0 && !at.IsZero() {
			parts = append(parts, fmt.Sprintf("((e.a %% 32 = %d or e.b %% 32 = %[1]d) and e.last_seen < %s)", g.numbers[t.Name], tables.Time(at.Add(-t.Expire))))
		}
	}
	return "(" + strings.Join(parts, " or ") + ")"
}
