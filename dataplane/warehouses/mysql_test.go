package warehouses_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/mysql"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/servertest"
)

// mariadb is the server of the tests, which starts when the first one needs it.
var mariadb mariadbServer

type mariadbServer struct {
	once sync.Once
	s    *servertest.MariaDB
	ca   *authority // of its certificate, which is for db.example
	root *sql.DB
	err  error
}

func (m *mariadbServer) start(t testing.TB) *servertest.MariaDB {
	t.Helper()
	m.once.Do(func() {
		m.ca = newAuthority(t)
		cert, key := m.ca.issue("db.example")
		if m.s, m.err = servertest.StartMariaDB(context.Background(), cert, key); m.err != nil {
			return
		}
		m.root, m.err = m.open("root", "", "")
	})
	if m.err != nil {
		t.Fatal(m.err)
	}
	return m.s
}

// open gives connections on which several statements may be run at once.
func (m *mariadbServer) open(user, password, database string) (*sql.DB, error) {
	c := driver.NewConfig()
	c.User, c.Passwd, c.DBName, c.MultiStatements, c.DialFunc, c.Net, c.Addr = user, password, database, true, m.s.Dial, "tcp", "db:3306"
	c.Params = map[string]string{"sql_mode": "'ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'"}
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (m *mariadbServer) exec(t testing.TB, q string) {
	t.Helper()
	m.start(t)
	if _, err := m.root.ExecContext(t.Context(), q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

func (m *mariadbServer) close() error {
	if m.s == nil {
		return nil
	}
	return errors.Join(m.root.Close(), m.s.Close())
}

// allGrants are the rights that the set-up guide lists.
const allGrants = "select, insert, update, delete, create, alter, index, create temporary tables"

// mysqlUser makes an empty database and a user of the same name with some rights on it.
func mysqlUser(t testing.TB, grants string) string {
	t.Helper()
	name := fmt.Sprintf("m%d", databases.Add(1))
	mariadb.exec(t, fmt.Sprintf(`create database %[1]s character set utf8mb4 collate utf8mb4_nopad_bin; create user '%[1]s'@'localhost' identified by 'hush'`, name))
	if grants != "" {
		mariadb.exec(t, fmt.Sprintf(`grant %s on %s.* to '%[2]s'@'localhost'`, grants, name))
	}
	return name
}

// rewriter replaces the standard's words by those of a kind, in turn.
type rewriter [][2]string

func (r rewriter) rewrite(q string) string {
	for _, x := range r {
		q = regexp.MustCompile(x[0]).ReplaceAllString(q, x[1])
	}
	return q
}

// What MySQL says in other words than Postgres and DuckDB, in statements and in queries.
var (
	mysqlStatements = rewriter{{`timestamp with time zone`, `datetime(3)`}, {`timestamp\(0\)`, `datetime`}, {` timestamp\b`, ` datetime(6)`}, {` real\b`, ` float`}, {` text\b`, ` longtext`},
		{`\bvarchar\b([^(]|$)`, `varchar(700)$1`}, {`create type [^;]*`, `do 0`}}
	mysqlQueries = rewriter{{`as varchar\)`, `as char)`}, {`as integer\)`, `as signed)`}}
)

func ofMySQL(t testing.TB) loadtest.Setup { return mysqlWith(t, allGrants) }

// modelsOfMySQL is a warehouse with the right that models need beside those of loads.
func modelsOfMySQL(t testing.TB) loadtest.Setup { return mysqlWith(t, allGrants+", drop") }

func mysqlWith(t testing.TB, grants string) loadtest.Setup {
	name := mysqlUser(t, grants)
	mariadb.exec(t, "create database if not exists hush; create table if not exists hush.hush as select 'hush' as a")
	db, err := mariadb.open("root", "", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return loadtest.Setup{
		Settings: `{"host":"db.example","database":"` + name + `","user":"` + name + `","sslMode":"disable"}`,
		Secrets:  map[string]secret.String{"password": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: mariadb.s.Dial, Now: time.Now},
		Exec: func(q string) {
			if _, err := db.ExecContext(t.Context(), mysqlStatements.rewrite(q)); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		},
		SQL: mysqlQueries.rewrite, Undoes: loadtest.UndoesRows,
		Outside: []string{
			"select * from order_done into outfile '/tmp/weir-outside'", "select 1 into dumpfile '/tmp/weir-outside'", "select * from mysql.user", "select * from hush.hush", "(select * from hush.hush)", "values (1), (2) into outfile '/tmp/weir-outside'",
			"load data local infile '/etc/passwd' into table order_done", "load data infile '/etc/passwd' into table order_done", "insert into order_done (id) values ('2')", "replace into order_done (id) values ('2')",
			"insert into order_done (id) values ('2') returning id", "update order_done set n = 2", "with x as (select 1) update order_done set n = 2", "delete from order_done", "delete from order_done returning id", "truncate table order_done", "drop table order_done",
			"select 1; delete from order_done", "create table x (i int)", "create temporary table x (i int)", "select 1 into @x; commit", "rename table order_done to x", "commit", "set session transaction read write", "set password = password('x')", "set global max_connections = 1",
			"call sys.x()", "do sleep(0)", "handler order_done open", "lock tables order_done write", "kill 1", "analyze delete from order_done", "/*! delete from order_done */", "/*!50000 delete from order_done */", "/*M! delete from order_done */", "select * from none",
			"prepare x from 'delete from order_done'", "execute immediate 'delete from order_done'", "grant all on *.* to x", "select nextval(none)", "show create user root@localhost", "select * from order_done for update; commit",
		},
	}
}

// TestMySQLInserts loads where the server refuses LOAD DATA LOCAL. It is alone on the
// server, as tests that are not parallel are.
func TestMySQLInserts(t *testing.T) {
	mariadb.exec(t, "set global local_infile = 0")
	t.Cleanup(func() {
		if _, err := mariadb.root.Exec("set global local_infile = 1"); err != nil {
			t.Error(err)
		}
	})
	loadtest.Check(t, mysql.Kind(), ofMySQL, "calls", "repeat", "values", "refused", "exact")
}

// openMySQL opens a database as a user.
func openMySQL(t *testing.T, settings map[string]any, password, key string, dial func(context.Context, string, string) (net.Conn, error)) (warehouse.Warehouse, error) {
	t.Helper()
	for name, value := range map[string]any{"host": "db.example", "sslMode": "disable"} {
		if settings[name] == nil {
			settings[name] = value
		}
	}
	b, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]secret.String{"password": secret.NewString(password)}
	if key != "" {
		secrets["sslKey"] = secret.NewString(key)
	}
	o, err := mysql.Kind().Open(b, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return o.Open(t.Context(), warehouse.Deps{Dial: dial, Now: time.Now})
}

func TestMySQLCodes(t *testing.T) {
	t.Parallel()
	name, weak := mysqlUser(t, allGrants), mysqlUser(t, "select, insert, create")
	quota := mysqlUser(t, allGrants)
	mariadb.exec(t, "alter user '"+quota+"'@'localhost' with max_connections_per_hour 1")
	down := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	if w, err := openMySQL(t, map[string]any{"database": quota, "user": quota}, "hush", "", mariadb.s.Dial); err != nil {
		t.Fatal(err)
	} else if err := w.Close(); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]struct {
		database, user, password string
		dial                     func(context.Context, string, string) (net.Conn, error)
		query, want, says        string
	}{
		"no route":          {name, name, "hush", down, "", warehouse.CodeUnreachable, "no route"},
		"no database":       {"none_" + name, "root", "", mariadb.s.Dial, "", warehouse.CodeUnreachable, "make the database"},
		"another database":  {weak, name, "hush", mariadb.s.Dial, "", warehouse.CodeAuth, "grant the user"},
		"a wrong password":  {name, name, "other", mariadb.s.Dial, "", warehouse.CodeAuth, "check the user, the password"},
		"no user":           {name, "nobody", "hush", mariadb.s.Dial, "", warehouse.CodeAuth, "check the user"},
		"missing rights":    {weak, weak, "hush", mariadb.s.Dial, "", warehouse.CodeAuth, "grant UPDATE, DELETE, ALTER, INDEX, CREATE TEMPORARY TABLES on `" + weak + "`.* to '" + weak + "'"},
		"too many":          {quota, quota, "hush", mariadb.s.Dial, "", warehouse.CodeUnreachable, "raise its limits"},
		"no table":          {name, name, "hush", mariadb.s.Dial, "select * from none", warehouse.CodeSchema, "none"},
		"no such statement": {name, name, "hush", mariadb.s.Dial, "select from where", warehouse.CodeSchema, ""},
		"a write":           {name, name, "hush", mariadb.s.Dial, "create table t (i int)", warehouse.CodeFailed, "begins with"},
	} {
		w, err := openMySQL(t, map[string]any{"database": c.database, "user": c.user}, c.password, "", c.dial)
		if err == nil {
			if err = w.Test(t.Context()); c.query != "" {
				err = w.Query(t.Context(), c.query, func([]byte) error { return nil })
			}
			_ = w.Close()
		}
		if warehouse.CodeOf(err) != c.want || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %s and %q", what, err, c.want, c.says)
		}
	}
}

// TestMySQLTLS connects to a server whose certificate a private authority signed.
func TestMySQLTLS(t *testing.T) {
	t.Parallel()
	name := mysqlUser(t, allGrants)
	mariadb.exec(t, "alter user '"+name+"'@'localhost' require ssl")
	other, own := newAuthority(t), mariadb.ca
	for what, c := range map[string]struct{ host, mode, root, want string }{
		"no check":                {host: "x", mode: "require"},
		"no TLS":                  {host: "x", mode: "disable", want: warehouse.CodeAuth},
		"the system's":            {host: "db.example", mode: "verify-full", want: warehouse.CodeUnreachable},
		"the right authority":     {host: "db.example", mode: "verify-full", root: own.text},
		"another name":            {host: "x", mode: "verify-full", root: own.text, want: warehouse.CodeUnreachable},
		"another name, unchecked": {host: "x", mode: "verify-ca", root: own.text},
		"another authority":       {host: "db.example", mode: "require", root: other.text, want: warehouse.CodeUnreachable},
	} {
		settings := map[string]any{"host": c.host, "sslMode": c.mode, "database": name, "user": name}
		if c.root != "" {
			settings["sslRootCert"] = c.root
		}
		w, err := openMySQL(t, settings, "hush", "", mariadb.s.Dial)
		if err == nil {
			err = errors.Join(w.Test(t.Context()), w.Close())
		}
		if (err == nil) != (c.want == "") || err != nil && warehouse.CodeOf(err) != c.want {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
}

// sessionOfMySQL opens a session of a user in its database.
func sessionOfMySQL(t *testing.T, name string) tables.Session {
	t.Helper()
	w, err := openMySQL(t, map[string]any{"database": name, "user": name}, "hush", "", mariadb.s.Dial)
	if err != nil {
		t.Fatal(err)
	}
	on := w.(tables.Modelled)
	s, err := on.Session(t.Context(), on.Home())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), w.Close()); err != nil {
			t.Error(err)
		}
	})
	if _, err := on.Session(t.Context(), "elsewhere"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a session in another database: %v, want Invalid", err)
	}
	return s
}

// TestMySQLSessions holds sessions to the contract of tables.Session, as far as MySQL can.
func TestMySQLSessions(t *testing.T) {
	t.Parallel()
	name := mysqlUser(t, allGrants+", drop")
	s := sessionOfMySQL(t, name)
	exec := func(s tables.Session, q string) error { _, err := s.Exec(t.Context(), q); return err }
	var got []any
	q := `select null, cast(7 as signed), 1.5e0, 'it''s\n', timestamp '2026-03-01 12:00:00.123456', cast(12.55 as decimal(10,2)), cast(8 as decimal(10,0)), date '2026-03-01', cast(18446744073709551615 as unsigned), x'FF00'`
	if err := s.Rows(t.Context(), q, func(v []any) error { got = v; return nil }); err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	want := []any{nil, int64(7), 1.5, `it's\n`, day.Add(12*time.Hour + 123456*time.Microsecond), "12.55", int64(8), day, "18446744073709551615", "0xff00"}
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	for _, q := range []string{"select 1; select 2", "begin", "commit", "/* a */ commit", "-- a\nrollback", "/*! commit */", "set autocommit = 0", "lock tables x write", "start transaction", "xa begin 'a'", "call x()", "selct", "select nothing_of_this", "select * from none"} {
		if err := exec(s, q); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Exec(%q): %v, want Invalid", q, err)
		}
		if err := s.Rows(t.Context(), q, func([]any) error { return nil }); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Rows(%q): %v, want Invalid", q, err)
		}
	}
	for _, q := range []string{"create table tx (a bigint, b float, c tinyint(1)) engine=InnoDB", "insert into tx values (1, 0.1, 1)"} {
		if err := exec(s, q); err != nil {
			t.Fatal(err)
		}
	}
	broken := errors.New("no")
	if err := s.Tx(t.Context(), func(in tables.Session) error {
		if err := in.Tx(t.Context(), func(tables.Session) error { return nil }); err == nil {
			t.Error("a transaction began within one")
		}
		if err := exec(in, "create table other (a bigint)"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a table was made within a transaction: %v", err)
		}
		return errors.Join(exec(in, "insert into tx values (2, 0, 0)"), broken)
	}); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := s.Tx(t.Context(), func(in tables.Session) error { return exec(in, "update tx set a = a + 2") }); err != nil {
		t.Error(err)
	}
	var rows []string
	if err := s.Rows(t.Context(), "select a, b, c from tx", func(v []any) error { rows = append(rows, fmt.Sprint(v)); return nil }); err != nil || fmt.Sprint(rows) != "[[3 0.1 true]]" {
		t.Errorf("rows are %v, %v", rows, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Exec(ctx, "update tx set b = sleep(500)"); err == nil || ctx.Err() == nil {
		t.Errorf("the statement ended with %v, the context with %v", err, ctx.Err())
	}
	for end := time.Now().Add(2 * time.Minute); ; delay.For(t.Context(), 20*time.Millisecond) {
		var busy int
		if err := mariadb.root.QueryRowContext(t.Context(), "select count(*) from information_schema.processlist where user = '"+name+"' and info like '%sleep%'").Scan(&busy); err != nil {
			t.Fatal(err)
		}
		if busy == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server still runs a statement that nobody waits for")
		}
	}
}

// TestMySQLModelsWithoutRights says which rights models need.
func TestMySQLModelsWithoutRights(t *testing.T) {
	t.Parallel()
	s := sessionOfMySQL(t, mysqlUser(t, allGrants))
	if _, err := s.Exec(t.Context(), "create table _w as select 1 as a"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Exec(t.Context(), "drop table if exists _w")
	if fault.KindOf(err) != fault.Invalid || warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), "INDEX and DROP on `m") {
		t.Errorf("a drop without the right: %v", err)
	}
}
