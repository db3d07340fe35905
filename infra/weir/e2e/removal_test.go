package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// asks sends a request to the control plane's API and returns status and answer.
func (r *roles) asks(method, path, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.http+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestARemovalIsDecidedByWhatThePlaneSaysNow asks the control plane alone, as the console
// does: what is parked counts at once, what was delivered does not any more, and a plane
// that is away is not guessed at.
func TestARemovalIsDecidedByWhatThePlaneSaysNow(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	r := startRoles(t)
	config := hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL})
	r.apply(0, strings.Replace(config, "{ name: hook, ", "{ name: hook, disabled: true, ", 1))
	counted := func(b book) func() bool {
		return func() bool {
			out := run(t, 0, "", "ledger", "--output", "json", "--control", "http://"+r.http, "--token", r.token)
			for l := range strings.Lines(out) {
				var got book
				if err := json.Unmarshal([]byte(l), &got); err != nil {
					t.Fatalf("ledger line %q: %v", l, err)
				}
				if got.Destination == "hook" && got.Parked == b.Parked && got.Delivered == b.Delivered && got.InFlight == 0 {
					return true
				}
			}
			return false
		}
	}
	const without = `{"workspace":"acme","region":"eu","sources":[{"name":"web","type":"http","writeKey":"wk_web"}]}`
	remove := func(discard bool) (int, string) {
		t.Helper()
		return r.asks("PUT", "/api/v1/workspaces/acme/config", fmt.Sprintf(`{"document":%s,"prune":true,"discardParked":%t}`, without, discard))
	}
	accept(t, "http://"+r.gateway, "/v1/track", "wk_web", `{"userId":"u","event":"E","messageId":"m"}`)
	until(t, "the event parked", counted(book{Parked: 1}))
	if code, answer := remove(false); code != 422 || !contains(answer, "1 parked deliveries") || !contains(answer, "--discard-parked") {
		t.Errorf("the removal of a destination with a parked delivery: %d %s", code, answer)
	}
	r.apply(0, config)
	until(t, "the event delivered", counted(book{Delivered: 1}))
	if code, answer := remove(false); code != 200 {
		t.Errorf("the removal of a destination for which nothing waits any more: %d %s", code, answer)
	}
	r.apply(0, config)
	r.plane.kill()
	if code, answer := remove(false); code != 422 || !contains(answer, "plane_away") || !contains(answer, "--discard-parked") {
		t.Errorf("the removal while the plane is away: %d %s", code, answer)
	}
	if code, answer := r.asks("DELETE", "/api/v1/workspaces/acme", ""); code != 422 || !contains(answer, "plane_away") {
		t.Errorf("the removal of the workspace while the plane is away: %d %s", code, answer)
	}
	if code, answer := remove(true); code != 200 {
		t.Errorf("the removal on purpose while the plane is away: %d %s", code, answer)
	}

	plane := func(want int, args ...string) string {
		t.Helper()
		return run(t, want, "", append(append([]string{"plane"}, args...), "--control", "http://"+r.http, "--token", r.token)...)
	}
	var planes struct{ ID, Name string }
	if err := json.Unmarshal([]byte(plane(0, "list", "--output", "json")), &planes); err != nil {
		t.Fatal(err)
	}
	if out := runCommand(t, 1, "", binary, "plane", "remove", planes.Name, "--control", "http://"+r.http, "--token", r.token); !contains(out, "acme") {
		t.Errorf("the removal of a plane with a workspace: %s", out)
	}
	if code, answer := r.asks("DELETE", "/api/v1/workspaces/acme", ""); code != 204 {
		t.Errorf("the removal of a workspace without destinations: %d %s", code, answer)
	}
	plane(0, "remove", planes.Name)
	if out := plane(0, "list"); contains(out, planes.Name) {
		t.Errorf("planes after a removal:\n%s", out)
	}
	r.startPlane() // it comes back
	until(t, "the plane says that it is not admitted", func() bool { return contains(r.plane.output(), "does not admit this plane any more") })
}
