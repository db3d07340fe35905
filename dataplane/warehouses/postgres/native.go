package postgres

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
)

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// native is the type of a column that loads make.
func native(t layout.Type) string {
	switch t {
	case layout.Int:
		return "bigint"
	case layout.Float:
		return "double precision"
	case layout.Boolean:
		return "boolean"
	case layout.Datetime:
		return "timestamp with time zone"
	case layout.JSON:
		return "jsonb"
	}
	return "text"
}

// typeOf is the layout's type of a column that exists, empty for others.
func typeOf(native string) layout.Type {
	switch native {
	case "bigint":
		return layout.Int
	case "double precision":
		return layout.Float
	case "boolean":
		return layout.Boolean
	case "timestamp with time zone":
		return layout.Datetime
	case "text", "character varying":
		return layout.String
	}
	return "" // jsonb too: its values are looked at one by one
}

// alter is the statement of a change to table, a quoted name.
func alter(table string, c warehouse.Change) string {
	col := quote(c.Column)
	switch {
	case c.Column == "":
		return fmt.Sprintf(`create table if not exists %s ("id" %s)`, table, native(c.To))
	case c.From == "":
		return fmt.Sprintf("alter table %s add column if not exists %s %s", table, col, native(c.To))
	}
	using := col + "::" + native(c.To)
	if c.From == layout.Datetime {
		using = fmt.Sprintf(`to_char(%s at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`, col)
	}
	return fmt.Sprintf("alter table %s alter column %s type %s using %s", table, col, native(c.To), using)
}

// fits says whether a guarded column of a type takes a text as it is. It knows
// the types that people use most and refuses the rest.
func fits(native, s string) bool {
	name, arg, _ := strings.Cut(strings.TrimSuffix(native, ")"), "(")
	switch name {
	case "smallint":
		return whole(s, 16)
	case "integer":
		return whole(s, 32)
	case "bigint":
		return whole(s, 64)
	case "double precision":
		f, err := strconv.ParseFloat(s, 64)
		return err == nil && strconv.FormatFloat(f, 'f', -1, 64) == s
	case "boolean":
		return s == "true" || s == "false"
	case "text":
		return true
	case "character varying":
		n, err := strconv.Atoi(arg)
		return arg == "" || err == nil && utf8.RuneCountInString(s) <= n
	case "numeric":
		return arg == "" && number(s)
	case "jsonb":
		return jsonFits(s)
	}
	return false
}

func whole(s string, bits int) bool {
	n, err := strconv.ParseInt(s, 10, bits)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// number says whether s is plain digits with at most one point.
func number(s string) bool {
	digits := strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	return digits != "" && len(digits) < 1000 && strings.Trim(digits, "0123456789") == "" && s != "-0"
}
