package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestRowsOfAModelAreKeptInATool joins what events brought into a warehouse, and keeps the
// rows of that in a tool: all of them at first, then the one that changed, across a death
// of the process.
func TestRowsOfAModelAreKeptInATool(t *testing.T) {
	t.Parallel()
	crm := newSink(t)
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 5s } }
  - { name: crm, type: webhook, settings: { url: %q } }
connections:
  - { source: web, destination: lake }
models:
  - name: customers
    warehouse: lake
    key: id
    sql: |
      select u.id, u.email, u.plan, count(t.id) as tickets
      from users u left join ticket_opened t on t.user_id = u.id
      group by u.id, u.email, u.plan
syncs:
  - name: contacts
    model: customers
    destination: crm
    object: record
    identifiers: { email: email }
    mapping: { plan: plan, open_tickets: tickets }
`, crm.URL)
	dir, ports := t.TempDir(), addresses(t)
	p, in := dev(t, dir, config, ports...)
	weir := func(args ...string) string { t.Helper(); return run(t, 0, "", append(args, "--data-dir", in.Dir)...) }
	for i := range 5 {
		accept(t, in.Gateway, "/v1/identify", "wk_web", fmt.Sprintf(`{"userId":"u%d","messageId":"i%[1]d","traits":{"email":"u%[1]d@example.com","plan":"free"}}`, i))
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u0","event":"Ticket Opened","messageId":"t0"}`)
	until(t, "the events are rows", func() bool { return rowCount(t, in, "users") == 5 && rowCount(t, in, "ticket_opened") == 1 })
	if out := weir("model", "preview", "customers"); !contains(out, `"tickets":1`) {
		t.Errorf("the model is %s", out)
	}
	if out := weir("sync", "preview", "contacts", "--limit", "1"); !contains(out, `"type":"record"`) || !contains(out, `@example.com`) {
		t.Errorf("the sync would send %s", out)
	}
	if n := len(crm.all()); n != 0 {
		t.Fatalf("%d requests before a run", n)
	}
	weir("sync", "run", "contacts", "--wait")
	records := recordsOf(t, crm)
	if len(records) != 5 || records["u0"] != `{"open_tickets":1,"plan":"free"}` || records["u3"] != `{"open_tickets":0,"plan":"free"}` {
		t.Fatalf("the tool has %v", records)
	}
	before := len(crm.all())
	p.kill()
	p, in = dev(t, dir, config, ports...)
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u3","event":"Ticket Opened","messageId":"t1"}`)
	until(t, "the ticket is a row", func() bool { return rowCount(t, in, "ticket_opened") == 2 })
	weir("sync", "run", "contacts", "--wait")
	if sent := crm.all()[before:]; len(sent) != 1 {
		t.Errorf("%d rows were sent after one changed", len(sent))
	}
	if records := recordsOf(t, crm); records["u3"] != `{"open_tickets":1,"plan":"free"}` {
		t.Errorf("the tool has %v", records)
	}
	if out := weir("sync", "list", "--output", "json"); !contains(out, `"state":"healthy"`) || !contains(out, `"accepted":1`) {
		t.Errorf("syncs are %s", out)
	}
	weir("sync", "pause", "contacts")
	if out := run(t, 1, "", "sync", "run", "contacts", "--data-dir", in.Dir); !contains(out, "paused") {
		t.Errorf("a run of a paused sync says %s", out)
	}
	p.stop()
}

// recordsOf returns the fields of records by key, as a tool has them that takes what comes.
func recordsOf(t *testing.T, crm *sink) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, a := range crm.all() {
		var r struct {
			Key    string
			Fields json.RawMessage
		}
		if err := json.Unmarshal(a.Body, &r); err != nil {
			t.Fatalf("the tool got %s: %v", a.Body, err)
		}
		all[r.Key] = string(r.Fields)
	}
	return all
}
