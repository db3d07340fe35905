package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// rowsConfig is a source, a transformation with its library, a webhook and a
// warehouse, both behind the transformation.
func rowsConfig(hook, code string) string {
	return fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
libraries:
  - name: text
    language: javascript
    code: |
      export const shout = (s) => s.toUpperCase();
transformations:
  - name: change
    language: javascript
    code: |
      %s
destinations:
  - { name: hook, type: webhook, settings: { url: %q } }
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 5s } }
connections:
  - { source: web, destination: hook, transformations: [change] }
  - { source: web, destination: lake, transformations: [change] }
`, strings.ReplaceAll(strings.TrimSpace(code), "\n", "\n      "), hook)
}

// query runs SQL on a warehouse and returns its rows as they are printed.
func query(t *testing.T, in installation, destination, sql string) []string {
	t.Helper()
	out := run(t, 0, "", "query", destination, sql, "--data-dir", in.Dir)
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

// rowCount is how many rows a table holds, and 0 when there is none of that
// name yet.
func rowCount(t *testing.T, in installation, table string) int64 {
	t.Helper()
	return rowsOf(t, in, "lake", table)
}

// rowsOf is how many rows a table of a warehouse holds, and 0 when there is none of that
// name yet.
func rowsOf(t *testing.T, in installation, warehouse, table string) int64 {
	t.Helper()
	return rowsBy(t, warehouse, table, "--data-dir", in.Dir)
}

// rowsBy is rowsOf of a control plane that flags name.
func rowsBy(t *testing.T, warehouse, table string, flags ...string) int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"query", warehouse, "select count(*) as n from " + table}, flags...)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (contains(string(exit.Stderr), "nothing was loaded") || contains(string(exit.Stderr), "does not exist") || contains(string(exit.Stderr), "doesn't exist")) {
		return 0
	}
	var row struct{ N int64 }
	if err := errors.Join(err, json.Unmarshal(out, &row)); err != nil {
		t.Fatalf("%v: %+v", err, exit)
	}
	return row.N
}

// TestAnEventIsChangedAndBecomesARow is the main job on one command: an SDK, the
// customer's code, a webhook and a warehouse.
func TestAnEventIsChangedAndBecomesARow(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), rowsConfig(hook.URL, `
import { shout } from "text";
export function transformEvent(event, metadata) {
  if (event.event === "Secret") return null;
  if (event.event === "Broken") throw new Error("no");
  if (event.event === "Twice") return [event, { ...event, properties: { ...event.properties, copy: true } }];
  event.context = { ...event.context, by: metadata(event).sourceName };
  if (event.traits && event.traits.name) event.traits.name = shout(event.traits.name);
  if (event.type === "track") event.properties.kind = shout("js");
  return event;
}`))
	if out, err := exec.Command("node", "segment.cjs", in.Gateway, "wk_web", "10").CombinedOutput(); err != nil {
		t.Fatalf("segment.cjs: %v\n%s", err, out)
	}
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[
		{"type":"screen","userId":"u","name":"Main","messageId":"screen"},
		{"type":"track","userId":"u","event":"Secret","messageId":"secret","properties":{}},
		{"type":"track","userId":"u","event":"Broken","messageId":"broken","properties":{}},
		{"type":"track","userId":"u","event":"Twice","messageId":"twice","properties":{}},
		{"type":"track","userId":"u","event":"Paid","messageId":"paid","properties":{"cents":9007199254740993,"rate":0.25,"ok":true,"day":"2024-02-29","to":"Zoë","item":{"price":7}}}]}`)
	until(t, "all outputs at the webhook", func() bool { return len(hook.ids()) == 18 })
	changed := 0
	for _, a := range hook.all() {
		for _, sign := range []string{`"name":"ADA"`, `"kind":"JS"`, `"copy":true`, `"cents":9007199254740993`} {
			if contains(string(a.Body), sign) {
				changed++
			}
		}
	}
	if ids := hook.ids(); changed != 14 || ids["twice"] != 1 || ids["twice:2"] != 1 || ids["secret"]+ids["broken"] != 0 {
		t.Errorf("%d signs of the transformation at the webhook, want 14, and of Twice two and of Secret and Broken nothing: %v", changed, ids)
	}
	for table, want := range map[string]int64{
		"tracks": 13, "counted": 10, "twice": 2, "paid": 1, "identifies": 1, "users": 1, "pages": 1, "screens": 1, "groups": 1, "aliases": 1,
	} {
		until(t, fmt.Sprintf("%d rows in %s", want, table), func() bool { return rowCount(t, in, table) == want })
	}
	for sql, want := range map[string]string{
		`select id, event, event_text, user_id, cents, rate, ok, day, _to, item_price, kind, context_by from paid`: `{"id":"paid","event":"paid","event_text":"Paid","user_id":"u","cents":9007199254740993,"rate":0.25,"ok":true,"day":"2024-02-29T00:00:00.000Z","_to":"Zoë","item_price":7,"kind":"JS","context_by":"web"}`,
		`select id, name from users`:                                       `{"id":"sdk-1","name":"ADA"}`,
		`select user_id, name, context_by from identifies`:                 `{"user_id":"sdk-1","name":"ADA","context_by":"web"}`,
		`select user_id, previous_id from aliases`:                         `{"user_id":"sdk-1","previous_id":"anon-1"}`,
		`select group_id from groups`:                                      `{"group_id":"g1"}`,
		`select name from pages union select name from screens order by 1`: `{"name":"Home"}|{"name":"Main"}`,
		`select id, copy from twice order by id`:                           `{"id":"twice","copy":null}|{"id":"twice:2","copy":true}`,
		`select sum(i) as i, min(kind) as kind from counted`:               `{"i":45,"kind":"JS"}`,
		`select column_name as c, data_type as t from information_schema.columns where table_name = 'paid' and column_name in ('id','cents','rate','ok','day','kind','received_at') order by 1`: `{"c":"cents","t":"BIGINT"}|{"c":"day","t":"TIMESTAMP WITH TIME ZONE"}|{"c":"id","t":"VARCHAR"}|{"c":"kind","t":"VARCHAR"}|{"c":"ok","t":"BOOLEAN"}|{"c":"rate","t":"DOUBLE"}|{"c":"received_at","t":"TIMESTAMP WITH TIME ZONE"}`,
	} {
		if got := strings.Join(query(t, in, "lake", sql), "|"); got != want {
			t.Errorf("%s\n gives %s\n want  %s", sql, got, want)
		}
	}
	for _, destination := range []string{"hook", "lake"} {
		until(t, "a balanced book of "+destination, func() bool {
			b := bookOf(t, in, "web", destination)
			return b.Balanced && b.InFlight == 0 && b.Routed == 19 && b.Added == 1 && b.Delivered == 18 && b.Dropped["transformation_dropped"] == 1 && b.Quarantined == 1
		})
	}
	list := run(t, 0, "", "dlq", "list", "--quarantined", "--output", "json", "--data-dir", in.Dir)
	if n := strings.Count(list, `"transformation_failed"`); n != 2 || strings.Count(list, `"broken"`) < 2 {
		t.Errorf("the quarantine shows %s, want event broken once for each destination", list)
	}
}

// TestKilledWhileItTransformsAndLoads kills everything under load: a fan-out, a
// kind of event that is dropped, a webhook and a warehouse.
func TestKilledWhileItTransformsAndLoads(t *testing.T) {
	t.Parallel()
	const users = 8
	hook := newSink(t)
	dir := t.TempDir()
	ports := addresses(t)
	config := rowsConfig(hook.URL, `
export function transformEvent(event) {
  const n = event.properties.n;
  if (n % 5 === 4) return null;
  if (n % 5 === 3) return [event, { ...event, event: "Copy" }, { ...event, event: "Copy" }];
  return event;
}`)
	p, in := dev(t, dir, config, ports...)
	l := startLoad(func() string { return in.Gateway }, "wk_web", users, 4*time.Millisecond)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range max(*kills/4, 1) {
		before := l.sent.Load()
		until(t, "load that flows", func() bool { return l.sent.Load() > before+50 })
		<-time.After(time.Duration(rng.IntN(2000)) * time.Millisecond) // loads come every 5 s
		p.kill()
		p, in = dev(t, dir, config, ports...)
	}
	l.stop()
	want, copies, dropped := outputs(t, l.acked)
	until(t, "every output at the webhook", func() bool {
		ids := hook.ids()
		for mid := range want {
			if ids[mid] == 0 {
				return false
			}
		}
		return true
	})
	inOrder(t, hook)
	// What was kept and never acknowledged may be there, too.
	until(t, "every output as a row", func() bool { return rowCount(t, in, "tracks") >= int64(len(want)) })
	for _, destination := range []string{"hook", "lake"} {
		until(t, "a balanced book of "+destination, func() bool {
			b := bookOf(t, in, "web", destination)
			return b.Balanced && b.InFlight == 0 && b.Parked == 0 && b.Quarantined == 0 && b.Dead == 0 && b.Routed >= int64(len(l.acked)) &&
				b.Delivered >= int64(len(want)) && b.Added >= copies && b.Dropped["transformation_dropped"] >= dropped
		})
	}
	rowsOnce(t, in, want)
	t.Logf("%d acknowledged, %d outputs", len(l.acked), len(want))
}

// outputs lists what becomes of acknowledged events: the ids of outputs, how
// many of these are copies, and how many events are dropped.
func outputs(t *testing.T, acked map[string]bool) (want map[string]bool, copies, dropped int64) {
	t.Helper()
	want = map[string]bool{}
	for mid := range acked {
		var u, n int
		if _, err := fmt.Sscanf(mid, "u%d-%d", &u, &n); err != nil {
			t.Fatal(err)
		}
		switch n % 5 {
		case 4:
			dropped++
			continue
		case 3:
			want[mid+":2"], want[mid+":3"] = true, true
			copies += 2
		}
		want[mid] = true
	}
	return want, copies, dropped
}

// rowsOnce checks that each id has one row in tracks and one in its event table.
func rowsOnce(t *testing.T, in installation, want map[string]bool) {
	t.Helper()
	const both = "(select id from load union all select id from copy)"
	for _, table := range []string{"tracks", both} {
		if got := query(t, in, "lake", "select count(*) - count(distinct id) as twice from "+table)[0]; got != `{"twice":0}` {
			t.Errorf("rows beyond the first of an id in %s: %s", table, got)
		}
	}
	rows := map[string]bool{}
	const page = 5000 // a query gives 10,000 rows at most
	for lines, from := page, 0; lines == page; from += lines {
		lines = 0
		sql := fmt.Sprintf("select t.id from tracks t join %s e on t.id = e.id order by t.id limit %d offset %d", both, page, from)
		for _, line := range query(t, in, "lake", sql) {
			if line != "" {
				rows[field(t, line, "id")] = true
				lines++
			}
		}
	}
	missing := 0
	for mid := range want {
		if !rows[mid] {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d outputs have no row in tracks and their event table", missing, len(want))
	}
}

// inOrder checks that each user's outputs came for the first time in the order
// in which their events were accepted.
func inOrder(t *testing.T, s *sink) {
	t.Helper()
	last, seen := map[int]int{}, map[string]bool{}
	for _, a := range s.all() {
		var e struct {
			MessageID  string
			Properties struct{ User, N int }
		}
		if err := json.Unmarshal(a.Body, &e); err != nil {
			t.Fatalf("%s: %v", a.Body, err)
		}
		if seen[e.MessageID] {
			continue
		}
		seen[e.MessageID] = true
		u, n := e.Properties.User, e.Properties.N
		if was, ok := last[u]; ok && n < was {
			t.Errorf("user %d: event %d came for the first time after event %d", u, n, was)
		}
		last[u] = n
	}
}

// TestTheWarehouseSaysWhatIsWrong asks for rows where there are none.
func TestTheWarehouseSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	dir := t.TempDir()
	config := rowsConfig(hook.URL, `export function transformEvent(event) { return event; }`)
	_, in := dev(t, dir, config)
	ask := func(destination, sql string, texts ...string) {
		t.Helper()
		out := run(t, 1, "", "query", destination, sql, "--data-dir", in.Dir)
		for _, text := range texts {
			if !contains(out, text) {
				t.Errorf("query %s %q says %s, want %q", destination, sql, out, text)
			}
		}
	}
	ask("lake", "select 1", "nothing was loaded", "syncEvery")
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"First","messageId":"first"}`)
	until(t, "a row", func() bool { return rowCount(t, in, "first") == 1 })
	ask("hook", "select 1", "hook", "is no warehouse", "duckdb")
	ask("nowhere", "select 1", "nowhere", "hook", "lake")
	ask("lake", "selec id from first", "syntax error", "selec")
	ask("lake", "select nothing from first", "nothing", "not found")
	ask("lake", "drop table first", "lake")
	if n := rowCount(t, in, "first"); n != 1 {
		t.Errorf("%d rows after a drop by query, want 1", n)
	}

	apply := func(config string) (string, bool) {
		t.Helper()
		file := filepath.Join(dir, "next.yaml")
		write(t, file, config)
		out, err := exec.CommandContext(t.Context(), binary, "apply", "-f", file, "--data-dir", in.Dir).CombinedOutput()
		return string(out), err == nil
	}
	if out, ok := apply(strings.Replace(config, "{ name: lake, ", "{ name: lake, disabled: true, ", 1)); !ok {
		t.Fatalf("disable the warehouse: %s", out)
	}
	ask("lake", "select 1", "is disabled", "enable")
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"First","messageId":"second"}`)
	until(t, "a delivery that waits for the disabled warehouse", func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Parked == 1 && b.Balanced
	})
	if out, ok := apply(config); !ok {
		t.Fatalf("enable the warehouse: %s", out)
	}
	until(t, "the row of what waited", func() bool { return rowCount(t, in, "first") == 2 })
	without := regexp.MustCompile(`(?m)^.*lake.*\n`).ReplaceAllString(config, "")
	until(t, "leave to remove it, when nothing waits for it any more", func() bool {
		out, ok := apply(without)
		if !ok && !(contains(out, "The destination lake has") && contains(out, "which would be lost")) && !(contains(out, "deliveries wait for destination lake") && contains(out, "--discard-parked")) {
			t.Fatalf("remove the warehouse: %s", out)
		}
		return ok
	})
	ask("lake", "select 1", "lake", "hook")
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"First","messageId":"third"}`)
	until(t, "an event after the warehouse was removed", func() bool { return hook.ids()["third"] == 1 })
}
