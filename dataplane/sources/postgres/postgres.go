// Package postgres pulls rows of tables of Postgres databases: by a column that rises, or
// by logical replication. What servers say of errors stays here: a failure has a sentence
// of Weir's own, with the statement that grants a right which is missing.
//
// By a column, each step is one transaction that only reads, so a pooler may lie before the
// server.
//
// By logical replication, the server keeps its changes in a slot from a position on. Then
// each table is copied in ranges of its key, and the changes are read from that position
// on: the copy of a row is followed by all that happened to it meanwhile, in order, and
// ends as the last of them says. What is copied is never older than what was read of the
// changes before, because changes are emitted only when other transactions see them. The
// server may forget a change when its record is durable and the cursor has moved; not
// before. A change has its position as version, so one that is read again is a duplicate.
package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/text"
	"weir/dataplane/warehouse/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind postgres.
var Kind = pull.Define(spec, open)

// Times of sessions, and how large one row may be.
const (
	connectTime   = 10 * time.Second
	statementTime = 110 * time.Second
	closeTime     = time.Second
	maxRow        = 64 << 20
)

func open(s Settings, d pull.Deps) pull.Puller {
	if s.Replication == logical {
		return newReplica(s, d)
	}
	c := tables.Config{Tables: s.Tables, Keys: s.Keys, Deleted: s.Deleted, Overlap: s.Overlap.Std()}
	return tables.New(c, d, func(ctx context.Context) (tables.Session, error) { return connect(ctx, s, d, false) })
}

// logical is the setting Replication of replicas.
const logical = "logical"

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert, Cert: s.SSLCert, Key: s.Secrets.SSLKey.Reveal()}
}

// Check lists what is wrong with the certificates.
func (s *Settings) Check() []fault.Problem { return s.tls().Problems() }

// session is a connection, in a transaction where it reads tables.
type session struct {
	conn             *pgconn.PgConn
	database, schema string
	plain            bool              // values of all types are read as they are
	bases            map[string]string // by type of a column: the name of its base type, of arrays [] and that of their elements
}

// dial signs in, with parameters of the session.
func dial(ctx context.Context, s Settings, d pull.Deps, parameters map[string]string) (*session, error) {
	protected, err := s.tls().Config()
	if err != nil {
		return nil, err // Check refuses it
	}
	// Only typed fields count: this text gives the form of a configuration, not its content.
	c, err := pgconn.ParseConfig("host=localhost port=5432 user=none database=none sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.Database, c.User, c.Password = s.Host, uint16(s.Port), s.Database, s.User, s.Secrets.Password.Reveal()
	c.Fallbacks, c.TLSConfig, c.ConnectTimeout = nil, protected, connectTime
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) { return d.Dial(ctx, network, addr) }
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer resolves
	// Poolers refuse others. Source: ignore_startup_parameters in https://www.pgbouncer.org/config.html
	c.RuntimeParams = map[string]string{"application_name": "weir", "client_encoding": "UTF8"}
	maps.Copy(c.RuntimeParams, parameters)
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxRow)
		return f
	}
	x := &session{database: s.Database, schema: s.Schema, bases: map[string]string{}}
	if x.conn, err = pgconn.ConnectConfig(ctx, c); err != nil {
		return nil, x.failure(ctx, "", err)
	}
	return x, nil
}

// connect signs in and begins a transaction that reads; plain: see session.
func connect(ctx context.Context, s Settings, d pull.Deps, plain bool) (*session, error) {
	x, err := dial(ctx, s, d, nil)
	if err != nil {
		return nil, err
	}
	x.plain = plain
	begin := fmt.Sprintf("begin read only; set local statement_timeout = %d; set local lock_timeout = 15000; set local timezone = 'UTC'; set local datestyle = 'ISO'; "+
		"set local intervalstyle = 'iso_8601'; set local extra_float_digits = 3; set local bytea_output = 'hex'; set local standard_conforming_strings = on", statementTime.Milliseconds())
	if err := x.conn.Exec(ctx, begin).Close(); err != nil {
		x.Close()
		return nil, x.failure(ctx, "", err)
	}
	return x, nil
}

// Close implements tables.Session.
func (x *session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = x.conn.Close(ctx) // it only read
}

// query calls each with rows of a statement, as texts.
func (x *session) query(ctx context.Context, name, statement string, args []string, each func([][]byte) error) error {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	rows := x.conn.ExecParams(ctx, statement, values, nil, nil, nil)
	for rows.NextRow() {
		if err := each(rows.Values()); err != nil {
			return err // the connection is closed with what is left of the answer
		}
	}
	_, err := rows.Close()
	return x.failure(ctx, name, err)
}

// Now implements tables.Session.
func (x *session) Now(ctx context.Context) (now time.Time, err error) {
	ok := false
	err = x.query(ctx, "", "select clock_timestamp()", nil, func(row [][]byte) error {
		now, ok = text.Moment(string(row[0]))
		return nil
	})
	if err == nil && !ok {
		err = &pull.Failure{Code: pull.CodeAnswer, Text: "The server's time cannot be read."}
	}
	return now, err
}

// Table implements tables.Session.
func (x *session) Table(ctx context.Context, name string) (*tables.Table, error) {
	schema, table := x.schema, name
	if before, after, ok := strings.Cut(name, "."); ok {
		schema, table = before, after
	}
	t := &tables.Table{Name: quote(schema) + "." + quote(table)}
	var oid, user string
	usage, reads := false, false
	err := x.query(ctx, name, `select c.oid, current_user, has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT')
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
		return nil, &pull.Failure{Code: pull.CodeRefused, Text: "The user may not use the schema. Run: GRANT USAGE ON SCHEMA " + quote(schema) + " TO " + quote(user) + ";"}
	}
	err = x.query(ctx, name, `select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), `+baseOf+`, a.attnotnull
		from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid `+joinBase+`
		where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped and has_column_privilege(a.attrelid, a.attnum, 'SELECT') order by a.attnum`, []string{oid}, func(row [][]byte) error {
		t.Columns = append(t.Columns, x.column(string(row[0]), string(row[1]), string(row[2]), string(row[3]), string(row[4]), string(row[5]) == "t"))
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(t.Columns) == 0 && !reads:
		return nil, &pull.Failure{Code: pull.CodeRefused, Text: "The user may not read the table. Run: GRANT SELECT ON " + t.Name + " TO " + quote(user) + ";"}
	}
	return t, x.query(ctx, name, `select a.attname from pg_catalog.pg_index i cross join lateral unnest(i.indkey) with ordinality as k (n, place)
		join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n
		where i.indrelid = $1::oid and i.indisprimary and k.place <= i.indnkeyatts order by k.place`, []string{oid}, func(row [][]byte) error {
		t.Key = append(t.Key, string(row[0]))
		return nil
	})
}

// baseOf is the name and category of a type's base type, and the name of its elements',
// where t is the type, with joinBase.
const (
	baseOf   = "coalesce(b.typname, t.typname), coalesce(b.typcategory, t.typcategory), coalesce(e.typname, '')"
	joinBase = "left join pg_catalog.pg_type b on b.oid = nullif(t.typbasetype, 0) left join pg_catalog.pg_type e on e.oid = nullif(coalesce(b.typelem, t.typelem), 0)"
)

// dialect is Postgres's.
func (x *session) dialect() tables.Dialect {
	d := dialect
	if x.plain {
		d.Read = func(c tables.Column) string { return quote(c.Name) }
	}
	return d
}

var dialect = tables.Dialect{
	Quote: quote,
	Value: func(n int, c tables.Column, position string) (string, any, error) {
		return fmt.Sprintf("$%d::%s", n, c.Type), position, nil
	},
	Read: func(c tables.Column) string {
		if c.Apart { // arrays and the like
			return "to_jsonb(" + quote(c.Name) + ")"
		}
		return quote(c.Name)
	},
}

// Rows implements tables.Session.
func (x *session) Rows(ctx context.Context, q tables.Query, each func([][]byte) error) error {
	statement, args, err := x.dialect().Statement(q)
	if err != nil {
		return err
	}
	values := make([]string, len(args))
	for i, a := range args {
		values[i], _ = a.(string)
	}
	return x.query(ctx, q.Table.Name, statement, values, each)
}

// Greatest implements tables.Session.
func (x *session) Greatest(ctx context.Context, t *tables.Table, c tables.Column) (greatest string, err error) {
	err = x.query(ctx, t.Name, x.dialect().Greatest(t, c), nil, func(row [][]byte) error {
		greatest = string(row[0])
		return nil
	})
	return greatest, err
}

// failure is an error of the driver as a Failure; name is the table's.
// Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
func (x *session) failure(ctx context.Context, name string, err error) error {
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
		return &pull.Failure{Code: pull.CodeRefused, Text: "There is no database " + quote(x.database) + ": correct the setting database."}
	case p.Code == "42501" && name == "":
		return &pull.Failure{Code: pull.CodeRefused, Text: "The user may not connect. Grant it: GRANT CONNECT ON DATABASE " + quote(x.database) + " TO the user."}
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

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
