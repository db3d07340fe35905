package mysql

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	driver "github.com/go-sql-driver/mysql"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/texts"
	"weir/dataplane/warehouses/mysql/building"
)

// Sizes of statements.
const (
	idsAtOnce       = 1000
	rowsAtOnce      = 1000
	statementBytes  = 1 << 20
	leastPacketLeft = 1 << 10 // what a statement has beside its values
)

// Merge implements warehouse.Warehouse.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	unlock, err := w.lock(ctx)
	if err != nil {
		return warehouse.Merged{}, err
	}
	defer unlock()
	m, err := w.merge(ctx, t, files)
	return m, w.denied(ctx, err)
}

func (w *connection) merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (m warehouse.Merged, err error) {
	s := texts.Of(t, text, fit)
	have, err := w.columns(ctx, []string{t.Name})
	if err != nil {
		return m, err
	}
	w.server.narrow(s, have[t.Name])
	if t.Keep { // before the transaction: some servers want it so
		for _, q := range []string{"drop temporary table if exists " + quote(best), fmt.Sprintf("create temporary table %s as select %s from %s limit 0", quote(best), joined(s.Columns, "?"), quote(t.Name))} {
			if _, err := w.conn.ExecContext(ctx, q); err != nil {
				return m, failure(warehouse.CodeSchema, err)
			}
		}
	}
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return m, refusal.Wrap(refusal.Warehouse, failure(warehouse.CodeUnreachable, err))
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if t.Keep {
		m.Rows, err = w.keep(ctx, tx, t, s, files)
	} else {
		m.Rows, err = w.replace(ctx, tx, t, s, files)
	}
	if err != nil {
		return warehouse.Merged{}, err
	}
	return m, failure(warehouse.CodeFailed, tx.Commit())
}

// spell changes the values of a row as MySQL reads them.
func spell(s *texts.Shape, values [][]byte) {
	for i, v := range values {
		switch {
		case v == nil:
		case strings.HasPrefix(s.Natives[i], "datetime"):
			values[i] = moment(v)
		case s.Natives[i] == booleans && string(v) == "true":
			values[i] = []byte("1")
		case s.Natives[i] == booleans && string(v) == "false":
			values[i] = []byte("0")
		}
	}
}

// replace deletes the rows of the files' ids and brings the newest ones in.
func (w *connection) replace(ctx context.Context, tx *sql.Tx, t warehouse.Table, s *texts.Shape, files []warehouse.Staged) (int64, error) {
	var ids []string
	held := 0
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		_, err := tx.ExecContext(ctx, deletion(t.Name, w.server.collation, ids))
		ids, held = ids[:0], 0
		return failure(warehouse.CodeFailed, err)
	}
	newest, err := texts.NewestOf(ctx, w.blobs, t, files, func(id string) error {
		q := literal(strings.ReplaceAll(id, "\x00", "\uFFFD"))
		if held+2*len(q) > statementBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		if ids, held = append(ids, q), held+2*len(q); len(ids) == idsAtOnce {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return 0, err
	}
	keep := func(seq int64) bool { return t.Has(seq) && newest.Keep(seq) }
	if w.server.local {
		return w.copy(ctx, tx, t, s, files, keep)
	}
	return w.insert(ctx, tx, t.Name, s, func(row func(int64, [][]byte) error) error {
		return s.Each(ctx, w.blobs, files, keep, row)
	})
}

// readers are numbers of readers, whose names belong to the process.
var readers atomic.Int64

// copy brings rows in by LOAD DATA LOCAL. With LOCAL the server leaves out what it
// cannot take, or changes it, and only warns: a warning, or a row that is missing, is an
// error.
func (w *connection) copy(ctx context.Context, tx *sql.Tx, t warehouse.Table, s *texts.Shape, files []warehouse.Staged, keep func(int64) bool) (int64, error) {
	r, pipe := io.Pipe()
	defer func() { _ = r.Close() }() // ends the writer when the statement ended early
	name := fmt.Sprintf("weir%d", readers.Add(1))
	driver.RegisterReaderHandler(name, func() io.Reader { return r })
	defer driver.DeregisterReaderHandler(name)
	sent := int64(0)
	done := make(chan error, 1)
	go func() {
		out := bufio.NewWriterSize(pipe, 256<<10)
		err := s.Each(ctx, w.blobs, files, keep, func(_ int64, values [][]byte) error {
			spell(s, values)
			sent++
			return texts.Line(out, values)
		})
		if err == nil {
			err = out.Flush()
		}
		_ = pipe.CloseWithError(err) // always nil
		done <- err
	}()
	result, err := tx.ExecContext(ctx, load(t.Name, name, s.Columns))
	_ = r.Close()
	written := <-done
	if err != nil {
		return 0, failure(warehouse.CodeFailed, err)
	}
	if written != nil {
		return 0, warehouse.Fail(warehouse.CodeStage, written)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return 0, failure(warehouse.CodeFailed, err)
	}
	return rows, warned(ctx, tx, rows == sent)
}

// warned is an error for the first warning of the statement before, or when it did not
// take all.
func warned(ctx context.Context, tx *sql.Tx, all bool) error {
	var level, message string
	var number uint16
	switch err := tx.QueryRowContext(ctx, "show warnings limit 1").Scan(&level, &number, &message); {
	case err == nil:
		err := failure(warehouse.CodeFailed, &driver.MySQLError{Number: number, Message: message})
		if refusal.Of(err) == refusal.Warehouse && warehouse.CodeOf(err) == warehouse.CodeFailed { // it was said of a row
			return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Rows, fmt.Errorf("the server changed a value or left out a row: %s", message)))
		}
		return err
	case err != sql.ErrNoRows:
		return failure(warehouse.CodeFailed, err)
	case !all:
		return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Rows, fmt.Errorf("the server left out a row")))
	}
	return nil
}

// insert brings rows in by statements of many of them, and returns how many there were.
func (w *connection) insert(ctx context.Context, tx *sql.Tx, table string, s *texts.Shape, each func(row func(int64, [][]byte) error) error) (rows int64, err error) {
	var q strings.Builder
	n := 0
	flush := func() error {
		if n == 0 {
			return nil
		}
		_, err := tx.ExecContext(ctx, q.String())
		q.Reset()
		n = 0
		return failure(warehouse.CodeFailed, err)
	}
	most := min(statementBytes, w.server.packet-leastPacketLeft)
	err = each(func(_ int64, values [][]byte) error {
		spell(s, values)
		size := 0
		for _, v := range values {
			size += len(v) + 3
		}
		if n == rowsAtOnce || n > 0 && q.Len()+size > most {
			if err := flush(); err != nil {
				return err
			}
		}
		sep := ",("
		if n == 0 {
			fmt.Fprintf(&q, "insert into %s (%s) values ", quote(table), joined(s.Columns, "?"))
			sep = "("
		}
		for _, v := range values {
			q.WriteString(sep)
			sep = ","
			if v == nil {
				q.WriteString("null")
			} else {
				q.WriteString(literal(strings.ReplaceAll(string(v), "\x00", "\uFFFD")))
			}
		}
		q.WriteByte(')')
		n++
		rows++
		return nil
	})
	if err == nil {
		err = flush()
	}
	return rows, err
}

// keep brings rows in over those that are there, a part at a time: the rows of a part
// are folded to one of each id, so the order of parts is that of rows.
func (w *connection) keep(ctx context.Context, tx *sql.Tx, t warehouse.Table, s *texts.Shape, files []warehouse.Staged) (rows int64, err error) {
	idAt := slices.Index(s.Columns, "id")
	var part [][][]byte
	at := map[string]int{}
	held := 0
	flush := func() error {
		if len(part) == 0 {
			return nil
		}
		n, err := w.insert(ctx, tx, best, s, func(row func(int64, [][]byte) error) error {
			for _, values := range part {
				if err := row(0, values); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, q := range merge(t, s, w.server.collation) {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return failure(warehouse.CodeFailed, err)
			}
		}
		rows += n
		part, at, held = nil, map[string]int{}, 0
		return nil
	}
	err = s.Each(ctx, w.blobs, files, t.Has, func(_ int64, values [][]byte) error {
		own := make([][]byte, len(values))
		for i, v := range values {
			if v != nil {
				own[i] = append(make([]byte, 0, len(v)), v...)
				held += len(v)
			}
		}
		if i, ok := at[string(own[idAt])]; ok {
			s.Fold(part[i], own)
			return nil
		}
		at[string(own[idAt])] = len(part)
		if part = append(part, own); len(part) == rowsAtOnce || held > statementBytes {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return rows, err
}

// plain is a value of a query's row as RowJSON takes it. TINYINT is MySQL's boolean: its
// 0 and 1 are false and true.
func plain(typ string, v any) any {
	switch x := v.(type) {
	case int64:
		if typ == "TINYINT" && (x == 0 || x == 1) {
			return x == 1
		}
	case []byte:
		s := string(x)
		if at, is := building.Moment(typ, s); is {
			return at
		}
		if typ == "DECIMAL" {
			return json.Number(s)
		}
		return s
	}
	return v
}
