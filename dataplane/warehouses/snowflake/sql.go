package snowflake

import (
	"fmt"
	"strings"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/texts"
)

// quote writes a name, which is in upper case, as SQL has it.
func quote(name string) string {
	return `"` + strings.ReplaceAll(strings.ToUpper(name), `"`, `""`) + `"`
}

// text is a text as SQL has it: a backslash is an escape.
// Source: https://docs.snowflake.com/en/sql-reference/data-types-text
func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// Limits.
const (
	// maxColumns is how many columns loads give a table. Snowflake has no fixed limit; more
	// make its statements slow.
	maxColumns = 1900
	// maxText is the length of a varchar without one.
	// Source: https://docs.snowflake.com/en/sql-reference/data-types-text
	maxText = 16777216
)

// native is the type of a column that loads make.
func native(t layout.Type) string {
	switch t {
	case layout.Int:
		return "number(38,0)"
	case layout.Float:
		return "float"
	case layout.Boolean:
		return "boolean"
	case layout.Datetime:
		return "timestamp_tz"
	case layout.JSON:
		return "variant"
	}
	return "varchar"
}

// typeOf is the layout's type of a column that exists, empty for others: of those each
// value is looked at.
func typeOf(name, native string) layout.Type {
	switch native {
	case "number(38,0)":
		return layout.Int
	case "float":
		return layout.Float
	case "boolean":
		return layout.Boolean
	case "timestamp_tz":
		return layout.Datetime
	case "varchar":
		return layout.String
	}
	if name == "id" && strings.HasPrefix(native, "varchar(") {
		return layout.String // a longer id fails the load
	}
	return ""
}

// widerEnd ends the name of a column while it takes the place of the one without it.
const widerEnd = "__wider"

// alters is the statements of changes to table, a quoted name: new columns by one. None:
// Snowflake cannot make a change without changing values. Of a float it writes fewer
// digits than it holds.
func alters(table string, changes []warehouse.Change) (all []string, ok bool) {
	var adds []string
	for _, c := range changes {
		switch {
		case c.Column == "":
			all = append(all, fmt.Sprintf("create table if not exists %s (%s %s)", table, quote("id"), native(c.To)))
		case c.From == "":
			adds = append(adds, quote(c.Column)+" "+native(c.To))
		default:
			col, wider := quote(c.Column), quote(c.Column+widerEnd)
			var value string
			switch c.From {
			case layout.Int:
				value = "cast(" + col + " as " + native(c.To) + ")"
			case layout.Boolean:
				value = "cast(" + col + " as varchar)"
			case layout.Datetime:
				value = "to_char(convert_timezone('UTC', " + col + `), 'YYYY-MM-DD"T"HH24:MI:SS.FF3"Z"')`
			default:
				return nil, false
			}
			all = append(all,
				fmt.Sprintf("alter table %s add column if not exists %s %s", table, wider, native(c.To)),
				fmt.Sprintf("update %s set %s = %s", table, wider, value),
				fmt.Sprintf("alter table %s drop column %s", table, col),
				rename(table, c.Column))
		}
	}
	if len(adds) > 0 {
		all = append(all, fmt.Sprintf("alter table %s add column %s", table, strings.Join(adds, ", ")))
	}
	return all, true
}

// rename ends the widening of a column.
func rename(table, column string) string {
	return fmt.Sprintf("alter table %s rename column %s to %s", table, quote(column+widerEnd), quote(column))
}

// ofRows is how rows become values of columns. Files have times as texts.
var ofRows = rows.Kind{Guard: guard, Texts: []layout.Type{layout.Datetime}, MaxText: maxText}

// guard knows the types that people use most; a column of another one holds no value.
func guard(native string) rows.Guard {
	name, args := texts.Arguments(native)
	switch {
	case name == "number" && len(args) == 2:
		return rows.Decimal(args[0], args[1])
	case name == "float":
		return rows.Float(64)
	case name == "boolean":
		return rows.Boolean
	case name == "timestamp_tz" || name == "timestamp_ltz" || name == "timestamp_ntz":
		return rows.Instant(time.Millisecond)
	case name == "date":
		return rows.Day
	case name == "varchar" && len(args) == 1:
		return rows.Characters(args[0])
	case name == "varchar":
		return rows.Characters(-1)
	case name == "variant":
		return rows.JSON
	}
	return nil
}

var dialect = rows.Dialect{Quote: quote, Cast: cast, Old: "t"}

// cast is the expression of a value of the files' table in its column's type.
func cast(c rows.Column, value string) string {
	name, _ := texts.Arguments(c.Native)
	switch {
	case c.Native == "" || c.File != layout.String || name == "varchar":
		return value
	case name == "variant":
		return "parse_json(" + value + ")"
	case name == "timestamp_ntz":
		return "cast(replace(" + value + ", 'Z', '') as " + c.Native + ")"
	}
	return "cast(" + value + " as " + c.Native + ")"
}

// create makes the temporary table for rows of a shape.
func create(table string, t *rows.Table) string {
	var defs []string
	for i, c := range t.Columns {
		defs = append(defs, rows.InFile(i)+" "+native(c.File))
	}
	return "create temporary table " + table + " (" + strings.Join(defs, ", ") + ")"
}

// copyInto loads all objects whose keys begin with a prefix.
func copyInto(s *Settings, table, prefix string) string {
	by := "storage_integration = " + quote(s.StorageIntegration)
	if s.StorageIntegration == "" {
		by = "credentials = (aws_key_id = " + text(s.Secrets.AccessKey.Reveal()) + " aws_secret_key = " + text(s.Secrets.SecretKey.Reveal()) + ")"
	}
	return fmt.Sprintf("copy into %s from %s %s file_format = (type = parquet) match_by_column_name = case_insensitive", table, text("s3://"+s.Bucket+"/"+prefix), by)
}
