package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/servertest"
)

// TestEventsBecomeRowsInClickHouse loads a server that is no part of the product: events
// that come twice, a type that widens, a user who changes, a process that is killed while
// it loads. Rows of a model there are kept in a tool, across that death.
func TestEventsBecomeRowsInClickHouse(t *testing.T) {
	t.Parallel()
	const users = 40
	server, err := servertest.StartClickHouse(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	res, err := http.Post("http://"+server.Address()+"/", "text/plain", strings.NewReader("create database weir1"))
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s", said)
	}
	host, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	crm := newSink(t)
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	write(t, password, "hush")
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: lake
    type: clickhouse
    settings: { host: %s, port: %s, database: weir1, user: weir1, sslMode: disable, syncEvery: 5s }
    secrets: { password: { from: file, path: %q } }
  - { name: crm, type: webhook, settings: { url: %q } }
connections:
  - { source: web, destination: lake }
models:
  - name: payers
    warehouse: lake
    key: id
    sql: select u.id as id, u.plan as plan, p.total as total from users u any left join (select user_id as id, sum(amount) as total from paid group by user_id) p using (id)
syncs:
  - name: contacts
    model: payers
    destination: crm
    object: record
    mapping: { plan: plan, paid: total }
`, host, port, password, crm.URL)
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	send := func(name string, amount func(int) string) {
		t.Helper()
		var events []string
		for i := range users {
			events = append(events,
				fmt.Sprintf(`{"type":"track","userId":"u%d","event":"Paid","messageId":"%s-%d","properties":{"amount":%s}}`, i, name, i, amount(i)),
				fmt.Sprintf(`{"type":"identify","userId":"u%d","messageId":"%s-i%d","traits":{"plan":%q}}`, i, name, i, name))
		}
		for range 2 { // a client that did not hear the answer
			accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[`+strings.Join(events, ",")+`]}`)
		}
	}
	send("first", func(i int) string { return fmt.Sprint(i) })
	until(t, "the first rows", func() bool { return rowCount(t, in, "paid") == users && rowCount(t, in, "users") == users })
	weir := func(args ...string) string { t.Helper(); return run(t, 0, "", append(args, "--data-dir", in.Dir)...) }
	if out := weir("model", "preview", "payers"); !contains(out, `"plan":"first"`) {
		t.Errorf("the model is %s", out)
	}
	if out := weir("sync", "preview", "contacts", "--limit", "1"); !contains(out, `"type":"record"`) || !contains(out, `"plan":"first"`) {
		t.Errorf("the sync would send %s", out)
	}
	weir("sync", "run", "contacts", "--wait")
	if records := recordsOf(t, crm); len(records) != users || records["u7"] != `{"paid":7,"plan":"first"}` {
		t.Errorf("the tool has %v", records)
	}
	send("second", func(i int) string { return fmt.Sprintf("%d.5", i) })
	p.kill()
	_, in = dev(t, dir, config, ports...)
	until(t, "all rows", func() bool { return rowCount(t, in, "paid") == 2*users && rowCount(t, in, "identifies") == 2*users })
	until(t, "a balanced book", func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Balanced && b.InFlight == 0 && b.Delivered == 4*users
	})
	sent := len(crm.all())
	weir("sync", "run", "contacts", "--wait")
	weir("sync", "run", "contacts", "--wait")
	if records := recordsOf(t, crm); len(crm.all()) != sent+users || records["u7"] != `{"paid":14.5,"plan":"second"}` {
		t.Errorf("after %d requests the tool has %v", len(crm.all())-sent, records)
	}
	for sql, want := range map[string]string{
		`select count(*) as n, count(distinct id) as ids from tracks`:                   `{"n":80,"ids":80}`,
		`select count(*) as n, min(plan) as plan from users`:                            `{"n":40,"plan":"second"}`,
		`select amount from paid where id = 'second-7'`:                                 `{"amount":7.5}`,
		`select sum(amount) as total from paid`:                                         `{"total":1580}`,
		`select type as t from system.columns where table = 'paid' and name = 'amount'`: `{"t":"Nullable(Float64)"}`,
	} {
		if got := strings.Join(query(t, in, "lake", sql), "|"); got != want {
			t.Errorf("%s\n gives %s\n want  %s", sql, got, want)
		}
	}
}
