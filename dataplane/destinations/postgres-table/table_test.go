package postgrestable_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/destination"
	"weir/dataplane/destination/cases"
	"weir/dataplane/destination/destinationtest"
	postgrestable "weir/dataplane/destinations/postgres-table"
	"weir/dataplane/event"
	"weir/dataplane/syncs/syncstest"
	"weir/shared/egress"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/postgrestest"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

var (
	server *postgrestest.Server
	last   atomic.Int64
)

func TestMain(m *testing.M) {
	var err error
	if server, err = postgrestest.Start(context.Background(), ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// tables are those of the tests' databases.
const tables = `
create table cities (city text primary key);
insert into cities values ('Bern');
create table people (
	id text primary key, email text unique, name text, plan text default 'none', score integer check (score >= 0), rate numeric(6,2), big numeric, vip boolean not null default false,
	seen timestamptz, tags text[], extra json, city text references cities deferrable initially deferred, twice integer generated always as (score * 2) stored);
insert into people (id, email, name, score) values ('ada', 'ada@example.com', 'Ada', 1), ('eve', null, 'Eve', 2);
create table log (n integer, who text, what text);
create schema "Sales 2026";
create table "Sales 2026"."Order Lines" (line smallint, "Order" bigint, "Unit Price" numeric, unique ("Order", line));
create table tracks (id text primary key, received_at timestamptz, uuid_ts timestamptz, event text);
create schema persons;
create table persons._entities (entity text);
create table persons._cursors (entity text);
create table persons.mine (id text primary key, n integer);
create role reader login;
grant select on people to reader;
`

// database is a database of the server.
type database struct {
	t      testing.TB
	name   string
	broken atomic.Bool
}

func newDatabase(t testing.TB) *database {
	t.Helper()
	d := &database{t: t, name: fmt.Sprintf("d%d", last.Add(1))}
	if err := server.Database(t.Context(), d.name); err != nil {
		t.Fatal(err)
	}
	d.exec(strings.ReplaceAll(tables, "reader", "reader_"+d.name))
	return d
}

func (d *database) exec(sql string) {
	d.t.Helper()
	if err := server.Exec(context.Background(), d.name, sql); err != nil {
		d.t.Fatal(err)
	}
}

// rows are the rows of a query, each as JSON.
func (d *database) rows(query string) (all []string) {
	d.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server.URL(d.name))
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, "set timezone = 'UTC'")
	if err == nil {
		rows.Close()
		rows, err = conn.Query(ctx, "select row_to_json(r)::text from ("+query+") r")
	}
	if err == nil {
		all, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// deps lead every address to the server.
func (d *database) deps() destination.Deps {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr != "db.example.com:5432" {
			return nil, fmt.Errorf("dialled %s", addr)
		}
		if d.broken.Load() {
			return nil, errors.New("the server is away")
		}
		return server.Dial(ctx, network, addr)
	}
	return destination.Deps{Dial: dial, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func (d *database) settings(table, more string) string {
	return fmt.Sprintf(`{"host":"db.example.com","database":%q,"user":"postgres","table":%q,"sslMode":"disable"%s}`, d.name, table, more)
}

func opened(t testing.TB, settings string) destination.Opened {
	t.Helper()
	o, err := postgrestable.Kind().Open([]byte(settings), map[string]secret.String{"password": secret.NewString("made-up-password")})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (d *database) sink(settings string) destination.Sink {
	d.t.Helper()
	s, err := opened(d.t, settings).Sink(d.t.Context(), d.deps())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	destinationtest.CheckSink(t, destinationtest.Sink{
		Opened: opened(t, d.settings("people", "")), Deps: d.deps(), Break: d.broken.Store, Taken: func() []id.Event { return nil }, // events are no rows
	})
}

func TestCases(t *testing.T) {
	t.Parallel()
	// The cases name a database and a user; each has a database of its own.
	destinationtest.SinkCases(t, postgrestable.Kind(), ".", func(t testing.TB) destinationtest.Side {
		d := newDatabase(t)
		deps := d.deps()
		dial := deps.Dial
		deps.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return &renamed{Conn: conn, user: "postgres", database: d.name}, err
		}
		before := map[string]bool{}
		queries := []string{"select * from people order by id", "select * from log order by what, who", `select * from "Sales 2026"."Order Lines" order by 2, 1`, "select * from tracks", "select * from persons.mine"}
		for _, q := range queries {
			for _, r := range d.rows(q) {
				before[r] = true
			}
		}
		return destinationtest.Side{Deps: deps, Arrived: func() (lines []string) {
			for _, q := range queries {
				for _, r := range d.rows(q) {
					if !before[r] {
						lines = append(lines, r)
					}
					delete(before, r)
				}
			}
			for r := range before {
				lines = append(lines, "gone or changed: "+r)
			}
			return sortedTail(lines)
		}}
	})
}

// sortedTail sorts the lines about rows that are gone, which come in any order.
func sortedTail(lines []string) []string {
	for i := range lines {
		for j := i; j > 0 && strings.HasPrefix(lines[j], "gone") && strings.HasPrefix(lines[j-1], "gone") && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return lines
}

// renamed is a connection whose first message names another user and database.
// Source: https://www.postgresql.org/docs/current/protocol-message-formats.html (StartupMessage)
type renamed struct {
	net.Conn
	user, database string
	began          bool
}

func (c *renamed) Write(b []byte) (int, error) {
	if c.began {
		return c.Conn.Write(b)
	}
	c.began = true
	n := len(b)
	body := string(b[4:])
	body = strings.Replace(body, "user\x00weir\x00", "user\x00"+c.user+"\x00", 1)
	body = strings.Replace(body, "database\x00shop\x00", "database\x00"+c.database+"\x00", 1)
	size := len(body) + 4
	_, err := c.Conn.Write(append([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, body...))
	return n, err
}

// TestSyncs has the rows of a model in a table, whatever is lost on the way.
func TestSyncs(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec("create table kept (id text primary key, name text, plan text, score integer, vip boolean, note text default 'of somebody else')")
	syncstest.Keeps(t, syncstest.Kept{
		Opened: opened(t, d.settings("kept", "")), Deps: d.deps(), Sync: activation.Sync{Object: "row"},
		Records: func() map[string]string {
			all := map[string]string{}
			for _, text := range d.rows("select * from kept where note = 'of somebody else'") {
				var row map[string]any
				if err := json.Unmarshal([]byte(text), &row); err != nil {
					t.Fatal(err)
				}
				key := fmt.Sprint(row["id"])
				delete(row, "id")
				delete(row, "note")
				b, _ := json.Marshal(row)
				all[key] = string(b)
			}
			return all
		},
		Break: func(broken bool) {
			d.broken.Store(broken)
			d.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
		},
	}, 4)
}

// batch is so many rows of people.
func batch(n int) destination.Batch {
	b := destination.Batch{Now: time.Now()}
	for i := range n {
		e := event.Event{MessageID: id.Event(fmt.Sprint("m", i)), Type: "record", JSON: fmt.Appendf(nil, `{"type":"record","action":"insert","mode":"upsert","object":"row","key":"k%d","identifiers":{"id":"k%[1]d"},"fields":{"score":%[1]d}}`, i)}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

// TestAnswersOfTheServer has an outcome and a code for what a server answers about all rows.
func TestAnswersOfTheServer(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec("create schema closed; create table closed.people (id text primary key, score integer); create function no() returns trigger language plpgsql as $$ begin raise exception 'no row of %', new.id; end $$; create table barred (id text primary key, score integer); create trigger no before insert on barred for each row execute function no(); create view seen as select id, score from people; create sequence numbers")
	with := func(from, to string) string { return strings.Replace(d.settings("people", ""), from, to, 1) }
	for name, tc := range map[string]struct{ settings, want string }{
		"taken":                     {d.settings("people", ""), "delivered "},
		"no right to write":         {with(`"postgres"`, `"reader_`+d.name+`"`), "retry postgres_table_denied"},
		"no right to the schema":    {strings.Replace(with(`"postgres"`, `"reader_`+d.name+`"`), `"sslMode"`, `"schema":"closed","sslMode"`, 1), "retry postgres_table_denied"},
		"no such user":              {with(`"postgres"`, `"nobody"`), "retry postgres_table_sign_in"},
		"no such database":          {with(`"`+d.name+`"`, `"nothing"`), "retry postgres_table_sign_in"},
		"a trigger":                 {d.settings("barred", ""), "dead postgres_table_refused"},
		"a view, which has no keys": {d.settings("seen", ""), "dead postgres_table_no_key"},
		"a sequence":                {d.settings("numbers", ""), "retry postgres_table_no_table"},
	} {
		t.Run(name, func(t *testing.T) {
			s := d.sink(tc.settings)
			verdicts, err := s.Write(t.Context(), batch(3))
			for _, v := range destination.Wrote(3, verdicts, err) {
				if got := cases.Outcome(v.Outcome) + " " + v.Code; got != tc.want {
					t.Errorf("%s: %+v, %v, want %s", name, v, err, tc.want)
				}
			}
			test := s.(interface{ Test(context.Context) error }).Test(t.Context())
			if good := !strings.HasPrefix(tc.want, "retry") || strings.HasPrefix(name, "no right to write"); (test == nil) != good {
				t.Errorf("%s: Test = %v", name, test)
			}
		})
	}
	if _, err := postgrestable.Kind().Open([]byte(d.settings("x", `,"schema":"weir_sync"`)), nil); len(fault.ProblemsOf(err)) != 1 || fault.ProblemsOf(err)[0].Path != "settings.schema" {
		t.Errorf("the schema of syncs: %v", err)
	}
}

// TestAllOfABatchOrNothing: where a batch is not written for a reason of the server, no row
// of it is.
func TestAllOfABatchOrNothing(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, server.URL(d.name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "insert into people (id, score) values ('k2', 0); begin; update people set score = 9 where id = 'k2'"); err != nil {
		t.Fatal(err)
	}
	s := d.sink(d.settings("people", `,"timeout":"1s"`))
	if _, err := s.Write(ctx, batch(3)); err != nil {
		t.Fatalf("a lock: %v, want verdicts", err)
	}
	if got := d.rows("select id from people where id in ('k0', 'k1')"); len(got) != 0 {
		t.Errorf("%v are there, want none of a batch that was not written", got)
	}
	if _, err := conn.Exec(ctx, "rollback"); err != nil {
		t.Fatal(err)
	}
	verdicts, err := s.Write(ctx, batch(3))
	for _, v := range destination.Wrote(3, verdicts, err) {
		if v.Outcome != destination.Delivered {
			t.Errorf("afterwards: %+v, %v", v, err)
		}
	}
}

// TestAServerThatIsAway is used again when it is back.
func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.sink(d.settings("people", ""))
	if _, err := s.Write(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	d.broken.Store(true)
	d.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
	for range 2 {
		verdicts, err := s.Write(t.Context(), batch(1))
		if v := destination.Wrote(1, verdicts, err)[0]; v.Outcome != destination.Retry {
			t.Errorf("away: %+v, %v", v, err)
		}
	}
	d.broken.Store(false)
	verdicts, err := s.Write(t.Context(), batch(2))
	if v := destination.Wrote(2, verdicts, err)[1]; v.Outcome != destination.Delivered {
		t.Errorf("back again: %+v, %v", v, err)
	}
}

// TestAServerThatHangs wants a write to end with its context.
func TestAServerThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := newDatabase(t)
	s, err := opened(t, d.settings("people", "")).Sink(t.Context(), destination.Deps{Now: time.Now, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	verdicts, err := s.Write(ctx, batch(1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "timeout" {
		t.Errorf("%+v, %v, want timeout", v, err)
	}
}

// TestEgress wants a server at a private address to be refused where the plane forbids it.
func TestEgress(t *testing.T) {
	t.Parallel()
	s, err := opened(t, `{"host":"127.0.0.1","database":"a","user":"b","table":"c","sslMode":"disable"}`).Sink(t.Context(), destination.Deps{Now: time.Now, Dial: egress.New(egress.Policy{}).DialContext})
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := s.Write(t.Context(), batch(1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "egress_denied" {
		t.Errorf("%+v, %v, want egress_denied", v, err)
	}
}

// TestPreviews show what is done with which columns.
func TestPreviews(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	reqs, verdicts := d.sink(d.settings("people", "")).(interface {
		Preview(destination.Batch) ([]destination.Request, []destination.Verdict)
	}).Preview(batch(1))
	if len(reqs) != 1 || len(verdicts) != 0 || reqs[0].Method != "UPSERT" || reqs[0].URL != "postgres://db.example.com:5432/"+d.name+"/public.people" || string(reqs[0].Body) != `{"id":"k0","score":0}` {
		t.Errorf("%+v, %v", reqs, verdicts)
	}
}
