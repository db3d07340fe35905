//go:build !noduckdb

// Package rewrite writes a DuckDB file anew, without the bytes of rows that were removed:
// DuckDB itself keeps them until it writes something over them. A file beside the other one
// says that there are such bytes, from before rows are removed until it is written anew.
//
// It guarantees that at every moment the file is the former one or the new one, whole, with the
// same schemas, tables, rows, keys, indexes, views, types, sequences, macros and comments. It
// refuses a copy that differs, and leaves the former file alone then.
package rewrite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	driver "github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sys/unix"

	"weir/shared/durable"
	"weir/shared/fault"
)

// Ends of the names of what lies beside a file.
const (
	newEnd  = ".new"
	markEnd = ".removed"
	logEnd  = ".wal"
)

// ends are those of a database's files, as DuckDB 1.5 names them.
var ends = []string{"", logEnd, logEnd + ".checkpoint", logEnd + ".recovery"}

// Mark says that rows of a file are going to be removed.
func Mark(path string) error {
	if Marked(path) {
		return nil
	}
	return durable.WriteFile(path+markEnd, nil, 0o600)
}

// Marked reports whether a file may hold the bytes of rows that were removed.
func Marked(path string) bool {
	_, err := os.Lstat(path + markEnd)
	return err == nil
}

// Clear removes the copy that a rewriting left whose process died.
func Clear(path string) error {
	var errs []error
	for _, end := range ends {
		if err := os.Remove(path + newEnd + end); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Room is fault.Limited unless a copy of a file fits on its disk beside it, and leaves the
// twentieth of the disk that the plane takes no events without.
func Room(path string) error {
	size := int64(0)
	for _, end := range []string{"", logEnd} {
		if info, err := os.Stat(path + end); err == nil {
			size += info.Size()
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return fmt.Errorf("measure the disk of the file: %w", err)
	}
	total, free := int64(st.Blocks)*int64(st.Bsize), int64(st.Bavail)*int64(st.Bsize)
	if need := size + size/10 + total/20; free < need {
		return fault.New(fault.Limited, "The disk has %d MiB free, and to write the file anew takes %d MiB.", free>>20, need>>20)
	}
	return nil
}

// listings are what is compared of two databases, by catalog. Each gives one text.
var listings = []string{
	"select string_agg(schema_name || ' ' || coalesce(comment, ''), '|' order by schema_name) from duckdb_schemas() where database_name = $1 and not internal",
	"select string_agg(schema_name || ' ' || sql || ' ' || coalesce(comment, ''), '|' order by schema_name, table_name) from duckdb_tables() where database_name = $1",
	"select string_agg(concat_ws(' ', schema_name, table_name, column_name, data_type, column_default, is_nullable, comment), '|' order by schema_name, table_name, column_index) from duckdb_columns() where database_name = $1 and not internal",
	"select string_agg(concat_ws(' ', schema_name, table_name, constraint_text), '|' order by schema_name, table_name, constraint_text) from duckdb_constraints() where database_name = $1",
	"select string_agg(schema_name || ' ' || sql, '|' order by schema_name, index_name) from duckdb_indexes() where database_name = $1",
	"select string_agg(schema_name || ' ' || sql || ' ' || coalesce(comment, ''), '|' order by schema_name, view_name) from duckdb_views() where database_name = $1 and not internal",
	"select string_agg(schema_name || ' ' || sql, '|' order by schema_name, sequence_name) from duckdb_sequences() where database_name = $1",
	"select string_agg(concat_ws(' ', schema_name, type_name, logical_type, labels), '|' order by schema_name, type_name) from duckdb_types() where database_name = $1 and not internal",
	"select string_agg(concat_ws(' ', schema_name, function_name, parameters, macro_definition), '|' order by schema_name, function_name, parameters) from duckdb_functions() where database_name = $1 and not internal",
}

// copyName is the name of the copy while both are open.
const copyName = "weir_rewritten"

// Copy writes the copy of a file, and returns when it is whole, compared and on the disk, and
// the file's log is in the file. It runs in a process of its own.
func Copy(ctx context.Context, path string) error {
	if err := Clear(path); err != nil {
		return err
	}
	c, err := driver.NewConnector(path+"?threads=2&memory_limit=1GB", nil)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	if err := errors.Join(copyOf(ctx, db, path), db.Close()); err != nil {
		return err
	}
	for _, end := range ends[1:] { // a log that is left belongs to one of the two alone
		for _, of := range []string{path, path + newEnd} {
			if _, err := os.Lstat(of + end); err == nil {
				return errors.New("a log of DuckDB's is left beside the file")
			}
		}
	}
	f, err := os.OpenFile(path+newEnd, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open the copy: %w", err)
	}
	info, err := os.Stat(path)
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func copyOf(ctx context.Context, db *sql.DB, path string) error {
	to, name := path+newEnd, ""
	var allowed []string
	for _, end := range ends {
		allowed = append(allowed, text(path+end), text(to+end))
	}
	if err := db.QueryRowContext(ctx, "select current_database()").Scan(&name); err != nil {
		return fmt.Errorf("ask for the name of the database: %w", err)
	}
	for _, q := range []string{
		"set allowed_paths = [" + strings.Join(allowed, ", ") + "]", "set enable_external_access = false", "set lock_configuration = true", // what somebody made in the file reaches no other
		"attach " + text(to) + " as " + copyName,
		"copy from database " + quote(name) + " to " + copyName,
		"checkpoint " + copyName,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("copy the file: %w", err)
		}
	}
	if err := compare(ctx, db, name); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "detach "+copyName); err != nil {
		return fmt.Errorf("close the copy: %w", err)
	}
	return nil
}

// compare refuses a copy that lacks something.
func compare(ctx context.Context, db *sql.DB, name string) error {
	both := [2]string{name, copyName}
	for i, q := range listings {
		var got [2]sql.NullString
		for j, of := range both {
			if err := db.QueryRowContext(ctx, q, of).Scan(&got[j]); err != nil {
				return fmt.Errorf("list what is in the file: %w", err)
			}
		}
		if got[0] != got[1] {
			return fmt.Errorf("the copy differs from the file in listing %d", i)
		}
	}
	rows, err := db.QueryContext(ctx, "select schema_name, table_name from duckdb_tables() where database_name = $1", name)
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	var tables []string
	for rows.Next() {
		var schema, table string
		if err := rows.Scan(&schema, &table); err != nil {
			return errors.Join(err, rows.Close())
		}
		tables = append(tables, quote(schema)+"."+quote(table))
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, table := range tables {
		var n [2]int64
		for j, of := range both {
			if err := db.QueryRowContext(ctx, "select count(*) from "+quote(of)+"."+table).Scan(&n[j]); err != nil {
				return fmt.Errorf("count rows: %w", err)
			}
		}
		if n[0] != n[1] {
			return errors.New("the copy has other rows than the file")
		}
	}
	return nil
}

// Replace gives the copy the name of the file, for which nobody has it open.
func Replace(path string) error {
	if err := durable.Rename(path+newEnd, path); err != nil {
		return err
	}
	if err := os.Remove(path + markEnd); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("say that the file is written anew: %w", err)
	}
	return nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func text(s string) string     { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
