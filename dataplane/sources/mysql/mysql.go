// Package mysql pulls rows of tables of MySQL and MariaDB servers by a column that rises.
// Its sessions are in UTC and only read. What servers say of errors stays here: a failure
// has a sentence of Weir's own, with the statement that grants a right which is missing.
package mysql

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/warehouse/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind mysql.
var Kind = pull.Define(spec, open)

// Times of sessions, and how large one row may be.
const (
	connectTime   = 10 * time.Second
	statementTime = 110 * time.Second
	maxRow        = 64 << 20
)

func open(s Settings, d pull.Deps) pull.Puller {
	c := tables.Config{Tables: s.Tables, Keys: s.Keys, Deleted: s.Deleted, Overlap: s.Overlap.Std()}
	return tables.New(c, d, func(ctx context.Context) (tables.Session, error) { return connect(ctx, s, d) })
}

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert, Cert: s.SSLCert, Key: s.Secrets.SSLKey.Reveal()}
}

// Check lists what is wrong with the certificates.
func (s *Settings) Check() []fault.Problem { return s.tls().Problems() }

// session is a connection.
type session struct {
	db       *sql.DB
	conn     *sql.Conn
	database string
}

func connect(ctx context.Context, s Settings, d pull.Deps) (*session, error) {
	protected, err := s.tls().Config()
	if err != nil {
		return nil, err // Check refuses it
	}
	c := driver.NewConfig()
	c.User, c.Passwd, c.DBName = s.User, s.Secrets.Password.Reveal(), s.Database
	c.Net, c.Addr, c.Timeout = "tcp", net.JoinHostPort(s.Host, strconv.FormatInt(s.Port, 10)), connectTime
	c.TLS, c.Logger, c.DialFunc = protected, &driver.NopLogger{}, d.Dial
	c.InterpolateParams = true // so rows come as texts
	c.MaxAllowedPacket = maxRow
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, &pull.Failure{Code: pull.CodeRefused, Text: "The settings name no server."}
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(-1)
	x := &session{db: db, database: s.Database}
	if x.conn, err = db.Conn(ctx); err != nil {
		_ = db.Close() // there is no connection
		return nil, x.failure(ctx, "", err)
	}
	for _, q := range []string{
		"set session time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', net_write_timeout = 300",
		"set session transaction read only",
	} {
		if _, err := x.conn.ExecContext(ctx, q); err != nil {
			x.Close()
			return nil, x.failure(ctx, "", err)
		}
	}
	// Each server knows one of them.
	_, _ = x.conn.ExecContext(ctx, fmt.Sprintf("set session max_execution_time = %d", statementTime.Milliseconds()))
	_, _ = x.conn.ExecContext(ctx, fmt.Sprintf("set session max_statement_time = %d", int(statementTime.Seconds())))
	return x, nil
}

// Close implements tables.Session.
func (x *session) Close() {
	if x.conn != nil {
		_ = x.conn.Close() // it only read
	}
	_ = x.db.Close()
}

// Now implements tables.Session.
func (x *session) Now(ctx context.Context) (time.Time, error) {
	var text string
	if err := x.conn.QueryRowContext(ctx, "select date_format(utc_timestamp(6), '%Y-%m-%d %H:%i:%s.%f')").Scan(&text); err != nil {
		return time.Time{}, x.failure(ctx, "", err)
	}
	now, ok := moment(text)
	if !ok {
		return time.Time{}, &pull.Failure{Code: pull.CodeAnswer, Text: "The server's time cannot be read."}
	}
	return now, nil
}

// named divides the name of a table that settings have.
func (x *session) named(name string) (database, table string) {
	if database, table, ok := strings.Cut(name, "."); ok {
		return database, table
	}
	return x.database, name
}

// Table implements tables.Session.
func (x *session) Table(ctx context.Context, name string) (*tables.Table, error) {
	database, table := x.named(name)
	t := &tables.Table{Name: quote(database) + "." + quote(table)}
	rows, err := x.conn.QueryContext(ctx, `select column_name, lower(data_type), is_nullable, privileges from information_schema.columns
		where table_schema = ? and table_name = ? order by ordinal_position`, database, table)
	if err != nil {
		return nil, x.failure(ctx, name, err)
	}
	defer func() { _ = rows.Close() }() // it was only read
	for rows.Next() {
		var column, typ, null, may string
		if err := rows.Scan(&column, &typ, &null, &may); err != nil {
			return nil, x.failure(ctx, name, err)
		}
		if strings.Contains(strings.ToLower(may), "select") {
			t.Columns = append(t.Columns, columnOf(column, typ, null == "YES"))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, x.failure(ctx, name, err)
	}
	if len(t.Columns) == 0 { // what the user may not read is not listed
		if _, err := x.conn.ExecContext(ctx, "select 1 from "+t.Name+" limit 0"); err != nil {
			return nil, x.failure(ctx, name, err)
		}
		return nil, x.denied(ctx, name)
	}
	keys, err := x.conn.QueryContext(ctx, `select column_name from information_schema.statistics
		where table_schema = ? and table_name = ? and index_name = 'PRIMARY' order by seq_in_index`, database, table)
	if err != nil {
		return nil, x.failure(ctx, name, err)
	}
	defer func() { _ = keys.Close() }() // it was only read
	for keys.Next() {
		var column string
		if err := keys.Scan(&column); err != nil {
			return nil, x.failure(ctx, name, err)
		}
		t.Key = append(t.Key, column)
	}
	return t, x.failure(ctx, name, keys.Err())
}

// dialect is MySQL's.
var dialect = tables.Dialect{Quote: quote, Value: value, Read: func(c tables.Column) string { return quote(c.Name) }}

// value writes a number into the statement: a text would be compared as one of floating point.
func value(_ int, c tables.Column, position string) (string, any, error) {
	switch {
	case c.Binary:
		b, err := hex.DecodeString(position)
		if err != nil {
			return "", nil, unreadable()
		}
		return "?", b, nil
	case numbers[c.Type]:
		if !number([]byte(position)) {
			return "", nil, unreadable()
		}
		return position, nil, nil
	}
	return "?", position, nil
}

func unreadable() error {
	return &pull.Failure{Code: pull.CodeAnswer, Text: "The state of the stream does not fit its table: reset it."}
}

// Rows implements tables.Session.
func (x *session) Rows(ctx context.Context, q tables.Query, each func([][]byte) error) error {
	text, args, err := dialect.Statement(q)
	if err != nil {
		return err
	}
	rows, err := x.conn.QueryContext(ctx, text, args...)
	if err != nil {
		return x.failure(ctx, q.Table.Name, err)
	}
	defer func() { _ = rows.Close() }() // it was only read
	raw, into, row := make([]sql.RawBytes, len(q.Table.Columns)), make([]any, len(q.Table.Columns)), make([][]byte, len(q.Table.Columns))
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return x.failure(ctx, q.Table.Name, err)
		}
		for i := range raw {
			row[i] = raw[i]
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return x.failure(ctx, q.Table.Name, rows.Err())
}

// Greatest implements tables.Session.
func (x *session) Greatest(ctx context.Context, t *tables.Table, c tables.Column) (string, error) {
	var v []byte
	err := x.conn.QueryRowContext(ctx, dialect.Greatest(t, c)).Scan(&v)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", x.failure(ctx, t.Name, err)
	case c.Binary:
		return hex.EncodeToString(v), nil
	}
	return string(v), nil
}

// failure is an error of the driver as a Failure; name is the table's.
// Source: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html and
// https://mariadb.com/kb/en/mariadb-error-code-reference/
func (x *session) failure(ctx context.Context, name string, err error) error {
	var e *driver.MySQLError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, driver.ErrPktTooLarge):
		return &pull.Failure{Code: pull.CodeAnswer, Text: fmt.Sprintf("A row of %s has more than %d MiB.", name, maxRow>>20)}
	case errors.Is(err, driver.ErrNoTLS):
		return &pull.Failure{Code: pull.CodeRefused, Text: "The server has no TLS: let it have a certificate, or set sslMode to disable."}
	case !errors.As(err, &e):
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "The server cannot be reached, or ended the connection: check host, port, sslMode and what the network lets through."}
	}
	switch e.Number {
	case 1045, 1698, 1130, 1251, 3118, 2059, 1524, 1820, 1862:
		return &pull.Failure{Code: pull.CodeReauthorize, Text: fmt.Sprintf("The server refuses the sign-in (error %d): check the user, the password, and from where the user may sign in.", e.Number)}
	case 1049:
		return &pull.Failure{Code: pull.CodeRefused, Text: "There is no database " + x.database + ": correct the setting database."}
	case 1044:
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The user may not use the database %s. Grant it what it reads there: GRANT SELECT ON %s.* TO the user.", x.database, quote(x.database))}
	case 1142, 1143:
		return x.denied(ctx, name)
	case 1146:
		return &pull.Failure{Code: pull.CodeNoStream, Text: "There is no table " + name + ": correct the setting tables."}
	case 1054:
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "A column of " + name + " went while it was read."}
	case 1040, 1203, 1226, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1836, 3100, 1205, 1213:
		return &pull.Failure{Code: pull.CodeUnreachable, Text: fmt.Sprintf("The server takes no statement now (error %d).", e.Number)}
	case 1969, 3024:
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "The rows of " + name + " were not read in time: have an index on the column that rises."}
	}
	return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The server refuses to read %s (error %d of MySQL).", name, e.Number)}
}

// denied is the failure of a table that the user may not read.
func (x *session) denied(ctx context.Context, name string) error {
	user := "the user"
	if x.conn != nil {
		var account string
		if x.conn.QueryRowContext(ctx, "select current_user()").Scan(&account) == nil {
			if at := strings.LastIndexByte(account, '@'); at >= 0 {
				user = literal(account[:at]) + "@" + literal(account[at+1:])
			}
		}
	}
	if !strings.HasPrefix(name, "`") {
		database, table := x.named(name)
		name = quote(database) + "." + quote(table)
	}
	return &pull.Failure{Code: pull.CodeRefused, Text: "The user may not read the table. Run: GRANT SELECT ON " + name + " TO " + user + ";"}
}

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
