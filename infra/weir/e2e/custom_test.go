package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

const crm = `family: destination
name: crm
title: CRM
doc: Our own.
base: { any: https://crm.example }
auth: [{ type: bearer, value: "{secrets.key}" }]
fields:
  - { name: prefix, type: string, title: Prefix, default: "crm:" }
secrets:
  - { name: key, type: string, title: Key, required: true }
test: { path: /me, when: { id: { exists: true } } }
codes: [{ name: crm_loud, doc: it is loud }, { name: crm_quiet, doc: it says nothing }]
calls:
  - { on: { type: [track], event: [Quiet] }, drop: crm_quiet }
  - on: { type: [track] }
    path: /events
    body: { messageId: messageId, name: "{settings.prefix}{event}" }
`

// TestAKindOfOnesOwnIsAppliedDeliversAndIsTested: its spec stands in a file beside the
// workspace's; a mistake in it, and another address for its secret, are refused.
func TestAKindOfOnesOwnIsAppliedDeliversAndIsTested(t *testing.T) {
	t.Parallel()
	vendor := newSink(t)
	vendor.set(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		switch {
		case r.Header.Get("Authorization") != "Bearer made-up-key":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/me":
			_, _ = w.Write([]byte(`{"id":7}`))
		default:
			return false
		}
		return true
	})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "crm.yaml"), crm)
	config := func(key string) string {
		write(t, filepath.Join(dir, "key"), key)
		return fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: crm
    type: custom
    spec: { from: file, path: ./crm.yaml }
    settings: { baseUrl: %q }
    secrets: { key: { from: file, path: %q } }
connections:
  - { source: web, destination: crm }
`, vendor.URL, filepath.Join(dir, "key"))
	}
	_, in := dev(t, dir, config("made-up-key"))
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Hello","messageId":"m1"}`)
	until(t, "it is delivered", func() bool { return bookOf(t, in, "web", "crm").Delivered == 1 })
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Quiet","messageId":"m2"}`)
	until(t, "the control plane knows why an event was dropped, by the name that the spec has for it", func() bool {
		return strings.Contains(fetch(t, in.Control+"/api/v1/status", in.Token), `"crm_quiet":1`)
	})
	all := vendor.all()
	if len(all) != 1 || !strings.Contains(string(all[0].Body), `{"messageId":"m1","name":"crm:Hello"}`) {
		t.Errorf("arrived: %+v", all)
	}
	if out := run(t, 0, "", "destination", "test", "crm", "--data-dir", in.Dir); !strings.Contains(out, "crm: ok, it answered a request that changes nothing") {
		t.Errorf("the test says %s", out)
	}
	file := filepath.Join(dir, "weir.yaml")
	write(t, file, config("another-key"))
	run(t, 0, "", "apply", "-f", file, "--data-dir", in.Dir)
	if out := run(t, 1, "", "destination", "test", "crm", "--data-dir", in.Dir, "--output", "json"); !strings.Contains(out, `"code":"sign_in_failed"`) || !strings.Contains(out, "401") {
		t.Errorf("the test of a wrong key says %s", out)
	}
	if out := run(t, 0, "", "export", "--data-dir", in.Dir); !strings.Contains(out, "name: crm\n") || !strings.Contains(out, "path: /events") {
		t.Errorf("the export is %s", out)
	}
	write(t, filepath.Join(dir, "crm.yaml"), strings.Replace(crm, "path: /events", "way: /events", 1))
	run(t, 1, "", "apply", "-f", file, "--data-dir", in.Dir)
}
