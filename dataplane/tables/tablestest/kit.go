// Package tablestest is the kit of sessions: what every warehouse that gives them has
// to hold.
package tablestest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/dataplane/tables"
	"weir/shared/fault"
)

// Run runs the kit. open returns the same warehouse each time, to be closed by close.
func Run(t *testing.T, open func(t *testing.T) (w tables.Warehouse, close func())) {
	for name, test := range map[string]func(*testing.T, tables.Warehouse){
		"values have plain types":                 values,
		"a transaction counts whole or not":       transactions,
		"one statement at a time":                 one,
		"work tables are made anew":               work,
		"the latest and the earliest row":         latest,
		"what is not dropped stays":               stays,
		"a customer's mistake leaves the session": mistakes,
		"the end of the context ends a statement": ends,
		"columns have types":                      columns,
	} {
		t.Run(name, func(t *testing.T) {
			w, done := open(t)
			defer done()
			test(t, w)
		})
	}
}

func session(t *testing.T, w tables.Warehouse) tables.Session {
	t.Helper()
	s, err := w.Session(t.Context(), "unit")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func run(t *testing.T, s tables.Session, statements ...string) int64 {
	t.Helper()
	n, err := tables.Run(t.Context(), s, statements...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func rows(t *testing.T, s tables.Session, sql string) (all [][]any) {
	t.Helper()
	if err := s.Rows(t.Context(), sql, func(v []any) error { all = append(all, slices.Clone(v)); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func values(t *testing.T, w tables.Warehouse) {
	s := session(t, w)
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	q := "select null, true, cast(7 as smallint), cast(8 as bigint), cast(1.5 as double precision), 'it''s' || " + w.Dialect().Text("a'b\\n") + ", " + tables.Time(at) +
		", cast(12.55 as decimal(10,2)), sum(x), cast('2026-03-01' as date), cast(timestamp '2026-03-01 12:00:00' as timestamp) from (select cast(3 as bigint) as x union all select 4) v"
	want := []any{nil, true, int64(7), int64(8), 1.5, "it'sa'b\\n", at, "12.55", int64(7), at.Truncate(24 * time.Hour), at.Truncate(time.Hour)}
	got := rows(t, s, q)
	if len(got) != 1 || fmt.Sprintf("%#v", got[0]) != fmt.Sprintf("%#v", want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	if got := rows(t, s, "select "+w.Dialect().Number("x")+" from (select '1.5' as x union all select 'no' union all select null) v order by 1"); len(got) != 3 || !slices.ContainsFunc(got, func(r []any) bool { return r[0] == 1.5 }) {
		t.Errorf("numbers of texts are %v", got)
	}
	if n := len(rows(t, s, "select x, 'a long text that fills frames' || x from ("+series(10000)+") s")); n != 10000 {
		t.Errorf("%d rows, want 10000", n)
	}
	broken := errors.New("enough")
	if err := s.Rows(t.Context(), "select x from ("+series(50000)+") s", func([]any) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("the error of row came back as %v", err)
	}
	run(t, s, "drop table if exists goes_on")
}

// series is a query of the whole numbers below n, in column x.
func series(n int) string {
	digits := "(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4 union all select 5 union all select 6 union all select 7 union all select 8 union all select 9)"
	return fmt.Sprintf("select x from (select a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d as x from %[1]s a, %[1]s b, %[1]s c, %[1]s e, %[1]s f) all_ where x < %[2]d", digits, n)
}

func transactions(t *testing.T, w tables.Warehouse) {
	s := session(t, w)
	run(t, s, "drop table if exists tx", "create table tx (a bigint)")
	broken := errors.New("no")
	err := s.Tx(t.Context(), func(in tables.Session) error {
		run(t, in, "insert into tx values (1)", "create table tx_other (a bigint)")
		if err := in.Tx(t.Context(), func(tables.Session) error { return nil }); err == nil {
			t.Error("a transaction began within one")
		}
		return broken
	})
	if n := rows(t, s, "select count(*) from tx")[0][0]; !errors.Is(err, broken) || n != int64(0) {
		t.Errorf("after %v there are %v rows, want 0", err, n)
	}
	err = s.Tx(t.Context(), func(in tables.Session) error {
		run(t, in, "insert into tx values (2)", "create table tx_other (a bigint)")
		return nil
	})
	if n := rows(t, s, "select count(*) from tx")[0][0]; err != nil || n != int64(1) {
		t.Errorf("after %v there are %v rows, want 1", err, n)
	}
	if n := run(t, s, "update tx set a = 3"); n != 1 {
		t.Errorf("an update changed %d rows, want 1", n)
	}
	run(t, s, "drop table tx", "drop table tx_other")
}

func one(t *testing.T, w tables.Warehouse) {
	s := session(t, w)
	for _, q := range []string{"select 1; select 2", "begin", "commit", "/* a */ commit", "-- a\nrollback", "create table one (a bigint); commit", "select * from (select 1); commit; select (1"} {
		if _, err := s.Exec(t.Context(), q); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Exec(%q): %v, want Invalid", q, err)
		}
		if err := s.Rows(t.Context(), q, func([]any) error { return nil }); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Rows(%q): %v, want Invalid", q, err)
		}
	}
	if got := rows(t, s, "select 1"); len(got) != 1 {
		t.Errorf("after that: %v", got)
	}
}

func work(t *testing.T, w tables.Warehouse) {
	s := session(t, w)
	for n := range 3 {
		run(t, s, w.Dialect().Work("_w", fmt.Sprintf("select cast(%d as bigint) as a, 'x' as b", n))...)
		if got := rows(t, s, "select a from _w"); len(got) != 1 || got[0][0] != int64(n) {
			t.Errorf("the work table has %v, want %d", got, n)
		}
	}
	run(t, s, "insert into _w values (9, 'y')")
	run(t, s, w.Dialect().Analyze("_w")...)
	run(t, s, "drop table if exists _v", "alter table _w rename to _v", "drop table if exists _w", "drop table if exists _v")
	run(t, s, "create table made (a bigint, b text)")
	run(t, s, w.Dialect().Index("made_a", "made", true, "a", "b")...)
	run(t, s, w.Dialect().Index("made_a", "made", true, "a", "b")...)
	run(t, s, "drop table made")
}

func latest(t *testing.T, w tables.Warehouse) {
	s, d := session(t, w), w.Dialect()
	q := "select k, " + d.Latest("x", "seen", "id", "x is not null") + ", " + d.Earliest("x", "seen", "id", "x is not null") + ` from (
		select 1 as k, 'a' as x, ` + tables.Time(time.Unix(10, 0)) + ` as seen, 'i' as id union all select 1, 'b', ` + tables.Time(time.Unix(10, 0)) + `, 'Z' union all
		select 1, null, ` + tables.Time(time.Unix(20, 0)) + `, 'k' union all select 1, 'c', ` + tables.Time(time.Unix(5, 0)) + `, 'm' union all select 2, null, ` + tables.Time(time.Unix(1, 0)) + `, 'n') v group by k order by k`
	if got := fmt.Sprint(rows(t, s, q)); got != "[[1 a c] [2 <nil> <nil>]]" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(rows(t, s, "select x from (select 'a' as x union all select 'B' union all select 'é' union all select 'z') v order by "+d.Binary("x"))); got != "[[B] [a] [z] [é]]" {
		t.Errorf("by bytes: %s", got)
	}
}

func stays(t *testing.T, w tables.Warehouse) {
	s, err := w.Session(t.Context(), "unit")
	if err != nil {
		t.Fatal(err)
	}
	run(t, s, "drop table if exists stays", "create table stays as select 1 as a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := session(t, w)
	name := w.Dialect().Quote("unit") + "." + w.Dialect().Quote("stays")
	if got := rows(t, again, "select a from "+name); len(got) != 1 {
		t.Errorf("the next session finds %v", got)
	}
	run(t, again, "drop table stays")
}

func mistakes(t *testing.T, w tables.Warehouse) {
	s := session(t, w)
	for _, q := range []string{"select nothing_of_this", "selct", "select * from no_table_of_this", "select cast('x' as bigint)"} {
		if _, err := s.Exec(t.Context(), q); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Exec(%q): %v, want Invalid", q, err)
		}
	}
	err := s.Tx(t.Context(), func(in tables.Session) error { _, err := in.Exec(t.Context(), "selct"); return err })
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("in a transaction: %v, want Invalid", err)
	}
	if got := rows(t, s, "select 1"); len(got) != 1 {
		t.Errorf("after that: %v", got)
	}
}

func ends(t *testing.T, w tables.Warehouse) {
	s := session(t, w)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Exec(ctx, "select count(*) from ("+series(90000)+") a, ("+series(90000)+") b where cast(a.x as bigint) * b.x % 7 = 3")
	if err == nil || ctx.Err() == nil {
		t.Errorf("the statement ended with %v, the context with %v", err, ctx.Err())
	}
}

func columns(t *testing.T, w tables.Warehouse) {
	s := session(t, w)
	run(t, s, "drop table if exists cols", "create table cols (a text, b bigint, c double precision, d timestamptz, e boolean, f decimal(10,2), g varchar(3), h date, i timestamp)")
	got, err := tables.Columns(t.Context(), s, w.Dialect(), "unit", "cols")
	want := "map[a:text b:number c:number d:time e:boolean f:number g:text h:time i:time]"
	if err != nil || fmt.Sprint(got) != want {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
	run(t, s, "drop table cols")
	if got, err := tables.Columns(t.Context(), s, w.Dialect(), "unit", "cols"); err != nil || len(got) != 0 {
		t.Errorf("a table that is not there has %v, %v", got, err)
	}
}
