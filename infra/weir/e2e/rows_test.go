package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
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
	cmd := exec.CommandContext(t.Context(), binary, "query", "lake", "select count(*) as n from "+table, "--data-dir", in.Dir)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (contains(string(exit.Stderr), "nothing was loaded") || contains(string(exit.Stderr), "does not exist")) {
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
