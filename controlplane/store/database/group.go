package database

import (
	"context"
	"fmt"
	"sync"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"weir/shared/fault"
)

// Bounds of a transaction of several writes.
const (
	mostTogether = 64                     // writes
	longTogether = 500 * time.Millisecond // after which no further write is begun
)

// group has the writes of this process that wait for SQLite, which has one writer at a
// time: whoever comes first makes those that came meanwhile with its own, in one
// transaction, so that the disk is waited for once. Each of them is a part that fails by
// itself and leaves nothing of it.
type group struct {
	lead chan struct{} // holds a token while somebody makes writes

	mu      sync.Mutex
	waiting []*member
}

// member is a write that waits or is being made.
type member struct {
	ctx  context.Context
	a    *attempt
	done chan struct{} // closed once err says how it ended
	err  error
}

func (m *member) end(err error) {
	m.err = err
	close(m.done)
}

// leave takes m out, and reports false when it is being made already.
func (g *group) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == m {
			g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take takes the members that came first, at most n.
func (g *group) take(n int) []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	n = min(n, len(g.waiting))
	taken := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return taken
}

// back puts members that were taken before all others again.
func (g *group) back(list []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(list[:len(list):len(list)], g.waiting...)
}

// together makes the write a, and others that wait with it.
func (d *DB) together(ctx context.Context, a *attempt) error {
	m := &member{ctx: ctx, a: a, done: make(chan struct{})}
	d.group.mu.Lock()
	d.group.waiting = append(d.group.waiting, m)
	d.group.mu.Unlock()
	for {
		select {
		case <-m.done:
			return m.err
		case <-ctx.Done():
			if d.group.leave(m) {
				return ctx.Err()
			}
			<-m.done // soon: a transaction has a deadline
			return m.err
		case d.group.lead <- struct{}{}:
			d.lead(m)
		}
	}
}

// lead makes the writes that wait, unless mine is made already, and gives the lead back.
func (d *DB) lead(mine *member) {
	defer func() { <-d.group.lead }()
	select {
	case <-mine.done:
		return
	default:
	}
	list := d.group.take(mostTogether)
	ended := 0
	defer func() { // after a panic in one of them
		for _, m := range list[ended:] {
			m.end(fault.New(fault.Internal, "another write of the same transaction broke off"))
		}
	}()
	if len(list) == 1 {
		_, err := d.try(list[0].ctx, list[0].a)
		ended = 1
		list[0].end(err)
		return
	}
	errs, left := d.all(list)
	d.group.back(left)
	list = list[:len(errs)]
	for i, m := range list {
		ended = i + 1
		m.end(errs[i])
	}
}

// all makes writes in one transaction, and returns how each of them ended. left are those
// that were not begun.
func (d *DB) all(list []*member) (errs []error, left []*member) {
	began := time.Now()
	// The end of one caller's context must not end the others' writes.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(list[0].ctx), callDeadline)
	defer cancel()
	failed := func(err error) ([]error, []*member) {
		errs := make([]error, len(list))
		for i := range errs {
			errs[i] = err
		}
		return errs, nil
	}
	tx, err := d.driver.BeginTx(ctx, nil)
	if err != nil {
		return failed(fmt.Errorf("begin: %w", err))
	}
	whole := &whole{Tx: tx}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for _, m := range list {
		if len(errs) > 0 && time.Since(began) > longTogether {
			break
		}
		errs = append(errs, d.part(ctx, whole, m))
		if whole.broken != nil { // SQLite took back the whole transaction
			return failed(whole.broken)
		}
	}
	list, left = list[:len(errs)], list[len(errs):]
	if err := tx.Commit(); err != nil {
		err = fmt.Errorf("commit: %w", err)
		for i := range errs {
			if errs[i] == nil {
				errs[i] = err
			}
		}
	}
	return errs, left
}

// part makes one write of a transaction, until the deadline of the whole.
func (d *DB) part(ctx context.Context, whole *whole, m *member) error {
	if err := m.ctx.Err(); err != nil { // it ended before anything was done
		return err
	}
	end, _ := ctx.Deadline()
	mine, cancel := context.WithDeadline(context.WithValue(context.WithoutCancel(m.ctx), wholeKey{}, whole), end)
	defer cancel()
	_, err := d.try(mine, m.a)
	return err
}

// whole is a transaction that others are parts of.
type whole struct {
	dialect.Tx
	broken error // why a part could not be taken back by itself
}

type wholeKey struct{}

// nesting begins transactions, which are parts of another one where a context names it.
type nesting struct{ *entsql.Driver }

func (d nesting) BeginTx(ctx context.Context, options *entsql.TxOptions) (dialect.Tx, error) {
	of, ok := ctx.Value(wholeKey{}).(*whole)
	if !ok {
		return d.Driver.BeginTx(ctx, options)
	}
	if err := of.Exec(ctx, "savepoint part", []any{}, nil); err != nil {
		of.broken = err
		return nil, err
	}
	return part{Tx: of.Tx, ctx: ctx, of: of}, nil
}

// part is a transaction inside another one. A savepoint that is not there any more shows
// that the database took back the whole, as when the disk is full.
type part struct {
	dialect.Tx
	ctx context.Context
	of  *whole
}

func (p part) Commit() error {
	err := p.Exec(p.ctx, "release part", []any{}, nil)
	p.of.broken = err
	return err
}

func (p part) Rollback() error {
	err := p.Exec(p.ctx, "rollback to part", []any{}, nil)
	if err == nil {
		err = p.Exec(p.ctx, "release part", []any{}, nil)
	}
	p.of.broken = err
	return err
}
