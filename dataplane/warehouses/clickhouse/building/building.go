// Package building is sessions on tables of a ClickHouse database for models and their
// syncs: how SQL is written there, and which statements a session runs. There are no
// transactions: tables take rows with versions.
package building

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/clickhouse/reading"
	"weir/shared/fault"
)

// Basics are those of the kind.
type Basics struct {
	Name    func(string) string // quotes a name
	Literal func(string) string // quotes a text
}

// Quote implements tables.Basics.
func (b Basics) Quote(name string) string { return b.Name(name) }

// Text implements tables.Basics.
func (b Basics) Text(s string) string { return b.Literal(s) }

// made is what follows the name of a table that is made from a query.
const made = " engine = MergeTree order by tuple()"

// Work implements tables.Basics: a table of the database, as requests have no session.
func (b Basics) Work(name, query string) []string {
	return []string{"drop table if exists " + b.Quote(name), "create table " + b.Quote(name) + made + " as " + query}
}

// Index implements tables.Basics: there are none.
func (Basics) Index(string, string, bool, ...string) []string { return nil }

// Syntax implements tables.Basics. Moments are texts of one length, which are ordered as
// they are: old servers have no times within a second.
func (Basics) Syntax() tables.Syntax {
	return tables.Syntax{Texts: "String", Moments: "String", Counts: "Int64", Flags: "UInt8",
		AsText: "toString(%s)", Char: `'\x%02X'`, Moment: "'%s'", Around: "arrayStringConcat([%[2]s], %[1]s)", Hash: "lower(hex(MD5(%s)))",
		Own: "engine = ReplacingMergeTree(version) order by {key}", Made: made, TablesCountAtOnce: true, Versions: true, OneSchema: true}
}

// Session is a session.
type Session struct {
	Run     func(ctx context.Context, statement string) error
	Read    func(ctx context.Context, statement string, row func(types []string, values []any) error) error // booleans and times are as RowJSON takes them
	Refused func(error) error                                                                               // gives what the server says against a statement its code
}

// first is the word that a statement begins with, behind blanks and comments.
var first = regexp.MustCompile(`^(\s|--[^\n]*(\n|$)|#[^\n]*(\n|$)|/\*(?s:.*?)\*/)*([A-Za-z]*)`)

// runs are the words that statements begin with which a session runs beside those that read.
var runs = []string{"create", "drop", "insert", "alter"}

// Exec implements tables.Session. It does not know how many rows a statement changed.
func (s *Session) Exec(ctx context.Context, statement string) (int64, error) {
	m := first.FindStringSubmatch(statement)
	if word := strings.ToLower(m[len(m)-1]); !slices.Contains(runs, word) {
		if err := reading.Check(statement); err != nil {
			return 0, err
		}
	} else if err := reading.Within(statement); err != nil {
		return 0, err
	}
	return 0, s.Refused(s.Run(ctx, statement))
}

// taken is an error of whoever takes rows.
type taken struct{ error }

// Rows implements tables.Session.
func (s *Session) Rows(ctx context.Context, statement string, row func([]any) error) error {
	if err := reading.Check(statement); err != nil {
		return err
	}
	err := s.Read(ctx, statement, func(types []string, values []any) error {
		out := make([]any, len(values))
		for i, v := range values {
			var err error
			if out[i], err = plain(types[i], v); err != nil {
				return err
			}
		}
		if err := row(out); err != nil {
			return taken{err}
		}
		return nil
	})
	var t taken
	if errors.As(err, &t) {
		return t.error
	}
	return s.Refused(err)
}

// plain is a value of an answer in one of the types of tables.Session.
func plain(typ string, v any) (any, error) {
	switch x := v.(type) {
	case json.Number:
		if strings.Contains(typ, "Float") {
			return strconv.ParseFloat(x.String(), 64)
		}
		if n, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return n, nil
		}
		return x.String(), nil
	case time.Time:
		return x.UTC(), nil
	case []any, map[string]any:
		b, err := json.Marshal(x)
		if err != nil {
			return nil, warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("write a value: %w", err))
		}
		return string(b), nil
	}
	return v, nil
}

// Moment is a value of an answer of a type that holds times, in a zone where the type has
// none, as a time. What is none stays as it is.
func Moment(typ string, v any, zone *time.Location) any {
	s, ok := v.(string)
	switch {
	case !ok:
	case typ == "Date" || typ == "Date32":
		if t, err := time.Parse(time.DateOnly, s); err == nil {
			return t
		}
	case strings.HasPrefix(typ, "DateTime"):
		if parts := strings.Split(typ, "'"); len(parts) == 3 {
			if z, err := time.LoadLocation(parts[1]); err == nil {
				zone = z
			}
		}
		if t, err := time.ParseInLocation("2006-01-02 15:04:05.999999999", s, zone); err == nil {
			return t
		}
	}
	return v
}

// Tx implements tables.Session: there are none, see tables.Syntax.
func (s *Session) Tx(context.Context, func(tables.Session) error) error {
	return fault.New(fault.Internal, "ClickHouse has no transactions.")
}

// Close implements tables.Session.
func (s *Session) Close() error { return nil }
