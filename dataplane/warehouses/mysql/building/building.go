// Package building is sessions on tables of a MySQL or MariaDB database for models and
// their syncs: how SQL is written there, and which statements a session runs.
package building

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

// Basics are those of a server; Collation compares texts by their bytes.
type Basics struct{ Collation string }

// Quote implements tables.Basics. Sessions have ANSI_QUOTES.
func (Basics) Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Text implements tables.Basics. Sessions have NO_BACKSLASH_ESCAPES.
func (Basics) Text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// key finds texts of any length by their begin.
const key = `key "key" ("key"(191))`

func (b Basics) options() string {
	return "engine=InnoDB row_format=dynamic default character set utf8mb4 collate " + b.Collation
}

// Work implements tables.Basics: a table of the database, as MySQL reads a temporary one
// once in a statement.
func (b Basics) Work(name, query string) []string {
	return []string{"drop table if exists " + b.Quote(name), "create table " + b.Quote(name) + b.made() + " as " + query}
}

func (b Basics) made() string { return ` ("key" longtext, ` + key + ") " + b.options() }

// Index implements tables.Basics.
func (b Basics) Index(name, table string, unique bool, columns ...string) []string {
	kind := "index"
	if unique {
		kind = "unique index"
	}
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = b.Quote(c)
	}
	return []string{"create " + kind + " " + b.Quote(name) + " on " + table + " (" + strings.Join(quoted, ", ") + ")"}
}

// Syntax implements tables.Basics. Literals with a character set take the collation of
// what they are compared with.
func (b Basics) Syntax() tables.Syntax {
	return tables.Syntax{Texts: "longtext not null", Moments: "datetime(6) not null", Counts: "bigint not null", Flags: "boolean not null",
		AsText: "cast(%s as char)", Char: "_utf8mb4 x'%02X'", Moment: "timestamp '%s'", Around: tables.Standard.Around, Hash: tables.Standard.Hash,
		Key: key, Own: b.options(), Made: b.made(), Lookup: "straight_join", TablesCountAtOnce: true, OneSchema: true}
}

// Words that statements begin with: those whose work can be taken back, and those that
// make tables, which count at once.
var (
	Writes = []string{"insert", "update", "delete", "replace", "select", "with", "("}
	makes  = []string{"create", "drop", "alter", "analyze"}
)

// begin is what comes before a statement: blanks and comments, but for those that
// servers run.
var begin = regexp.MustCompile(`^(\s|;|--[^\n]*(\n|$)|#[^\n]*(\n|$)|/\*(\*/|([^!M]|M[^!])(?s:.*?)\*/))*(\(|[A-Za-z]*)`)

// Begins says whether a statement begins with one of words.
func Begins(statement string, words []string) bool {
	m := begin.FindStringSubmatch(statement)
	return m != nil && slices.Contains(words, strings.ToLower(m[len(m)-1]))
}

// Session is a session on a connection of its own.
type Session struct {
	Conn    *sql.Conn
	Failed  func(error) error // gives an error of the driver its code; nil for nil
	Refused func(error) error // the same for what the server says against a statement
	Kill    func()            // ends what the server still does for the connection

	tx *sql.Tx // nil: outside of Tx
}

// takes refuses what a session does not run.
func (s *Session) takes(statement string) error {
	switch {
	case Begins(statement, Writes):
		return nil
	case !Begins(statement, makes):
		return warehouse.Refuse(warehouse.CodeFailed, errors.New("a statement reads or writes rows, or makes or drops a table; none begins or ends a transaction"))
	case s.tx != nil:
		return warehouse.Refuse(warehouse.CodeFailed, errors.New("MySQL cannot take back what makes or drops a table: it stands outside of transactions"))
	}
	return nil
}

// failed gives an error its code, and ends the server's work where nobody waits for it.
func (s *Session) failed(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil { // the driver has left the connection
		s.Kill()
		return warehouse.Fail(warehouse.CodeFailed, ctx.Err())
	}
	return s.Refused(err)
}

// Exec implements tables.Session.
func (s *Session) Exec(ctx context.Context, statement string) (rows int64, err error) {
	if err := s.takes(statement); err != nil {
		return 0, err
	}
	run := s.Conn.ExecContext
	if s.tx != nil {
		run = s.tx.ExecContext
	}
	r, err := run(ctx, statement)
	if err != nil {
		return 0, s.failed(ctx, err)
	}
	rows, err = r.RowsAffected()
	return rows, s.Failed(err)
}

// Rows implements tables.Session.
func (s *Session) Rows(ctx context.Context, statement string, row func([]any) error) error {
	if err := s.takes(statement); err != nil {
		return err
	}
	prepare := s.Conn.PrepareContext
	if s.tx != nil {
		prepare = s.tx.PrepareContext
	}
	p, err := prepare(ctx, statement) // rows have numbers as they are kept
	if err != nil {
		return s.failed(ctx, err)
	}
	defer func() { _ = p.Close() }() // it goes with the connection
	found, err := p.QueryContext(ctx)
	if err != nil {
		return s.failed(ctx, err)
	}
	defer func() { _ = found.Close() }() // its error is found.Err's
	types, err := found.ColumnTypes()
	if err != nil {
		return s.failed(ctx, err)
	}
	into := make([]any, len(types))
	for found.Next() {
		values := make([]any, len(types))
		for i := range values {
			into[i] = &values[i]
		}
		if err := found.Scan(into...); err != nil {
			return s.failed(ctx, err)
		}
		for i, v := range values {
			values[i] = plain(types[i].DatabaseTypeName(), v)
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return s.failed(ctx, found.Err())
}

// plain is a value of the driver in one of the types of tables.Session. TINYINT is MySQL's
// boolean: its 0 and 1 are false and true.
func plain(typ string, v any) any {
	switch x := v.(type) {
	case int64:
		if typ == "TINYINT" && (x == 0 || x == 1) {
			return x == 1
		}
	case uint64:
		return strconv.FormatUint(x, 10) // more than int64 holds
	case float32:
		f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64) // it is a number
		return f
	case []byte:
		return text(typ, string(x))
	}
	return v
}

// Moment is the moment that a text of the driver is, of a column of a type that has such.
func Moment(typ, s string) (at time.Time, is bool) {
	switch typ {
	case "DATETIME", "TIMESTAMP", "DATE":
		for _, form := range []string{time.DateTime, time.DateOnly} { // the former takes fractions too
			if at, err := time.Parse(form, s); err == nil {
				return at, true
			}
		}
	}
	return at, false
}

// text is a value that the driver gives as one.
func text(typ, s string) any {
	if at, is := Moment(typ, s); is {
		return at
	}
	if typ == "DECIMAL" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	}
	if !utf8.ValidString(s) {
		return "0x" + hex.EncodeToString([]byte(s))
	}
	return s
}

// Tx implements tables.Session.
func (s *Session) Tx(ctx context.Context, do func(tables.Session) error) error {
	if s.tx != nil {
		return fault.New(fault.Internal, "A transaction was begun within one.")
	}
	tx, err := s.Conn.BeginTx(ctx, nil)
	if err != nil {
		return s.failed(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if err := do(&Session{Conn: s.Conn, Failed: s.Failed, Refused: s.Refused, Kill: s.Kill, tx: tx}); err != nil {
		return err
	}
	return s.Failed(tx.Commit())
}

// Close implements tables.Session. What is not committed does not count.
func (s *Session) Close() error {
	if s.tx == nil {
		_ = s.Conn.Close() // everything was committed; the server ends the rest
	}
	return nil
}
