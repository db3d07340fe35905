//go:build !noduckdb

package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	encode "weir/dataplane/warehouses/duckdb/values"
	"weir/shared/fault"
	"weir/shared/worker"
)

// sessionTask is the name under which a program serves a session in a worker process.
const sessionTask = "duckdb-session"

// sessionLimits of a session's process. Who has a session gives it a deadline.
var sessionLimits = worker.Limits{Memory: 3 << 30, Files: 64, Nice: 10}

// Acts of a session.
const (
	actExec     = "exec"
	actRows     = "rows"
	actBegin    = "begin"
	actCommit   = "commit"
	actRollback = "rollback"
)

// act is what a session's process does next; the first one says where.
type act struct {
	Path, Schema string
	Do, SQL      string
}

// rowsBytes is about how much of rows goes into a frame.
const rowsBytes = 64 << 10

// building is the mode of sessions.
const building mode = "&enable_external_access=false"

// session is the plane's end of one.
type session struct {
	w    *connection
	p    *worker.Process
	dead error // why the process is of no more use
	tx   bool
}

// Session implements tables.Warehouse, in a process of its own: what a statement takes
// of memory is not the plane's, and a statement may hold a customer's text.
func (w *connection) Session(ctx context.Context, schema string) (tables.Session, error) {
	if w.db != nil {
		err := w.db.Close()
		if w.db = nil; err != nil {
			return nil, warehouse.Fail(warehouse.CodeFailed, err)
		}
	}
	command, err := worker.Self(sessionTask)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	p, err := worker.Start(ctx, command, sessionLimits)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	s := &session{w: w, p: p}
	if _, err := s.ask(ctx, act{Path: w.path, Schema: schema}, nil); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ask has the process do one act.
func (s *session) ask(ctx context.Context, a act, row func([]any) error) (int64, error) {
	if s.dead != nil {
		return 0, s.dead
	}
	stop := context.AfterFunc(ctx, s.p.Stop)
	rows, lost, err := s.answer(a, row)
	if !stop() || ctx.Err() != nil { // the process is stopped, or is about to be
		s.dead = warehouse.Fail(warehouse.CodeFailed, ctx.Err())
		return 0, s.dead
	}
	if lost {
		s.dead = died(ctx, s.p, err)
		return 0, s.dead
	}
	return rows, err
}

// answer sends an act and reads what comes back. lost: the process is of no more use.
// After an error of row the rest is read over.
func (s *session) answer(a act, row func([]any) error) (rows int64, lost bool, err error) {
	body, err := json.Marshal(a)
	if err != nil {
		return 0, false, warehouse.Fail(warehouse.CodeFailed, err)
	}
	if err := worker.Send(s.p, frameRequest, body); err != nil {
		return 0, true, err
	}
	var taken error
	for {
		kind, body, err := s.p.Receive(maxRow + rowsBytes)
		switch {
		case err != nil:
			return 0, true, err
		case kind == frameRow && row != nil:
			if taken != nil {
				continue
			}
			if taken = encode.Each(body, row); errors.Is(taken, worker.ErrFrame) {
				return 0, true, taken
			}
		case kind == frameEnd:
			rows, err = ended(body)
			return rows, false, errors.Join(taken, err)
		default:
			return 0, true, worker.ErrFrame
		}
	}
}

func (s *session) Exec(ctx context.Context, sql string) (int64, error) {
	return s.ask(ctx, act{Do: actExec, SQL: sql}, nil)
}

func (s *session) Rows(ctx context.Context, sql string, row func([]any) error) error {
	_, err := s.ask(ctx, act{Do: actRows, SQL: sql}, row)
	return err
}

// Tx implements tables.Session.
func (s *session) Tx(ctx context.Context, do func(tables.Session) error) error {
	if s.tx {
		return fault.New(fault.Internal, "A transaction was begun within one.")
	}
	if _, err := s.ask(ctx, act{Do: actBegin}, nil); err != nil {
		return err
	}
	s.tx = true
	defer func() { s.tx = false }()
	if err := do(within{s}); err != nil {
		_, _ = s.ask(context.WithoutCancel(ctx), act{Do: actRollback}, nil) // the end of the process rolls back too
		return err
	}
	_, err := s.ask(ctx, act{Do: actCommit}, nil)
	return err
}

// Close implements tables.Session. What is not committed does not count.
func (s *session) Close() error {
	if s.dead == nil {
		s.dead = warehouse.Fail(warehouse.CodeFailed, errors.New("the session is closed"))
	}
	s.p.Stop()
	_ = os.RemoveAll(s.w.path + ".tmp") // the next use of the file removes what is left
	return nil
}

// within is a session in its transaction.
type within struct{ *session }

func (w within) Close() error { return nil }

// serveSession is what a session's process runs, until its parent goes.
func serveSession(parent net.Conn) error {
	debug.SetMemoryLimit(256 << 20)
	var b *builder
	for {
		_, body, err := worker.Receive(parent, maxRequest)
		if err != nil {
			return nil // the parent is done
		}
		var a act
		if err := json.Unmarshal(body, &a); err != nil {
			return fmt.Errorf("read an act: %w", err)
		}
		var o outcome
		if b == nil {
			b, err = build(a)
		} else {
			o.Rows, err = b.do(a, parent)
		}
		if err != nil {
			o = outcome{Failed: true, Code: warehouse.CodeOf(err), Refused: fault.KindOf(err) == fault.Invalid, Text: textOf(err)}
		}
		if body, err = json.Marshal(o); err != nil {
			return fmt.Errorf("write an outcome: %w", err)
		}
		if err := worker.Send(parent, frameEnd, body); err != nil {
			return nil
		}
	}
}

// builder is the process's end of a session.
type builder struct{ conn *sql.Conn }

// build opens the file for a session.
func build(a act) (*builder, error) {
	ctx := context.Background()
	w := &connection{path: a.Path, schema: a.Schema, release: func() {}}
	if err := w.connect(ctx, building); err != nil {
		return nil, err
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	for _, q := range []string{"set TimeZone = 'UTC'", "use " + quote(a.Schema), "set lock_configuration = true"} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return nil, warehouse.Fail(warehouse.CodeFailed, err)
		}
	}
	return &builder{conn}, nil
}

func (b *builder) do(a act, out net.Conn) (rows int64, err error) {
	ctx := context.Background()
	switch a.Do {
	case actBegin, actCommit, actRollback:
		_, err = b.conn.ExecContext(ctx, a.Do)
		return 0, warehouse.Fail(warehouse.CodeFailed, err)
	case actExec:
		err = b.conn.Raw(func(c any) error {
			rows, err = exec(ctx, c.(*driver.Conn), a.SQL)
			return err
		})
		return rows, refused(err)
	}
	return 0, b.rows(ctx, a.SQL, out)
}

// rows writes the rows of a statement.
func (b *builder) rows(ctx context.Context, query string, out net.Conn) error {
	if unsafe.MatchString(query) {
		return refused(errUnsafe)
	}
	err := b.conn.Raw(func(c any) error {
		typ, err := typeOfStatement(c.(*driver.Conn), query)
		if err == nil && typ == driver.STATEMENT_TYPE_TRANSACTION {
			err = errTransaction
		}
		return err
	})
	if err != nil {
		return refused(err)
	}
	found, err := b.conn.QueryContext(ctx, query)
	if err != nil {
		return refused(err)
	}
	defer func() { _ = found.Close() }() // its error is found.Err's
	types, err := found.ColumnTypes()
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	values, into := make([]any, len(types)), make([]any, len(types))
	for i := range values {
		into[i] = &values[i]
	}
	var frame []byte
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		for i, v := range values {
			values[i] = encode.Plain(v, types[i].DatabaseTypeName())
		}
		before := len(frame)
		if frame = encode.Append(frame, values); len(frame)-before > maxRow {
			return warehouse.Refuse(warehouse.CodeFailed, fmt.Errorf("a row has more than %d MiB; ask for fewer columns, or a part of them", maxRow>>20))
		}
		if len(frame) >= rowsBytes {
			if err := worker.Send(out, frameRow, frame); err != nil {
				return err
			}
			frame = frame[:0]
		}
	}
	if err := refused(found.Err()); err != nil || len(frame) == 0 {
		return err
	}
	return worker.Send(out, frameRow, frame)
}
