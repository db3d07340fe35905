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
}

// mode is what statements may do with an open file.
type mode string

const (
	loading mode = "" // write, and read the staged files, in the blob store's folder alone
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
	if m == loading {
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

// connect opens the file in a mode.
func (w *connection) connect(ctx context.Context, m mode) error {
	if w.db != nil && w.mode == m {
		return nil
	}
	if w.db != nil {
		err := w.db.Close()
		if w.db = nil; err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
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
	if m == loading { // a view or a macro that somebody made must not reach further in a load than in a query
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
	if err := w.connect(ctx, loading); err != nil {
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
			s.Columns[name] = warehouse.Column{Type: typeOf(typ), Native: typ}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, warehouse.Fail(warehouse.CodeFailed, err)
		}
		s.RowRoom = s.Room
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
	if err := w.connect(ctx, loading); err != nil {
		return err
	}
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
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	if err := w.connect(ctx, loading); err != nil {
		return warehouse.Merged{}, err
	}
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return warehouse.Merged{}, warehouse.Fail(warehouse.CodeFailed, err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	local, release, err := w.files(ctx, files)
	defer release()
	if err != nil {
		return warehouse.Merged{}, warehouse.Fail(warehouse.CodeStage, err)
	}
	var m warehouse.Merged
	for _, q := range merge(w.table(t.Name), t, local) {
		r, err := tx.ExecContext(ctx, q)
		if err != nil {
			return warehouse.Merged{}, failure(warehouse.CodeFailed, err)
		}
		m.Rows, _ = r.RowsAffected() // DuckDB always knows
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
	if err := w.connect(ctx, loading); err != nil {
		return err
	}
	return warehouse.Fail(warehouse.CodeUnreachable, w.db.PingContext(ctx))
}

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	var err error
	if w.db != nil {
		err = w.db.Close()
	}
	w.release()
	return err
}
