// Package statements keeps the statements of a database connection prepared: a driver that
// prepares each query anew reads and plans the same few texts of SQL again for every row.
//
// It guarantees that a statement is used by one query at a time: a text that is in use is
// prepared once more for another. Each connection keeps a bounded number of statements, those
// that were used last, and closes the others. Only single statements with parameters are kept;
// what has none, as a migration, goes to the driver as before.
package statements

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// Bounds of what a connection keeps.
const (
	most        = 200      // statements
	longestText = 16 << 10 // bytes of one; longer ones are lists of values that do not come again
)

// Connector returns connections like those of base whose statements stay prepared. They
// have to take contexts, as the interfaces with Context in their name say.
func Connector(base driver.Connector) driver.Connector { return &connector{base} }

type connector struct{ driver.Connector }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	below, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err // the store gives it a kind by its type
	}
	able, ok := below.(connection)
	if !ok {
		return nil, errors.Join(fmt.Errorf("connections of %T take no contexts", c.Driver()), below.Close())
	}
	return &conn{connection: able, kept: map[string]*list.Element{}, order: list.New()}, nil
}

// connection is what a connection of the driver has to offer.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn is a connection. The package database/sql uses it from one goroutine at a time.
type conn struct {
	connection
	kept  map[string]*list.Element // by text, in order
	order *list.List               // of *kept, the last used first
}

// kept is a prepared statement.
type kept struct {
	text  string
	stmt  statement
	inUse bool
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement returns the prepared statement of a text, nil where none is to be used.
func (c *conn) statement(ctx context.Context, text string) (*kept, error) {
	if len(text) > longestText {
		return nil, nil
	}
	if at, ok := c.kept[text]; ok {
		k := at.Value.(*kept)
		if k.inUse {
			return nil, nil
		}
		c.order.MoveToFront(at)
		return k, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	able, ok := prepared.(statement)
	if !ok {
		return nil, prepared.Close()
	}
	k := &kept{text: text, stmt: able}
	c.kept[text] = c.order.PushFront(k)
	return k, c.shrink()
}

// shrink closes the statement that was not used for longest, when there are too many.
func (c *conn) shrink() error {
	if c.order.Len() <= most {
		return nil
	}
	for at := c.order.Back(); at != nil; at = at.Prev() {
		k := at.Value.(*kept)
		if k.inUse {
			continue
		}
		c.order.Remove(at)
		delete(c.kept, k.text)
		return k.stmt.Close()
	}
	return nil
}

// ExecContext is as driver.ExecerContext has it.
func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	k, err := c.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return c.connection.ExecContext(ctx, text, args)
	}
	return k.stmt.ExecContext(ctx, args)
}

// QueryContext is as driver.QueryerContext has it.
func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	k, err := c.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return c.connection.QueryContext(ctx, text, args)
	}
	found, err := k.stmt.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	k.inUse = true
	return &rows{Rows: found, of: k}, nil
}

// Close closes the statements and the connection.
func (c *conn) Close() error {
	var failed []error
	for at := c.order.Front(); at != nil; at = at.Next() {
		failed = append(failed, at.Value.(*kept).stmt.Close())
	}
	c.order.Init()
	clear(c.kept)
	return errors.Join(append(failed, c.connection.Close())...)
}

// rows gives its statement back when it is closed.
type rows struct {
	driver.Rows
	of *kept
}

func (r *rows) Close() error {
	r.of.inUse = false
	return r.Rows.Close()
}
