package deltalake

import (
	"fmt"
	"strings"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/texts"
)

// quote writes a name as SQL has it.
// Source: https://docs.databricks.com/en/sql/language-manual/sql-ref-identifiers.html
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// text is a text as SQL has it: a backslash is an escape.
// Source: https://docs.databricks.com/en/sql/language-manual/data-types/string-type.html
func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// within is a name of the schema.
func (s *Settings) within(name string) string {
	return quote(s.Catalog) + "." + quote(s.Schema) + "." + quote(name)
}

// maxColumns is how many columns loads give a table. Delta has no fixed limit; more make its
// statements slow.
const maxColumns = 1900

// native is the type of a column that loads make.
func native(t layout.Type) string {
	switch t {
	case layout.Int:
		return "bigint"
	case layout.Float:
		return "double"
	case layout.Boolean:
		return "boolean"
	case layout.Datetime:
		return "timestamp"
	}
	return "string"
}

// typeOf is the layout's type of a column that exists, empty for others: of those each
// value is looked at.
func typeOf(native string) layout.Type {
	switch native {
	case "bigint":
		return layout.Int
	case "double":
		return layout.Float
	case "boolean":
		return layout.Boolean
	case "timestamp":
		return layout.Datetime
	case "string":
		return layout.String
	}
	return ""
}

// widerEnd ends the name of a column while it takes the place of the one without it.
const widerEnd = "__wider"

// mapping is the property without which Delta neither drops nor renames a column.
const mapping = "delta.columnMapping.mode"

// create makes a table.
func create(table string) string {
	return fmt.Sprintf("create table if not exists %s (`id` string) using delta tblproperties ('%s' = 'name')", table, mapping)
}

// add adds columns by one statement.
func add(table string, names []string, types []layout.Type) string {
	defs := make([]string, len(names))
	for i, name := range names {
		defs[i] = quote(name) + " " + native(types[i])
	}
	return fmt.Sprintf("alter table %s add columns (%s)", table, strings.Join(defs, ", "))
}

// widen is the statements that bring the values of a column into its wider one, which is
// there, and let that take its place. False: Databricks cannot make the change without
// changing values. Of a float it may write other digits than it holds.
func widen(table string, c warehouse.Change) ([]string, bool) {
	col, wider := quote(c.Column), quote(c.Column+widerEnd)
	var value string
	switch c.From {
	case layout.Int, layout.Boolean:
		value = "cast(" + col + " as " + native(c.To) + ")"
	case layout.Datetime:
		value = "date_format(to_utc_timestamp(" + col + `, current_timezone()), 'yyyy-MM-dd\'T\'HH:mm:ss.SSS\'Z\'')`
	default:
		return nil, false
	}
	return []string{
		fmt.Sprintf("update %s set %s = %s", table, wider, value),
		fmt.Sprintf("alter table %s drop column %s", table, col),
		rename(table, c.Column),
	}, true
}

// rename ends the widening of a column.
func rename(table, column string) string {
	return fmt.Sprintf("alter table %s rename column %s to %s", table, quote(column+widerEnd), quote(column))
}

// ofRows is how rows become values of columns. Files have times as texts: Spark reads those
// before 1900 of other writers in one of two ways.
var ofRows = rows.Kind{Guard: guard, Texts: []layout.Type{layout.Datetime}}

// guard knows the types that people use most; a column of another one holds no value.
func guard(native string) rows.Guard {
	name, args := texts.Arguments(native)
	switch {
	case name == "tinyint":
		return rows.Whole(8)
	case name == "smallint":
		return rows.Whole(16)
	case name == "int":
		return rows.Whole(32)
	case name == "bigint":
		return rows.Whole(64)
	case name == "float":
		return rows.Float(32)
	case name == "double":
		return rows.Float(64)
	case name == "decimal" && len(args) == 2:
		return rows.Decimal(args[0], args[1])
	case name == "boolean":
		return rows.Boolean
	case name == "timestamp" || name == "timestamp_ntz":
		return rows.Instant(time.Millisecond)
	case name == "date":
		return rows.Day
	case name == "varchar" && len(args) == 1:
		return rows.Characters(args[0])
	case name == "char" && len(args) == 1:
		return rows.Fixed(args[0])
	case name == "string":
		return rows.Characters(-1)
	}
	return nil
}

var dialect = rows.Dialect{Quote: quote, Cast: cast, Old: "t"}

// cast is the expression of a value of the files in its column's type.
func cast(c rows.Column, value string) string {
	name, _ := texts.Arguments(c.Native)
	switch {
	case c.Native == "" || c.File != layout.String || name == "string" || name == "varchar" || name == "char":
		return value
	case name == "timestamp_ntz":
		return "cast(replace(" + value + ", 'Z', '') as timestamp_ntz)"
	}
	return "cast(" + value + " as " + c.Native + ")"
}

// from is the query of the rows of a shape in the files of a directory.
func from(path string, t *rows.Table) string {
	var names, schema []string
	for i, c := range t.Columns {
		names = append(names, rows.InFile(i))
		schema = append(schema, rows.InFile(i)+" "+native(c.File))
	}
	return fmt.Sprintf("(select %s from read_files(%s, format => 'parquet', schema => %s))", strings.Join(names, ", "), text(path), text(strings.Join(schema, ", ")))
}
