// Package loadtest is the kit that holds every kind of warehouse to the contract
// of loads, and a Postgres server for it.
package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/event"
	"weir/dataplane/load"
	"weir/dataplane/load/history"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/warehouse"
	"weir/shared/id"
	"weir/shared/secret"
)

// Setup is an empty warehouse of a test.
type Setup struct {
	Settings string // JSON
	Secrets  map[string]secret.String
	Deps     warehouse.Deps
	Exec     func(sql string) // runs a statement as the owner of the warehouse does, schema first
	// Outside are statements that would write, or reach a file, a server or a tenant
	// outside of the warehouse: a query refuses each as the customer's.
	Outside []string
	// SQL, when not nil, writes the kit's queries, which Postgres and DuckDB take, as the
	// kind takes them.
	SQL func(query string) string
	// Revoke and Grant, where the kind has such rights, take the right to fill the table
	// pages from the user of the destination, and give it back.
	Revoke, Grant string
	// Query, when not nil, answers the kit's queries in the place of the kind, which has no
	// engine for them: as a reader of what it wrote does.
	Query func(ctx context.Context, sql string, row func([]byte) error) error
	// Rows, when not nil, counts the rows of a table of which Query shows the newest of each
	// id: a load that is repeated adds none.
	Rows    func(table string) int
	Undoes  Undoes // what Exec takes back after an error
	Upper   bool   // names without quotes come back in upper case
	MaxText int    // how many bytes a text has at most; 0: any number
	// Lacks are types of the kit's foreign tables that the kind does not have.
	Lacks []string
	// Without are parts of the contract that the server of the test cannot hold; of the
	// kind's own limits its page tells.
	Without []string
}

// Undoes is what a kind can take back of statements that ran.
type Undoes uint8

// What kinds take back. A kind refuses to run what it could not take back.
const (
	UndoesAll  Undoes = iota // tables that were made too
	UndoesRows               // changes of rows
	UndoesNone               // nothing: Exec is load_unsupported
)

const dest id.Destination = "dst_test"

// harness is one warehouse with its STAGE.
type harness struct {
	t      testing.TB
	kind   warehouse.Kind
	opened warehouse.Opened
	deps   warehouse.Deps
	dir    string
	log    *queuetest.Log
	engine *load.Engine
	reach  func(load.Step) error
	setup  Setup
	exec   func(sql string)
	kept   []event.Event // refused
	most   int           // events of a load, 0 for what the engine does by itself
}

func start(t testing.TB, kind warehouse.Kind, setup func(testing.TB) Setup) *harness {
	t.Helper()
	given := setup(t)
	opened, err := kind.Open([]byte(given.Settings), given.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	w := &harness{t: t, kind: kind, opened: opened, deps: given.Deps, setup: given, exec: given.Exec, dir: t.TempDir(), log: queuetest.NewLog(1, queuetest.Faults{})}
	w.restart()
	return w
}

// restart makes an engine as a new process does.
func (w *harness) restart() {
	w.t.Helper()
	blobs, err := blob.Open(w.dir + "/blobs")
	if err != nil {
		w.t.Fatal(err)
	}
	w.deps.Blobs = blobs
	job := load.Job{Workspace: "ws_test", Destination: dest, Name: "lake", Type: w.kind.Spec.Name, SyncEvery: w.opened.SyncEvery, Layout: w.opened.Layout, Options: w.opened.Options,
		SourceOf: func(id.Source) (string, string) { return "web", "http" },
		Open:     func(ctx context.Context) (warehouse.Warehouse, error) { return w.opened.Open(ctx, w.deps) }}
	w.engine, err = load.New(load.Config{Dir: w.dir + "/loads", Blobs: blobs, Stages: []load.Stage{w.log}, Jobs: func() []load.Job { return []load.Job{job} }, MaxEvents: w.most,
		Refused: func(_ context.Context, _ int, events []event.Event) error {
			w.kept = append(w.kept, events...)
			return nil
		},
		Reach: func(s load.Step) error {
			if w.reach == nil {
				return nil
			}
			return w.reach(s)
		}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// stage settles events, one record for all of them.
func (w *harness) stage(events ...string) {
	w.t.Helper()
	var es []event.Event
	for _, e := range events {
		es = append(es, event.Event{Workspace: "ws_test", Source: "src_web", MessageID: "m", ReceivedAt: time.UnixMilli(0), JSON: []byte(e)})
	}
	if _, err := w.log.Append(context.Background(), string(dest), queue.EncodeFrame(es)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *harness) load(events ...string) {
	w.t.Helper()
	if len(events) > 0 {
		w.stage(events...)
	}
	if err := w.engine.LoadNow(context.Background(), dest); err != nil {
		w.t.Fatal(err)
	}
}

// sql is a query of the kit as the kind takes it.
func (w *harness) sql(query string) string {
	if w.setup.SQL == nil {
		return query
	}
	return w.setup.SQL(query)
}

func (w *harness) query(sql string) []map[string]any {
	w.t.Helper()
	var out []map[string]any
	sql = w.sql(sql)
	ask := w.setup.Query
	if ask == nil {
		ask = func(ctx context.Context, sql string, row func([]byte) error) error {
			return w.engine.Query(ctx, dest, sql, row)
		}
	}
	err := ask(context.Background(), sql, func(b []byte) error {
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		row := map[string]any{}
		if err := d.Decode(&row); err != nil {
			return err
		}
		if w.setup.Upper {
			lower := map[string]any{}
			for name, v := range row {
				lower[strings.ToLower(name)] = v
			}
			row = lower
		}
		out = append(out, row)
		return nil
	})
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func (w *harness) want(sql, want string) {
	w.t.Helper()
	b, err := json.Marshal(w.query(sql))
	if err != nil {
		w.t.Fatal(err)
	}
	if string(b) != want {
		w.t.Errorf("%s:\n got %s\nwant %s", sql, b, want)
	}
}

func track(id, props string) string {
	return fmt.Sprintf(`{"type":"track","messageId":%q,"userId":"u","event":"Order Done","receivedAt":"2026-01-02T03:04:05.678Z","properties":%s}`, id, props)
}

// checks are the contract.
var checks = map[string]func(*harness){
	"calls": calls, "repeat": repeat, "evolve": evolve, "crash": crash, "values": values, "any": anything, "wide": wide, "query": queries, "foreign": foreign, "view": viewed,
	"ids": ids, "users": users, "taken": taken, "exact": exactly, "mixed": mixed, "exec": execs, "outside": outside, "preview": previewed, "fits": fits, "names": names, "former": former, "refused": refused, "shut": shut, "broad": broad, "kept names": keptNames, "own names": ownNames, "traits": traits, "drift": drifts, "removed": removes,
}

// Check holds a kind to the contract, or to those parts of it that only names.
func Check(t *testing.T, kind warehouse.Kind, setup func(testing.TB) Setup, only ...string) {
	for name, check := range checks {
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, kind, setup)
			if !slices.Contains(w.setup.Without, name) {
				check(w)
			}
		})
	}
}

func calls(w *harness) {
	w.load(track("1", `{"price":1.5,"count":3,"gift":true,"at":"2026-01-01","list":[1,2]}`),
		`{"type":"identify","messageId":"2","userId":"u","traits":{"plan":"pro"}}`, `{"type":"identify","messageId":"2b","userId":"u","traits":{"city":"Ulm"}}`,
		`{"type":"page","messageId":"3","name":"home"}`, `{"type":"screen","messageId":"4","name":"main"}`,
		`{"type":"group","messageId":"5","groupId":"g"}`, `{"type":"alias","messageId":"6","userId":"v","previousId":"u"}`, `{"type":"merge","messageId":"7"}`)
	w.want(`select id, price, "count", gift, "at", list, received_at from order_done`,
		`[{"at":"2026-01-01T00:00:00.000Z","count":3,"gift":true,"id":"1","list":"[1,2]","price":1.5,"received_at":"2026-01-02T03:04:05.678Z"}]`)
	w.want(`select id, event from tracks`, `[{"event":"order_done","id":"1"}]`)
	w.want(`select id, plan, city from users`, `[{"city":"Ulm","id":"u","plan":"pro"}]`)
	w.want(`select id, plan from identifies order by id`, `[{"id":"2","plan":"pro"},{"id":"2b","plan":null}]`)
	w.want(`select p.id as p, p.name as n, s.id as s, g.group_id as g, a.previous_id as a from pages p, screens s, "groups" g, aliases a`,
		`[{"a":"u","g":"g","n":"home","p":"3","s":"4"}]`)
	l := w.engine.Loads(dest)
	if len(l) != 1 || l[0].State != history.Done || l[0].Refused["unsupported_event"] != 1 {
		w.t.Errorf("loads %+v", l)
	}
	if st, err := w.log.State(context.Background()); err != nil || st.Records != 0 {
		w.t.Errorf("STAGE has %d records, err %v", st.Records, err)
	}
	w.load(`{"type":"identify","messageId":"8","userId":"u","traits":{"plan":"max"}}`)
	w.want(`select id, plan, city from users`, `[{"city":"Ulm","id":"u","plan":"max"}]`)
}

func repeat(w *harness) {
	for i := range 3 {
		w.load(track("1", fmt.Sprintf(`{"n":%d}`, i)), track("1", fmt.Sprintf(`{"n":%d}`, i+10)), track("2", `{}`))
	}
	w.want(`select id, n from order_done order by id`, `[{"id":"1","n":12},{"id":"2","n":null}]`)
}

func evolve(w *harness) {
	w.load(track("1", `{"a":1,"big":9007199254740993,"t":"0001-01-01","b":true}`))
	w.load(track("2", `{"a":1.5,"big":2.5,"t":"9999-12-31T23:59:59.999Z","b":false}`))
	w.load(track("3", `{"a":2,"big":3,"t":"x","b":"y","extra":1}`))
	w.want(`select id, a, big, t, b, extra from order_done order by id`,
		`[{"a":1,"b":"true","big":"9007199254740993","extra":null,"id":"1","t":"0001-01-01T00:00:00.000Z"},`+
			`{"a":1.5,"b":"false","big":"2.5","extra":null,"id":"2","t":"9999-12-31T23:59:59.999Z"},`+
			`{"a":2,"b":"y","big":"3","extra":1,"id":"3","t":"x"}]`)
}

var errCrash = errors.New("crash")

// crash ends loads at each step. Each time there are two, of which the second is staged
// while the first is merged.
func crash(w *harness) {
	w.most = 2
	w.restart()
	n := 0
	for _, step := range load.Steps() {
		for at := 1; at <= 2; at++ {
			var seen atomic.Int64
			w.reach = func(s load.Step) error {
				if s == step && seen.Add(1) == int64(at) {
					return errCrash
				}
				return nil
			}
			for range 2 {
				n++
				w.stage(track(fmt.Sprint(n), `{"n":1}`), track("same", fmt.Sprintf(`{"n":%d}`, n)))
			}
			if err := w.engine.LoadNow(context.Background(), dest); at == 1 && !errors.Is(err, errCrash) {
				w.t.Errorf("step %s was not reached: %v", step, err)
			}
			w.reach = nil
			w.restart()
			w.load()
			w.want(`select count(*) as c, count(distinct id) as d, max(n) as n from order_done`, fmt.Sprintf(`[{"c":%d,"d":%d,"n":%d}]`, n+1, n+1, n))
		}
	}
	if st, err := w.log.State(context.Background()); err != nil || st.Records != 0 {
		w.t.Errorf("STAGE has %d records, err %v", st.Records, err)
	}
	if w.setup.Rows != nil { // each load had one new event and "same"
		if got := w.setup.Rows("order_done"); got != 2*n {
			w.t.Errorf("%d loads of two events left %d rows", n, got)
		}
	}
}

func values(w *harness) {
	long := strings.Repeat("ü", 5000)
	w.load(track(long, `{"big":123456789012345678901234567890,"nul":"a\u0000b","tab":"a\tb\n\\c\r\"'","uni":"日本😀","Ä b":1,"select":"x","x y":1,"x-y":2,"exp":1e400}`))
	w.want(`select id, big, nul, nul__raw, tab, uni, _select, x_y, exp from order_done`,
		`[{"_select":"x","big":"123456789012345678901234567890","exp":"1e400","id":"`+long+`","nul":"a�b","nul__raw":"\"a\\u0000b\"","tab":"a\tb\n\\c\r\"'","uni":"日本😀","x_y":2}]`)
}

// anything sends seeded sequences of conflicting types and reads every value back.
func anything(w *harness) {
	seed := rand.Uint64()
	w.t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	pool := []string{`1`, `-5`, `9007199254740993`, `92233720368547758070`, `1.25`, `1e30`, `true`, `false`, `"text"`, `"2020-02-03T04:05:06.007Z"`,
		`"0001-01-01T00:00:00.000Z"`, `[1,{"a":"b"}]`, `"a\"b'c"`, `"1"`, `"true"`,
		`0.1234567890123456`, `0.30000000000000004`, `0.10000000000000000555`, `12345678901234.5678`, `1e400`, `5e-324`, `-0.0`, `18014398509481985`}
	sent := map[string]string{}
	for batch := range 8 {
		var events []string
		for i := range 1 + rng.IntN(6) {
			key := fmt.Sprintf("%d-%d", batch, i)
			var props []string
			for c := range 4 {
				v := pool[rng.IntN(len(pool))]
				sent[key+fmt.Sprintf("/c%d", c)] = v
				props = append(props, fmt.Sprintf(`"c%d":%s`, c, v))
			}
			events = append(events, track(key, "{"+strings.Join(props, ",")+"}"))
		}
		w.load(events...)
	}
	for _, row := range w.query("select * from order_done") {
		for c := range 4 {
			name := fmt.Sprintf("c%d", c)
			v := sent[fmt.Sprint(row["id"])+"/"+name]
			if got := []any{row[name], row[name+"__raw"]}; !same(got[0], v) && !same(got[1], v) {
				w.t.Errorf("%s of %v: got %v, sent %s", name, row["id"], got, v)
			}
		}
	}
}

// same compares a value read with the JSON sent.
func same(got any, sent string) bool {
	var text string
	if json.Unmarshal([]byte(sent), &text) != nil {
		text = sent
	}
	if fmt.Sprint(got) == text {
		return true
	}
	n, ok := got.(json.Number)
	if _, isText := got.(string); isText && text == sent {
		n, ok = json.Number(got.(string)), true
	}
	a, okA := new(big.Rat).SetString(text)
	b, okB := new(big.Rat).SetString(string(n))
	return ok && okA && okB && a.Cmp(b) == 0
}

// wide gives a table more columns than Postgres lets it have.
func wide(w *harness) {
	const perEvent = 300 // six events have more than 1,600 columns
	for b := range 6 {
		var events []string
		var props []string
		for c := range perEvent {
			props = append(props, fmt.Sprintf(`"p%d_%d":%d`, b, c, b*perEvent+c))
		}
		events = append(events, track(fmt.Sprint(b), "{"+strings.Join(props, ",")+"}"))
		w.load(events...)
	}
	for _, row := range w.query("select * from order_done") {
		for c := range perEvent {
			name := fmt.Sprintf("p%s_%d", row["id"], c)
			v := w.value(row, name)
			var b int
			_, _ = fmt.Sscan(fmt.Sprint(row["id"]), &b) // checked by the value
			if fmt.Sprint(v) != fmt.Sprint(b*perEvent+c) {
				w.t.Fatalf("%s is %v", name, v)
			}
		}
	}
}

// value is what a row has of a property: in its column, or in MoreColumn.
func (w *harness) value(row map[string]any, name string) any {
	w.t.Helper()
	if v := row[name]; v != nil {
		return v
	}
	var more map[string]string
	if s, ok := row[warehouse.MoreColumn].(string); ok {
		if err := json.Unmarshal([]byte(s), &more); err != nil {
			w.t.Fatal(err)
		}
	}
	return more[name]
}

func queries(w *harness) {
	w.load(track("1", `{}`))
	for _, sql := range []string{"delete from order_done", "drop table order_done", "select 1; drop table order_done", "create table x (a int)"} {
		if err := w.engine.Query(context.Background(), dest, sql, func([]byte) error { return nil }); err == nil {
			w.t.Errorf("%s was done", sql)
		}
	}
	w.want("select count(*) as n from order_done", `[{"n":1}]`)
	if err := w.engine.Test(context.Background(), dest); err != nil {
		w.t.Error(err)
	}
}

// foreign loads into a table that a person made with types of theirs.
func foreign(w *harness) {
	w.exec(`create table order_done (id varchar(500), small smallint, amount decimal(5,2), day date)`)
	w.load(track("1", `{"small":7,"amount":12.34,"day":"2026-01-01"}`), track("2", `{"small":70000,"amount":1.239,"day":"no"}`), track("3", `{"small":"x"}`))
	for id, sent := range map[string][]string{"1": {"7", "12.34", "2026-01-01"}, "2": {"70000", "1.239", "no"}, "3": {"x"}} {
		for i, value := range sent {
			name := []string{"small", "amount", "day"}[i]
			row := w.query("select cast(" + name + " as varchar) as a, " + name + "__raw as b from order_done where id = '" + id + "'")
			if len(row) != 1 || row[0]["a"] != value && row[0]["b"] != value {
				w.t.Errorf("%s of %s: got %v, sent %s", name, id, row, value)
			}
		}
	}
}

// viewed loads into a table whose column cannot change because a view reads it.
func viewed(w *harness) {
	w.load(track("1", `{"n":1}`))
	w.exec(`create view seen as select n from order_done`)
	w.load(track("2", `{"n":"two"}`))
	rows := w.query("select * from order_done where id = '2'")
	if len(rows) != 1 || rows[0]["n"] != "two" && rows[0]["n__raw"] != "two" {
		w.t.Errorf("got %v", rows)
	}
}
