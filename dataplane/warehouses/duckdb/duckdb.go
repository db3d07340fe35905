//go:build !noduckdb

package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouses/duckdb/columntype"
	"weir/dataplane/warehouses/duckdb/rewrite"
)

// Supported says whether this build can open DuckDB files.
const Supported = true

// maxColumns is how many columns loads give a table: each costs 256 KiB of memory
// in a commit.
const maxColumns = 1000

// connection is one use of a file; it owns the file until Close.
type connection struct {
	path    string
	schema  string
	blobs   blob.Store
	release func()
	db      *sql.DB
	mode    mode // of db
	columns int  // of the widest table that Schema saw, when it is wide
}

// mode is what statements may do with an open file.
type mode string

const (
	// loading: write, and read the staged files, in the blob store's folder alone, in little
	// memory. Rows that are deleted leave their room behind.
	loading mode = "&max_vacuum_tasks=0"
	// mending is loading in much memory; with the file's closing, rows move together where
	// others were deleted.
	mending mode = ""
	writing mode = "&enable_external_access=false&lock_configuration=true"
	reading mode = "&access_mode=READ_ONLY&enable_external_access=false&lock_configuration=true"
)

// memoryOf is DuckDB's own limit of memory. It is of its buffers, and not of what a
// statement builds beside them. Whoever opens a file after a load of a wide table
// replays its log, which takes as much as the load.
func memoryOf(m mode) string {
	if m == building { // which takes half as much again beside its buffers: 1.3 GB for five million links
		return "850MB"
	}
	switch m {
	case loading: // half as much again is taken beside its buffers
		return "160MB"
	case mending:
		return "1GB"
	}
	return "1GB&max_temp_directory_size=1GB"
}

func open(ctx context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	path, release, err := d.File(ctx, s.Path, fileType)
	if err != nil {
		return nil, err
	}
	if err := rewrite.Clear(path); err != nil { // of a process that died
		release()
		return nil, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	return &connection{path: path, schema: s.Schema, blobs: d.Blobs, release: release}, nil
}

// wide is how many columns a table has that loading has not the memory for.
const wide = 100

// deletedPart is the part of the rows of a merge that it deletes, from where on their room is
// given back.
const deletedPart = 16

// load opens the file for a load; once it was mended, it stays so.
func (w *connection) load(ctx context.Context) error {
	if w.db != nil && w.mode == mending {
		return nil
	}
	err := w.connect(ctx, loading)
	if err != nil && ctx.Err() == nil {
		_ = w.close()                 // it is not open, or is of no use
		err = w.connect(ctx, mending) // a log that is replayed may take much memory
	}
	return err
}

// errMend says that a merge is to be done again in the mode mending.
var errMend = errors.New("many rows are deleted")

// roomy does part of a load, and does it again in the mode mending where it says so, or may
// have lacked memory: DuckDB has no error of its own for that in a commit.
func (w *connection) roomy(ctx context.Context, columns int, do func() error) error {
	err := w.load(ctx)
	if err != nil {
		return err
	}
	if columns <= wide || w.mode == mending {
		err = do()
		var e *driver.Error
		again := errors.Is(err, errMend) || errors.As(err, &e) && refusal.Of(err) == refusal.Warehouse && ctx.Err() == nil
		if w.mode == mending || !again {
			return err
		}
	}
	if err := w.connect(ctx, mending); err != nil {
		return err
	}
	return do()
}

// close closes the file.
func (w *connection) close() error {
	if w.db == nil {
		return nil
	}
	err := w.db.Close()
	w.db = nil
	return warehouse.Fail(warehouse.CodeFailed, err)
}

// connect opens the file in a mode.
func (w *connection) connect(ctx context.Context, m mode) error {
	if w.db != nil && w.mode == m {
		return nil
	}
	if err := w.close(); err != nil {
		return err
	}
	w.mode = m
	c, err := driver.NewConnector(w.path+"?threads=2&memory_limit="+memoryOf(m)+"&preserve_insertion_order="+strconv.FormatBool(m == reading)+string(m), nil)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	w.db = sql.OpenDB(c)
	w.db.SetMaxOpenConns(1)
	if m == reading {
		return nil
	}
	if m == loading || m == mending { // a view or a macro that somebody made must not reach further in a load than in a query
		for _, q := range []string{"set allowed_directories = [" + text(blob.LocalFolder(w.blobs)) + "]", "set enable_external_access = false", "set lock_configuration = true"} {
			if _, err := w.db.ExecContext(ctx, q); err != nil {
				return warehouse.Fail(warehouse.CodeFailed, err)
			}
		}
	}
	_, err = w.db.ExecContext(ctx, "create schema if not exists "+quote(w.schema))
	return warehouse.Fail(warehouse.CodeSchema, err)
}

func (w *connection) table(name string) string { return quote(w.schema) + "." + quote(name) }

// Schema implements warehouse.Warehouse.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	if err := w.load(ctx); err != nil {
		return nil, err
	}
	out := warehouse.Schema{}
	for _, t := range tables {
		rows, err := w.db.QueryContext(ctx, `select lower(column_name), data_type from duckdb_columns()
			where database_name = current_database() and lower(schema_name) = lower(?) and lower(table_name) = lower(?)`, w.schema, t)
		if err != nil {
			return nil, warehouse.Fail(warehouse.CodeFailed, err)
		}
		s := warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns}
		for rows.Next() {
			var name, typ string
			if err := rows.Scan(&name, &typ); err != nil {
				return nil, warehouse.Fail(warehouse.CodeFailed, err)
			}
			s.Room--
			s.Columns[name] = warehouse.Column{Type: columntype.Of(typ), Native: typ}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, warehouse.Fail(warehouse.CodeFailed, err)
		}
		if s.RowRoom = s.Room; len(s.Columns) > wide {
			w.columns = len(s.Columns)
		}
		q := `select count(*) > 0 from duckdb_views() where database_name = current_database() and lower(schema_name) = lower(?) and lower(view_name) = lower(?)`
		if err := w.db.QueryRowContext(ctx, q, w.schema, t).Scan(&s.Taken); err != nil {
			return nil, warehouse.Fail(warehouse.CodeFailed, err)
		}
		if len(s.Columns) > 0 || s.Taken {
			out[t] = s
		}
	}
	return out, nil
}

// Alter implements warehouse.Warehouse.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	return w.roomy(ctx, w.columns+len(changes), func() error { return w.alter(ctx, changes) })
}

func (w *connection) alter(ctx context.Context, changes []warehouse.Change) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for _, c := range changes {
		if c.From == "int" && c.To == "float" {
			var wide bool
			q := fmt.Sprintf("select coalesce(max(%[1]s) > 9007199254740992 or min(%[1]s) < -9007199254740992, false) from %[2]s", quote(c.Column), w.table(c.Table))
			if err := tx.QueryRowContext(ctx, q).Scan(&wide); err != nil {
				return warehouse.Fail(warehouse.CodeFailed, err)
			}
			if wide {
				c.To = "string"
			}
		}
		if _, err := tx.ExecContext(ctx, alter(w.table(c.Table), c)); err != nil {
			return failure(warehouse.CodeSchema, err)
		}
	}
	return failure(warehouse.CodeSchema, tx.Commit())
}

// Merge implements warehouse.Warehouse.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (m warehouse.Merged, err error) {
	local, release, err := w.files(ctx, files)
	defer release()
	if err != nil {
		return m, warehouse.Fail(warehouse.CodeStage, err)
	}
	err = w.roomy(ctx, max(w.columns, len(t.Columns)), func() (err error) {
		m, err = w.merge(ctx, t, local)
		return err
	})
	return m, err
}

// merge is Merge in an open file.
func (w *connection) merge(ctx context.Context, t warehouse.Table, files []staged) (m warehouse.Merged, err error) {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return m, warehouse.Fail(warehouse.CodeFailed, err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for i, q := range merge(w.table(t.Name), t, files) {
		r, err := tx.ExecContext(ctx, q)
		if err != nil {
			return warehouse.Merged{}, failure(warehouse.CodeFailed, err)
		}
		n, _ := r.RowsAffected() // DuckDB always knows
		m.Rows = max(m.Rows, n)
		if i != deletes || t.Keep || n == 0 || w.mode == mending {
			continue
		}
		var all int64
		if err := tx.QueryRowContext(ctx, "select count(*) from weir_last").Scan(&all); err != nil {
			return warehouse.Merged{}, failure(warehouse.CodeFailed, err)
		}
		if n*deletedPart > all {
			return warehouse.Merged{}, errMend
		}
	}
	return m, failure(warehouse.CodeFailed, tx.Commit())
}

// failure gives an error of a load its code and, where the file is as good as before,
// its scope.
func failure(code string, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return warehouse.Fail(code, err)
	}
	scope := refusal.Warehouse
	switch e.Type {
	case driver.ErrorTypeConstraint, driver.ErrorTypeConversion, driver.ErrorTypeOutOfRange, driver.ErrorTypeDivideByZero, driver.ErrorTypeInvalidInput, driver.ErrorTypeMismatchType:
		scope = refusal.Rows
	case driver.ErrorTypeCatalog, driver.ErrorTypeBinder, driver.ErrorTypeDependency, driver.ErrorTypeParser, driver.ErrorTypeSyntax, driver.ErrorTypeNotImplemented, driver.ErrorTypeExpression:
		scope = refusal.Table
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// files gives staged files as files of this machine until release.
func (w *connection) files(ctx context.Context, files []warehouse.Staged) (local []staged, release func(), err error) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	for _, f := range files {
		path, r, err := blob.LocalFile(ctx, w.blobs, f.Ref)
		if err != nil {
			return nil, release, err
		}
		releases, local = append(releases, r), append(local, staged{path, f.Columns})
	}
	return local, release, nil
}

// query runs a reading statement in this process, which is a worker.
func (w *connection) query(ctx context.Context, query string, row func([]byte) error) error {
	if err := w.connect(ctx, reading); err != nil {
		return err
	}
	if w.schema != "main" {
		query = strings.TrimRight(strings.TrimSpace(query), ";")
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	defer func() { _ = conn.Close() }() // it only read
	if _, err := conn.ExecContext(ctx, "use "+quote(w.schema)); err != nil {
		return warehouse.Fail(warehouse.CodeSchema, err)
	}
	if unsafe.MatchString(query) {
		return refused(errUnsafe)
	}
	if err := conn.Raw(func(c any) error { return reads(c.(*driver.Conn), query) }); err != nil {
		return refused(err)
	}
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return refused(err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err's
	names, err := rows.Columns()
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		readable(values, types)
		b, err := warehouse.RowJSON(names, values)
		if err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		if err := row(b); err != nil {
			return err
		}
	}
	return refused(rows.Err())
}

// readable gives values of the driver's own types the form that people know.
func readable(values []any, types []*sql.ColumnType) {
	for i, v := range values {
		switch v := v.(type) {
		case driver.Decimal:
			values[i] = json.Number(v.String())
		case []byte:
			if types[i].DatabaseTypeName() == "UUID" && len(v) == len(driver.UUID{}) {
				u := driver.UUID(v)
				values[i] = u.String()
			}
		}
	}
}

// Statements that DuckDB runs and loads do not.
var (
	errMemory      = errors.New("the statement takes more memory, or room on disk, than one statement has; ask for less at a time")
	errOne         = errors.New("give one statement at a time")
	errTransaction = errors.New("a statement may not begin or end a transaction")
	errUnsafe      = errors.New("a statement may not use enable_logging, query() or json_execute_serialized_sql, also as a name before a bracket")
)

// unsafe matches functions that no configuration of DuckDB forbids: enable_logging
// to a file ends the process when external access is off, because the error of
// the file is thrown while the connection is closed; the others run a statement
// that is computed, and so may hold it unseen.
var unsafe = regexp.MustCompile(`(?is)enable_logging|json_execute_serialized_sql|\bquery"?(\s|/\*.*\*/|--[^\n]*\n)*\(`)

// refused gives an error of a customer's statement its code: all that DuckDB says
// against one is the customer's, but for what the machine or the process lacks.
func refused(err error) error {
	var e *driver.Error
	if errors.As(err, &e) {
		switch e.Type {
		case driver.ErrorTypeIO, driver.ErrorTypeInterrupt, driver.ErrorTypeFatal, driver.ErrorTypeInternal, driver.ErrorTypeConnection:
			return warehouse.Fail(warehouse.CodeFailed, err)
		case driver.ErrorTypeOutOfMemory: // the process has its own, whatever the machine has
			return warehouse.Refuse(warehouse.CodeFailed, errMemory)
		}
		return warehouse.Refuse(warehouse.CodeFailed, err)
	}
	if slices.ContainsFunc([]error{errOne, errTransaction, errUnsafe, errReading, errSeveral}, func(e error) bool { return errors.Is(err, e) }) {
		return warehouse.Refuse(warehouse.CodeFailed, err)
	}
	return warehouse.Fail(warehouse.CodeFailed, err)
}

// change runs statements in one transaction in this process, which is a worker.
// They reach no other file.
func (w *connection) change(ctx context.Context, statements []string) (rows int64, err error) {
	if err := w.connect(ctx, writing); err != nil {
		return 0, err
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return 0, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	defer func() { _ = conn.Close() }() // what counts is committed
	if _, err := conn.ExecContext(ctx, "use "+quote(w.schema)); err != nil {
		return 0, warehouse.Fail(warehouse.CodeSchema, err)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, warehouse.Fail(warehouse.CodeFailed, err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for _, q := range statements {
		err := conn.Raw(func(c any) error {
			rows, err = exec(ctx, c.(*driver.Conn), q)
			return err
		})
		if err != nil {
			return 0, refused(err)
		}
	}
	return rows, warehouse.Fail(warehouse.CodeFailed, tx.Commit())
}

// exec runs one statement that does not begin or end a transaction.
func exec(ctx context.Context, c *driver.Conn, statement string) (rows int64, err error) {
	if unsafe.MatchString(statement) {
		return 0, errUnsafe
	}
	prepared, err := c.Prepare(statement)
	var e *driver.Error
	if err != nil && !errors.As(err, &e) { // the driver's own: none or several
		return 0, errOne
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, prepared.Close()) }()
	s := prepared.(*driver.Stmt)
	switch typ, err := s.StatementType(); {
	case err != nil:
		return 0, err
	case typ == driver.STATEMENT_TYPE_TRANSACTION:
		return 0, errTransaction
	}
	r, err := s.ExecContext(ctx, nil)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Test implements warehouse.Warehouse.
func (w *connection) Test(ctx context.Context) error {
	if err := w.load(ctx); err != nil {
		return err
	}
	return warehouse.Fail(warehouse.CodeUnreachable, w.db.PingContext(ctx))
}

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	err := w.close()
	w.release()
	return err
}
