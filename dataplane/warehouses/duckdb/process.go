//go:build !noduckdb

package duckdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/duckdb/rewrite"
	"weir/shared/fault"
	"weir/shared/worker"
)

// task is the name under which a program runs serve in a worker process.
const task = "duckdb"

// Tasks are what runs in processes of their own: a customer's SQL takes memory
// beside DuckDB's own limit of it, and may end the process that it runs in.
var Tasks = worker.Tasks{task: serve, sessionTask: serveSession}

// limits of the process of one statement. While it runs it has the file, so loads
// wait for it; who asks gives it a deadline, and the limit of processor time is for
// one that outlives its plane's patience.
var limits = worker.Limits{Memory: 2 << 30, CPU: time.Minute, Files: 64, FileSize: 2 << 30, Nice: 10}

// Sizes of what the two ends say, in bytes.
const (
	maxRequest = 64 << 20
	maxRow     = 16 << 20
)

// Frames between plane and process.
const (
	frameRequest byte = iota + 1
	frameRow          // one row as JSON
	frameEnd          // an outcome as JSON
)

// request is one use of a file: a statement that reads, statements that change, or a copy.
type request struct {
	Path, Schema string
	Query        string
	Exec         []string // nil: Query
	Copy         bool     // write the copy of the file, and neither
}

// outcome is how a request ended.
type outcome struct {
	Rows    int64 // that Exec changed
	Failed  bool
	Code    string
	Refused bool // it is the customer's
	Text    string
}

// Query implements warehouse.Warehouse.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	if _, err := os.Stat(w.path); err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, errors.New("the file is not there yet, because nothing was loaded; send an event and wait for syncEvery"))
	}
	_, err := w.ask(ctx, request{Query: query}, row)
	return err
}

// Exec implements warehouse.Warehouse. Statements reach no other file.
func (w *connection) Exec(ctx context.Context, statements []string) (rows int64, err error) {
	return w.ask(ctx, request{Exec: append([]string{}, statements...)}, func([]byte) error { return worker.ErrFrame })
}

// ask has a process answer a request. The file is closed here meanwhile, and what
// the process spilled to disk is removed after it.
func (w *connection) ask(ctx context.Context, q request, row func([]byte) error) (int64, error) {
	if w.db != nil {
		err := w.db.Close()
		if w.db = nil; err != nil {
			return 0, warehouse.Fail(warehouse.CodeFailed, err)
		}
	}
	q.Path, q.Schema = w.path, w.schema
	body, err := json.Marshal(q)
	if err != nil {
		return 0, warehouse.Fail(warehouse.CodeFailed, err)
	}
	command, err := worker.Self(task)
	if err != nil {
		return 0, warehouse.Fail(warehouse.CodeFailed, err)
	}
	most := limits
	if q.Copy {
		most = sessionLimits
	}
	p, err := worker.Start(ctx, command, most)
	if err != nil {
		return 0, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	defer func() {
		p.Stop()
		_ = os.RemoveAll(w.path + ".tmp") // the next use of the file removes what is left
	}()
	if err := worker.Send(p, frameRequest, body); err != nil {
		return 0, died(ctx, p, err)
	}
	for {
		kind, body, err := p.Receive(maxRow + 1)
		switch {
		case err != nil:
			return 0, died(ctx, p, err)
		case kind == frameRow && json.Valid(body):
			if err := row(body); err != nil {
				return 0, err
			}
		case kind == frameEnd:
			return ended(body)
		default:
			return 0, died(ctx, p, worker.ErrFrame)
		}
	}
}

// ended reads an outcome.
func ended(body []byte) (int64, error) {
	var o outcome
	if err := json.Unmarshal(body, &o); err != nil {
		return 0, warehouse.Fail(warehouse.CodeFailed, worker.ErrFrame)
	}
	switch {
	case !o.Failed:
		return o.Rows, nil
	case o.Refused:
		return 0, warehouse.Refuse(o.Code, errors.New(o.Text))
	}
	return 0, warehouse.Fail(o.Code, errors.New(o.Text))
}

// died says why a process ended that gave no outcome.
func died(ctx context.Context, p *worker.Process, err error) error {
	if ctx.Err() != nil {
		return warehouse.Fail(warehouse.CodeFailed, ctx.Err())
	}
	switch p.Died(err) {
	case worker.DeathLate:
		err = fmt.Errorf("the statement takes more than %s of processor time; ask for less", limits.CPU)
	case worker.DeathOutside:
		return warehouse.Fail(warehouse.CodeFailed, errors.New("the statement's process was killed, as a system does that is short of memory; ask for less, or again"))
	default:
		err = fmt.Errorf("the statement takes more than %d MiB of memory; ask for less at a time", limits.Memory>>20)
	}
	return warehouse.Refuse(warehouse.CodeFailed, err)
}

// serve is what the process runs: it answers one request.
func serve(parent net.Conn) error {
	debug.SetMemoryLimit(256 << 20)
	_, body, err := worker.Receive(parent, maxRequest)
	if err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	var o outcome
	w := &connection{path: q.Path, schema: q.Schema, release: func() {}}
	if q.Copy {
		err = warehouse.Fail(warehouse.CodeFailed, rewrite.Copy(context.Background(), q.Path))
	} else if q.Exec != nil {
		o.Rows, err = w.change(context.Background(), q.Exec)
	} else {
		err = w.query(context.Background(), q.Query, func(row []byte) error {
			if len(row) > maxRow {
				return warehouse.Refuse(warehouse.CodeFailed, fmt.Errorf("a row has more than %d MiB; ask for fewer columns, or a part of them", maxRow>>20))
			}
			return worker.Send(parent, frameRow, row)
		})
	}
	if err = errors.Join(err, w.Close()); err != nil {
		o = outcome{Failed: true, Code: warehouse.CodeOf(err), Refused: fault.KindOf(err) == fault.Invalid, Text: textOf(err)}
	}
	if body, err = json.Marshal(o); err != nil {
		return fmt.Errorf("write an outcome: %w", err)
	}
	return worker.Send(parent, frameEnd, body)
}

// textOf is the text of an error without its code, which travels beside it.
func textOf(err error) string {
	var f *warehouse.Failure
	if errors.As(err, &f) {
		err = f.Err
	}
	text := err.Error()
	return text[:min(len(text), 16<<10)]
}
