package warehouses_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/load/loadtest"
	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/clickhouse"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/servertest"
)

// clickHouse is the server of the tests, which starts when the first one needs it.
var clickHouse clickHouseServer

type clickHouseServer struct {
	once   sync.Once
	s      *servertest.ClickHouse
	users  atomic.Int64
	client http.Client // has connections of its own: the end of any httptest.Server closes those that http.DefaultTransport holds
	err    error
}

// clickHouseUsers are more than tests use.
const clickHouseUsers = 200

func (c *clickHouseServer) start(t testing.TB) *servertest.ClickHouse {
	t.Helper()
	c.once.Do(func() {
		c.client.Transport = &http.Transport{}
		c.s, c.err = servertest.StartClickHouse(context.Background(), clickHouseUsers)
	})
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.s
}

func (c *clickHouseServer) close() error {
	if c.s == nil {
		return nil
	}
	return c.s.Close()
}

// ask runs a statement as the user default in a database, and returns the answer.
func (c *clickHouseServer) ask(t testing.TB, database, q string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.start(t).Address()+"/?database="+database, strings.NewReader(q))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", q, b, err)
	}
	return strings.TrimSpace(string(b))
}

// database makes an empty database, and returns its name and that of its user.
func (c *clickHouseServer) database(t testing.TB) string {
	t.Helper()
	n := c.users.Add(1)
	if n > clickHouseUsers {
		t.Fatal("there are more databases than users of the server")
	}
	name := fmt.Sprintf("weir%d", n)
	c.ask(t, "default", "create database "+name)
	return name
}

// clickHouseTypes are the standard's types as ClickHouse has them.
var clickHouseTypes = rewriter{{`timestamp with time zone`, `Nullable(FixedString(24))`}, {`\bid (?:varchar|text)(?:\(\d+\))?`, `id String`}, {`\bid integer`, `id Int32`}, {`\b(?:varchar|text)\b(?:\(\d+\))?`, `Nullable(String)`},
	{`\bsmallint\b`, `Nullable(Int16)`}, {`([a-z]\w*) integer\b`, `$1 Nullable(Int32)`}, {`\bbigint\b`, `Nullable(Int64)`}, {`\breal\b`, `Nullable(Float32)`}, {`\bdouble precision\b`, `Nullable(Float64)`},
	{`\b(?:numeric|decimal)(\(\d+, ?\d+\))`, `Nullable(Decimal$1)`}, {`\bboolean\b`, `Nullable(UInt8)`}, {`([a-z]\w*) date\b`, `$1 Nullable(Date)`}, {`([a-z]\w*) uuid\b`, `$1 Nullable(UUID)`}}

// owned runs statements of the kit: a table gets an engine, an update is awaited, and what
// ClickHouse does not have does nothing. A column of a table with many of them that
// somebody's order reads cannot be widened.
func (c *clickHouseServer) owned(t testing.TB, database, statements string) {
	t.Helper()
	for _, q := range strings.Split(statements, "; ") {
		switch {
		case strings.HasPrefix(q, "create table"):
			q = clickHouseTypes.rewrite(q)
			order := "tuple()"
			if keys := regexp.MustCompile(`\b(c\d+) `).FindAllStringSubmatch(q, -1); keys != nil {
				var all []string
				for _, k := range keys {
					all = append(all, "ifNull(toString("+k[1]+"),'')")
				}
				order = "(" + strings.Join(all, ", ") + ")"
			}
			q += " engine = MergeTree order by " + order
		case strings.HasPrefix(q, "delete from "):
			q = strings.Replace(strings.Replace(q, "delete from ", "alter table ", 1), " where ", " delete where ", 1)
		case strings.HasPrefix(q, "update "):
			m := regexp.MustCompile(`^update (\w+) set (.*)$`).FindStringSubmatch(q)
			q = "alter table " + m[1] + " update " + m[2] + " where 1"
		case strings.HasPrefix(q, "create index"), strings.HasPrefix(q, "create sequence"), strings.HasPrefix(q, "create type"):
			continue
		case strings.HasPrefix(q, "drop view"):
			q = strings.Replace(q, "drop view", "drop table", 1)
		}
		c.ask(t, database, q)
		for strings.HasPrefix(q, "alter ") && c.ask(t, database, "select count() from system.mutations where database = '"+database+"' and is_done = 0") != "0" {
			select {
			case <-t.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

func ofClickHouse(t testing.TB) loadtest.Setup {
	name := clickHouse.database(t)
	clickHouse.ask(t, "default", "create database if not exists hush")
	clickHouse.ask(t, "default", "create table if not exists hush.hush (a String) engine = Log")
	queries := rewriter{{`, _select, `, ", `select` as _select, "}, {`cast\((\S+) as varchar\)`, `toString($1)`}, {`cast\((\S+) as integer\)`, `toInt32OrZero($1)`},
		{`select table_name as t from information_schema.columns where column_name = 'n' and .*`, `select table as t from system.columns where name = 'n' and database = '` + name + `'`},
		{`select p.id as p, .*`, `select (select id from pages) as p, (select name from pages) as n, (select id from screens) as s, (select group_id from "groups") as g, (select previous_id from aliases) as a`}}
	return loadtest.Setup{
		Settings: `{"host":"ch.example","port":8123,"database":"` + name + `","user":"` + name + `","sslMode":"disable"}`,
		Secrets:  map[string]secret.String{"password": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: clickHouse.s.Dial, Now: time.Now},
		Exec:     func(q string) { clickHouse.owned(t, name, q) },
		SQL:      queries.rewrite, Undoes: loadtest.UndoesNone,
		Outside: []string{
			"select * from hush.hush", "select * from url('http://127.0.0.1:1/', 'TSV', 'a String')", "select * from file('/etc/passwd', 'TSV', 'a String')", "select * from remote('127.0.0.1', 'hush', 'hush')",
			"select * from mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", "select * from merge('hush', 'hush')", "select * from `merge`('hush', 'hush')", "select * from cluster('x', hush, hush)", "select * from jdbc('x', 'y')", "select * from odbc('x', 'y', 'z')",
			"select * from numbers(3) where number in (select a from url('http://127.0.0.1:1/', 'TSV', 'a UInt64'))", "select * from system.processes", "select * from `system`.processes", `select * from "system" . "settings"`, "select * from system/* */.clusters",
			"select * from system.query_log", "show processlist", "show tables from hush", "show create table hush.hush", "describe table hush.hush", "exists table hush.hush", "use hush", "kill query where 1", "kill mutation where 1", "system shutdown", "set readonly = 0",
			"select 1 settings readonly = 0", "select * from order_done settings max_memory_usage = 0", "select 1 into outfile '/tmp/weir-outside'", "select 1 format Null", "select dictGetString('x', 'y', toUInt64(1))",
			"insert into order_done (id) values ('2')", "insert into order_done (id) select '2'", "alter table order_done delete where 1", "alter table order_done update n = 2 where 1", "truncate table order_done", "drop table order_done", "rename table order_done to x",
			"optimize table order_done final", "create table x (a UInt8) engine = Memory", "create temporary table x (a UInt8)", "create view v as select 1", "create database x", "attach table x", "detach table order_done", "select 1; drop table order_done", "/* */ drop table order_done",
			"-- x\ndrop table order_done", "select 1 /* ", "select '", "select sleep(3)", "with 1 as x insert into order_done (id) select '2'", "select count() from hush.hush union all select count() from order_done",
		},
		// No column of a server of 2018 holds the years 1 to 9999 or milliseconds.
		Lacks: []string{"date", "timestamp", "timestamp(0)"},
		// There are no constraints in it.
		Without: []string{"refused"},
	}
}

// openClickHouse opens a database as a user.
func openClickHouse(t *testing.T, settings map[string]any, password string, dial func(context.Context, string, string) (net.Conn, error)) (warehouse.Warehouse, error) {
	t.Helper()
	for name, value := range map[string]any{"host": "ch.example", "sslMode": "disable"} {
		if settings[name] == nil {
			settings[name] = value
		}
	}
	b, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	o, err := clickhouse.Kind().Open(b, map[string]secret.String{"password": secret.NewString(password)})
	if err != nil {
		t.Fatal(err)
	}
	return o.Open(t.Context(), warehouse.Deps{Dial: dial, Now: time.Now})
}

func TestClickHouseCodes(t *testing.T) {
	t.Parallel()
	name, other := clickHouse.database(t), clickHouse.database(t)
	down := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	web := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, elsewhere.Listener.Addr().String())
	}
	for what, c := range map[string]struct {
		database, user, password string
		dial                     func(context.Context, string, string) (net.Conn, error)
		query, want, says        string
	}{
		"all is well":       {name, name, "hush", clickHouse.s.Dial, "", "", ""},
		"no route":          {name, name, "hush", down, "", warehouse.CodeUnreachable, "no route"},
		"another server":    {name, name, "hush", web, "", warehouse.CodeUnreachable, "404"},
		"no database":       {"none", "default", "", clickHouse.s.Dial, "", warehouse.CodeUnreachable, "make the database"},
		"another database":  {other, name, "hush", clickHouse.s.Dial, "", warehouse.CodeAuth, "set-up guide"},
		"a wrong password":  {name, name, "other", clickHouse.s.Dial, "", warehouse.CodeAuth, "check the user, the password"},
		"no user":           {name, "nobody", "hush", clickHouse.s.Dial, "", warehouse.CodeAuth, "check the user"},
		"no table":          {name, name, "hush", clickHouse.s.Dial, "select * from none", warehouse.CodeSchema, "none"},
		"no such statement": {name, name, "hush", clickHouse.s.Dial, "select from where", warehouse.CodeSchema, ""},
		"a write":           {name, name, "hush", clickHouse.s.Dial, "create table t (i Int8) engine = Memory", warehouse.CodeFailed, "begins with"},
	} {
		w, err := openClickHouse(t, map[string]any{"database": c.database, "user": c.user}, c.password, c.dial)
		if err == nil {
			if err = w.Test(t.Context()); c.query != "" {
				err = w.Query(t.Context(), c.query, func([]byte) error { return nil })
			}
			_ = w.Close()
		}
		if c.want == "" && err == nil {
			continue
		}
		if warehouse.CodeOf(err) != c.want || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %s and %q", what, err, c.want, c.says)
		}
	}
	if left := clickHouse.ask(t, name, "select name from system.tables where database = '"+name+"'"); left != "" {
		t.Errorf("a test leaves the tables %s", left)
	}
}

// TestClickHouseTLS connects through TLS whose certificate a private authority signed.
func TestClickHouseTLS(t *testing.T) {
	t.Parallel()
	name := clickHouse.database(t)
	own, other := newAuthority(t), newAuthority(t)
	certificate, key := own.issue("ch.example")
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	front, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	var ways sync.WaitGroup
	t.Cleanup(func() { _ = front.Close(); ways.Wait() })
	ways.Go(func() {
		for {
			in, err := front.Accept()
			if err != nil {
				return
			}
			ways.Go(func() { forward(in, clickHouse.s.Address()) })
		}
	})
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, front.Addr().String())
	}
	for what, c := range map[string]struct{ host, mode, root, want string }{
		"no check":                {host: "x", mode: "require"},
		"the system's":            {host: "ch.example", mode: "verify-full", want: warehouse.CodeUnreachable},
		"the right authority":     {host: "ch.example", mode: "verify-full", root: own.text},
		"another name":            {host: "x", mode: "verify-full", root: own.text, want: warehouse.CodeUnreachable},
		"another name, unchecked": {host: "x", mode: "verify-ca", root: own.text},
		"another authority":       {host: "ch.example", mode: "require", root: other.text, want: warehouse.CodeUnreachable},
	} {
		settings := map[string]any{"host": c.host, "sslMode": c.mode, "database": name, "user": name}
		if c.root != "" {
			settings["sslRootCert"] = c.root
		}
		w, err := openClickHouse(t, settings, "hush", dial)
		if err == nil {
			err = errors.Join(w.Test(t.Context()), w.Close())
		}
		if (err == nil) != (c.want == "") || err != nil && warehouse.CodeOf(err) != c.want {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
}

// forward passes on what both sides of a connection say until one of them ends.
func forward(in net.Conn, address string) {
	defer func() { _ = in.Close() }()
	out, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
	_, _ = io.Copy(in, out)
	_ = in.Close()
	ways.Wait()
}

// mergeClickHouse merges rows of an id and a number, which are null where they are below
// 0, into a table.
func mergeClickHouse(t *testing.T, name, table string, keep bool, values map[string]int64) {
	t.Helper()
	blobs, err := blob.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		ID  string `parquet:"id"`
		N   *int64 `parquet:"n,optional"`
		Seq int64  `parquet:"#seq"`
	}
	var rows []row
	for id, n := range values {
		r := row{ID: id, Seq: int64(len(rows))}
		if n >= 0 {
			r.N = &n
		}
		rows = append(rows, r)
	}
	const ref blob.Ref = "rows"
	if err := blobs.Put(t.Context(), ref, func(out io.Writer) error { return parquet.Write(out, rows) }); err != nil {
		t.Fatal(err)
	}
	o, err := clickhouse.Kind().Open([]byte(`{"host":"ch.example","database":"`+name+`","user":"`+name+`","sslMode":"disable"}`), map[string]secret.String{"password": secret.NewString("hush")})
	if err != nil {
		t.Fatal(err)
	}
	w, err := o.Open(t.Context(), warehouse.Deps{Dial: clickHouse.s.Dial, Now: time.Now, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	into := warehouse.Table{Name: table, Keep: keep, Columns: []warehouse.Target{{Name: "id", Native: "String", Type: "string"}, {Name: "n", Native: "Nullable(Int64)", Type: "int"}}}
	_, err = w.Merge(t.Context(), into, []warehouse.Staged{{Ref: ref, Columns: []warehouse.StagedColumn{{Name: "id", Type: "string"}, {Name: "n", Type: "int"}}}})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestClickHouseMends merges over what a crash between inserting and deleting left, and
// over what two planes did at once: each id has one row again, and no value is lost.
func TestClickHouseMends(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		name := clickHouse.database(t)
		clickHouse.ask(t, name, "create table t (id String, n Nullable(Int64), other Nullable(String), day Date default '2026-01-02') engine = MergeTree partition by day order by id")
		clickHouse.ask(t, name, "insert into t (id, n, other) values ('a', 1, 'x'), ('a', 2, null), ('b', 5, 'y'), ('c', 6, 'z')")
		clickHouse.ask(t, name, "create table weir_rows_1000_x (a Int8) engine = Log")
		for range 2 { // as after a crash
			mergeClickHouse(t, name, "t", keep, map[string]int64{"a": 3, "b": -1, "d": 9})
		}
		want := "a\t3\t\\N\t2026-01-02\nb\t\\N\t\\N\t2026-01-02\nc\t6\tz\t2026-01-02\nd\t9\t\\N\t2026-01-02"
		if keep {
			want = "a\t3\tx\t2026-01-02\nb\t5\ty\t2026-01-02\nc\t6\tz\t2026-01-02\nd\t9\t\\N\t2026-01-02"
		}
		if got := clickHouse.ask(t, name, "select * from t order by id"); got != want {
			t.Errorf("keep %v: got\n%s\nwant\n%s", keep, got, want)
		}
		if left := clickHouse.ask(t, name, "select name from system.tables where database = '"+name+"' and name != 't'"); left != "" {
			t.Errorf("keep %v: there are the tables %s beside", keep, left)
		}
		if n := clickHouse.ask(t, name, "select count() from system.mutations where database = '"+name+"'"); n != "1" {
			t.Errorf("keep %v: %s deletions, want 1: the repetition changes nothing", keep, n)
		}
	}
}

// TestClickHouseTypes reads values of types of somebody's making.
func TestClickHouseTypes(t *testing.T) {
	t.Parallel()
	name := clickHouse.database(t)
	w, err := openClickHouse(t, map[string]any{"database": name, "user": name}, "hush", clickHouse.s.Dial)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	err = w.Query(t.Context(), `select toDateTime('2026-01-01 10:00:00', 'Europe/Berlin') as a, toDateTime('2026-01-01 10:00:00') as b, toDate('2026-01-01') as c, toUInt64(18446744073709551615) as d, nan as e, [1, 2] as f, toNullable(toUInt8(1)) as g,
		toUInt8(1) as h, null as i, toDecimal64('1.50', 2) as j, 'a\'"\\' as k`, func(b []byte) error { got = string(b); return nil })
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	const want = `{"a":"2026-01-01T09:00:00.000Z","b":"2026-01-01T10:00:00.000Z","c":"2026-01-01T00:00:00.000Z","d":18446744073709551615,"e":"nan","f":[1,2],"g":true,"h":1,"i":null,"j":1.50,"k":"a'\"\\"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestClickHouseSessions holds sessions to the contract of tables.Session, as far as there
// can be: no transactions.
func TestClickHouseSessions(t *testing.T) {
	t.Parallel()
	w, err := opening(t, "clickhouse", ofClickHouse(t))(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	on := w.(tables.Modelled)
	s, err := on.Session(t.Context(), on.Home())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := on.Session(t.Context(), "elsewhere"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a session in another database: %v, want Invalid", err)
	}
	var got []any
	q := `select null, 7, toFloat64(8), 1.5, 'it''s\n', toDateTime('2026-03-01 12:00:00'), toDecimal64('12.55', 2), toDate('2026-03-01'), toUInt64(18446744073709551615), [1, 2], toNullable(toUInt8(1))`
	if err := s.Rows(t.Context(), q, func(v []any) error { got = v; return nil }); err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	want := []any{nil, int64(7), 8.0, 1.5, "it's\n", day.Add(12 * time.Hour), "12.55", day, "18446744073709551615", "[1,2]", true}
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	for _, q := range []string{"select 1; select 2", "selct", "select nothing_of_this", "select * from none", "select * from hush.hush", "select * from url('http://127.0.0.1:1/', 'TSV', 'a String')",
		"create table x engine = Log as select * from remote('127.0.0.1', 'hush', 'hush')", "insert into x select * from file('/etc/passwd', 'TSV', 'a String')", "create table x (a String) engine = Log; select 1",
		"set max_threads = 1", "rename table x to y", "kill query where 1", "system flush logs", "optimize table x", "truncate table x", "attach table x", "create table x engine = Log as select * from system.processes"} {
		if _, err := s.Exec(t.Context(), q); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Exec(%q): %v, want Invalid", q, err)
		}
		if err := s.Rows(t.Context(), q, func([]any) error { return nil }); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Rows(%q): %v, want Invalid", q, err)
		}
	}
	if err := s.Tx(t.Context(), func(tables.Session) error { return nil }); err == nil {
		t.Error("a transaction began")
	}
	broken := errors.New("enough")
	if err := s.Rows(t.Context(), "select number from system.numbers limit 50000", func([]any) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("the error of row came back as %v", err)
	}
	if err := s.Rows(t.Context(), "insert into x values (1)", func([]any) error { return nil }); fault.KindOf(err) != fault.Invalid {
		t.Errorf("rows of a statement that writes: %v, want Invalid", err)
	}
}
