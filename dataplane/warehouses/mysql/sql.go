package mysql

import (
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/texts"
)

// quote is a name as SQL has it in ANSI mode.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal is a text as SQL has it without backslash escapes. It has no NUL.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// text is the type of columns of texts.
const text = "longtext"

// Types of columns that loads make.
const (
	booleans = "tinyint(1)"
	moments  = "datetime(3)"
)

// native is the type of a column that loads make; jsons is that of JSON.
func native(t layout.Type, jsons string) string {
	switch t {
	case layout.Int:
		return "bigint"
	case layout.Float:
		return "double"
	case layout.Boolean:
		return booleans
	case layout.Datetime:
		return moments
	case layout.JSON:
		return jsons
	}
	return text
}

// typeOf is the layout's type of a column that exists, empty for others. JSON of MySQL is
// one: its values are looked at one by one.
func typeOf(c column) layout.Type {
	switch c.native {
	case "bigint", "bigint(20)":
		return layout.Int
	case "double":
		return layout.Float
	case booleans:
		return layout.Boolean
	case "datetime(3)", "datetime(4)", "datetime(5)", "datetime(6)":
		return layout.Datetime
	}
	if c.charset != "utf8mb4" {
		return ""
	}
	if c.native == text || c.name == "id" && strings.HasPrefix(c.native, "varchar") { // a longer id fails the load
		return layout.String
	}
	return ""
}

// create makes a table. Its key finds ids by their begin: ids may be of any length.
func create(table, collation string) string {
	return fmt.Sprintf(`create table if not exists %s ("id" %s, key "id" ("id"(191))) engine=InnoDB row_format=dynamic default character set utf8mb4 collate %s`, quote(table), text, collation)
}

// part is the part of a statement that adds or widens a column without a look at its
// values.
func part(c warehouse.Change, jsons string) string {
	if c.From == "" {
		return "add column " + quote(c.Column) + " " + native(c.To, jsons)
	}
	return "modify column " + quote(c.Column) + " " + native(c.To, jsons)
}

// widened is a column that takes the texts of one that is widened; no layout keeps '#'.
const widened = "#widened"

// rewrite widens a column by its values: texts are made into another column, which then
// takes its place in one statement. It may end after each of them; the first removes
// what is left of a former attempt.
func rewrite(table, name, native string, left bool) []string {
	value := fmt.Sprintf("case %[1]s when 1 then 'true' when 0 then 'false' else %[1]s end", quote(name))
	if strings.HasPrefix(native, "datetime") {
		value = fmt.Sprintf(`concat(date_format(%[1]s, '%%Y-%%m-%%dT%%H:%%i:%%s.'), lpad(microsecond(%[1]s) div 1000, 3, '0'), 'Z')`, quote(name))
	}
	var out []string
	if left {
		out = append(out, fmt.Sprintf("alter table %s drop column %s", quote(table), quote(widened)))
	}
	return append(out,
		fmt.Sprintf("alter table %s add column %s %s", quote(table), quote(widened), text),
		fmt.Sprintf("update %s set %s = %s", quote(table), quote(widened), value),
		fmt.Sprintf("alter table %s drop column %s, change column %s %s %s", quote(table), quote(name), quote(widened), quote(name), text))
}

// load is what brings lines in.
func load(table, reader string, columns []string) string {
	return fmt.Sprintf(`load data local infile %s into table %s character set utf8mb4 fields terminated by 0x09 escaped by 0x5C lines terminated by 0x0A (%s)`,
		literal("Reader::"+reader), quote(table), joined(columns, "?"))
}

func joined(names []string, format string) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = strings.ReplaceAll(format, "?", quote(n))
	}
	return strings.Join(parts, ",")
}

// exactly is an id that is compared by its bytes.
func exactly(id, collation string) string {
	return fmt.Sprintf("convert(%s using utf8mb4) collate %s", id, collation)
}

// deletion deletes rows by their ids, which the column may compare in its own way.
func deletion(table, collation string, ids []string) string {
	list := "(" + strings.Join(ids, ",") + ")"
	return fmt.Sprintf(`delete from %s where "id" in %s and %s in %s`, quote(table), list, exactly(`"id"`, collation), list)
}

// best is the temporary table of rows that are merged with those that are there.
const best = "weir_best"

// merge brings the rows of the table best into one whose rows keep what a newer write
// does not have. A value counts together with its sibling.
func merge(t warehouse.Table, s *texts.Shape, collation string) []string {
	sibling := map[string]string{}
	for _, c := range t.Columns {
		if c.Raw != "" && !c.Over && slices.Contains(s.Columns, c.Raw) {
			sibling[c.Name], sibling[c.Raw] = c.Raw, c.Name
		}
	}
	same := fmt.Sprintf(`t."id" = s."id" and %s = %s`, exactly(`t."id"`, collation), exactly(`s."id"`, collation))
	var set []string
	for i, c := range s.Columns {
		q := quote(c)
		switch other, paired := sibling[c]; {
		case c == "id":
		case i == s.More:
			set = append(set, fmt.Sprintf(`t.%[1]s = case when s.%[1]s is null then t.%[1]s when t.%[1]s is null then s.%[1]s else json_merge_patch(case when json_valid(t.%[1]s) and left(t.%[1]s, 1) = '{' then t.%[1]s else json_object('%[2]s', t.%[1]s) end, s.%[1]s) end`, q, warehouse.MoreColumn))
		case paired:
			set = append(set, fmt.Sprintf("t.%[1]s = case when s.%[1]s is not null or s.%[2]s is not null then s.%[1]s else t.%[1]s end", q, quote(other)))
		default:
			set = append(set, fmt.Sprintf("t.%[1]s = coalesce(s.%[1]s, t.%[1]s)", q))
		}
	}
	var out []string
	if len(set) > 0 {
		out = append(out, fmt.Sprintf("update %s s straight_join %s t on %s set %s", quote(best), quote(t.Name), same, strings.Join(set, ",")))
	}
	return append(out, fmt.Sprintf("insert into %[1]s (%[2]s) select %[3]s from %[4]s s where not exists (select 1 from %[1]s t where %[5]s)",
		quote(t.Name), joined(s.Columns, "?"), joined(s.Columns, "s.?"), quote(best), same), "delete from "+quote(best))
}
