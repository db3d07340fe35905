//go:build !noduckdb

package duckdb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/load"
)

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func text(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// native is the type of a column that loads make.
func native(t layout.Type) string {
	switch t {
	case layout.Int, load.Long:
		return "BIGINT"
	case layout.Float:
		return "DOUBLE"
	case layout.Boolean:
		return "BOOLEAN"
	case layout.Datetime:
		return "TIMESTAMP WITH TIME ZONE"
	case layout.JSON:
		return "JSON"
	}
	return "VARCHAR"
}

// typeOf is the layout's type of a column that exists, empty for others.
func typeOf(native string) layout.Type {
	switch native {
	case "BIGINT":
		return layout.Int
	case "DOUBLE":
		return layout.Float
	case "BOOLEAN":
		return layout.Boolean
	case "TIMESTAMP WITH TIME ZONE":
		return layout.Datetime
	case "JSON":
		return layout.JSON
	case "VARCHAR":
		return layout.String
	}
	return ""
}

// alter is the statement of a change to table, a quoted name.
func alter(table string, c load.Change) string {
	col := quote(c.Column)
	switch {
	case c.Column == "":
		return fmt.Sprintf(`create table if not exists %s ("id" %s)`, table, native(c.To))
	case c.From == "":
		return fmt.Sprintf("alter table %s add column if not exists %s %s", table, col, native(c.To))
	}
	using := col + "::" + native(c.To)
	if c.From == layout.Datetime {
		using = iso(col)
	}
	return fmt.Sprintf("alter table %s alter column %s type %s using %s", table, col, native(c.To), using)
}

// iso writes a time as layouts do: year of four digits, UTC, milliseconds.
func iso(col string) string {
	return fmt.Sprintf(`lpad(year(%[1]s at time zone 'UTC')::varchar, 4, '0') || strftime(%[1]s at time zone 'UTC', '-%%m-%%dT%%H:%%M:%%S.%%gZ')`, col)
}

// merge is the statements that bring files into a table.
func merge(table string, t load.Table, files []load.Staged) []string {
	var names []string
	staged := map[string]bool{}
	for _, f := range files {
		names = append(names, text(f.Path))
		for _, c := range f.Columns {
			staged[c] = true
		}
	}
	source := "read_parquet([" + strings.Join(names, ",") + "], union_by_name=true)"
	seq, idType := quote(load.SeqColumn), "VARCHAR"
	var cols, exprs []string
	raws := map[string][]string{}
	var over []string
	for _, c := range t.Columns {
		if !staged[c.Name] {
			continue
		}
		if c.Over || t.More && c.Name == load.MoreColumn {
			over = append(over, c.Name)
			continue
		}
		if c.Name == "id" {
			idType = c.Native
		}
		value := value(c)
		cols, exprs = append(cols, c.Name), append(exprs, value)
		if c.Guard {
			raws[c.Raw] = append(raws[c.Raw], fmt.Sprintf("case when %s is null then %s end", value, quote(c.Name)))
		}
	}
	for raw, from := range raws {
		if i := slices.Index(cols, raw); i >= 0 {
			exprs[i] = "coalesce(" + strings.Join(append([]string{quote(raw)}, from...), ",") + ")"
			continue
		}
		cols, exprs = append(cols, raw), append(exprs, "coalesce("+strings.Join(append(from, "null"), ",")+")")
	}
	if len(over) > 0 {
		cols, exprs = append(cols, load.MoreColumn), append(exprs, more(over))
	}
	if t.Keep {
		return keep(table, source, seq, idType, cols, exprs)
	}
	var quoted, selected []string
	for i := range cols {
		quoted, selected = append(quoted, quote(cols[i])), append(selected, exprs[i])
	}
	return []string{
		fmt.Sprintf(`delete from %s where "id" in (select try_cast("id" as %s) from %s)`, table, idType, source),
		fmt.Sprintf(`insert into %s (%s) select %s from %s where %s in (select max(%s) from %s group by "id")`,
			table, strings.Join(quoted, ","), strings.Join(selected, ","), source, seq, seq, source),
	}
}

// more is the expression of one JSON object with the columns that a row has; null
// when it has none of them.
func more(names []string) string {
	parts := make([]string, len(names))
	for i, n := range names {
		key, _ := json.Marshal(n) // a text always encodes
		parts[i] = fmt.Sprintf("case when %[1]s is not null then %[2]s || to_json(%[1]s::varchar)::varchar end", quote(n), text(string(key)+":"))
	}
	return "'{' || nullif(concat_ws(',', " + strings.Join(parts, ",") + "), '') || '}'"
}

// keep is merge for a table whose rows keep what a newer write does not have.
func keep(table, source, seq, idType string, cols, exprs []string) []string {
	var best, set, names, values []string
	for i, c := range cols {
		q := quote(c)
		names, values = append(names, q), append(values, "s."+q)
		if c == "id" {
			best = append(best, fmt.Sprintf(`any_value(%s) as "id"`, exprs[i]))
			continue
		}
		best = append(best, fmt.Sprintf("arg_max(%s, %s) as %s", exprs[i], seq, q))
		set = append(set, fmt.Sprintf("%s = coalesce(s.%s, t.%s)", q, q, q))
	}
	update := ""
	if len(set) > 0 {
		update = "when matched then update set " + strings.Join(set, ",")
	}
	return []string{fmt.Sprintf(`merge into %s as t using (select %s from %s group by try_cast("id" as %s)) as s on t."id" = s."id" %s when not matched then insert (%s) values (%s)`,
		table, strings.Join(best, ","), source, idType, update, strings.Join(names, ","), strings.Join(values, ","))}
}

// value is the expression of a staged text in its column's type; null when it
// does not fit and the target is guarded.
func value(c load.Target) string {
	q := quote(c.Name)
	switch {
	case c.Guard:
		return fmt.Sprintf("case when try_cast(try_cast(%[1]s as %[2]s) as varchar) = %[1]s then try_cast(%[1]s as %[2]s) end", q, c.Native)
	case c.Type == layout.String || c.Type == layout.Text:
		return q
	}
	return fmt.Sprintf("cast(%s as %s)", q, c.Native)
}
