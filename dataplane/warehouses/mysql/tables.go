package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouses/mysql/building"
	"weir/shared/fault"
)

// statementTime is how long a statement of a session may take.
const statementTime = 10 * time.Minute

// killTime is how long it may take to end what the server does for nobody.
const killTime = 5 * time.Second

// Session implements tables.Modelled, on a connection of its own. Only the database of
// loads is there: others need rights of their own.
func (w *connection) Session(ctx context.Context, schema string) (tables.Session, error) {
	if schema != w.database {
		return nil, warehouse.Fail(warehouse.CodeFailed, fault.New(fault.Invalid, "A warehouse in MySQL has tables of its own in its database %s alone.", w.database))
	}
	conn, err := w.connect(ctx, nil)
	if err != nil {
		return nil, err
	}
	limit := fmt.Sprintf("set session max_execution_time = %d", statementTime.Milliseconds())
	if w.server.maria {
		limit = fmt.Sprintf("set session max_statement_time = %d", int(statementTime.Seconds()))
	}
	var id int64
	for _, q := range []string{limit, "set names utf8mb4 collate " + w.server.collation} { // texts that statements make are compared by their bytes
		if err == nil {
			_, err = conn.ExecContext(ctx, q)
		}
	}
	if err == nil {
		_, _ = conn.ExecContext(ctx, "set session innodb_strict_mode = 0") // as loads do, where users may
		err = conn.QueryRowContext(ctx, "select connection_id()").Scan(&id)
	}
	if err != nil {
		_ = conn.Close() // it is of no use
		return nil, failure(warehouse.CodeUnreachable, err)
	}
	return &building.Session{
		Conn:   conn,
		Failed: func(err error) error { return failure(warehouse.CodeFailed, err) },
		Kill: func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
			defer cancel()
			_, _ = w.conn.ExecContext(ctx, fmt.Sprintf("kill %d", id)) // statementTime ends it otherwise
		},
		Refused: w.refusedHere,
	}, nil
}

// refusedHere is refused, but for what passes by itself, and says which right is missing.
func (w *connection) refusedHere(err error) error {
	var e *driver.MySQLError
	if !errors.As(err, &e) {
		return failure(warehouse.CodeFailed, err)
	}
	switch s := errorsByNumber[e.Number]; {
	case s.scope == refusal.Busy && s.code != "":
		return failure(warehouse.CodeFailed, err)
	case s.code == warehouse.CodeAuth:
		return warehouse.Refuse(warehouse.CodeAuth, fmt.Errorf("%w (models and syncs need SELECT of what they read, and SELECT, INSERT, UPDATE, DELETE, CREATE, INDEX and DROP on `%s`.* for their own tables)", err, w.database))
	}
	return refused(err)
}

// Basics implements tables.Modelled.
func (w *connection) Basics() tables.Basics { return building.Basics{Collation: w.server.collation} }

// Home implements tables.Modelled.
func (w *connection) Home() string { return w.database }
