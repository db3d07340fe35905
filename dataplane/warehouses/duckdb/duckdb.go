//go:build !noduckdb

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
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
	reading bool // of db
}

func open(ctx context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	path, err := file(d.DataDir, s.Path)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	if d.Owners == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no owners of files were given"))
	}
	release, err := d.Owners.Take(ctx, "duckdb:"+path)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("wait for the file: %w", err))
	}
	return &connection{path: path, schema: s.Schema, blobs: d.Blobs, release: release}, nil
}

// connect opens the file; reading refuses writes and other files.
func (w *connection) connect(ctx context.Context, reading bool) error {
	if w.db != nil && w.reading == reading {
		return nil
	}
	if w.db != nil {
		err := w.db.Close()
		if w.db = nil; err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
	}
	w.reading = reading
	options := "?threads=2&memory_limit=1GB"
	if reading {
		options += "&access_mode=READ_ONLY&enable_external_access=false&lock_configuration=true"
	}
	c, err := driver.NewConnector(w.path+options, nil)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	w.db = sql.OpenDB(c)
	w.db.SetMaxOpenConns(1)
	if reading {
		return nil
	}
	for _, q := range []string{"set preserve_insertion_order=false", "create schema if not exists " + quote(w.schema)} {
		if _, err := w.db.ExecContext(ctx, q); err != nil {
			return warehouse.Fail(warehouse.CodeSchema, err)
		}
	}
	return nil
}

func (w *connection) table(name string) string { return quote(w.schema) + "." + quote(name) }

// Schema implements warehouse.Warehouse.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	if err := w.connect(ctx, false); err != nil {
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
		if len(s.Columns) > 0 {
			out[t] = s
		}
	}
	return out, nil
}

// Alter implements warehouse.Warehouse.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	if err := w.connect(ctx, false); err != nil {
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
			return warehouse.Fail(warehouse.CodeSchema, err)
		}
	}
	return warehouse.Fail(warehouse.CodeSchema, tx.Commit())
}

// Merge implements warehouse.Warehouse.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	if err := w.connect(ctx, false); err != nil {
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
			return warehouse.Merged{}, warehouse.Fail(warehouse.CodeFailed, err)
		}
		m.Rows, _ = r.RowsAffected() // DuckDB always knows
	}
	return m, warehouse.Fail(warehouse.CodeFailed, tx.Commit())
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

// Query implements warehouse.Warehouse.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	if _, err := os.Stat(w.path); err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, errors.New("the file is not there yet, because nothing was loaded; send an event and wait for syncEvery"))
	}
	if err := w.connect(ctx, true); err != nil {
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
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err's
	names, err := rows.Columns()
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
		b, err := warehouse.RowJSON(names, values)
		if err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		if err := row(b); err != nil {
			return err
		}
	}
	return warehouse.Fail(warehouse.CodeFailed, rows.Err())
}

// Exec implements warehouse.Warehouse.
func (w *connection) Exec(ctx context.Context, statements []string) (rows int64, err error) {
	if err := w.connect(ctx, false); err != nil {
		return 0, err
	}
	if _, err := w.db.ExecContext(ctx, "use "+quote(w.schema)); err != nil {
		return 0, warehouse.Fail(warehouse.CodeSchema, err)
	}
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, warehouse.Fail(warehouse.CodeFailed, err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	for _, q := range statements {
		r, err := tx.ExecContext(ctx, q)
		if err != nil {
			return 0, warehouse.Fail(warehouse.CodeFailed, err)
		}
		rows, _ = r.RowsAffected() // DuckDB always knows
	}
	return rows, warehouse.Fail(warehouse.CodeFailed, tx.Commit())
}

// Test implements warehouse.Warehouse.
func (w *connection) Test(ctx context.Context) error {
	if err := w.connect(ctx, false); err != nil {
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
