// Package postgrestable keeps rows of a table of any Postgres database: a batch is one
// transaction, in which the rows of one kind are one statement. Names of columns are quoted,
// and values are parameters, as JSON, which the server makes values of the columns' types.
// What the server refuses because of a row is found by halves, so that the others are written.
//
// Sources: https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT,
// https://www.postgresql.org/docs/current/functions-json.html (json_populate_recordset).
package postgrestable

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/dataplane/destination"
	"weir/dataplane/destination/address"
	"weir/dataplane/warehouse/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind postgres-table.
var Kind = destination.DefineSink(spec, open)

// codeUnsupported is what this kind shares with others.
const codeUnsupported = "unsupported_event"

// Times of a connection.
const (
	connectTime = 10 * time.Second
	lockTime    = 15 * time.Second
	closeTime   = time.Second
)

// sink is an open destination.
type sink struct {
	settings Settings
	config   *pgx.ConnConfig

	mu   sync.Mutex // one batch at a time
	conn *pgx.Conn  // nil: none
}

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert, Cert: s.SSLCert, Key: s.Secrets.SSLKey.Reveal()}
}

// Check lists what is wrong with the certificates, and refuses schemas of Postgres and of
// Weir.
func (s *Settings) Check() []fault.Problem {
	all := s.tls().Problems()
	if ownSchema(s.Schema) {
		all = append(all, fault.Problem{Path: "settings.schema", Code: "not_allowed", Text: "The schema " + s.Schema + " is one of Postgres or of Weir: choose another."})
	}
	return all
}

// ownSchema reports whether a schema is one that nobody keeps tables of their own in.
func ownSchema(name string) bool {
	return name == "information_schema" || strings.HasPrefix(name, "pg_") || strings.HasPrefix(name, "weir_")
}

func open(_ context.Context, s Settings, d destination.Deps) (destination.Sink, error) {
	protected, err := s.tls().Config()
	if err != nil {
		return nil, err // Check refuses it
	}
	// Only typed fields count: this text gives the form of a configuration, not its content.
	c, err := pgx.ParseConfig("host=localhost port=5432 user=none database=none sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.Database, c.User, c.Password = s.Host, uint16(s.Port), s.Database, s.User, s.Secrets.Password.Reveal()
	c.Fallbacks, c.TLSConfig, c.ConnectTimeout = nil, protected, connectTime
	to := address.HostPort(net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))), s.BaseURL)
	c.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) { return d.Dial(ctx, network, to) }
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer resolves
	// Poolers refuse others. Source: ignore_startup_parameters in https://www.pgbouncer.org/config.html
	c.RuntimeParams = map[string]string{"application_name": "weir", "client_encoding": "UTF8"}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.StatementCacheCapacity, c.DescriptionCacheCapacity = 0, 0
	return &sink{settings: s, config: c}, nil
}

// connection returns the connection, a new one where there is none; mu is held.
func (s *sink) connection(ctx context.Context) (*pgx.Conn, error) {
	if s.conn != nil && !s.conn.IsClosed() {
		return s.conn, nil
	}
	conn, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return conn, nil
}

// drop ends the connection; mu is held.
func (s *sink) drop() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = s.conn.Close(ctx) // what counts is committed
	s.conn = nil
}

// begin begins a transaction.
func (s *sink) begin(ctx context.Context, conn *pgx.Conn) (pgx.Tx, error) {
	q := fmt.Sprintf("begin; set local statement_timeout = %d; set local lock_timeout = %d; set local timezone = 'UTC'; set local datestyle = 'ISO'; set local standard_conforming_strings = on",
		s.settings.Timeout.Std().Milliseconds(), lockTime.Milliseconds())
	return conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: q})
}

// Write writes the batch in one transaction. Rows that are refused for what they are do not
// hold up the others; for any other reason none is written.
func (s *sink) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	verdicts := make([]destination.Verdict, len(b.Items))
	var rows []*row
	for i := range b.Items {
		verdicts[i] = destination.Verdict{Item: i, Outcome: destination.Delivered}
		r, v := read(i, &b.Items[i])
		if v.Outcome != 0 {
			v.Item = i
			verdicts[i] = v
			continue
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return verdicts, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(ctx, rows, verdicts)
	var p *pgconn.PgError
	if err == nil {
		return verdicts, nil
	}
	s.drop()
	if ctx.Err() != nil || !errors.As(err, &p) {
		return nil, err
	}
	v := ofServer(p)
	for _, r := range rows {
		verdicts[r.item] = v
		verdicts[r.item].Item = r.item
	}
	return verdicts, nil
}

// write writes rows, and sets the verdicts of those that are refused for what they are.
func (s *sink) write(ctx context.Context, rows []*row, verdicts []destination.Verdict) error {
	conn, err := s.connection(ctx)
	if err != nil {
		return err
	}
	tx, err := s.begin(ctx, conn)
	if err != nil {
		return err
	}
	to, v, err := describe(ctx, tx, s.settings.Schema, s.settings.Table)
	if err == nil && v.Outcome == 0 {
		err = to.apply(ctx, tx, rows, func(r *row, v destination.Verdict) {
			verdicts[r.item] = v
			verdicts[r.item].Item = r.item
		})
	}
	if err != nil {
		return err // the connection is closed, and with it the transaction
	}
	if v.Outcome != 0 {
		for _, r := range rows {
			verdicts[r.item] = v
			verdicts[r.item].Item = r.item
		}
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

// Test signs in, and looks whether the table is one that can be written.
func (s *sink) Test(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.drop()
	conn, err := s.connection(ctx)
	if err == nil {
		var tx pgx.Tx
		if tx, err = s.begin(ctx, conn); err == nil {
			var v destination.Verdict
			if _, v, err = describe(ctx, tx, s.settings.Schema, s.settings.Table); err == nil && v.Outcome != 0 {
				return fmt.Errorf("%s: %s", v.Code, v.Detail)
			}
		}
	}
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return errors.New(ofServer(p).Code) // the text may quote what was sent
	}
	return err
}

// Close ends the connection.
func (s *sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	return nil
}

// Preview returns the rows of a batch as requests: what is done as method, the table as
// address, and the columns as body.
func (s *sink) Preview(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	for i := range b.Items {
		r, v := read(i, &b.Items[i])
		if v.Outcome != 0 {
			v.Item = i
			verdicts = append(verdicts, v)
			continue
		}
		body, _ := json.Marshal(r.columns) // texts and JSON always encode
		reqs = append(reqs, destination.Request{
			Method: strings.ToUpper(r.do), URL: "postgres://" + net.JoinHostPort(s.settings.Host, strconv.Itoa(int(s.settings.Port))) + "/" + s.settings.Database + "/" + s.settings.Schema + "." + s.settings.Table,
			Body: body, Items: []int{i},
		})
	}
	return reqs, verdicts
}

// ofServer is what an error of the server means that is about all rows.
// Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
func ofServer(p *pgconn.PgError) destination.Verdict {
	v := destination.Verdict{Outcome: destination.Retry, Code: CodeNotTaken, Detail: "The state of the error is " + p.Code + "."}
	switch {
	case strings.HasPrefix(p.Code, "28"), p.Code == "3D000", p.Code == "08P01" && strings.Contains(p.Message, "authentication failed"): // the latter is a pooler's
		v.Code = CodeSignIn
	case p.Code == "42501":
		v.Code = CodeDenied
	case p.Code == "42P01" || p.Code == "3F000":
		v.Code = CodeNoTable
	}
	return v
}
