package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestAFeatureAndAnAudienceAreMadeInTheConsole begins profiles in Chromium from nothing, adds support tickets that a source
// pulls as their input, and makes a feature and an audience, all by forms, the last two in at most 12 and 10 acts. It sees why
// somebody is one person, and the audience grow by a ticket after a build.
func TestAFeatureAndAnAudienceAreMadeInTheConsole(t *testing.T) {
	t.Parallel()
	zendesk, opened := newDesk(t, "zendesk-token"), time.Now().Add(-2*time.Hour)
	for id, email := range map[int]string{11: "ann@acme.example", 12: "ben@acme.example"} {
		zendesk.users = append(zendesk.users, map[string]any{"id": id, "role": "end-user", "email": email, "active": true, "updated_at": opened.UTC().Format(time.RFC3339)})
	}
	for id, status := range []string{"open", "open", "open", "solved"} {
		zendesk.ask(id+1, 11+id/2, status, opened)
	}
	ask := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { zendesk.ask(5, 12, "open", time.Now()) }))
	defer ask.Close()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	write(t, token, zendesk.token)
	_, in := dev(t, dir, fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
  - name: zendesk
    type: zendesk
    settings: { subdomain: acme, email: ada@acme.example, baseUrl: %q, rate: { requests: 100000, per: 1s } }
    secrets: { token: { from: file, path: %q } }
    pull: { streams: [tickets, users], every: 1m }
destinations:
  - { name: lake, type: duckdb, settings: { path: acme, syncEvery: 5s } }
connections:
  - { source: web, destination: lake }
  - { source: zendesk, destination: lake }
`, zendesk.URL+"/api/v2", token))
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[
		{"type":"identify","anonymousId":"a1","userId":"u1","messageId":"1","traits":{"email":"ann@acme.example"}},
		{"type":"identify","anonymousId":"a2","userId":"u2","messageId":"2","traits":{"email":"ben@acme.example"}}]}`)
	until(t, "the rows", func() bool {
		return rowCount(t, in, "identifies") == 2 && rowCount(t, in, "zendesk_tickets") == 4 && rowCount(t, in, "zendesk_users") == 2
	})
	out, err := exec.Command("node", "profiles.mjs", chromium(t), in.Control, in.Email, in.Password, ask.URL).CombinedOutput()
	if err != nil {
		t.Fatalf("profiles.mjs: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
