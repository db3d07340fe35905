package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// broken is profiles whose run fails, for a reason that quotes what events say.
const broken = `  - name: broken
    warehouse: pond
    entities: [{ name: visitor, ids: [{ name: user_id }] }]
    inputs: [{ name: calls, from: identifies, at: name, ids: { user_id: user_id } }]
    features: [{ name: calls, count: calls }]
`

// TestNothingOfPersonsCrossesTheBoundary marks identifiers and traits, asks and decides about persons, has one run held and
// another one fail, and searches all that the control plane could have learnt.
func TestNothingOfPersonsCrossesTheBoundary(t *testing.T) {
	t.Parallel()
	r := startRolesThrough(t)
	config := strings.Replace(profilesConfig, "gate: { largest: 200 }", "gate: { reviewed: { precision: 99% } }", 1)
	config = strings.Replace(config, "features:", "scores: [{ name: rank, model: table, table: orders.rank }]\n    features:", 1)
	config = strings.Replace(config, "connections:\n", "  - { name: pond, type: duckdb, settings: { path: pond, syncEvery: 5s } }\nconnections:\n  - { source: web, destination: pond }\n", 1)
	r.apply(0, config+broken)
	m := func(s string) string { return strings.ToLower(mark) + s }
	device, user, ann, bob := m("device"), m("user"), m("ann")+"@home.org", m("bob")+"@home.org"
	accept(t, "http://"+r.gateway, "/v1/batch", "wk_web", fmt.Sprintf(`{"batch":[
		{"type":"identify","anonymousId":%[1]q,"userId":%[2]q,"traits":{"email":%[3]q,"name":%[5]q}},
		{"type":"track","userId":%[2]q,"event":"Order Completed","properties":{"total":20,"rank":%[5]q}},
		{"type":"identify","anonymousId":"other%[1]s","traits":{"email":%[4]q,"name":%[5]q}}]}`, device, user, ann, bob, m("trait")))
	ann, bob = "email:"+ann, "email:"+bob
	weir := func(want int, args ...string) string {
		t.Helper()
		return run(t, want, "", append(args, "--control", "http://"+r.http, "--token", r.token)...)
	}
	// says fails unless what a command prints holds a mark: else nothing was there that could have gone up.
	says := func(want int, args ...string) {
		t.Helper()
		if out := weir(want, args...); !contains(strings.ToLower(out), m("")) {
			t.Errorf("%v says nothing of anybody: %s", args, out)
		}
	}
	for _, warehouse := range []string{"lake", "pond"} {
		until(t, "the rows in "+warehouse, func() bool {
			return rowsBy(t, warehouse, "tracks", "--control", "http://"+r.http, "--token", r.token) == 1 && rowsBy(t, warehouse, "identifies", "--control", "http://"+r.http, "--token", r.token) == 2
		})
	}
	weir(0, "profiles", "run", "--profiles", "customers")
	says(0, "profiles", "get", ann, "--profiles", "customers", "--part", "identifiers")
	says(0, "profiles", "explain", ann, "user_id:"+user, "--profiles", "customers")
	says(0, "profiles", "preview", "email", "--profiles", "customers")
	says(0, "audience", "export", "buyers", "--profiles", "customers")
	weir(0, "profiles", "different", ann, bob, "--profiles", "customers")
	weir(0, "profiles", "link", ann, bob, "--profiles", "customers")
	says(0, "profiles", "reviews", "--profiles", "customers")
	says(1, "profiles", "run", "--profiles", "customers") // held: it says what it would break
	says(0, "profiles", "status")
	says(1, "profiles", "run", "--profiles", "broken")
	says(1, "profiles", "preview", "calls", "--profiles", "broken")
	weir(1, "profiles", "explain", "user_id:"+m("nobody"), "--profiles", "customers")
	until(t, "how profiles stand above", func() bool {
		status := fetch(t, "http://"+r.http+"/api/v1/status", r.token)
		return contains(status, "profiles_held") && contains(status, "profiles_failed")
	})
	weir(0, "profiles", "block", "anonymous_id:"+device, "--profiles", "customers")
	weir(0, "profiles", "erase", bob, "--profiles", "customers")
	until(t, "the run that erasing somebody begins, which no pair of theirs holds any more, above", func() bool { // a beat went up after that
		return !contains(fetch(t, "http://"+r.http+"/api/v1/status", r.token), "profiles_held")
	})
	nothingAbove(t, r)
}
