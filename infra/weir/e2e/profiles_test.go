package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

const profilesConfig = `workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - { name: lake, type: duckdb, settings: { path: acme, syncEvery: 5s } }
connections:
  - { source: web, destination: lake }
profiles:
  - name: customers
    warehouse: lake
    entities:
      - name: user
        ids:
          - { name: user_id, unique: true }
          - { name: email, clean: email, block: ["*@example.com"], limit: { user_id: 3 } }
          - { name: anonymous_id, limit: { user_id: 3 }, expire: 400d }
        gate: { largest: 200 }
    inputs:
      - { name: events, events: "*" }
      - { name: traits, events: identify }
      - { name: orders, events: Order Completed }
    features:
      - { name: logins_30d, count: events, where: { event: login }, last: 30d }
      - { name: revenue, sum: orders.total }
      - { name: email, latest: [traits.email] }
    audiences:
      - { name: buyers, where: { revenue: { over: 10 } } }
    lookup: { events: 10, features: [revenue, email], keys: [{ name: shop, hash: "sha256:440e235cba057aa425c01b06bdd3727d62b910f5a13d4eeaa13a93515239ced9" }] }
`

// TestOnePersonOfManyIdentifiers is the profiles' job on one command: what a device, an
// account and an address did is one person's, with features and audiences; and it comes
// apart when somebody says so.
func TestOnePersonOfManyIdentifiers(t *testing.T) {
	t.Parallel()
	_, in := dev(t, t.TempDir(), profilesConfig)
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[
		{"type":"track","anonymousId":"a1","event":"Login","messageId":"1"},
		{"type":"identify","anonymousId":"a1","userId":"u1","messageId":"2","traits":{"email":"Ann@Home.org"}},
		{"type":"track","userId":"u1","event":"Order Completed","messageId":"3","properties":{"total":12.5}},
		{"type":"track","anonymousId":"a2","event":"Login","messageId":"4"},
		{"type":"track","userId":"u1","event":"Login","messageId":"5"}]}`)
	until(t, "the rows", func() bool { return rowCount(t, in, "tracks") == 4 && rowCount(t, in, "identifies") == 1 })
	run(t, 0, "", "profiles", "run", "--data-dir", in.Dir)
	one := func(sql, want string) {
		t.Helper()
		if got := strings.Join(query(t, in, "lake", sql), "|"); got != want {
			t.Errorf("%s\n gives %s\n want  %s", sql, got, want)
		}
	}
	one("select logins_30d, revenue, email from profiles.user_golden where weir_id = (select weir_id from profiles.user_ids where id_type = 'user_id' and value = 'u1')", `{"logins_30d":2,"revenue":12.5,"email":"Ann@Home.org"}`)
	one("select count(*) as ids, count(distinct weir_id) as persons from profiles.user_ids where value in ('a1', 'u1', 'ann@home.org')", `{"ids":3,"persons":1}`)
	if out := run(t, 0, "", "audience", "export", "buyers", "--data-dir", in.Dir); strings.Count(out, "\n") != 1 || !contains(out, `"revenue":12.5`) {
		t.Errorf("the audience is %s", out)
	}
	if out := run(t, 0, "", "profiles", "get", "email:Ann@home.org", "--data-dir", in.Dir); !contains(out, "revenue: 12.5") || !contains(out, "ageSeconds") {
		t.Errorf("asked for, the person is %s", out)
	}
	if out := run(t, 0, "", "profiles", "get", "user_id:u1", "--part", "events", "--data-dir", in.Dir); !contains(out, "event: login") || !contains(out, "event: identify") {
		t.Errorf("the last events are %s", out)
	}
	keyed := func(key, path string) string {
		status, body := look(t, "GET", in.View+path, key, "", "")
		return fmt.Sprint(status, " ", body)
	}
	if got := keyed("weirlookup_e2e", "/v1/profiles/anonymous_id:a1/audiences"); !strings.HasPrefix(got, "200") || !contains(got, `"buyers"`) {
		t.Errorf("a server is answered %s", got)
	}
	for _, key := range []string{"weirlookup_other", ""} {
		if got := keyed(key, "/v1/profiles/anonymous_id:a1/audiences"); !strings.HasPrefix(got, "401") && !strings.HasPrefix(got, "403") {
			t.Errorf("the key %q is answered %s", key, got)
		}
	}
	if got := keyed("weirlookup_e2e", "/v1/profiles"); strings.HasPrefix(got, "200") {
		t.Errorf("a key opens more than persons: %s", got)
	}
	if out := run(t, 0, "", "audience", "list", "--data-dir", in.Dir); !contains(out, `"persons":1`) {
		t.Errorf("the audiences are %s", out)
	}
	if out := run(t, 0, "", "profiles", "explain", "anonymous_id:a1", "email:ann@home.org", "--data-dir", in.Dir); !contains(out, "FIRST SEEN") {
		t.Errorf("explained as %s", out)
	}
	if out := run(t, 0, "", "profiles", "preview", "revenue", "--data-dir", in.Dir); !contains(out, "order_completed.total") {
		t.Errorf("the preview is %s", out)
	}
	for _, b := range []string{"user_id:u1", "email:ann@home.org"} {
		run(t, 0, "", "profiles", "unlink", "anonymous_id:a1", b, "--data-dir", in.Dir)
	}
	run(t, 0, "", "profiles", "run", "--data-dir", in.Dir)
	one("select count(distinct weir_id) as persons from profiles.user_ids where value in ('a1', 'u1', 'ann@home.org')", `{"persons":2}`)
	one("select logins_30d from profiles.user_golden where weir_id = (select weir_id from profiles.user_ids where id_type = 'user_id' and value = 'u1')", `{"logins_30d":1}`)
	if out := run(t, 0, "", "profiles", "status", "--data-dir", in.Dir); !contains(out, "published") {
		t.Errorf("the status is %s", out)
	}
	run(t, 0, "", "profiles", "erase", "email:ann@home.org", "--data-dir", in.Dir)
	one("select count(*) as n from profiles.user_ids where value in ('u1', 'ann@home.org')", `{"n":0}`)
	one("select count(*) as n from identifies", `{"n":0}`)
	if got := keyed("weirlookup_e2e", "/v1/profiles/user_id:u1/traits"); !strings.HasPrefix(got, "404") {
		t.Errorf("an erased person is answered %s", got)
	}
}
