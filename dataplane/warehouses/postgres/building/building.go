// Package building is sessions on tables of a Postgres database: what SQL has to look
// like there, and statements each in a transaction of its own, so that a pooler may lie
// before the server.
package building

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

// Dialect is that of Postgres.
type Dialect struct{}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Quote implements tables.Dialect.
func (Dialect) Quote(name string) string { return quote(name) }

// Text implements tables.Dialect. Sessions have standard_conforming_strings.
func (Dialect) Text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Work implements tables.Dialect: a table of the schema and not a temporary one, which
// a pooler that gives each transaction another session would lose. Without statistics
// joins take the wrong way.
func (Dialect) Work(name, query string) []string {
	return []string{"drop table if exists " + quote(name), "create unlogged table " + quote(name) + " as " + query, "analyze " + quote(name)}
}

// Analyze implements tables.Dialect.
func (Dialect) Analyze(table string) []string { return []string{"analyze " + table} }

// Index implements tables.Dialect.
func (Dialect) Index(name, table string, unique bool, columns ...string) []string {
	kind := "index"
	if unique {
		kind = "unique index"
	}
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote(c)
	}
	return []string{"create " + kind + " if not exists " + quote(name) + " on " + table + " (" + strings.Join(quoted, ", ") + ")"}
}

// Syntax implements tables.Basics.
func (Dialect) Syntax() tables.Syntax { return tables.Standard }

// Latest implements tables.Dialect.
func (Dialect) Latest(x, at, id, cond string) string {
	return fmt.Sprintf(`(array_agg(%s order by %s desc, %s collate "C" desc) filter (where %s))[1]`, x, at, id, cond)
}

// Earliest implements tables.Dialect.
func (Dialect) Earliest(x, at, id, cond string) string {
	return fmt.Sprintf(`(array_agg(%s order by %s, %s collate "C") filter (where %s))[1]`, x, at, id, cond)
}

// Binary implements tables.Dialect.
func (Dialect) Binary(x string) string { return x + ` collate "C"` }

// Number implements tables.Dialect.
func (Dialect) Number(x string) string {
	return fmt.Sprintf(`(case when (%[1]s)::text ~ '^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?\s*$' then (%[1]s)::text::double precision end)`, x)
}

// Session is a session. Each statement outside of Tx is a transaction.
type Session struct {
	Begin   func(ctx context.Context) (pgx.Tx, error) // in the session's schema, by UTC
	Failed  func(error) error                         // gives an error of the driver its code; nil for nil
	Refused func(error) error                         // the same for what the server says against a statement

	tx pgx.Tx // nil: outside of Tx
}

// do runs one statement's use in the transaction that there is, or in its own.
func (s *Session) do(ctx context.Context, use func(pgx.Tx) error) error {
	if s.tx != nil {
		return use(s.tx)
	}
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	if err := use(tx); err != nil {
		return err
	}
	return s.Failed(tx.Commit(ctx))
}

// Exec implements tables.Session.
func (s *Session) Exec(ctx context.Context, sql string) (rows int64, err error) {
	if transactional(sql) {
		return 0, warehouse.Fail(warehouse.CodeFailed, fault.New(fault.Invalid, "A statement may not begin or end a transaction."))
	}
	err = s.do(ctx, func(tx pgx.Tx) error {
		found, err := tx.Query(ctx, sql) // one statement, by the extended protocol
		if err != nil {
			return s.Refused(err)
		}
		found.Close()
		rows = found.CommandTag().RowsAffected()
		return s.Refused(found.Err())
	})
	return rows, err
}

// transactional says whether a statement begins or ends a transaction.
func transactional(sql string) bool {
	word := strings.ToLower(leadingComments.ReplaceAllLiteralString(sql, ""))
	if i := strings.IndexFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		word = word[:i]
	}
	switch word {
	case "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "prepare":
		return true
	}
	return false
}

// leadingComments is what may come before a statement; comments within comments are
// refused by the server, as they end earlier here.
var leadingComments = regexp.MustCompile(`^(\s|;|--[^\n]*(\n|$)|(?s:/\*.*\*/))*`)

// Rows implements tables.Session.
func (s *Session) Rows(ctx context.Context, sql string, row func([]any) error) error {
	if transactional(sql) {
		return warehouse.Fail(warehouse.CodeFailed, fault.New(fault.Invalid, "A statement may not begin or end a transaction."))
	}
	return s.do(ctx, func(tx pgx.Tx) error {
		found, err := tx.Query(ctx, sql)
		if err != nil {
			return s.Refused(err)
		}
		defer found.Close()
		fields := found.FieldDescriptions()
		for found.Next() {
			values := make([]any, len(fields))
			for i, raw := range found.RawValues() {
				if values[i], err = plain(fields[i].DataTypeOID, raw); err != nil {
					return warehouse.Fail(warehouse.CodeFailed, err)
				}
			}
			if err := row(values); err != nil {
				return err
			}
		}
		return s.Refused(found.Err())
	})
}

// plain is a value, in the text that the server writes, in one of the types of
// tables.Session.
func plain(oid uint32, raw []byte) (any, error) {
	if raw == nil {
		return nil, nil
	}
	s := string(raw)
	switch oid {
	case pgtype.BoolOID:
		return s == "t", nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.NumericOID:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
	case pgtype.Float4OID, pgtype.Float8OID:
		return strconv.ParseFloat(s, 64)
	case pgtype.TimestamptzOID:
		return moment("2006-01-02 15:04:05.999999Z07", s), nil
	case pgtype.TimestampOID:
		return moment("2006-01-02 15:04:05.999999", s), nil
	case pgtype.DateOID:
		return moment("2006-01-02", s), nil
	}
	return s, nil
}

// moment is a time in UTC; one that Go does not read, such as infinity, stays its text.
func moment(layout, s string) any {
	t, err := time.Parse(layout, s)
	if err != nil {
		return s
	}
	return t.UTC()
}

// Tx implements tables.Session.
func (s *Session) Tx(ctx context.Context, do func(tables.Session) error) error {
	if s.tx != nil {
		return fault.New(fault.Internal, "A transaction was begun within one.")
	}
	return s.do(ctx, func(tx pgx.Tx) error {
		return do(&Session{Begin: s.Begin, Failed: s.Failed, Refused: s.Refused, tx: tx})
	})
}

// Close implements tables.Session. The connection stays.
func (s *Session) Close() error { return nil }
