// Package tables is how the plane works on tables of a customer's warehouse beside
// loads: sessions that read and write, what differs between the dialects of SQL, and
// steps that may be repeated.
//
// A session is one user's. What it makes and does not drop is there for the next
// session, work tables of DuckDB apart. Errors of sessions are warehouse.Failures;
// their text may quote values, and stays in the plane.
package tables

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Modelled is a warehouse whose tables and queries may be models of syncs, and which
// keeps what was sent of them.
type Modelled interface {
	// Session begins a session in a schema, which is made when it is not there: names
	// without a schema are those in it. Until the session is closed the warehouse is
	// used for nothing else, and a file has no other user, a load or a query neither: so
	// it is short. After the end of ctx the session is of no use. Where Syntax says
	// OneSchema there is no other schema than Home.
	Session(ctx context.Context, schema string) (Session, error)
	Basics() Basics
	// Home is the schema of the tables that loads fill.
	Home() string
}

// Warehouse is a warehouse in which tables can be worked on in any way. Kinds without it
// are not fit for it.
type Warehouse interface {
	Modelled
	Dialect() Dialect
}

// Session runs statements, one at a time, by one goroutine. Outside of Tx each
// statement is a transaction. A text with several statements is refused, and so are
// statements that begin or end a transaction.
type Session interface {
	// Exec returns how many rows the statement changed.
	Exec(ctx context.Context, sql string) (rows int64, err error)
	// Rows gives each row of a statement. Values are nil, bool, int64, float64, string or
	// time.Time in UTC: exact numbers that are whole and fit are int64, others and all other
	// types their text. row keeps nothing of the slice and does not use the session.
	Rows(ctx context.Context, sql string, row func(values []any) error) error
	// Tx runs do in one transaction, which counts when do returns nil. do uses the session
	// that it is given, which has no Tx and no Close. Where Syntax says TablesCountAtOnce
	// a statement in it that makes or drops a table is refused.
	Tx(ctx context.Context, do func(Session) error) error
	Close() error
}

// Basics is what models and their syncs need to know of a kind. It is pure.
type Basics interface {
	// Quote is a name, exactly as given.
	Quote(name string) string
	// Text is a text's literal. It has no NUL.
	Text(s string) string
	// Work is the statements that make the work table of a name from a query, anew when it
	// is there. Names of work tables begin with an underscore and are of one user at a
	// time; a work table is dropped with "drop table if exists".
	Work(name, query string) []string
	// Index is the statements that make an index of an own table where one is of use.
	Index(name, table string, unique bool, columns ...string) []string
	Syntax() Syntax
}

// Syntax is how a kind writes what kinds write in different ways. Standard is what
// Postgres and DuckDB write.
type Syntax struct {
	// Types of columns that are never null: texts of any length that are compared by their
	// bytes, moments to the microsecond, whole numbers, and booleans.
	Texts, Moments, Counts, Flags string

	AsText string // a value as a text, null as null; %s is the value
	Char   string // the text of one ASCII character; %d is its number
	Moment string // a moment's literal; %s is it in UTC, as 2006-01-02 15:04:05.000000
	Concat string // what stands between texts that become one; empty: the function concat
	Around string // texts that become one, with a text between them: %[1]s, and %[2]s the texts with commas
	Hash   string // the MD5 of a text in hex; %s is the text
	// Key is the definition, among the columns of an own table, by which its column "key" of
	// texts is looked up; empty: Index makes what is of use.
	Key  string
	Own  string // what follows the columns of an own table; {key} is the column by which it is ordered
	Made string // what follows the name of a table with a column "key" that is made from a query
	// Lookup joins two tables so that the left one is read through, and the right one looked
	// up; empty: joins find their way, and there are full joins.
	Lookup string
	// TablesCountAtOnce: a statement that makes or drops a table is no part of a transaction.
	TablesCountAtOnce bool
	// Versions: there are no transactions, and own tables take rows only: a row counts until
	// one of its key has a greater version.
	Versions bool
	// OneSchema: own tables are in the schema of loads, as others are databases with rights
	// of their own.
	OneSchema bool
}

// Standard is the syntax of Postgres and DuckDB.
var Standard = Syntax{Texts: "text not null", Moments: "timestamptz not null", Counts: "bigint not null", Flags: "boolean not null",
	AsText: "cast(%s as text)", Char: "chr(%d)", Moment: "timestamptz '%s+00'", Concat: " || ", Around: "concat_ws(%[1]s, %[2]s)", Hash: "md5(%s)"}

// Time is a moment's literal, to the microsecond.
func (x *Syntax) Time(t time.Time) string {
	return fmt.Sprintf(x.Moment, t.UTC().Format("2006-01-02 15:04:05.000000"))
}

// mostArguments is how many arguments a function gets, and how many operators follow each
// other. Postgres takes no more than 100, FUNC_MAX_ARGS in
// https://www.postgresql.org/docs/current/runtime-config-preset.html; DuckDB takes
// expressions that are 1,000 deep, max_expression_depth in its settings.
const mostArguments = 90

// grouped is parts that are no more than mostArguments, of which each is some of them in turn.
func grouped(parts []string, join func(...string) string) []string {
	for len(parts) > mostArguments {
		var groups []string
		for some := range slices.Chunk(parts, mostArguments) {
			if groups = append(groups, some[0]); len(some) > 1 {
				groups[len(groups)-1] = join(some...)
			}
		}
		parts = groups
	}
	return parts
}

// Between is texts that are not null and become one, with the text sep between them.
func (x *Syntax) Between(sep string, parts ...string) string {
	parts = grouped(parts, func(some ...string) string { return x.Between(sep, some...) })
	return fmt.Sprintf(x.Around, sep, strings.Join(parts, ", "))
}

// Join is texts that become one; parts are at least two.
func (x *Syntax) Join(parts ...string) string {
	parts = grouped(parts, func(some ...string) string { return "(" + x.Join(some...) + ")" })
	if x.Concat == "" {
		return "concat(" + strings.Join(parts, ", ") + ")"
	}
	return strings.Join(parts, x.Concat)
}

// Dialect is what differs between kinds in which tables can be worked on in any way. It is
// pure. Both kinds have text, bigint, double precision, boolean, date, timestamptz,
// coalesce, row_number() over, >> and %.
type Dialect interface {
	Basics
	// Analyze is the statements that follow many inserts into a table before it is joined.
	Analyze(table string) []string
	// Latest is the aggregate of the value x of the last row by time and id, among those
	// with cond; Earliest of the first. id is a text.
	Latest(x, at, id, cond string) string
	Earliest(x, at, id, cond string) string
	// Binary is a text that is ordered by its bytes.
	Binary(x string) string
	// Number is a text, or any value, as double precision; null when it is none.
	Number(x string) string
}

// Time is a moment's literal of Standard.
func Time(t time.Time) string {
	return Standard.Time(t)
}

// Step is a part of a job on a warehouse. It may be repeated, from the begin and after
// a death within it.
type Step struct {
	Name string // a code
	Do   func(ctx context.Context, s Session) error
}

// Run runs statements in turn, and returns how many rows the last one changed.
func Run(ctx context.Context, s Session, statements ...string) (rows int64, err error) {
	for _, q := range statements {
		if rows, err = s.Exec(ctx, q); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

// One is the value in the first column of a statement's first row, nil without a row.
func One(ctx context.Context, s Session, sql string) (value any, err error) {
	found := false
	err = s.Rows(ctx, sql, func(values []any) error {
		if !found && len(values) > 0 {
			value, found = values[0], true
		}
		return nil
	})
	return value, err
}

// Int is One of a whole number; null is 0.
func Int(ctx context.Context, s Session, sql string) (int64, error) {
	v, err := One(ctx, s, sql)
	if err != nil {
		return 0, err
	}
	switch v := v.(type) {
	case nil:
		return 0, nil
	case int64:
		return v, nil
	case float64:
		return int64(v), nil
	}
	return strconv.ParseInt(fmt.Sprint(v), 10, 64)
}

// Type is what a column can be used for.
type Type string

// Types of columns.
const (
	Text    Type = "text"
	Number  Type = "number"
	Moment  Type = "time"
	Boolean Type = "boolean"
	Other   Type = "other"
)

// Columns returns the columns of a table or view, empty when it is not there.
func Columns(ctx context.Context, s Session, d Dialect, schema, table string) (map[string]Type, error) {
	all := map[string]Type{}
	err := s.Rows(ctx, "select column_name, lower(data_type) from information_schema.columns where table_schema = "+d.Text(schema)+" and table_name = "+d.Text(table), func(v []any) error {
		name, native := fmt.Sprint(v[0]), fmt.Sprint(v[1])
		all[name] = typeOf(native)
		return nil
	})
	return all, err
}

// typeOf is what a native type, in lower case, can be used for.
func typeOf(native string) Type {
	for i, c := range native {
		if c == '(' || c == ' ' {
			native = native[:i]
			break
		}
	}
	switch native {
	case "text", "varchar", "character", "uuid", "citext":
		return Text
	case "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint", "real", "float", "double", "numeric", "decimal":
		return Number
	case "timestamp", "timestamptz", "date", "timestamp_s", "timestamp_ms", "timestamp_ns":
		return Moment
	case "boolean":
		return Boolean
	}
	return Other
}
