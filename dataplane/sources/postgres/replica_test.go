package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/pull"
	"weir/dataplane/pull/lag"
	"weir/dataplane/pull/stale"
	"weir/dataplane/sources/postgres"
	"weir/shared/id"
	"weir/shared/postgrestest"
)

// feed is the stream of changes.
const feed = "replication"

// plane is what a plane does with pulled rows: it keeps them, drops duplicates, and keeps
// cursors behind them. It dies where die says so.
type plane struct {
	t       *testing.T
	open    pull.Opened
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	puller  pull.Puller
	streams []string
	cursors map[string]pull.Cursor
	seen    map[string]bool
	rows    map[string]map[string]string // by stream and key
	written map[string]time.Time         // when rows came last, by stream and key
	asked   int                          // how often warehouses were asked for rows that went
	events  int
	die     func() (at int) // of so many rows that are emitted; -1: not
	failed  map[string]error
	step    time.Duration
	most    time.Duration // of a step in the midst of a transaction; 0: as long as the kind has it
}

var errDied = errors.New("the plane died")

func newPlane(t *testing.T, s *postgrestest.Server, settings string, streams ...string) *plane {
	t.Helper()
	open, err := postgres.Kind().Open([]byte(settings), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{
		t: t, open: open, dial: s.Dial, streams: append([]string{feed}, streams...), step: 300 * time.Millisecond,
		cursors: map[string]pull.Cursor{}, seen: map[string]bool{}, written: map[string]time.Time{}, rows: map[string]map[string]string{}, failed: map[string]error{},
	}
	p.start()
	return p
}

// start makes a puller anew, as after a death.
func (p *plane) start() {
	defer func() {
		if p.most > 0 {
			postgres.Briefly(p.puller, p.most)
		}
	}()
	p.puller = p.open(pull.Deps{Dial: p.dial, Now: time.Now, Stale: p.stale, Source: "src_" + id.Source(strings.ToLower(strings.ReplaceAll(p.t.Name(), "/", "_")))})
}

func (p *plane) take(stream string, r pull.Record) {
	if r.Stream != "" {
		stream = r.Stream
	}
	id := fmt.Sprintf("%q %q %v %q %s", stream, r.Key, r.Deleted, r.Version, r.Row)
	if p.seen[id] {
		return
	}
	p.seen[id] = true
	p.events++
	if p.rows[stream] == nil {
		p.rows[stream] = map[string]string{}
	}
	p.written[stream+"/"+r.Key] = time.Now()
	if r.Deleted {
		delete(p.rows[stream], r.Key)
	} else {
		p.rows[stream][r.Key] = string(r.Row)
	}
}

// stale is what a warehouse says that has the rows. It has them late once.
func (p *plane) stale(_ context.Context, q stale.Query) (stale.Rows, error) {
	if p.asked++; p.asked%5 == 1 {
		return stale.Rows{Waits: true, Place: "w"}, nil
	}
	var keys []string
	for k := range p.rows[q.Stream] {
		if p.written[q.Stream+"/"+k].Before(q.Since) && k > q.Place {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return stale.Rows{Done: true}, nil
	}
	slices.Sort(keys)
	keys = keys[:min(len(keys), 7)]
	return stale.Rows{Keys: keys, Place: keys[len(keys)-1]}, nil
}

// turn does a step of each stream, and reports whether nothing is left to do.
func (p *plane) turn(ctx context.Context) (idle bool) {
	idle = true
	for _, stream := range p.streams {
		next, err := p.puller.Pull(ctx, stream, p.cursors[stream], pull.Budget{Until: time.Now().Add(p.step)}, func(rows []pull.Record, c pull.Cursor) error {
			dies := -1
			if p.die != nil {
				dies = p.die()
			}
			for i, r := range rows {
				if i == dies {
					return errDied
				}
				p.take(stream, r)
			}
			if dies >= 0 {
				return errDied
			}
			p.cursors[stream] = c
			return nil
		})
		p.failed[stream] = err
		if errors.Is(err, errDied) {
			p.start()
		}
		idle = idle && err == nil && !next.More && next.Wait == 0 && next.Later == 0
	}
	return idle
}

// table is the rows of a table as JSON, by a statement that gives key and row.
func (p *plane) settle(ctx context.Context, lsn string) {
	p.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; {
		idle := p.turn(ctx)
		var at struct{ At string }
		_ = json.Unmarshal(p.cursors[feed], &at)
		if idle && before(lsn, at.At) {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("not settled: %s, want %s, %v", p.cursors, lsn, p.failed)
		}
	}
}

// before reports whether a position is not behind another.
func before(a, b string) bool {
	var a1, a2, b1, b2 uint64
	_, err1 := fmt.Sscanf(a, "%X/%X", &a1, &a2)
	_, err2 := fmt.Sscanf(b, "%X/%X", &b1, &b2)
	return err1 == nil && err2 == nil && (a1 < b1 || a1 == b1 && a2 <= b2)
}

// connect is a connection of the superuser.
func connect(t *testing.T, s *postgrestest.Server, name string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.URL(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// position is where the server is.
func position(t *testing.T, c *pgx.Conn) (lsn string) {
	t.Helper()
	if err := c.QueryRow(t.Context(), "select pg_current_wal_lsn()::text").Scan(&lsn); err != nil {
		t.Fatal(err)
	}
	return lsn
}

// same compares a stream with its table: the rows as JSON of the server, by key.
func (p *plane) same(c *pgx.Conn, stream, table, key string) {
	p.t.Helper()
	rows, err := c.Query(p.t.Context(), "select "+key+"::text, to_jsonb(x)::text from "+table+" x")
	if err != nil {
		p.t.Fatal(err)
	}
	want := map[string]string{}
	for rows.Next() {
		var k, row string
		if err := rows.Scan(&k, &row); err != nil {
			p.t.Fatal(err)
		}
		want[k] = row
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	wrong := 0
	for k, row := range want {
		var w, g any
		_ = json.Unmarshal([]byte(row), &w)
		_ = json.Unmarshal([]byte(p.rows[stream][k]), &g)
		if fmt.Sprint(w) != fmt.Sprint(g) {
			if wrong++; wrong < 4 {
				p.t.Errorf("%s %s\n got %.300s\nwant %.300s", stream, k, p.rows[stream][k], row)
			}
		}
	}
	if len(want) != len(p.rows[stream]) || wrong > 0 {
		p.t.Errorf("%s: %d rows, want %d; %d wrong", stream, len(p.rows[stream]), len(want), wrong)
	}
}

var deaths = flag.Int("deaths", 5, "how often TestReplicaSurvivesDeaths ends the plane, and the server a quarter of it")

// TestReplicaSurvivesDeaths copies and follows tables under writes, while the plane dies
// before, in and behind what it makes durable, and the server crashes: the rows end equal
// to the tables.
func TestReplicaSurvivesDeaths(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	s, err := postgrestest.Start(t.Context(), "", "wal_level=logical")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	setUp := `create table things (id bigint primary key, name text, n int, big text, tags text[], j jsonb, bo bool);
		alter table things alter big set storage external;
		insert into things select i, 'n' || i, i, case when i % 10 = 0 then repeat(md5(i::text), 100) end, array['a', i::text, null], '{"k": [1]}', i % 2 = 0 from generate_series(1, 1500) i;
		create table pairs (a text, b int, v text, primary key (a, b)); alter table pairs replica identity full;
		insert into pairs select 'a' || i % 7, i, 'v' from generate_series(1, 800) i;`
	if err := s.Exec(t.Context(), "postgres", setUp); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer stop()
	for w := range 3 {
		wr := rand.New(rand.NewPCG(seed, uint64(w+2)))
		writers.Go(func() {
			for ctx.Err() == nil {
				write(ctx, s, wr)
			}
		})
	}
	p := newPlane(t, s, `{"host":"db.example","database":"postgres","user":"postgres","sslMode":"disable","replication":"logical","tables":{"things":"","pairs":""}}`, "things", "pairs")
	died := 0
	p.die = func() int {
		if r.IntN(6) > 0 {
			return -1
		}
		died++
		return r.IntN(1500)
	}
	for turns := 0; died < *deaths; turns++ {
		if p.most = 0; turns%2 == 1 { // some steps end within a transaction
			p.most = 100 * time.Millisecond
		}
		p.start()
		p.turn(t.Context())
		if turns%16 == 15 {
			if err := s.Again(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.die = nil
	if err := s.Again(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.turn(t.Context())
	}
	stop()
	writers.Wait()
	c := connect(t, s, "postgres")
	p.settle(t.Context(), position(t, c))
	p.same(c, "things", "things", "id")
	p.same(c, "pairs", "pairs", "a || ':' || b")
	t.Log("events", p.events, "cursors", p.cursors)
}

// write writes for a while, until the server ends the connection.
func write(ctx context.Context, s *postgrestest.Server, r *rand.Rand) {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return
	}
	defer func() { _ = c.Close(context.Background()) }()
	for ctx.Err() == nil {
		tx, err := c.Begin(ctx)
		if err != nil {
			return
		}
		for range 1 + r.IntN(5) {
			id := r.IntN(2000)
			switch r.IntN(12) {
			case 0:
				_, err = tx.Exec(ctx, "delete from things where id = $1", id)
			case 1, 2, 3:
				big := ""
				if r.IntN(8) == 0 {
					big = strings.Repeat(fmt.Sprintf("%x", r.Uint64()), 300)
				}
				_, err = tx.Exec(ctx, "insert into things values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do update set name = excluded.name, n = excluded.n", id, "näme\t\"q\"\\ \n"+fmt.Sprint(r.IntN(1000)), r.IntN(1e6), big, []string{"x y", `"`, "ü"}, `{"a": [1, {"b": "x\ty"}]}`, r.IntN(2) == 0)
			case 4: // the key changes
				_, err = tx.Exec(ctx, "update things set id = $2 where id = $1 and not exists (select 1 from things where id = $2)", id, 5000+r.IntN(2000))
			case 5:
				_, err = tx.Exec(ctx, "update pairs set a = 'b' || $2, v = v || 'x' where b = $1 and not exists (select 1 from pairs where b = $1 and a = 'b' || $2)", r.IntN(800), fmt.Sprint(r.IntN(9)))
			case 6:
				_, err = tx.Exec(ctx, "delete from pairs where b = $1", r.IntN(800))
			case 7:
				_, err = tx.Exec(ctx, "insert into pairs values ('c', $1, 'new') on conflict do nothing", r.IntN(2000))
			case 8: // in parts
				if r.IntN(40) == 0 {
					_, err = tx.Exec(ctx, "update things set n = n + 1")
				}
			default: // big is not written
				_, err = tx.Exec(ctx, "update things set n = n + 1, name = 'u' || n where id = $1", id)
			}
			if err != nil {
				break
			}
		}
		if err != nil || r.IntN(20) == 0 {
			_ = tx.Rollback(ctx)
		} else {
			_ = tx.Commit(ctx)
		}
	}
}

// logical are settings of a source by logical replication; more are further ones.
func logical(name, user, more string) string {
	return `{"host":"db.example","database":"` + name + `","user":"` + user + `","sslMode":"disable","replication":"logical",` + more + `}`
}

func TestReplicaHasTypesAsCopiesHaveThem(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, `create type mood as enum ('ok', 'bad'); create domain cents as bigint`,
		`create table things (id uuid primary key, yes boolean, big bigint, amount numeric(30,10), none numeric, ratio double precision, text text, padded char(4), bytes bytea,
		at timestamptz, local timestamp, forever timestamptz, day date, span interval, list int[], deep int[][], names text[], empty text[], doc json, docb jsonb, feel mood, price cents, nothing int, feels mood[])`)
	const insert = `insert into things select %s, true, 9007199254740993, 12345678901234567890.5, 'NaN', 1e300, E'a "b"\n💧', 'x', '\x00ff',
		'2026-03-01 13:00:00.123456+01', '2026-03-01 12:00:00', 'infinity', '2026-03-01', '1 day 2 hours', '{1,null,3}', '[0:1][1:2]={{1,2},{3,4}}', '{a,"b \"c",""}', '{}', '{"a" : [1]}', '{"b": 1.50}', 'bad', 7, null, '{ok,bad}'`
	run(t, name, fmt.Sprintf(insert, "'00000000-0000-0000-0000-000000000001'"))
	p := newPlane(t, server.s, logical(name, "postgres", `"tables":{"things":""}`), "things")
	c := connect(t, server.s, name)
	p.settle(t.Context(), position(t, c))
	run(t, name, fmt.Sprintf(insert, "'00000000-0000-0000-0000-000000000002'"))
	p.settle(t.Context(), position(t, c))
	const want = `"yes":true,"big":9007199254740993,"amount":12345678901234567890.5000000000,"none":"NaN","ratio":1e+300,"text":"a \"b\"\n💧","padded":"x   ",` +
		`"bytes":"AP8=","at":"2026-03-01T12:00:00.123456Z","local":"2026-03-01T12:00:00Z","forever":"infinity","day":"2026-03-01","span":"P1DT2H","list":[1,null,3],"deep":[[1,2],[3,4]],"names":["a","b \"c",""],"empty":[],` +
		`"doc":{"a" : [1]},"docb":{"b": 1.50},"feel":"bad","price":7,"nothing":null,"feels":["ok","bad"]}`
	for i := range 2 {
		key := fmt.Sprintf("00000000-0000-0000-0000-00000000000%d", i+1)
		if got := p.rows["things"][key]; got != `{"id":"`+key+`",`+want {
			t.Errorf("row %d\n got %s\nwant %s", i+1, got, want)
		}
	}
}

// TestReplicaFollowsSchemas changes columns, a key's name and a table while it follows, and
// reads a divided table as one.
func TestReplicaFollowsSchemas(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, "create table things (id int primary key, a text)", "insert into things values (1, 'x')",
		"create table parts (day date, id int, v int, primary key (day, id)) partition by range (day)", "create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01')", "insert into parts values ('2026-01-02', 1, 1)")
	p := newPlane(t, server.s, logical(name, "postgres", `"tables":{"things":"","parts":""}`), "things", "parts")
	c := connect(t, server.s, name)
	p.settle(t.Context(), position(t, c))
	run(t, name, "update things set a = 'y'", "alter table things add b int default 5", "insert into things values (2, 'z', 6)", "alter table things drop column a", "insert into things values (3, 7)",
		"create table parts_2 partition of parts for values from ('2026-02-01') to ('2026-03-01')", "insert into parts values ('2026-02-02', 1, 1)", "update parts set v = 2 where day = '2026-01-02'", "update parts set day = '2026-02-03' where v = 2")
	p.settle(t.Context(), position(t, c))
	if got := p.rows["things"]; got["1"] != `{"id":1,"a":"y"}` || got["2"] != `{"id":2,"a":"z","b":6}` || got["3"] != `{"id":3,"b":7}` {
		t.Error(got)
	}
	if got := p.rows["parts"]; len(got) != 2 || got["2026-02-03:1"] != `{"day":"2026-02-03","id":1,"v":2}` || got["2026-02-02:1"] == "" {
		t.Error(got)
	}
	run(t, name, "alter table things rename id to no", "update things set b = 8 where no = 3", "drop table parts")
	p.settle(t.Context(), position(t, c))
	if got := p.rows["things"]; got["3"] != `{"no":3,"b":8}` || p.failed[feed] != nil {
		t.Error(got, p.failed)
	}
}

// TestReplicaRepairsALostSlot loses the slot in several ways: the stream says so, and reads
// the tables anew from a new one.
func TestReplicaRepairsALostSlot(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, "create table things (id int primary key, a text)", "insert into things select i, 'x' from generate_series(1, 100) i")
	p := newPlane(t, server.s, logical(name, "postgres", `"slotLimit":1,"tables":{"things":""}`), "things")
	c := connect(t, server.s, name)
	p.settle(t.Context(), position(t, c))
	lost := func(part string) {
		t.Helper()
		run(t, name, "insert into things select coalesce(max(id), 0) + 1, 'y' from things", "delete from things where id in (select id from things order by id limit 20)")
		p.turn(t.Context())
		if !failed(p.failed[feed], "source_slot_lost", part) {
			t.Errorf("%v, want %s", p.failed[feed], part)
		}
		p.settle(t.Context(), position(t, c)) // also rows that were deleted while nobody was told
		p.same(c, "things", "things", "id")
		l, ok := lag.Of(p.cursors[feed])
		for end := time.Now().Add(2 * time.Minute); l.Lost && time.Now().Before(end); l, ok = lag.Of(p.cursors[feed]) {
			p.turn(t.Context()) // the stream looks after the tables have been read
		}
		if !ok || l.Lost || l.State != "reserved" || l.Bytes > 0 || l.Seconds(time.Now()) > 60 {
			t.Errorf("the slot is %+v", l)
		}
	}
	run(t, name, "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()")
	lost("gone from the server")
	run(t, name, "update things set a = repeat(md5(random()::text), 100) from generate_series(1, 20)", "update things set a = repeat(md5(random()::text), 1000)", "create table other as select repeat(md5(i::text), 10) from generate_series(1, 10000) i")
	lost("more than the setting slotLimit")
	var n int
	if err := c.QueryRow(t.Context(), "select count(*) from pg_replication_slots where database = current_database()").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d slots, %v", n, err)
	}
}

// TestReplicaFollowsTruncate empties tables, with and without rows that come at once, and one
// whose keys are written anew: what went is deleted, by the keys that the warehouse has.
func TestReplicaFollowsTruncate(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, "create table things (id int primary key, a text)", "insert into things select i, 'x' from generate_series(1, 50) i",
		"create table pairs (a text, b int, v text, primary key (a, b))", "insert into pairs select 'a:' || i, i, 'v' from generate_series(1, 30) i", "create table kept (id int primary key)", "insert into kept values (1)")
	p := newPlane(t, server.s, logical(name, "postgres", `"tables":{"things":"","pairs":"","kept":""}`), "things", "pairs", "kept")
	c := connect(t, server.s, name)
	p.settle(t.Context(), position(t, c))
	events := p.events
	for _, statements := range [][]string{
		{"truncate things, pairs"},
		{"begin; insert into things values (1, 'before'); truncate things; insert into things values (2, 'after'); commit", "insert into pairs values ('a:1', 1, 'new'), ('b', 2, 'new')"},
		{"truncate pairs", "insert into pairs values ('b', 2, 'newer')"},
	} {
		run(t, name, statements...)
		p.turn(t.Context())
		p.start() // a death behind it
		p.settle(t.Context(), position(t, c))
		p.same(c, "things", "things", "id")
		p.same(c, "pairs", "pairs", "a || ':' || b")
	}
	if len(p.rows["kept"]) != 1 || p.events > events+100 {
		t.Errorf("%d rows are kept, %d events", len(p.rows["kept"]), p.events-events)
	}
}

// TestReplicaTellsTheServerHowFarItIs has the server keep nothing for changes that are not
// published.
func TestReplicaTellsTheServerHowFarItIs(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, "create table things (id int primary key)", "insert into things values (1)", "create table other (t text)")
	p := newPlane(t, server.s, logical(name, "postgres", `"tables":{"things":""}`), "things")
	c := connect(t, server.s, name)
	p.settle(t.Context(), position(t, c))
	run(t, name, "insert into other select repeat('x', 100) from generate_series(1, 10000)")
	lsn := position(t, c)
	p.settle(t.Context(), lsn)
	for end := time.Now().Add(2 * time.Minute); ; {
		p.turn(t.Context())
		var confirmed string
		err := c.QueryRow(t.Context(), "select confirmed_flush_lsn::text from pg_replication_slots where database = current_database()").Scan(&confirmed)
		if err == nil && before(lsn, confirmed) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("confirmed %s, want %s: %v", confirmed, lsn, err)
		}
	}
}

func TestReplicaSaysWhatToDo(t *testing.T) {
	t.Parallel()
	name := database(t)
	run(t, name, "create table mine (id int primary key)", "create table plain (a int)", "create table nothing (id int primary key); alter table nothing replica identity nothing",
		"create table other_key (id int primary key, a int not null, b text)", "create view seen as select 1 as id", "create table full_one (a int, b int); alter table full_one replica identity full", "insert into full_one values (1, 1)",
		"create table added (id int primary key)", "grant select on all tables in schema public to "+name)
	const settings = `"tables":{"mine":"","plain":"","nothing":"","other_key":"","seen":"","full_one":"","hidden":"","added":""},"keys":{"other_key":"a","full_one":"a"}`
	streams := []string{"mine", "plain", "nothing", "other_key", "seen", "full_one", "hidden", "added"}
	p := newPlane(t, server.s, logical(name, name, settings), streams...)
	p.turn(t.Context())
	if !failed(p.failed[feed], pull.CodeRefused, `CREATE PUBLICATION "weir" FOR TABLE "public"."added"`) {
		t.Error(p.failed[feed])
	}
	run(t, name, `create publication weir for table mine, other_key, full_one with (publish = 'insert')`)
	p.turn(t.Context())
	if !failed(p.failed[feed], pull.CodeRefused, `ALTER PUBLICATION "weir" SET (publish`) {
		t.Error(p.failed[feed])
	}
	run(t, name, `alter publication weir set (publish = 'insert, update, delete')`)
	p.turn(t.Context())
	if !failed(p.failed[feed], pull.CodeRefused, `Run: ALTER ROLE "`+name+`" REPLICATION;`) {
		t.Error(p.failed[feed])
	}
	run(t, name, "alter role "+name+" replication")
	for range 3 {
		p.turn(t.Context())
	}
	for stream, want := range map[string][2]string{
		"plain":     {pull.CodeRefused, "has no primary key"},
		"nothing":   {pull.CodeRefused, `ALTER TABLE "public"."nothing" REPLICA IDENTITY FULL;`},
		"other_key": {pull.CodeRefused, `ALTER TABLE "public"."other_key" REPLICA IDENTITY FULL;`},
		"seen":      {pull.CodeRefused, "is no table"},
		"hidden":    {pull.CodeNoStream, "There is no table"},
		"added":     {pull.CodeRefused, `Run as "postgres": ALTER PUBLICATION "weir" ADD TABLE "public"."added";`},
	} {
		if !failed(p.failed[stream], want[0], want[1]) {
			t.Errorf("%s: %v", stream, p.failed[stream])
		}
	}
	if p.failed[feed] != nil || p.failed["mine"] != nil || p.failed["full_one"] != nil || len(p.rows["full_one"]) != 1 {
		t.Error(p.failed, p.rows)
	}
	open, err := postgres.Kind().Open([]byte(logical(name, name, settings)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(t, open(pull.Deps{Dial: server.s.Dial, Now: time.Now}), feed, nil); !failed(err, pull.CodeRefused, "by a plane alone") {
		t.Error(err)
	}
	if _, err := postgres.Kind().Open([]byte(logical(name, name, `"tables":{"replication":""}`)), nil); err == nil || !strings.Contains(err.Error(), "with its schema") {
		t.Error(err)
	}
}
