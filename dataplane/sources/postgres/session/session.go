// Package session is a connection to a Postgres server. What the server says of errors stays
// here: a failure has a sentence of Weir's own, with the statement that grants a right which
// is missing.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/text"
	"weir/dataplane/warehouse/trust"
)

// Times of sessions, and how large one row may be.
const (
	connectTime   = 10 * time.Second
	statementTime = 110 * time.Second
	closeTime     = time.Second
	maxRow        = 64 << 20
)

// Session is a connection, in a transaction where it reads tables.
type Session struct {
	Conn     *pgconn.PgConn
	Schema   string // of tables that are named without one
	Plain    bool   // values of all types are read as they are
	database string
	bases    map[string]string // by type of a column: the name of its base type, of arrays [] and that of their elements
}

// Server is one, with who signs in.
type Server struct {
	Host     string
	Port     uint16
	Database string
	Schema   string // of tables that are named without one
	User     string
	Password string
	TLS      trust.TLS
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// Dial signs in, with parameters of the session.
func Dial(ctx context.Context, s Server, parameters map[string]string) (*Session, error) {
	protected, err := s.TLS.Config()
	if err != nil {
		return nil, err // Check refuses it
	}
	// Only typed fields count: this text gives the form of a configuration, not its content.
	c, err := pgconn.ParseConfig("host=localhost port=5432 user=none database=none sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.Database, c.User, c.Password = s.Host, s.Port, s.Database, s.User, s.Password
	c.Fallbacks, c.TLSConfig, c.ConnectTimeout = nil, protected, connectTime
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) { return s.Dial(ctx, network, addr) }
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer resolves
	// Poolers refuse others. Source: ignore_startup_parameters in https://www.pgbouncer.org/config.html
	c.RuntimeParams = map[string]string{"application_name": "weir", "client_encoding": "UTF8"}
	maps.Copy(c.RuntimeParams, parameters)
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxRow)
		return f
	}
	x := &Session{database: s.Database, Schema: s.Schema, bases: map[string]string{}}
	if x.Conn, err = pgconn.ConnectConfig(ctx, c); err != nil {
		return nil, x.Failure(ctx, "", err)
	}
	return x, nil
}

// Begin signs in and begins a transaction that reads; plain: see Session.Plain.
func Begin(ctx context.Context, s Server, plain bool) (*Session, error) {
	x, err := Dial(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	x.Plain = plain
	begin := fmt.Sprintf("begin read only; set local statement_timeout = %d; set local lock_timeout = 15000; set local timezone = 'UTC'; set local datestyle = 'ISO'; "+
		"set local intervalstyle = 'iso_8601'; set local extra_float_digits = 3; set local bytea_output = 'hex'; set local standard_conforming_strings = on", statementTime.Milliseconds())
	if err := x.Conn.Exec(ctx, begin).Close(); err != nil {
		x.Close()
		return nil, x.Failure(ctx, "", err)
	}
	return x, nil
}

// Control signs in for statements that are each a transaction of their own. Values of all
// types are read as they are.
func Control(ctx context.Context, s Server) (*Session, error) {
	x, err := Dial(ctx, s, Forms(map[string]string{"statement_timeout": strconv.FormatInt(statementTime.Milliseconds(), 10), "lock_timeout": "15000", "default_transaction_isolation": "read committed"}))
	if err == nil {
		x.Plain = true
	}
	return x, err
}

// Forms adds how values are written.
func Forms(parameters map[string]string) map[string]string {
	for name, value := range map[string]string{
		"timezone": "UTC", "datestyle": "ISO", "intervalstyle": "iso_8601", "extra_float_digits": "3", "bytea_output": "hex", "standard_conforming_strings": "on",
	} {
		parameters[name] = value
	}
	return parameters
}

// Close implements tables.Session.
func (x *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = x.Conn.Close(ctx) // it only read
}

// Query calls each with rows of a statement, as texts.
func (x *Session) Query(ctx context.Context, name, statement string, args []string, each func([][]byte) error) error {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	rows := x.Conn.ExecParams(ctx, statement, values, nil, nil, nil)
	for rows.NextRow() {
		if err := each(rows.Values()); err != nil {
			return err // the connection is closed with what is left of the answer
		}
	}
	_, err := rows.Close()
	return x.Failure(ctx, name, err)
}

// Now implements tables.Session.
func (x *Session) Now(ctx context.Context) (now time.Time, err error) {
	ok := false
	err = x.Query(ctx, "", "select clock_timestamp()", nil, func(row [][]byte) error {
		now, ok = text.Moment(string(row[0]))
		return nil
	})
	if err == nil && !ok {
		err = &pull.Failure{Code: pull.CodeAnswer, Text: "The server's time cannot be read."}
	}
	return now, err
}

// Table implements tables.Session.
func (x *Session) Table(ctx context.Context, name string) (*tables.Table, error) {
	schema, table := x.Schema, name
	if before, after, ok := strings.Cut(name, "."); ok {
		schema, table = before, after
	}
	t := &tables.Table{Name: text.Quote(schema) + "." + text.Quote(table)}
	var oid, user string
	usage, reads := false, false
	err := x.Query(ctx, name, `select c.oid, current_user, has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT')
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')`, []string{schema, table}, func(row [][]byte) error {
		oid, user, usage, reads = string(row[0]), string(row[1]), string(row[2]) == "t", string(row[3]) == "t"
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case oid == "":
		return nil, &pull.Failure{Code: pull.CodeNoStream, Text: "There is no table " + t.Name + ": correct the setting tables."}
	case !usage:
		return nil, &pull.Failure{Code: pull.CodeRefused, Text: "The user may not use the schema. Run: GRANT USAGE ON SCHEMA " + text.Quote(schema) + " TO " + text.Quote(user) + ";"}
	}
	err = x.Query(ctx, name, `select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), `+BaseOf+`, a.attnotnull
		from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid `+JoinBase+`
		where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped and has_column_privilege(a.attrelid, a.attnum, 'SELECT') order by a.attnum`, []string{oid}, func(row [][]byte) error {
		t.Columns = append(t.Columns, x.Column(string(row[0]), string(row[1]), string(row[2]), string(row[3]), string(row[4]), string(row[5]) == "t"))
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(t.Columns) == 0 && !reads:
		return nil, &pull.Failure{Code: pull.CodeRefused, Text: "The user may not read the table. Run: GRANT SELECT ON " + t.Name + " TO " + text.Quote(user) + ";"}
	}
	return t, x.Query(ctx, name, `select a.attname from pg_catalog.pg_index i cross join lateral unnest(i.indkey) with ordinality as k (n, place)
		join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n
		where i.indrelid = $1::oid and i.indisprimary and k.place <= i.indnkeyatts order by k.place`, []string{oid}, func(row [][]byte) error {
		t.Key = append(t.Key, string(row[0]))
		return nil
	})
}

// BaseOf is the name and category of a type's base type, and the name of its elements',
// where t is the type, with JoinBase.
const (
	BaseOf   = "coalesce(b.typname, t.typname), coalesce(b.typcategory, t.typcategory), coalesce(e.typname, '')"
	JoinBase = "left join pg_catalog.pg_type b on b.oid = nullif(t.typbasetype, 0) left join pg_catalog.pg_type e on e.oid = nullif(coalesce(b.typelem, t.typelem), 0)"
)

// dialect is Postgres's.
func (x *Session) dialect() tables.Dialect {
	d := dialect
	if x.Plain {
		d.Read = func(c tables.Column) string { return text.Quote(c.Name) }
	}
	return d
}

var dialect = tables.Dialect{
	Quote: text.Quote,
	Value: func(n int, c tables.Column, position string) (string, any, error) {
		return fmt.Sprintf("$%d::%s", n, c.Type), position, nil
	},
	Read: func(c tables.Column) string {
		if c.Apart { // arrays and the like
			return "to_jsonb(" + text.Quote(c.Name) + ")"
		}
		return text.Quote(c.Name)
	},
}

// Rows implements tables.Session.
func (x *Session) Rows(ctx context.Context, q tables.Query, each func([][]byte) error) error {
	statement, args, err := x.dialect().Statement(q)
	if err != nil {
		return err
	}
	values := make([]string, len(args))
	for i, a := range args {
		values[i], _ = a.(string)
	}
	return x.Query(ctx, q.Table.Name, statement, values, each)
}

// Greatest implements tables.Session.
func (x *Session) Greatest(ctx context.Context, t *tables.Table, c tables.Column) (greatest string, err error) {
	err = x.Query(ctx, t.Name, x.dialect().Greatest(t, c), nil, func(row [][]byte) error {
		greatest = string(row[0])
		return nil
	})
	return greatest, err
}

// Failure is an error of the driver as a Failure; name is the table's.
// Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
func (x *Session) Failure(ctx context.Context, name string, err error) error {
	var p *pgconn.PgError
	var large *pgproto3.ExceededMaxBodyLenErr
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &large):
		return &pull.Failure{Code: pull.CodeAnswer, Text: fmt.Sprintf("A row of %s has more than %d MiB.", name, maxRow>>20)}
	case !errors.As(err, &p) && strings.Contains(err.Error(), "refused TLS"):
		return &pull.Failure{Code: pull.CodeRefused, Text: "The server has no TLS: let it have a certificate, or set sslMode to disable."}
	case p == nil || len(p.Code) != 5:
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "The server cannot be reached, or ended the connection: check host, port, sslMode and what the network lets through."}
	}
	unreachable := &pull.Failure{Code: pull.CodeUnreachable, Text: "The server takes no statement now (state " + p.Code + ")."}
	switch {
	case p.Code[:2] == "28", p.Code == "08P01" && strings.Contains(p.Message, "authentication failed"): // the latter is a pooler's
		return &pull.Failure{Code: pull.CodeReauthorize, Text: "The server refuses the sign-in (state " + p.Code + "): check the user, the password, and from where the user may sign in."}
	case p.Code == "3D000":
		return &pull.Failure{Code: pull.CodeRefused, Text: "There is no database " + text.Quote(x.database) + ": correct the setting database."}
	case p.Code == "42501" && name == "":
		return &pull.Failure{Code: pull.CodeRefused, Text: "The user may not connect. Grant it: GRANT CONNECT ON DATABASE " + text.Quote(x.database) + " TO the user."}
	case p.Code == "42501":
		return &pull.Failure{Code: pull.CodeRefused, Text: "The user may not read " + name + ", or what it reads itself: grant it SELECT."}
	case p.Code == "42P01":
		return &pull.Failure{Code: pull.CodeNoStream, Text: "There is no table " + name + ": correct the setting tables."}
	case p.Code == "42703":
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "A column of " + name + " went while it was read."}
	case p.Code == "57014":
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "The rows of " + name + " were not read in time: have an index on the column that rises."}
	case strings.Contains("08 40 53 55 57 58", p.Code[:2]):
		return unreachable
	}
	return &pull.Failure{Code: pull.CodeRefused, Text: "The server refuses to read " + name + " (state " + p.Code + " of Postgres)."}
}

// Snapshot asks for the transactions that go on.
func (x *Session) Snapshot(ctx context.Context) (s text.Snapshot, err error) {
	ok := false
	err = x.Query(ctx, "", "select pg_current_snapshot()", nil, func(row [][]byte) error {
		s, ok = text.ReadSnapshot(string(row[0]))
		return nil
	})
	if err == nil && !ok {
		err = &pull.Failure{Code: pull.CodeAnswer, Text: "The server does not say which transactions go on."}
	}
	return s, err
}

// Quiet runs a statement without rows.
func (x *Session) Quiet(ctx context.Context, name, text string, args ...string) error {
	return x.Query(ctx, name, text, args, func([][]byte) error { return nil })
}

// Knows reports whether the type of a column is known, by its number.
func (x *Session) Knows(typ string) bool { _, there := x.bases[typ]; return there }
