// Package columntype is the types of columns of DuckDB, and how texts become their values.
package columntype

import (
	"fmt"
	"strings"

	"weir/dataplane/layout"
)

// Native is the type of a column that loads make.
func Native(t layout.Type) string {
	switch t {
	case layout.Int:
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

// Of is the layout's type of a column that exists, empty for others.
func Of(native string) layout.Type {
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

// ISO writes a time as layouts do: year of four digits, UTC, milliseconds.
func ISO(col string) string {
	return fmt.Sprintf(`lpad(year(%[1]s at time zone 'UTC')::varchar, 4, '0') || strftime(%[1]s at time zone 'UTC', '-%%m-%%dT%%H:%%M:%%S.%%gZ')`, col)
}

// Forms of texts.
const (
	jsonNumber = `'-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?'`
	isoTime    = `'[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z'`
)

// Guarded is the expression of a text in a column's type, null unless the column
// then holds the value of the text, however it is spelled. Of a type that is not
// known here it is null unless the type writes the value as the text is.
func Guarded(text, native string) string {
	cast := fmt.Sprintf("try_cast(%s as %s)", text, native)
	name, _, _ := strings.Cut(native, "(")
	switch name {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL":
		// The column's value is the nearest one, so it is another one when, and only
		// when, its digits are others.
		return fmt.Sprintf("case when regexp_full_match(%s, %s) and %s = %s then %s end", text, jsonNumber, digits(text), digits(cast+"::varchar"), cast)
	case "BOOLEAN":
		return fmt.Sprintf("case when %s in ('true', 'false') then %s end", text, cast)
	case "TIMESTAMP WITH TIME ZONE":
		return fmt.Sprintf("case when regexp_full_match(%s, %s) then %s end", text, isoTime, cast)
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		cast = fmt.Sprintf("try_cast(left(%s, 23) as %s)", text, native) // without the Z
		return fmt.Sprintf("case when regexp_full_match(%s, %s) and try_cast(%s as timestamp) = try_cast(left(%[1]s, 23) as timestamp) then %[3]s end", text, isoTime, cast)
	case "DATE":
		return fmt.Sprintf("case when regexp_full_match(%[1]s, %[2]s) and substr(%[1]s, 11) = 'T00:00:00.000Z' then try_cast(left(%[1]s, 10) as date) end", text, isoTime)
	case "UUID":
		return fmt.Sprintf("case when lower(%[1]s) = %[2]s::varchar then %[2]s end", text, cast)
	}
	return fmt.Sprintf("case when try_cast(%[2]s as varchar) = %[1]s then %[2]s end", text, cast)
}

// digits is the expression of the digits of a number's text, without zeros at both
// ends.
func digits(text string) string {
	return fmt.Sprintf("trim(regexp_replace(regexp_replace(%s, '[eE].*', ''), '[-.]', '', 'g'), '0')", text)
}
