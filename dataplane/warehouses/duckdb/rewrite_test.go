//go:build !noduckdb

package duckdb_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
)

// rich makes a file with something of each kind that a file may have, and rows of a person.
var rich = []string{
	"create schema profiles", `create schema "o""dd"`, "create sequence profiles.s start 5", "create type mood as enum ('sad', 'ok')",
	"create table people (id varchar primary key, mood mood default 'ok', n int not null default 7, more int generated always as (n + 1), tags varchar[], part struct(a int), amount decimal(20, 3), born timestamptz, doc json, u uuid)",
	"create table profiles.ids (k int default nextval('profiles.s'), value varchar, unique (value), check (length(value) > 1))",
	`create table "o""dd"."t 1" ("c ""1" varchar)`,
	"create index by_value on profiles.ids (k)",
	"insert into people (id, tags, part, amount, born, doc, u) select 'user-' || i, ['a', null], {'a': i}, i / 3, timestamptz '2026-01-02 03:04:05+00', '{\"a\": 1}', '6ccd780c-baba-1026-9564-5b8c656024db' from range(3) r(i)",
	"insert into people (id, tags) values ('zoe-7f1c93d2-secret', ['zoe-7f1c93d2-tag'])",
	"insert into profiles.ids (value) values ('ann'), ('bob')", `insert into "o""dd"."t 1" values ('x')`,
	"create view seen as select id from people", "create view profiles.both as select i.value, p.id from profiles.ids i, main.people p",
	"create macro plus1(x) as x + 1", "create macro twice(x) as table select x union all select x",
	"comment on table people is 'whom we know'", "comment on column people.n is 'seven'", "comment on view seen is 'a view'",
}

// contents is what rich made, as queries see it.
const contents = `select [
	(select string_agg(p::varchar, '|' order by id) from people p), (select string_agg(i::varchar, '|' order by k) from profiles.ids i), (select string_agg(o::varchar, '|') from "o""dd"."t 1" o),
	(select count(*)::varchar from seen), (select count(*)::varchar from profiles.both), plus1(4)::varchar, (select count(*)::varchar from twice(3)),
	(select string_agg(sql || coalesce(comment, ''), '|' order by schema_name, table_name) from duckdb_tables()), (select string_agg(sql, '|') from duckdb_indexes()), (select string_agg(sql || coalesce(comment, ''), '|' order by view_name) from duckdb_views() where not internal),
	(select string_agg(sql, '|') from duckdb_sequences()), (select string_agg(comment, '|') from duckdb_columns())] as all_of_it`

// file is a warehouse's file in a test.
type file struct {
	t         *testing.T
	dir, path string
}

func newFile(t *testing.T, statements ...string) file {
	t.Helper()
	dir := t.TempDir()
	f := file{t, dir, filepath.Join(dir, "warehouses", "ws_test", "x.duckdb")}
	f.do(func(w warehouse.Warehouse) error {
		_, err := w.Exec(t.Context(), statements)
		return err
	})
	return f
}

func (f file) try(do func(warehouse.Warehouse) error) error {
	f.t.Helper()
	w, err := open(f.t, f.dir, "x")
	if err != nil {
		f.t.Fatal(err)
	}
	return errors.Join(do(w), w.Close())
}

func (f file) do(do func(warehouse.Warehouse) error) {
	f.t.Helper()
	if err := f.try(do); err != nil {
		f.t.Fatal(err)
	}
}

func (f file) remove(table, condition string) {
	f.t.Helper()
	f.do(func(w warehouse.Warehouse) error { return w.(removal.Remover).Remove(f.t.Context(), table, condition) })
}

func (f file) rewrite(ctx context.Context, anyway bool) error {
	f.t.Helper()
	return f.try(func(w warehouse.Warehouse) error { return w.(removal.Rewriter).Rewrite(ctx, anyway) })
}

// contents are those of rich.
func (f file) contents() (all string) {
	f.t.Helper()
	f.do(func(w warehouse.Warehouse) error {
		return w.Query(f.t.Context(), contents, func(row []byte) error { all = string(row); return nil })
	})
	return all
}

// holds reports whether a text is in the file or in one beside it.
func (f file) holds(part string) (found bool) {
	f.t.Helper()
	beside, err := filepath.Glob(f.path + "*")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, path := range beside {
		b, err := os.ReadFile(path)
		if err != nil {
			f.t.Fatal(err)
		}
		found = found || bytes.Contains(b, []byte(part))
	}
	return found
}

// beside are the files beside it.
func (f file) beside() string {
	f.t.Helper()
	all, err := filepath.Glob(f.path + "?*")
	if err != nil {
		f.t.Fatal(err)
	}
	for i := range all {
		all[i] = strings.TrimPrefix(all[i], f.path)
	}
	return strings.Join(all, " ")
}

// TestAFileIsWrittenAnewWithoutWhatWasRemoved looks for a person's bytes in the file.
func TestAFileIsWrittenAnewWithoutWhatWasRemoved(t *testing.T) {
	t.Parallel()
	f := newFile(t, rich...)
	const secret = "zoe-7f1c93d2"
	if !f.holds(secret) {
		t.Fatal("the file does not hold the person's bytes as they are: the test finds nothing")
	}
	before, err := os.Stat(f.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.rewrite(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if now, err := os.Stat(f.path); err != nil || !os.SameFile(before, now) {
		t.Errorf("a file from which nothing was removed is another one: %v", err)
	}
	f.remove("people", "id like 'zoe%'")
	want := f.contents()
	if f.beside() != ".removed" {
		t.Errorf("beside the file are %s", f.beside())
	}

	// A process that dies leaves the file as it was; what it left goes with the next use.
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := f.rewrite(ended, false); err == nil {
		t.Error("a rewriting that was cut off ended well")
	}
	for _, end := range []string{".new", ".new.wal"} {
		if err := os.WriteFile(f.path+end, []byte("half of "+secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.contents(); got != want || f.beside() != ".removed" {
		t.Errorf("after a death there are %s beside the file, and in it\n%s\nwant\n%s", f.beside(), got, want)
	}
	if err := f.rewrite(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if f.holds(secret) {
		t.Error("the file still holds the person's bytes")
	}
	if got := f.contents(); got != want || f.beside() != "" {
		t.Errorf("after it there are %s beside the file, and in it\n%s\nwant\n%s", f.beside(), got, want)
	}

	// Keys, checks and sequences still count, and so do views that are made later.
	for q, fails := range map[string]bool{
		"insert into people (id) values ('user-0')": true, "insert into profiles.ids (value) values ('ann')": true, "insert into profiles.ids (value) values ('c')": true,
		"insert into profiles.ids (value) values ('eve')": false, "create or replace view seen as select n from people": false,
	} {
		err := f.try(func(w warehouse.Warehouse) error { _, err := w.Exec(t.Context(), []string{q}); return err })
		if (err != nil) != fails {
			t.Errorf("%s: %v", q, err)
		}
	}
	f.do(func(w warehouse.Warehouse) error {
		return errors.Join(w.Alter(t.Context(), []warehouse.Change{{Table: "further", To: "string"}}), w.Query(t.Context(), "select max(k) as k from profiles.ids", func(row []byte) error {
			if string(row) != `{"k":7}` && string(row) != `{"k":8}` && string(row) != `{"k":9}` { // values that failed took numbers
				t.Errorf("the sequence gave %s", row)
			}
			return nil
		}))
	})
	if before, err = os.Stat(f.path); err != nil {
		t.Fatal(err)
	}
	if err := f.rewrite(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if now, err := os.Stat(f.path); err != nil || os.SameFile(before, now) {
		t.Errorf("it was not written anew: %v", err)
	}
}

// TestAFileOfForeignKeysIsCopiedWholeOrStays has a foreign key. DuckDB copies the tables in an order of its own, and refuses
// where the table that is referred to comes later.
func TestAFileOfForeignKeysIsCopiedWholeOrStays(t *testing.T) {
	t.Parallel()
	f := newFile(t, append(rich, "create table a_child (a varchar references people (id))", "insert into a_child values ('user-1')")...)
	f.remove("people", "id like 'zoe%'")
	want := f.contents()
	for range 2 {
		left := ".removed"
		if err := f.rewrite(t.Context(), false); err == nil {
			left = ""
		}
		if got := f.contents(); got != want || f.beside() != left {
			t.Errorf("after it there are %q beside the file, want %q, and in it\n%s\nwant\n%s", f.beside(), left, got, want)
		}
		if left == "" {
			return
		}
	}
}
