package clickhouse

import (
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/texts"
	"weir/dataplane/warehouses/clickhouse/formats"
)

func quote(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

func text(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}

// maxColumns is how many columns loads give a table: each is two files in every part.
const maxColumns = 700

// The types that loads make.
const (
	ints     = "Nullable(Int64)"
	floats   = "Nullable(Float64)"
	booleans = "Nullable(UInt8)"
	times    = "Nullable(FixedString(24))"
	strs     = "Nullable(String)"
	// named are booleans on their way to texts.
	named = "Nullable(Enum8('false' = 0, 'true' = 1))"
)

func native(column string, t layout.Type) string {
	switch {
	case column == "id":
		return "String"
	case t == layout.Int:
		return ints
	case t == layout.Float:
		return floats
	case t == layout.Boolean:
		return booleans
	case t == layout.Datetime:
		return times
	}
	return strs
}

// typeOf is the type of a column of a native one; empty for what loads never make.
func typeOf(native string) layout.Type {
	switch native {
	case ints, "Int64":
		return layout.Int
	case floats, "Float64":
		return layout.Float
	case booleans, named:
		return layout.Boolean
	case times:
		return layout.Datetime
	case strs, "String":
		return layout.String
	}
	return ""
}

// create makes a table. ReplacingMergeTree lets copies of a row that two planes wrote at
// once go in the background.
func create(table string) string {
	return "create table if not exists " + table + " (" + quote("id") + " String) engine = ReplacingMergeTree() order by " + quote("id")
}

// alters are the statements of changes of one table, each of which may run again.
func alters(table string, changes []warehouse.Change) (all []string) {
	var parts []string
	for _, c := range changes {
		q, typ := quote(c.Column), native(c.Column, c.To)
		switch {
		case c.Column == "":
			all = append(all, create(table))
		case c.From == "":
			parts = append(parts, "add column "+q+" "+typ)
		case c.From == layout.Boolean:
			all = append(all, "alter table "+table+" modify column "+q+" "+named, "alter table "+table+" modify column "+q+" "+typ)
		default:
			parts = append(parts, "modify column "+q+" "+typ)
		}
	}
	if len(parts) > 0 {
		all = append(all, "alter table "+table+" "+strings.Join(parts, ", "))
	}
	return all
}

// column is a column of a table.
type column struct{ name, native string }

// hash is a number of the values of a row that tells rows of one id apart. Columns of
// lists and the like, which loads never write, are not in it. It is few functions, as
// servers take quadratic time for many.
func hash(columns []column) string {
	var parts []string
	for _, c := range columns {
		if formOf(c.native).fit != nil {
			parts = append(parts, quote(c.name))
		}
	}
	return "cityHash64(toString(tuple(" + strings.Join(parts, ", ") + ")))"
}

// Engines of tables of a merge: all columns in one file, but where servers have no disks
// of their own.
const (
	oneFile = "StripeLog"
	shared  = "MergeTree order by tuple()"
)

// merge is the statements that bring the rows of one table into another.
type merge struct {
	database, into string
	rows           string // the name of the table of rows; those of others begin with it
	engine         string // of these tables
	keep           bool
	shape          *texts.Shape
	all            []column // of the table into
	id             int      // index of the id in shape
}

func (m *merge) at(name string) string { return quote(m.database) + "." + quote(name) }

// Names of the tables beside that of the rows.
func (m *merge) oldRows() string { return m.rows + "_old" }
func (m *merge) newRows() string { return m.rows + "_new" }

// inRows is the name of the nth column of shape in the table of rows.
func inRows(n int) string { return fmt.Sprintf("c%d", n) }

func (m *merge) key() string { return inRows(m.id) }

// createRows makes the table of rows.
func (m *merge) createRows() string {
	defs := make([]string, len(m.shape.Columns))
	for i, c := range m.inTable() {
		typ := "Nullable(" + c.Type + ")"
		if c.Key {
			typ = c.Type
		}
		defs[i] = c.Name + " " + typ
	}
	return "create table " + m.at(m.rows) + " (" + strings.Join(defs, ", ") + ") engine = " + m.engine
}

// inTable are the columns of the table of rows.
func (m *merge) inTable() []formats.Column {
	all := make([]formats.Column, len(m.shape.Columns))
	for i, n := range m.shape.Natives {
		all[i] = formats.Column{Name: inRows(i), Type: formOf(n).file, Of: m.shape.Columns[i]}
		if i == m.id {
			all[i].Type, all[i].Key = "String", true
		}
	}
	return all
}

func (m *merge) fill(format string) string {
	return "insert into " + m.at(m.rows) + " format " + format
}

// values are those of a row of the table of rows as the columns of shape have them.
func (m *merge) values() []string {
	out := make([]string, len(m.shape.Columns))
	for i, n := range m.shape.Natives {
		out[i] = formOf(n).value(inRows(i), n)
		if i == m.id {
			out[i] = inRows(i)
		}
	}
	return out
}

// absent inserts the rows whose id is not there.
func (m *merge) absent() string {
	names := make([]string, len(m.shape.Columns))
	for i, c := range m.shape.Columns {
		names[i] = quote(c)
	}
	into, rows, id := m.at(m.into), m.at(m.rows), quote("id")
	return fmt.Sprintf("insert into %s (%s) select %s from %s where %s not in (select %s from %s where %[6]s in (select %[5]s from %[4]s))",
		into, strings.Join(names, ", "), strings.Join(m.values(), ", "), rows, m.key(), id, into)
}

func (m *merge) names() string {
	names := make([]string, len(m.all))
	for i, c := range m.all {
		names[i] = quote(c.name)
	}
	return strings.Join(names, ", ")
}

func (m *merge) defs() string {
	defs := make([]string, len(m.all))
	for i, c := range m.all {
		defs[i] = quote(c.name) + " " + c.native
	}
	return strings.Join(defs, ", ")
}

// changes are the statements that make the tables of the rows that are there for the ids,
// and of what they become. Of several rows of one id each value that one has counts.
func (m *merge) changes() (createOld, fillOld, createNew, fillNew string) {
	createOld = "create table " + m.at(m.oldRows()) + " (" + m.defs() + ") engine = " + m.engine
	fillOld = fmt.Sprintf("insert into %s (%s) select %[2]s from %s where %s in (select %s from %s)", m.at(m.oldRows()), m.names(), m.at(m.into), quote("id"), m.key(), m.at(m.rows))
	createNew = "create table " + m.at(m.newRows()) + " (" + m.defs() + ") engine = " + m.engine
	values := m.values()
	exprs, olds := make([]string, len(m.all)), []string{"assumeNotNull(" + quote("id") + ") as " + m.key()}
	for i, c := range m.all {
		at, old := slices.Index(m.shape.Columns, c.name), fmt.Sprintf("o%d", i)
		switch {
		case c.name == "id":
			exprs[i] = m.key()
			continue
		case at < 0 && !m.keep && nullable(c.native):
			exprs[i] = "CAST(NULL AS " + c.native + ")"
			continue
		case at < 0: // what somebody's default made
			exprs[i] = old
		case !m.keep:
			exprs[i] = values[at]
			continue
		default:
			given := "isNotNull(" + inRows(at) + ")"
			if other := m.shape.Pair(at); other >= 0 {
				given += " or isNotNull(" + inRows(other) + ")"
			}
			exprs[i] = "if(" + given + ", " + values[at] + ", " + old + ")"
		}
		olds = append(olds, "any("+quote(c.name)+") as "+old)
	}
	fillNew = fmt.Sprintf("insert into %s (%s) select %s from %s any inner join (select %s from %s group by %s) using %s",
		m.at(m.newRows()), m.names(), strings.Join(exprs, ", "), m.at(m.rows), strings.Join(olds, ", "), m.at(m.oldRows()), quote("id"), m.key())
	return createOld, fillOld, createNew, fillNew
}

// pairs are the ids of a table with the hashes of their rows.
func (m *merge) pairs(table string) string {
	return fmt.Sprintf("select %s, %s from %s", quote("id"), hash(m.all), m.at(table))
}

func (m *merge) pair() string { return "(" + quote("id") + ", " + hash(m.all) + ")" }

// stale and fresh count the rows that go, and those that come in their place.
func (m *merge) stale() string {
	return fmt.Sprintf("select count() from %s where %s not in (%s)", m.at(m.oldRows()), m.pair(), m.pairs(m.newRows()))
}

func (m *merge) fresh() string {
	return fmt.Sprintf("select count() from %s where %s not in (%s)", m.at(m.newRows()), m.pair(), m.pairs(m.oldRows()))
}

// renew inserts what rows become; as rows that are there already are left out, it may run
// again.
func (m *merge) renew() string {
	return fmt.Sprintf("insert into %s (%s) select %[2]s from %s where %s not in (%s where %s in (select %[6]s from %[3]s))",
		m.at(m.into), m.names(), m.at(m.newRows()), m.pair(), m.pairs(m.into), quote("id"))
}

// remove deletes the rows that were there, as far as they are no others' and not what
// they become.
func (m *merge) remove() string {
	return fmt.Sprintf("alter table %s delete where %s in (select %[2]s from %s) and %[4]s in (%[5]s where %[4]s not in (%[6]s))",
		m.at(m.into), quote("id"), m.at(m.oldRows()), m.pair(), m.pairs(m.oldRows()), m.pairs(m.newRows()))
}

// removing asks how many mutations of the table that name it are not done.
func removing(database, rows string) string {
	return fmt.Sprintf("select count() from system.mutations where database = %s and is_done = 0 and position(command, %s) > 0", text(database), text(rows))
}
