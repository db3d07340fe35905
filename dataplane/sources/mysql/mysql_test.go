package mysql_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"weir/dataplane/pull"
	"weir/dataplane/sources/mysql"
	"weir/shared/secret"
	"weir/shared/servertest"
)

// server is the server of the tests, which starts when the first one needs it.
var server struct {
	once sync.Once
	s    *servertest.MariaDB
	root *sql.DB
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.s != nil {
		if err := errors.Join(server.root.Close(), server.s.Close()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// run runs statements as root, in a database of the test's own, and returns its name.
func run(t *testing.T, statements ...string) string {
	t.Helper()
	server.once.Do(func() {
		if server.s, server.err = servertest.StartMariaDB(context.Background(), "", ""); server.err != nil {
			return
		}
		c := driver.NewConfig()
		c.User, c.MultiStatements, c.DialFunc, c.Net, c.Addr = "root", true, server.s.Dial, "tcp", "db:3306"
		c.Params = map[string]string{"time_zone": "'+00:00'", "sql_mode": "''"}
		connector, err := driver.NewConnector(c)
		if server.err = err; err == nil {
			server.root = sql.OpenDB(connector)
		}
	})
	if server.err != nil {
		t.Fatal(server.err)
	}
	name := strings.ToLower(t.Name())
	all := append([]string{
		"create database if not exists " + name,
		"create user if not exists '" + name + "'@'localhost' identified by 'hush'",
		"use " + name,
	}, statements...)
	if _, err := server.root.ExecContext(t.Context(), strings.Join(all, ";\n")); err != nil {
		t.Fatal(err)
	}
	return name
}

// puller opens a source that reads as the test's own user; more are settings.
func puller(t *testing.T, name, more string) pull.Puller {
	t.Helper()
	settings := `{"host":"db.example","database":"` + name + `","user":"` + name + `","sslMode":"disable",` + more + `}`
	open, err := mysql.Kind().Open([]byte(settings), map[string]secret.String{"password": secret.NewString("hush")})
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
	name := run(t, `create table things (id bigint unsigned primary key, small tinyint(1), filled int(6) zerofill, price decimal(20,4), ratio double, text varchar(40) character set utf8mb4, bytes varbinary(10),
		flags bit(4), at datetime(6), stamp timestamp null, day date, zero datetime, hour time, kind enum('a','b'), doc json, none int, changed timestamp(6) not null)`,
		`insert into things values (18446744073709551615, 1, 42, -0.5000, 1e30, 'a "b" 💧', x'00ff', b'101', '2026-03-01 12:00:00.123456', '2026-03-01 12:00:00', '2026-03-01', '0000-00-00', '-01:02:03', 'b', '{"a": [1]}', null, '2026-03-02 00:00:00.5')`,
		"grant select on things to '"+strings.ToLower(t.Name())+"'@'localhost'")
	rows, _, err := read(t, puller(t, name, `"tables":{"things":"changed"}`), "things", nil)
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	const want = `{"id":18446744073709551615,"small":1,"filled":42,"price":-0.5000,"ratio":1e+30,"text":"a \"b\" 💧","bytes":"AP8=","flags":5,"at":"2026-03-01T12:00:00.123456Z",` +
		`"stamp":"2026-03-01T12:00:00Z","day":"2026-03-01","zero":null,"hour":"-01:02:03","kind":"b","doc":"{\"a\": [1]}","none":null,"changed":"2026-03-02T00:00:00.500000Z"}`
	if got := rows[0]; string(got.Row) != want || got.Key != "18446744073709551615" || got.Deleted || !got.At.Equal(time.Date(2026, 3, 2, 0, 0, 0, 5e8, time.UTC)) || !json.Valid(got.Row) {
		t.Errorf("key %s, at %v:\n%s\nwant\n%s", got.Key, got.At, got.Row, want)
	}
}

func TestChangesAreReadByCursor(t *testing.T) {
	t.Parallel()
	name := run(t, "create table orders (shop varchar(10), n int, at datetime not null, gone datetime, primary key (shop, n))",
		"insert into orders select concat('s', seq % 7), seq, '2026-03-01 12:00:00', null from seq_1_to_25000", // one time for all
		"grant select on orders to '"+strings.ToLower(t.Name())+"'@'localhost'")
	p := puller(t, name, `"tables":{"orders":"at"},"deleted":{"orders":"gone"},"overlap":"1m"`)
	rows, from, err := read(t, p, "orders", nil)
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.Key] = true
	}
	if err != nil || len(seen) != 25000 || len(rows) != 25000 {
		t.Fatalf("%d rows, %d keys, %v", len(rows), len(seen), err)
	}
	run(t, "insert into orders values ('late', 1, '2026-03-01 11:59:30', null), ('new', 2, '2026-03-01 12:05:00', null)",
		"update orders set at = '2026-03-01 12:05:00', gone = '2026-03-01 12:05:00' where n = 7", "alter table orders add column note varchar(10) default 'x'")
	rows, _, err = read(t, p, "orders", from)
	states := map[string]pull.Record{}
	for _, r := range rows {
		states[r.Key] = r
	}
	if _, late := states["late:1"]; err != nil || !late || states["new:2"].Key == "" || !states["s0:7"].Deleted || states["s1:1"].Deleted {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if row := string(states["new:2"].Row); row != `{"shop":"new","n":2,"at":"2026-03-01T12:05:00Z","gone":null,"note":"x"}` {
		t.Error("a new column is not there:", row)
	}
}

func TestTablesWithoutACursorAreReadWhole(t *testing.T) {
	t.Parallel()
	name := run(t, "create table flags (id binary(2) primary key, big bigint)", "insert into flags values (x'0001', 1), (x'ff02', 2)",
		"create table plain (a int, b int)", "insert into plain values (1, 2)", "grant select on *.* to '"+strings.ToLower(t.Name())+"'@'localhost'")
	p := puller(t, name, `"tables":{"flags":"","plain":"","`+name+`.Plain":"a"},"keys":{"`+name+`.Plain":"a, b"}`)
	rows, from, err := read(t, p, "flags", nil)
	if err != nil || len(rows) != 2 || rows[1].Key != "ff02" {
		t.Fatalf("%v, %v", rows, err)
	}
	if again, _, err := read(t, p, "flags", from); err != nil || len(again) != 2 {
		t.Fatalf("%v, %v", again, err)
	}
	if _, _, err := read(t, p, "plain", nil); !failed(err, pull.CodeRefused, "no primary key") {
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
	name := run(t, "create table secret_things (id int primary key)", "create table half (id int primary key, a int, b int)",
		"create table open_things (id int primary key)", "grant select on open_things to '"+strings.ToLower(t.Name())+"'@'localhost'", "grant select (a) on half to '"+strings.ToLower(t.Name())+"'@'localhost'")
	p := puller(t, name, `"tables":{"secret_things":"id","half":"a","none":"id","open_things":"missing"},"keys":{"half":"id"}`)
	for stream, want := range map[string][2]string{
		"secret_things": {pull.CodeRefused, "GRANT SELECT ON `" + name + "`.`secret_things` TO '" + name + "'@'localhost';"},
		"half":          {pull.CodeRefused, "no column id"},
		"none":          {pull.CodeRefused, "GRANT SELECT ON"}, // servers do not tell who may not read it that there is none
		"open_things":   {pull.CodeRefused, "no column missing"},
	} {
		if _, _, err := read(t, p, stream, nil); !failed(err, want[0], want[1]) {
			t.Errorf("%s: %v", stream, err)
		}
	}
	run(t, "grant select on * to '"+name+"'@'localhost'")
	if _, _, err := read(t, p, "none", nil); !failed(err, pull.CodeNoStream, "There is no table none") {
		t.Error(err)
	}
	run(t, "set password for '"+name+"'@'localhost' = password('other')")
	if _, _, err := read(t, p, "open_things", nil); !failed(err, pull.CodeReauthorize, "password") {
		t.Error(err)
	}
	for settings, path := range map[string]string{
		`{}`: "settings.tables", `{"a.b":"x","a_b":"y"}`: "settings.tables.a_b", `{"1":"x"}`: "settings.tables.1",
	} {
		_, err := mysql.Kind().Open([]byte(`{"host":"h","database":"d","user":"u","tables":`+settings+`}`), nil)
		if err == nil || !strings.Contains(fmt.Sprintf("%+v", err), path) {
			t.Errorf("%s: %v", settings, err)
		}
	}
}
