package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/sources/postgres"
	"weir/shared/postgrestest"
)

// server is the server of the tests, which starts when the first one needs it.
var server struct {
	once sync.Once
	s    *postgrestest.Server
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.s != nil {
		if err := server.s.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// databases counts those of the tests: a test may run several times.
var databases atomic.Int64

// database makes a database with a role of the same name, and returns it.
func database(t *testing.T) string {
	t.Helper()
	server.once.Do(func() {
		server.s, server.err = postgrestest.Start(context.Background(), "", "wal_level=logical", "max_replication_slots=100", "max_wal_senders=100")
	})
	if server.err != nil {
		t.Fatal(server.err)
	}
	name := fmt.Sprintf("%s%d", strings.ToLower(t.Name()), databases.Add(1))
	if err := server.s.Database(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	run(t, name, "create role "+name+" login")
	return name
}

// run runs statements as the superuser.
func run(t *testing.T, name string, statements ...string) {
	t.Helper()
	if err := server.s.Exec(t.Context(), name, strings.Join(statements, ";\n")); err != nil {
		t.Fatal(err)
	}
}

// puller opens a source that reads as the test's own user; more are settings.
func puller(t *testing.T, name, user, more string) pull.Puller {
	t.Helper()
	open, err := postgres.Kind().Open([]byte(`{"host":"db.example","database":"`+name+`","user":"`+user+`","sslMode":"disable",`+more+`}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return open(pull.Deps{Dial: server.s.Dial, Now: time.Now})
}

// read pulls a stream to its end and returns its rows, and where it goes on.
func read(t *testing.T, p pull.Puller, stream string, from pull.Cursor) ([]pull.Record, pull.Cursor, error) {
	t.Helper()
	var all []pull.Record
	for {
		next, err := p.Pull(t.Context(), stream, from, pull.Budget{Until: time.Now().Add(time.Hour)}, func(some []pull.Record, c pull.Cursor) error {
			all, from = append(all, some...), c
			return nil
		})
		if err != nil || !next.More {
			return all, from, err
		}
	}
}

func TestTypesBecomeJSON(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, `create type mood as enum ('ok', 'bad'); create domain cents as bigint`,
		`create table things (id uuid primary key, yes boolean, big bigint, amount numeric(30,10), none numeric, ratio double precision, text text, padded char(4), bytes bytea,
		at timestamptz, local timestamp, forever timestamptz, day date, span interval, list int[], names text[], doc json, docb jsonb, feel mood, price cents, nothing int, changed timestamptz not null)`,
		`insert into things values ('00000000-0000-0000-0000-000000000001', true, 9007199254740993, 12345678901234567890.5, 'NaN', 1e300, E'a "b"\n💧', 'x', '\x00ff',
		'2026-03-01 13:00:00.123456+01', '2026-03-01 12:00:00', 'infinity', '2026-03-01', '1 day 2 hours', '{1,null,3}', '{a,"b c"}', '{"a" : [1]}', '{"b": 1.50}', 'bad', 7, null, '2026-03-02 00:00:00.5+00')`,
		"grant select on things to "+name)
	rows, _, err := read(t, puller(t, name, name, `"tables":{"things":"changed"}`), "things", nil)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	const want = `{"id":"00000000-0000-0000-0000-000000000001","yes":true,"big":9007199254740993,"amount":12345678901234567890.5000000000,"none":"NaN","ratio":1e+300,"text":"a \"b\"\n💧","padded":"x   ",` +
		`"bytes":"AP8=","at":"2026-03-01T12:00:00.123456Z","local":"2026-03-01T12:00:00Z","forever":"infinity","day":"2026-03-01","span":"P1DT2H","list":[1, null, 3],"names":["a", "b c"],` +
		`"doc":{"a": [1]},"docb":{"b": 1.50},"feel":"bad","price":7,"nothing":null,"changed":"2026-03-02T00:00:00.5Z"}`
	if got := rows[0]; string(got.Row) != want || got.Key != "00000000-0000-0000-0000-000000000001" || !got.At.Equal(time.Date(2026, 3, 2, 0, 0, 0, 5e8, time.UTC)) || !json.Valid(got.Row) {
		t.Errorf("key %s, at %v:\n%s\nwant\n%s", got.Key, got.At, got.Row, want)
	}
}

func TestChangesAreReadByCursor(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, "create table orders (shop text, n int, at timestamptz, gone boolean, primary key (shop, n))",
		"insert into orders select 's' || n % 7, n, '2026-03-01 12:00:00+00', false from generate_series(1, 25000) n", // one time for all
		"insert into orders values ('none', 1, null, false)", "grant select on orders to "+name)
	p := puller(t, name, name, `"tables":{"public.orders":"at"},"deleted":{"public.orders":"gone"},"overlap":"1m"`)
	rows, from, err := read(t, p, "public_orders", nil)
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.Key] = true
	}
	if err != nil || len(seen) != 25001 || len(rows) != 25001 {
		t.Fatalf("%d rows, %d keys, %v", len(rows), len(seen), err)
	}
	run(t, name, "insert into orders values ('late', 1, '2026-03-01 11:59:30+00', false), ('new', 2, '2026-03-01 12:05:00+00', false), ('far', 3, 'infinity', false)",
		"update orders set at = '2026-03-01 12:05:00+00', gone = true where n = 7", "alter table orders drop column gone cascade; alter table orders add gone boolean; update orders set gone = true where n = 7")
	states := map[string]pull.Record{}
	for range 2 { // also after a value that is beyond all times
		if rows, from, err = read(t, p, "public_orders", from); err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			states[r.Key] = r
		}
	}
	if states["late:1"].Key == "" || states["new:2"].Key == "" || states["far:3"].Key == "" || !states["s0:7"].Deleted || states["s1:1"].Deleted {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	run(t, name, "insert into orders values ('after', 4, now(), false)")
	if rows, _, err = read(t, p, "public_orders", from); err != nil || rows[1].Key != "after:4" {
		t.Fatalf("%v, %v", rows, err)
	}
}

func TestIntegersAndWholeTables(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, `create table "Log" (id bigserial primary key, tags text[])`, `insert into "Log" (tags) select '{a}' from generate_series(1, 30)`,
		"create table flags (a text collate \"C\", b bytea, primary key (a, b))", `insert into flags values ('x', '\x01'), ('y', '\xff')`, `grant select on "Log", flags to `+name)
	p := puller(t, name, name, `"tables":{"Log":"id","flags":"","public.Log":"tags"}`)
	rows, from, err := read(t, p, "log", nil)
	if err != nil || len(rows) != 30 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	run(t, name, `insert into "Log" (tags) values (null)`)
	if rows, _, err = read(t, p, "log", from); err != nil || rows[len(rows)-1].Key != "31" {
		t.Fatalf("%v, %v", rows, err)
	}
	if rows, _, err = read(t, p, "flags", nil); err != nil || len(rows) != 2 || rows[1].Key != `y:\xff` {
		t.Fatalf("%v, %v", rows, err)
	}
	if _, _, err = read(t, p, "public_log", nil); !failed(err, pull.CodeRefused, "cannot be put in order by the column tags") {
		t.Error(err)
	}
}

// failed reports whether an error is a failure with a code and a part of its sentence.
func failed(err error, code, part string) bool {
	var f *pull.Failure
	return errors.As(err, &f) && f.Code == code && strings.Contains(f.Text, part)
}

func TestFailuresSayWhatToDo(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, "create table hidden (id int primary key)", "create table half (id int primary key, a int)", "create table plain (a int)", "create table empty_one (id int primary key)",
		"create schema other; create table other.things (id int primary key)", "grant select on plain, empty_one, other.things to "+name, "grant select (a) on half to "+name)
	p := puller(t, name, name, `"tables":{"hidden":"id","half":"a","none":"id","plain":"a","empty_one":"missing","other.things":"id"}`)
	for stream, want := range map[string][2]string{
		"hidden":       {pull.CodeRefused, `Run: GRANT SELECT ON "public"."hidden" TO "` + name + `";`},
		"half":         {pull.CodeRefused, "no column id"},
		"none":         {pull.CodeNoStream, `no table "public"."none"`},
		"plain":        {pull.CodeRefused, "no primary key"},
		"empty_one":    {pull.CodeRefused, "no column missing"},
		"other_things": {pull.CodeRefused, `Run: GRANT USAGE ON SCHEMA "other" TO "` + name + `";`},
	} {
		if _, _, err := read(t, p, stream, nil); !failed(err, want[0], want[1]) {
			t.Errorf("%s: %v", stream, err)
		}
	}
	if _, _, err := read(t, puller(t, name, "nobody_"+name, `"tables":{"hidden":"id"}`), "hidden", nil); !failed(err, pull.CodeReauthorize, "check the user") {
		t.Error(err)
	}
	if _, _, err := read(t, puller(t, "no_"+name, name, `"tables":{"hidden":"id"}`), "hidden", nil); !failed(err, pull.CodeRefused, "no database") {
		t.Error(err)
	}
	run(t, name, "grant usage on schema other to "+name)
	if rows, from, err := read(t, p, "other_things", nil); err != nil || len(rows) != 0 || len(from) == 0 {
		t.Errorf("%v, %s, %v", rows, from, err)
	}
}
