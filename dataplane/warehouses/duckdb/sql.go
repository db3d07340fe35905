//go:build !noduckdb

package duckdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb/columntype"
)

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func text(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// alter is the statement of a change to table, a quoted name.
func alter(table string, c warehouse.Change) string {
	col := quote(c.Column)
	switch {
	case c.Column == "":
		return fmt.Sprintf(`create table if not exists %s ("id" %s)`, table, columntype.Native(c.To))
	case c.From == "":
		return fmt.Sprintf("alter table %s add column if not exists %s %s", table, col, columntype.Native(c.To))
	}
	using := col + "::" + columntype.Native(c.To)
	if c.From == layout.Datetime {
		using = columntype.ISO(col)
	}
	return fmt.Sprintf("alter table %s alter column %s type %s using %s", table, col, columntype.Native(c.To), using)
}

// staged is a staged file and its columns.
type staged struct {
	path    string
	columns []warehouse.StagedColumn
}

// source is what staged rows are read from, the type of each column in it, and which
// have spellings: a column that differs from file to file is its text.
func source(files []staged) (from string, types map[string]layout.Type, spelled map[string]bool) {
	types, spelled = map[string]layout.Type{}, map[string]bool{}
	differ := map[string]bool{}
	for _, f := range files {
		for _, c := range f.columns {
			if t, ok := types[c.Name]; ok && t != c.Type {
				differ[c.Name] = true
			}
			types[c.Name] = c.Type
			spelled[c.Name] = spelled[c.Name] || c.Spelled
		}
	}
	var paths, parts []string
	for _, f := range files {
		paths = append(paths, text(f.path))
		var replace []string
		for _, c := range f.columns {
			if differ[c.Name] {
				types[c.Name] = layout.String
				replace = append(replace, fmt.Sprintf("%s as %s", ownText(c.Name, c.Type, c.Spelled), quote(c.Name)))
			}
		}
		part := fmt.Sprintf("select * from read_parquet(%s)", text(f.path))
		if len(replace) > 0 {
			part = fmt.Sprintf("select * replace (%s) from read_parquet(%s)", strings.Join(replace, ","), text(f.path))
		}
		parts = append(parts, part)
	}
	if len(differ) > 0 {
		return "(" + strings.Join(parts, " union all by name ") + ")", types, spelled
	}
	return "read_parquet([" + strings.Join(paths, ",") + "], union_by_name=true)", types, spelled
}

// asText writes a staged value as text.
func asText(q string, t layout.Type) string {
	switch t {
	case layout.String:
		return q
	case layout.Datetime:
		return columntype.ISO(q)
	}
	return q + "::varchar"
}

// set is what a column of the table gets; raw is its sibling, or empty.
type set struct {
	name, expr, raw string
}

// ownText writes a staged value as the layout has it: a number in its own digits.
func ownText(name string, t layout.Type, spelled bool) string {
	if t == layout.Float && spelled {
		return sentText(name, t, spelled)
	}
	return asText(quote(name), t)
}

// sentText writes a staged value as the event spelled it.
func sentText(name string, t layout.Type, spelled bool) string {
	if !spelled {
		return asText(quote(name), t)
	}
	return fmt.Sprintf("coalesce(%s, %s)", quote(warehouse.StagedColumn{Name: name}.Spelling()), asText(quote(name), t))
}

// plan is how staged columns become those of a table.
type plan struct {
	cols  []set
	more  string // the expression of the JSON text, empty without one
	types map[string]layout.Type
	spell []string // columns that have spellings
}

func planned(t warehouse.Table, types map[string]layout.Type, spelled map[string]bool) plan {
	p := plan{types: types}
	var over []string
	raws := map[string]string{}
	for _, c := range t.Columns {
		typ, staged := types[c.Name]
		if spelled[c.Name] && staged {
			p.spell = append(p.spell, c.Name)
		}
		switch {
		case !staged:
			continue
		case c.Over:
			over = append(over, c.Name)
			continue
		}
		v := value(c, typ, spelled[c.Name])
		p.cols = append(p.cols, set{c.Name, v, c.Raw})
		if c.Guard {
			raws[c.Raw] = fmt.Sprintf("case when %s is null then %s end", v, sentText(c.Name, typ, spelled[c.Name]))
		}
	}
	for _, raw := range slices.Sorted(maps.Keys(raws)) {
		expr := raws[raw]
		if i := slices.IndexFunc(p.cols, func(s set) bool { return s.name == raw }); i >= 0 {
			p.cols[i].expr = fmt.Sprintf("coalesce(%s,%s)", p.cols[i].expr, expr)
			continue
		}
		p.cols = append(p.cols, set{name: raw, expr: expr})
	}
	if len(over) > 0 {
		p.more = more(over, types, spelled)
	}
	return p
}

// deletes is the statement of merge that deletes rows, unless the table keeps values.
const deletes = 1

// merge is the statements that bring files into a table.
func merge(table string, t warehouse.Table, files []staged) []string {
	from, types, spelled := source(files)
	p := planned(t, types, spelled)
	seq := quote(warehouse.SeqColumn)
	if t.To != 0 {
		from = fmt.Sprintf("(select * from %s where %s >= %d and %s < %d)", from, seq, t.From, seq, t.To)
	}
	if t.Keep {
		return keep(table, t, from, p)
	}
	var names, exprs []string
	for _, c := range p.cols {
		names, exprs = append(names, quote(c.name)), append(exprs, c.expr)
	}
	if p.more != "" {
		names, exprs = append(names, quote(t.More)), append(exprs, p.more)
	}
	return []string{
		fmt.Sprintf(`create or replace temp table weir_last as select max(%s) as seq, "id" from %s group by "id"`, seq, from),
		fmt.Sprintf(`delete from %s where "id" in (select "id" from weir_last)`, table),
		fmt.Sprintf(`insert into %s (%s) select %s from %s where %s in (select seq from weir_last)`,
			table, strings.Join(names, ","), strings.Join(exprs, ","), from, seq),
		"drop table weir_last",
	}
}

// more is the expression of one JSON object with the columns that a row has; null
// when it has none of them.
func more(names []string, types map[string]layout.Type, spelled map[string]bool) string {
	parts := make([]string, len(names))
	for i, n := range names {
		key, _ := json.Marshal(n) // a text always encodes
		parts[i] = fmt.Sprintf("case when %[1]s is not null then %[2]s || to_json(%[3]s)::varchar end", quote(n), text(string(key)+":"), ownText(n, types[n], spelled[n]))
	}
	return "'{' || nullif(concat_ws(',', " + strings.Join(parts, ",") + "), '') || '}'"
}

// keep is merge for a table whose rows keep what a newer write does not have. Of
// each column the newest value counts, together with what its sibling has then.
func keep(table string, t warehouse.Table, from string, p plan) []string {
	seq := quote(warehouse.SeqColumn)
	newest := []string{`"id"`}
	pair := map[string]string{} // of a sibling, what makes it new
	for _, c := range p.cols {
		if _, staged := p.types[c.raw]; staged {
			pair[c.name] = fmt.Sprintf("%s is not null or %s is not null", quote(c.name), quote(c.raw))
			pair[c.raw] = pair[c.name]
		}
	}
	for _, n := range slices.Sorted(maps.Keys(p.types)) {
		if n == "id" {
			continue
		}
		agg := fmt.Sprintf("arg_max(%s, %s)", quote(n), seq)
		if when := pair[n]; when != "" {
			agg = fmt.Sprintf("first(%s order by %s desc) filter (where %s)", quote(n), seq, when)
		}
		newest = append(newest, agg+" as "+quote(n))
	}
	for _, n := range p.spell { // of the row whose value counts
		q := quote(warehouse.StagedColumn{Name: n}.Spelling())
		newest = append(newest, fmt.Sprintf("first(%s order by %s desc) filter (where %s is not null) as %[1]s", q, seq, quote(n)))
	}
	var best, names, values []string
	for _, c := range p.cols {
		q := quote(c.name)
		best, names, values = append(best, c.expr+" as "+q), append(names, q), append(values, "s."+q)
	}
	if p.more != "" {
		q := quote(t.More)
		best, names, values = append(best, p.more+" as "+q), append(names, q), append(values, "s."+q)
	}
	update := ""
	if sets := updates(t, p); len(sets) > 0 {
		update = "when matched then update set " + strings.Join(sets, ",")
	}
	return []string{fmt.Sprintf(`merge into %s as t using (select %s from (select %s from %s group by "id")) as s on t."id" = s."id" %s when not matched then insert (%s) values (%s)`,
		table, strings.Join(best, ","), strings.Join(newest, ","), from, update, strings.Join(names, ","), strings.Join(values, ","))}
}

// updates is what a row t of a table takes over from the newest values s.
func updates(t warehouse.Table, p plan) []string {
	var sets []string
	given, siblings := map[string]bool{}, map[string]string{}
	for _, c := range p.cols {
		given[c.name] = true
		if c.raw != "" {
			siblings[c.name], siblings[c.raw] = c.raw, c.name
		}
	}
	for _, c := range p.cols {
		if c.name == "id" {
			continue
		}
		q, other := quote(c.name), siblings[c.name]
		if other == "" || !given[other] {
			sets = append(sets, fmt.Sprintf("%[1]s = coalesce(s.%[1]s, t.%[1]s)", q))
		} else {
			sets = append(sets, fmt.Sprintf("%[1]s = case when s.%[1]s is not null or s.%[2]s is not null then s.%[1]s else t.%[1]s end", q, quote(other)))
		}
		if c.raw != "" && !given[c.raw] {
			sets = append(sets, fmt.Sprintf("%[2]s = case when s.%[1]s is null then t.%[2]s end", q, quote(c.raw)))
		}
	}
	if p.more != "" {
		sets = append(sets, fmt.Sprintf(`%[1]s = case when s.%[1]s is null then t.%[1]s when t.%[1]s is null then s.%[1]s
			when json_valid(t.%[1]s) then json_merge_patch(t.%[1]s, s.%[1]s)::varchar else json_merge_patch(json_object('%[2]s', t.%[1]s), s.%[1]s)::varchar end`, quote(t.More), warehouse.MoreColumn))
	}
	return sets
}
