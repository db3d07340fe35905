package bq

import (
	"fmt"
	"strings"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/texts"
)

// quote writes a name as GoogleSQL has it.
// Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
func quote(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// text is a text as GoogleSQL has it.
func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
}

// maxColumns is how many columns loads give a table.
// Source: 10,000 columns, https://cloud.google.com/bigquery/quotas#all_tables
const maxColumns = 9900

// native is the type of a column that loads make.
func native(t layout.Type) string {
	switch t {
	case layout.Int:
		return "int64"
	case layout.Float:
		return "float64"
	case layout.Boolean:
		return "bool"
	case layout.Datetime:
		return "timestamp"
	case layout.JSON:
		return "json"
	}
	return "string"
}

// nativeOf is the type of a column that exists; empty for lists and records.
// Source: https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema
func nativeOf(f field) string {
	if f.Mode == "REPEATED" {
		return ""
	}
	switch f.Type {
	case "INTEGER", "INT64":
		return "int64"
	case "FLOAT", "FLOAT64":
		return "float64"
	case "BOOLEAN", "BOOL":
		return "bool"
	case "STRING":
		if f.MaxLength != "" {
			return "string(" + f.MaxLength + ")"
		}
		return "string"
	case "NUMERIC", "BIGNUMERIC":
		t := strings.ToLower(f.Type)
		switch {
		case f.Precision != "" && f.Scale != "":
			return t + "(" + f.Precision + "," + f.Scale + ")"
		case f.Precision != "":
			return t + "(" + f.Precision + ",0)"
		}
		return t
	case "TIMESTAMP", "DATE", "DATETIME", "JSON":
		return strings.ToLower(f.Type)
	}
	return ""
}

// typeOf is the layout's type of a column that exists, empty for others: of those each
// value is looked at.
func typeOf(name, native string) layout.Type {
	switch native {
	case "int64":
		return layout.Int
	case "float64":
		return layout.Float
	case "bool":
		return layout.Boolean
	case "timestamp":
		return layout.Datetime
	case "string":
		return layout.String
	}
	if name == "id" && strings.HasPrefix(native, "string(") {
		return layout.String // a longer id fails the load
	}
	return ""
}

// widerEnd ends the name of a column while it takes the place of the one without it.
const widerEnd = "__wider"

// alters is the statements of changes to table, a quoted name: new columns by one. None:
// BigQuery cannot make a change without changing values.
func alters(table string, changes []warehouse.Change) (all []string, ok bool) {
	var adds []string
	for _, c := range changes {
		switch {
		case c.Column == "":
			all = append(all, fmt.Sprintf("create table if not exists %s (%s %s, %s timestamp) partition by timestamp_trunc(%[4]s, day) cluster by %[2]s", table, quote("id"), native(c.To), quote("received_at")))
		case c.From == "":
			adds = append(adds, "add column "+quote(c.Column)+" "+native(c.To))
		default:
			col, wider := quote(c.Column), quote(c.Column+widerEnd)
			value := "cast(" + col + " as " + native(c.To) + ")"
			switch c.From {
			case layout.Int, layout.Boolean:
			case layout.Datetime:
				value = "format_timestamp('%E4Y-%m-%dT%H:%M:%E3SZ', " + col + ", 'UTC')"
			default:
				return nil, false
			}
			all = append(all,
				fmt.Sprintf("alter table %s add column if not exists %s %s", table, wider, native(c.To)),
				fmt.Sprintf("update %s set %s = %s where true", table, wider, value),
				fmt.Sprintf("alter table %s drop column %s", table, col),
				rename(table, c.Column))
		}
	}
	if len(adds) > 0 {
		all = append(all, "alter table "+table+" "+strings.Join(adds, ", "))
	}
	return all, true
}

// rename ends the widening of a column.
func rename(table, column string) string {
	return fmt.Sprintf("alter table %s rename column %s to %s", table, quote(column+widerEnd), quote(column))
}

var ofRows = rows.Kind{Guard: guard}

// Digits of numeric before and behind the point.
// Source: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
const (
	numericPrecision = 38
	numericScale     = 9
)

// guard knows the types that people use most; a column of another one holds no value.
func guard(native string) rows.Guard {
	name, args := texts.Arguments(native)
	switch {
	case name == "int64":
		return rows.Whole(64)
	case name == "float64":
		return rows.Float(64)
	case name == "bool":
		return rows.Boolean
	case (name == "numeric" || name == "bignumeric") && len(args) == 2:
		return rows.Decimal(args[0], args[1])
	case name == "numeric" || name == "bignumeric":
		return rows.Decimal(numericPrecision, numericScale)
	case name == "timestamp" || name == "datetime":
		return rows.Instant(time.Millisecond)
	case name == "date":
		return rows.Day
	case name == "string" && len(args) == 1:
		return rows.Characters(args[0])
	case name == "string":
		return rows.Characters(-1)
	case name == "json":
		return rows.JSON
	}
	return nil
}

var dialect = rows.Dialect{Quote: quote, Cast: cast, Old: "t"}

// cast is the expression of a value of the files' table in its column's type.
func cast(c rows.Column, value string) string {
	name, _ := texts.Arguments(c.Native)
	switch {
	case c.Native == "" || c.File != layout.String || name == "string":
		return value
	case name == "json":
		return "parse_json(" + value + ")"
	case name == "datetime":
		return "cast(replace(" + value + ", 'Z', '') as datetime)"
	case name == "numeric" || name == "bignumeric": // a cast has no precision; the guard has
		return "cast(" + value + " as " + name + ")"
	}
	return "cast(" + value + " as " + c.Native + ")"
}

// create makes the table for the rows of a merge; it expires.
func create(table string, t *rows.Table) string {
	var defs []string
	for i, c := range t.Columns {
		defs = append(defs, rows.InFile(i)+" "+native(c.File))
	}
	return "create table " + table + " (" + strings.Join(defs, ", ") + ") options (expiration_timestamp = timestamp_add(current_timestamp(), interval 6 hour))"
}
