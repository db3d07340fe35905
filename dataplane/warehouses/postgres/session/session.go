// Package session connects to a Postgres server, directly or by way of a pooler, and
// begins transactions.
//
// A pooler may give each transaction another session of the server, and keep sessions
// for others. So a connection asks for nothing when it starts that poolers refuse, has
// no named statements, and sets what it needs for each transaction alone. Whoever
// uses it leaves nothing in a session: locks and temporary tables end with their
// transaction.
package session

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config says where a server is, and who signs in.
type Config struct {
	Host, Database, User, Password string
	Port                           uint16
	TLS                            *tls.Config // nil: without
	Dial                           func(ctx context.Context, network, addr string) (net.Conn, error)
}

// connectTime is how long signing in may take.
const connectTime = 10 * time.Second

// Open connects. Errors are the driver's.
func Open(ctx context.Context, c Config) (*pgx.Conn, error) {
	// Only typed fields count: this text gives the form of a configuration, not its content.
	p, err := pgx.ParseConfig("host=localhost port=5432 user=none database=none sslmode=disable")
	if err != nil {
		return nil, err
	}
	p.Host, p.Port, p.Database, p.User, p.Password = c.Host, c.Port, c.Database, c.User, c.Password
	p.Fallbacks = nil
	p.TLSConfig = c.TLS
	p.ConnectTimeout = connectTime
	p.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) { return c.Dial(ctx, network, addr) }
	p.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer resolves
	// Poolers refuse others. Source: ignore_startup_parameters in https://www.pgbouncer.org/config.html
	p.RuntimeParams = map[string]string{"application_name": "weir", "client_encoding": "UTF8"}
	p.DefaultQueryExecMode = pgx.QueryExecModeExec
	p.StatementCacheCapacity, p.DescriptionCacheCapacity = 0, 0
	conn, err := pgx.ConnectConfig(ctx, p)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "begin; "+watchClient+"; rollback"); err == nil {
		conn.PgConn().CustomData()[watches] = true
	} else if _, err := conn.Exec(ctx, "rollback"); err != nil {
		_ = conn.Close(ctx) // the error before is what counts
		return nil, err
	}
	return conn, nil
}

// watchClient makes the server end a statement whose client is gone. A request to
// cancel that reaches the server before the statement does is lost, and without this
// the server would work on it for nobody until its statement_timeout. Servers before
// 14 and some systems do not have it. Source:
// https://www.postgresql.org/docs/current/runtime-config-connection.html
const (
	watchClient = "set local client_connection_check_interval = '5s'"
	watches     = "weir.watches" // of a connection's data: the server takes watchClient
)

// Times of a transaction.
const (
	statementTime = 10 * time.Minute
	lockTime      = 15 * time.Second // shorter than a step of a load: others are loaded meanwhile
)

// Transaction is what one transaction needs. Zero values ask for nothing.
type Transaction struct {
	ReadOnly  bool
	Lock      string        // an advisory lock, held until the end
	Schema    string        // names without a schema are of this one
	Statement time.Duration // how long a statement may take; 0: 10 minutes
}

// Begin begins a transaction. After an error the connection is closed.
func Begin(ctx context.Context, conn *pgx.Conn, t Transaction) (pgx.Tx, error) {
	if t.Statement == 0 {
		t.Statement = statementTime
	}
	q := "begin"
	if t.ReadOnly {
		q += " read only"
	}
	set := func(name, value string) { q += "; set local " + name + " = " + value }
	set("statement_timeout", milliseconds(t.Statement))
	set("lock_timeout", milliseconds(lockTime))
	if conn.PgConn().CustomData()[watches] == true {
		q += "; " + watchClient
	}
	set("timezone", "'UTC'")
	set("datestyle", "'ISO'")
	set("standard_conforming_strings", "on")
	if t.Schema != "" {
		set("search_path", Quote(t.Schema))
	}
	if t.Lock != "" {
		q += "; select pg_advisory_xact_lock(hashtextextended(" + literal(t.Lock) + ", 0))"
	}
	if t.ReadOnly { // after a query nobody makes the transaction one that writes
		q += "; select 1"
	}
	return conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: q})
}

// Quote is a name as SQL has it.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// literal is a text as SQL has it, whatever standard_conforming_strings is.
func literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}
