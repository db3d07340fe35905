package clickhouse

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/texts"
	"weir/dataplane/warehouses/clickhouse/building"
	"weir/dataplane/warehouses/clickhouse/formats"
	"weir/dataplane/warehouses/clickhouse/reading"
	"weir/shared/delay"
)

type connection struct {
	api            *api
	database, user string
	blobs          blob.Store
	now            func() time.Time
	cleared        bool           // what former merges left was dropped
	engine         string         // of tables of a merge; "": not asked yet
	zone           *time.Location // of times of the server without one; nil: not asked yet
}

// Times of statements and of waiting.
const (
	lockTime  = 15 * time.Second // for another statement that writes into the table
	firstPoll = 10 * time.Millisecond
	lastPoll  = 500 * time.Millisecond
	dropTime  = 30 * time.Second
	leftTime  = 6 * time.Hour // after which tables of a merge are nobody's
)

// Quote writes a name.
func (w *connection) Quote(name string) string { return quote(name) }

// Text writes a text.
func (w *connection) Text(s string) string { return text(s) }

func (w *connection) at(table string) string { return quote(w.database) + "." + quote(table) }

// everything gives a failure the scope of all tables.
func everything(err error) error {
	var f *warehouse.Failure
	if errors.As(err, &f) {
		f.Err = refusal.Wrap(refusal.Warehouse, f.Err)
	}
	return err
}

// columns returns the columns that can be written, of those of tables that exist.
func (w *connection) columns(ctx context.Context, tables []string) (map[string][]column, error) {
	out := map[string][]column{}
	q := fmt.Sprintf("select table, name, type from system.columns where database = %s and table in (%s) and default_kind not in ('MATERIALIZED', 'ALIAS')", text(w.database), list(tables))
	err := w.api.rows(ctx, q, large(), func(_ []field, v []any) error {
		table := fmt.Sprint(v[0])
		out[table] = append(out[table], column{fmt.Sprint(v[1]), fmt.Sprint(v[2])})
		return nil
	})
	return out, everything(failure(warehouse.CodeFailed, err))
}

func list(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = text(n)
	}
	return strings.Join(all, ", ")
}

// Schema implements warehouse.Warehouse. Only tables that can delete rows are tables.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	out := warehouse.Schema{}
	if len(tables) == 0 {
		return out, nil
	}
	engines := map[string]string{}
	q := fmt.Sprintf("select name, engine from system.tables where database = %s and name in (%s)", text(w.database), list(tables))
	err := w.api.rows(ctx, q, large(), func(_ []field, v []any) error {
		engines[fmt.Sprint(v[0])] = fmt.Sprint(v[1])
		return nil
	})
	if err != nil || len(engines) == 0 {
		return out, everything(failure(warehouse.CodeFailed, err))
	}
	have, err := w.columns(ctx, tables)
	if err != nil {
		return nil, err
	}
	for table, engine := range engines {
		s := warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns - len(have[table])}
		s.RowRoom = s.Room
		for _, c := range have[table] {
			s.Columns[c.name] = warehouse.Column{Type: typeOf(c.native), Native: c.native}
		}
		if !strings.HasSuffix(engine, "MergeTree") {
			s = warehouse.TableSchema{Taken: true}
		}
		out[table] = s
	}
	return out, nil
}

// Alter implements warehouse.Warehouse. New columns are one statement.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	if len(changes) == 0 {
		return nil
	}
	table := changes[0].Table
	have, err := w.Schema(ctx, []string{table})
	if err != nil {
		return err
	}
	var missing []warehouse.Change
	for _, c := range changes {
		is, there := have[table].Columns[c.Column]
		switch {
		case c.Column == "":
		case there && is.Native == native(c.Column, c.To):
			continue
		case c.From == "" && there, c.From != "" && (!there || is.Type != c.From):
			err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, table)
			return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
		}
		if c.From == layout.Int && c.To == layout.Float {
			n, err := w.api.count(ctx, fmt.Sprintf("select count() from %s where %[2]s > 9007199254740992 or %[2]s < -9007199254740992", w.at(table), quote(c.Column)))
			if err != nil {
				return failure(warehouse.CodeFailed, err)
			}
			if n > 0 {
				c.To = layout.String
			}
		}
		missing = append(missing, c)
	}
	for _, q := range alters(w.at(table), missing) {
		if err := w.api.run(ctx, q, ""); err != nil {
			return failure(warehouse.CodeSchema, err)
		}
	}
	return nil
}

// name is that of the table of rows of a merge: it tells when it was made.
func (w *connection) name() string {
	return fmt.Sprintf("weir_rows_%d_%s", w.now().Unix(), strings.ToLower(rand.Text()))
}

// partBytes is about how much the rows of a table that keeps values have in memory.
const partBytes = 32 << 20

// Merge implements warehouse.Warehouse.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	w.clear(ctx)
	have, err := w.columns(ctx, []string{t.Name})
	if err != nil {
		return warehouse.Merged{}, err
	}
	m := merge{database: w.database, into: t.Name, keep: t.Keep, shape: texts.Of(t, strs, fit), all: have[t.Name], id: -1}
	for i, c := range m.shape.Columns {
		if c == "id" {
			m.id = i
		}
	}
	if m.id < 0 {
		return warehouse.Merged{}, warehouse.Fail(warehouse.CodeStage, errors.New("staged rows have no ids"))
	}
	var n int64
	if t.Keep {
		n, err = w.keep(ctx, m, t, files)
	} else {
		n, err = w.replace(ctx, m, t, files)
	}
	return warehouse.Merged{Rows: n}, err
}

// replace brings in the newest row of each id.
func (w *connection) replace(ctx context.Context, m merge, t warehouse.Table, files []warehouse.Staged) (n int64, err error) {
	if len(m.shape.Columns) <= mostInBlocks {
		return w.replaceBlocks(ctx, m, t, files)
	}
	newest, err := texts.NewestOf(ctx, w.blobs, t, files, func(string) error { return nil })
	if err != nil || newest.IDs() == 0 {
		return 0, err
	}
	return int64(newest.IDs()), w.bring(ctx, m, m.lines(func(row func([][]byte) error) error {
		err := m.shape.Each(ctx, w.blobs, files, func(seq int64) bool { return t.Has(seq) && newest.Keep(seq) }, func(_ int64, values [][]byte) error { return row(values) })
		return warehouse.Fail(warehouse.CodeStage, err)
	}))
}

// mostInBlocks is how many columns a table has whose rows are sent column by column: in blocks
// a number that is missing is as long as any.
const mostInBlocks = 100

// replaceBlocks is replace for tables of few columns.
func (w *connection) replaceBlocks(ctx context.Context, m merge, t warehouse.Table, files []warehouse.Staged) (n int64, err error) {
	shape := rows.Of(t, rows.Kind{Guard: func(native string) rows.Guard { return rows.Guard(fit(native)) }})
	if !slices.EqualFunc(shape.Columns, m.shape.Columns, func(c rows.Column, name string) bool { return c.Name == name }) {
		return 0, warehouse.Fail(warehouse.CodeFailed, errors.New("the columns of blocks are not those of rows"))
	}
	err = w.bring(ctx, m, data{"Native", func(out *bufio.Writer) error {
		native := formats.Native{Out: out, Columns: m.inTable(), From: shape.Columns}
		return shape.Write(ctx, w.blobs, files, rows.Sink{Batch: func(_ context.Context, batch rows.Batch) error {
			n += int64(batch.Len())
			return native.Write(batch)
		}})
	}})
	return n, err
}

// keep brings rows of one id over each other, and over what the table has.
func (w *connection) keep(ctx context.Context, m merge, t warehouse.Table, files []warehouse.Staged) (rows int64, err error) {
	var part [][][]byte
	at, held := map[string]int{}, 0
	flush := func() error {
		if len(part) == 0 {
			return nil
		}
		if err := w.former(ctx, m, t.More, part); err != nil {
			return err
		}
		err := w.bring(ctx, m, m.lines(func(row func([][]byte) error) error {
			for _, values := range part {
				if err := row(values); err != nil {
					return err
				}
			}
			return nil
		}))
		rows += int64(len(part))
		part, at, held = nil, map[string]int{}, 0
		return err
	}
	err = m.shape.Each(ctx, w.blobs, files, t.Has, func(_ int64, values [][]byte) error {
		own := make([][]byte, len(values))
		for i, v := range values {
			if v != nil {
				own[i] = append([]byte{}, v...)
			}
			held += 24 + len(v)
		}
		id := string(own[m.id])
		if i, ok := at[id]; ok {
			m.shape.Fold(part[i], own)
		} else {
			at[id], part = len(part), append(part, own)
		}
		if held < partBytes {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return rows, warehouse.Fail(warehouse.CodeStage, err)
}

// idsAtOnce is how many ids one statement names.
const idsAtOnce = 500

// former brings what rows have for the column of the rest over what the table has in it.
func (w *connection) former(ctx context.Context, m merge, more string, part [][][]byte) error {
	if m.shape.More < 0 {
		return nil
	}
	var with [][][]byte
	for _, values := range part {
		if values[m.shape.More] != nil {
			with = append(with, values)
		}
	}
	for len(with) > 0 {
		n := min(len(with), idsAtOnce)
		ids, rows := make([]string, n), map[string][][]byte{}
		for i, values := range with[:n] {
			ids[i] = string(values[m.id])
			rows[ids[i]] = values
		}
		q := fmt.Sprintf("select %s, %s from %s where isNotNull(%[2]s) and %[1]s in (%[4]s)", quote("id"), quote(more), w.at(m.into), list(ids))
		err := w.api.rows(ctx, q, large(), func(_ []field, v []any) error {
			values := rows[fmt.Sprint(v[0])]
			if values == nil {
				return nil
			}
			older := make([][]byte, len(values))
			older[m.shape.More] = []byte(fmt.Sprint(v[1]))
			newer := make([][]byte, len(values))
			newer[m.shape.More] = values[m.shape.More]
			m.shape.Fold(older, newer)
			values[m.shape.More] = older[m.shape.More]
			return nil
		})
		if err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		with = with[n:]
	}
	return nil
}

// data is rows for the table of rows, in a format of the server.
type data struct {
	format string
	write  func(out *bufio.Writer) error
}

// lines are rows in the format RowBinary.
func (m *merge) lines(each func(row func([][]byte) error) error) data {
	columns := m.inTable()
	return data{"RowBinary", func(out *bufio.Writer) error {
		return each(func(values [][]byte) error { return formats.Line(out, columns, values) })
	}}
}

// bring brings rows of ids that are all different into the table: see the package.
func (w *connection) bring(ctx context.Context, m merge, all data) (err error) {
	if w.engine == "" {
		cloud, err := w.api.count(ctx, "select count() from system.settings where name = 'cloud_mode' and value in ('1', 'true')")
		if err != nil {
			return everything(failure(warehouse.CodeFailed, err))
		}
		if w.engine = oneFile; cloud > 0 {
			w.engine = shared
		}
	}
	m.rows, m.engine = w.name(), w.engine
	made := []string{m.rows}
	defer func() { w.drop(ctx, made) }()
	if err := w.api.run(ctx, m.createRows(), ""); err != nil {
		return everything(failure(warehouse.CodeFailed, err))
	}
	if err := w.send(ctx, m, all); err != nil {
		return err
	}
	lock := "weir " + m.at(m.into)
	there, err := w.api.count(ctx, fmt.Sprintf("select count() from %s where %s in (select %s from %s)", m.at(m.into), quote("id"), m.key(), m.at(m.rows)))
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	if there > 0 {
		made = append(made, m.oldRows(), m.newRows())
		done, err := w.change(ctx, m, lock)
		if !done { // the server still needs them
			made = nil
		}
		if err != nil {
			return err
		}
	}
	return failure(warehouse.CodeFailed, w.api.run(ctx, m.absent(), lock))
}

// send fills the table of rows.
func (w *connection) send(ctx context.Context, m merge, all data) error {
	r, pipe := io.Pipe()
	written := make(chan error, 1)
	go func() {
		out := bufio.NewWriterSize(pipe, 256<<10)
		err := all.write(out)
		if err == nil {
			err = out.Flush()
		}
		_ = pipe.CloseWithError(err) // always nil
		written <- err
	}()
	err := w.api.insert(ctx, m.fill(all.format), r)
	_ = r.CloseWithError(errSent) // ends the writer when the statement ended early
	if stopped := <-written; stopped != nil && !errors.Is(stopped, errSent) {
		return warehouse.Fail(warehouse.CodeStage, stopped)
	}
	return failure(warehouse.CodeFailed, err)
}

var errSent = errors.New("the statement ended")

// change gives rows that are there their new values. done is false when the server may
// still work with the tables of the merge.
func (w *connection) change(ctx context.Context, m merge, lock string) (done bool, err error) {
	createOld, fillOld, createNew, fillNew := m.changes()
	for _, q := range []string{createOld, fillOld, createNew, fillNew} {
		if err := w.api.run(ctx, q, ""); err != nil {
			return true, failure(warehouse.CodeFailed, err)
		}
	}
	fresh, err := w.api.count(ctx, m.fresh())
	if err != nil {
		return true, failure(warehouse.CodeFailed, err)
	}
	if fresh > 0 {
		if err := w.api.run(ctx, m.renew(), lock); err != nil {
			return true, failure(warehouse.CodeFailed, err)
		}
	}
	stale, err := w.api.count(ctx, m.stale())
	if err != nil || stale == 0 {
		return true, failure(warehouse.CodeFailed, err)
	}
	if err := w.api.run(ctx, m.remove(), ""); err != nil {
		var e *apiError
		return errors.As(err, &e), failure(warehouse.CodeFailed, err)
	}
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		n, err := w.api.count(ctx, removing(w.database, m.rows))
		if err != nil {
			return false, failure(warehouse.CodeFailed, err)
		}
		if n == 0 {
			return true, nil
		}
		if !delay.For(ctx, wait) {
			return false, warehouse.Fail(warehouse.CodeSlow, context.Cause(ctx))
		}
	}
}

// drop drops tables of a merge; clear drops those that stay.
func (w *connection) drop(ctx context.Context, names []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	for _, name := range names {
		if w.api.run(ctx, "drop table if exists "+w.at(name), "") != nil {
			return
		}
	}
}

// clear drops tables of merges that ended long ago, once for a connection, but for those
// that the server still deletes rows by.
func (w *connection) clear(ctx context.Context) {
	if w.cleared {
		return
	}
	w.cleared = true
	var names []string
	q := fmt.Sprintf("select name from system.tables where database = %s and position(name, 'weir_rows_') = 1", text(w.database))
	err := w.api.rows(ctx, q, large(), func(_ []field, v []any) error {
		name := fmt.Sprint(v[0])
		var made int64
		if _, err := fmt.Sscanf(name, "weir_rows_%d_", &made); err == nil && w.now().Unix()-made > int64(leftTime.Seconds()) {
			names = append(names, name)
		}
		return nil
	})
	for _, name := range names {
		if err != nil {
			return // the next connection does it
		}
		rows := strings.TrimSuffix(strings.TrimSuffix(name, "_old"), "_new")
		var busy int64
		if busy, err = w.api.count(ctx, removing(w.database, rows)); err == nil && busy == 0 {
			w.drop(ctx, []string{name})
		}
	}
}

// Limits of a query.
const (
	queryTime   = 30 * time.Second
	queryMemory = 2 << 30
	queryRows   = 20_000_000
)

// Query implements warehouse.Warehouse.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	if err := reading.Check(query); err != nil {
		return err
	}
	if err := w.readZone(ctx); err != nil {
		return err
	}
	settings := url.Values{"readonly": {"1"}, "max_execution_time": {fmt.Sprint(int(queryTime.Seconds()))}, "max_memory_usage": {fmt.Sprint(queryMemory)},
		"max_result_rows": {fmt.Sprint(queryRows)}, "result_overflow_mode": {"throw"}, "max_query_size": {"8388608"}, "max_ast_elements": {"1000000"}, "max_expanded_ast_elements": {"1000000"}, "max_read_buffer_size": {bufferBytes}}
	err := w.api.rows(ctx, query, settings, func(fields []field, values []any) error {
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i], values[i] = f.Name, w.value(f.Type, values[i])
		}
		b, err := warehouse.RowJSON(names, values)
		if err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		if err := row(b); err != nil {
			return given{err}
		}
		return nil
	})
	var g given
	if errors.As(err, &g) {
		return g.error
	}
	return refused(err)
}

// readZone asks for the zone of times without one.
func (w *connection) readZone(ctx context.Context) error {
	if w.zone != nil {
		return nil
	}
	err := w.api.rows(ctx, "select timezone()", large(), func(_ []field, v []any) error {
		var err error
		if w.zone, err = time.LoadLocation(fmt.Sprint(v[0])); err != nil {
			w.zone = time.UTC
		}
		return nil
	})
	return failure(warehouse.CodeFailed, err)
}

// given is an error of whoever takes rows.
type given struct{ error }

// value reads a value of a result. What is none of its type stays as it is.
func (w *connection) value(native string, v any) any {
	if n, ok := v.(json.Number); ok && native == booleans {
		return n != "0"
	}
	return building.Moment(plain(native), v, w.zone)
}

// Exec implements warehouse.Warehouse: there are no transactions.
func (w *connection) Exec(context.Context, []string) (int64, error) {
	return 0, warehouse.Refuse(warehouse.CodeUnsupported, errors.New("the server has no transactions, so several statements cannot count as one"))
}

// Test implements warehouse.Warehouse: it does what a load does, with a table of its own.
func (w *connection) Test(ctx context.Context) error {
	name := w.name()
	at := w.at(name)
	defer w.drop(ctx, []string{name})
	for _, step := range []struct{ right, statement string }{
		{"", "select 1"},
		{"create table", "create table " + at + " (id String) engine = ReplacingMergeTree() order by id"},
		{"alter add column", "alter table " + at + " add column n " + ints},
		{"insert", "insert into " + at + " select '1', 1"},
		{"select", "insert into " + at + " select * from " + at + " where id not in (select id from " + at + ")"},
		{"alter modify column", "alter table " + at + " modify column n " + floats},
		{"alter delete", "alter table " + at + " delete where id in (select id from " + at + " where id = '2')"},
		{"drop table", "drop table " + at},
	} {
		err := w.api.run(ctx, step.statement, "")
		var e *apiError
		if errors.As(err, &e) && step.right != "" && (e.code == accessDenied || e.code == databaseDenied || e.code == readOnly) {
			return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the user lacks a right: grant %s on %s.* to %s: %w", step.right, quote(w.database), quote(w.user), err))
		}
		if err != nil {
			return failure(warehouse.CodeFailed, err)
		}
	}
	return nil
}

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	w.api.transport.CloseIdleConnections()
	return nil
}
