package rs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
)

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// text is a text as SQL has it. Redshift reads a backslash as an escape.
// Source: https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// Limits.
// Sources: https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_usage.html and
// https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
const (
	maxColumns = 1590 // of 1,600
	maxText    = 65535
)

// textType is the type of texts that loads make.
const textType = "character varying(65535)"

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
		return "super"
	}
	return textType
}

// typeOf is the layout's type of a column that exists, empty for others: of those each
// value is looked at.
func typeOf(name, native string) layout.Type {
	switch native {
	case "bigint":
		return layout.Int
	case "double precision":
		return layout.Float
	case "boolean":
		return layout.Boolean
	case "timestamp with time zone":
		return layout.Datetime
	case textType:
		return layout.String
	}
	if name == "id" && strings.HasPrefix(native, "character varying") {
		return layout.String // a longer id fails the load
	}
	return ""
}

// wider is the name of a column while it takes the place of a narrower one.
const wider = "weir__wider"

// alter is the statements of a change to table, a quoted name. None: Redshift cannot make
// it without changing values. Of a float it writes fewer digits than it holds.
func alter(table string, c warehouse.Change) []string {
	col := quote(c.Column)
	switch {
	case c.Column == "":
		return []string{fmt.Sprintf(`create table if not exists %s ("id" %s)`, table, native(c.To))}
	case c.From == "":
		return []string{fmt.Sprintf("alter table %s add column %s %s", table, col, native(c.To))}
	}
	var value string
	switch {
	case c.From == layout.Int:
		value = "cast(" + col + " as " + native(c.To) + ")"
	case c.From == layout.Boolean:
		value = "case when " + col + " then 'true' when not " + col + " then 'false' end"
	case c.From == layout.Datetime:
		value = "to_char(" + col + ` at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
	default:
		return nil
	}
	return []string{
		fmt.Sprintf("alter table %s add column %s %s", table, quote(wider), native(c.To)),
		fmt.Sprintf("update %s set %s = %s", table, quote(wider), value),
		fmt.Sprintf("alter table %s drop column %s", table, col),
		fmt.Sprintf("alter table %s rename column %s to %s", table, quote(wider), col),
	}
}

// ofRows is how rows become values of columns. Files have times as texts.
var ofRows = rows.Kind{Guard: guard, Texts: []layout.Type{layout.Datetime}, MaxText: maxText}

// nativeType is a type with its arguments, such as numeric(10,2).
var nativeType = regexp.MustCompile(`^([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?$`)

func parts(native string) (name string, args []int) {
	m := nativeType.FindStringSubmatch(native)
	if m == nil {
		return native, nil
	}
	for _, s := range m[2:] {
		if n, err := strconv.Atoi(s); err == nil {
			args = append(args, n)
		}
	}
	return m[1], args
}

// guard knows the types that people use most; a column of another one holds no value.
func guard(native string) rows.Guard {
	name, args := parts(native)
	switch {
	case name == "smallint":
		return rows.Whole(16)
	case name == "integer":
		return rows.Whole(32)
	case name == "bigint":
		return rows.Whole(64)
	case name == "real":
		return rows.Float(32)
	case name == "double precision":
		return rows.Float(64)
	case name == "numeric" && len(args) == 2:
		return rows.Decimal(args[0], args[1])
	case name == "boolean":
		return rows.Boolean
	case name == "timestamp with time zone" || name == "timestamp without time zone":
		return rows.Instant(time.Millisecond)
	case name == "date":
		return rows.Day
	case name == "character varying" && len(args) == 1:
		return rows.Bytes(args[0])
	case name == "character" && len(args) == 1:
		return rows.Fixed(args[0])
	case name == "super":
		return rows.JSON
	}
	return nil
}

var dialect = rows.Dialect{Quote: quote, Cast: cast}

// cast is the expression of a value of the temporary table in its column's type.
func cast(c rows.Column, value string) string {
	name, _ := parts(c.Native)
	switch {
	case c.Native == "" || c.File != layout.String || name == "character varying":
		return value
	case name == "boolean": // texts have no cast to it
		return "(" + value + " = 'true')"
	case name == "timestamp with time zone":
		return "cast(replace(replace(" + value + ", 'T', ' '), 'Z', '+00') as " + c.Native + ")"
	case name == "timestamp without time zone":
		return "cast(replace(replace(" + value + ", 'T', ' '), 'Z', '') as " + c.Native + ")"
	case name == "super":
		return "json_parse(" + value + ")"
	}
	return "cast(" + value + " as " + c.Native + ")"
}

// stage is the temporary table of a merge.
const stage = "weir_stage"

// create makes the temporary table for rows of a shape.
func create(t *rows.Table) string {
	var defs []string
	for i, c := range t.Columns {
		defs = append(defs, rows.InFile(i)+" "+native(c.File))
	}
	return "create temporary table " + stage + " (" + strings.Join(defs, ", ") + ")"
}

// copyFrom loads all objects whose keys begin with a prefix.
func copyFrom(s *Settings, prefix string) string {
	by := "iam_role " + text(s.IamRole)
	switch s.IamRole {
	case "":
		by = "credentials " + text("aws_access_key_id="+s.Secrets.AccessKey.Reveal()+";aws_secret_access_key="+s.Secrets.SecretKey.Reveal())
	case "default":
		by = "iam_role default"
	}
	return fmt.Sprintf("copy %s from %s %s format as parquet", stage, text("s3://"+s.Bucket+"/"+prefix), by)
}

// merge is the statements that bring the temporary table into a table, a name of the
// schema. The last one but one says how many rows are new.
func merge(schema, name string, t *rows.Table) []string {
	d, table := dialect, quote(schema)+"."+quote(name)
	d.Old = quote(name)
	insert := fmt.Sprintf("insert into %s (%s) select %s from %s s", table, strings.Join(t.Names(d), ", "), strings.Join(t.Values(d), ", "), stage)
	if !t.Keep() {
		return []string{
			fmt.Sprintf("delete from %s using %s s where %s", table, stage, t.ID(d)),
			insert,
			"drop table " + stage,
		}
	}
	all := []string{}
	if sets := t.Sets(d, nil); len(sets) > 0 {
		all = append(all, fmt.Sprintf("update %s set %s from %s s where %s", table, strings.Join(sets, ", "), stage, t.ID(d)))
	}
	return append(all,
		insert+fmt.Sprintf(" where not exists (select 1 from %s where %s)", table, t.ID(d)),
		"drop table "+stage)
}
