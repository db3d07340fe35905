package postgres

import (
	"fmt"
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/postgres/session"
)

func quote(name string) string { return session.Quote(name) }

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

// columnType is the layout's type of a column that exists.
func columnType(name, native string) layout.Type {
	if name == "id" && strings.HasPrefix(native, "character varying") {
		return layout.String // a longer id fails the load
	}
	return typeOf(native)
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
