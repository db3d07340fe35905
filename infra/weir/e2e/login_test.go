package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAFreshControlPlaneLeadsToTheFirstEvent follows what the control plane prints
// at its first start, by commands alone: log in, let a plane join, apply, send, look.
func TestAFreshControlPlaneLeadsToTheFirstEvent(t *testing.T) {
	hook := newSink(t)
	r := newRoles(t)
	r.startControl()
	printed := r.control.line(`login: +(\S+) +/ +(\S+)`)
	file := r.control.line(`^token: (\S+)`)[1]
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file of the first token: %v %v, want mode 0600", st, err)
	}
	contexts := filepath.Join(r.dir, "contexts.json")
	t.Setenv("WEIR_CONTEXTS", contexts)
	run(t, 1, "wrong\n", "login", "--control", "http://"+r.http, "--email", printed[1])
	run(t, 0, printed[2]+"\n", "login", "--control", "http://"+r.http, "--email", printed[1], "--name", "home")
	if st, err := os.Stat(contexts); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file of the contexts: %v %v, want mode 0600", st, err)
	}
	run(t, 0, printed[2]+"\n", "login", "--control", "http://"+r.http, "--email", printed[1], "--name", "home") // in place of the first
	nowhere := filepath.Join(r.dir, "nowhere")
	if out := run(t, 0, "", "status", "--data-dir", nowhere); !strings.Contains(out, "weir plane invite") {
		t.Errorf("status without a plane does not say how one joins:\n%s", out)
	}
	yaml := filepath.Join(r.dir, "weir.yaml")
	write(t, yaml, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	if out := run(t, 1, "", "apply", "-f", yaml, "--data-dir", nowhere); !strings.Contains(out, "weir plane invite") {
		t.Errorf("apply without a plane does not say that a plane comes first:\n%s", out)
	}
	invite := run(t, 0, "", "plane", "invite", "--region", "eu", "--output", "json", "--data-dir", nowhere)
	run(t, 0, "", "dataplane", "join", "--token", field(t, invite, "token"), "--control", "http://"+r.http, "--data-dir", filepath.Join(r.dir, "plane"))
	r.startPlane()
	if at := r.plane.line(`^gateway +(\S+)`)[1]; at != "http://"+r.gateway {
		t.Errorf("the plane says that its gateway is reached at %s, it listens on %s", at, r.gateway)
	}
	run(t, 0, "", "apply", "-f", yaml, "--data-dir", nowhere)
	accept(t, "http://"+r.gateway, "/v1/track", "wk_web", `{"userId":"u","event":"E","messageId":"m"}`)
	until(t, "the event at the webhook", func() bool { return hook.ids()["m"] == 1 })
	until(t, "the event in the books", func() bool {
		return strings.Contains(run(t, 0, "", "ledger", "--output", "json", "--data-dir", nowhere), `"delivered":1`)
	})
	run(t, 0, "", "token", "create", "ci", "--role", "viewer", "--data-dir", nowhere)
	if out := run(t, 0, "", "token", "list", "--data-dir", nowhere); !strings.Contains(out, "ci ") || !strings.Contains(out, "viewer") {
		t.Errorf("tokens:\n%s", out)
	}
	run(t, 0, "", "token", "revoke", "ci", "--data-dir", nowhere)
	// A second organization, its first member, and a workspace of the same name in it.
	run(t, 0, "", "org", "create", "north", "--data-dir", nowhere)
	if out := run(t, 0, "", "org", "list", "--data-dir", nowhere); !strings.Contains(out, "default") || !strings.Contains(out, "north") {
		t.Errorf("organizations:\n%s", out)
	}
	invited := run(t, 0, "", "member", "invite", "ann@example.com", "--role", "editor", "--org", "north", "--output", "json", "--data-dir", nowhere)
	run(t, 0, "a long password\n", "member", "accept", field(t, invited, "token"), "--control", "http://"+r.http)
	run(t, 0, "a long password\n", "login", "--control", "http://"+r.http, "--email", "ann@example.com", "--name", "ann")
	if out := run(t, 0, "", "status", "--data-dir", nowhere); strings.Contains(out, "acme") {
		t.Errorf("a member of north sees what is in default:\n%s", out)
	}
	run(t, 1, "", "export", "acme", "--org", "default", "--data-dir", nowhere)
	run(t, 1, "", "member", "list", "--data-dir", nowhere) // not an editor's
	write(t, yaml, hookConfig("acme", "eu", "wk_north", map[string]string{"hook": hook.URL}))
	run(t, 0, "", "apply", "-f", yaml, "--data-dir", nowhere)
	run(t, 0, "", "context", "use", "home")
	if out := run(t, 0, "", "member", "list", "--org", "north", "--data-dir", nowhere); !strings.Contains(out, "ann@example.com") {
		t.Errorf("members of north:\n%s", out)
	}
	run(t, 0, "", "member", "remove", "ann@example.com", "--org", "north", "--data-dir", nowhere)
	run(t, 0, "", "context", "use", "ann")
	run(t, 1, "", "export", "acme", "--data-dir", nowhere)
	run(t, 0, "", "context", "remove", "ann")
	run(t, 0, "", "context", "use", "home")
	signed, err := os.ReadFile(contexts)
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Contexts map[string]struct{ Token string }
	}
	if err := json.Unmarshal(signed, &kept); err != nil {
		t.Fatal(err)
	}
	r.token = kept.Contexts["home"].Token
	if code, own := r.asks("GET", "/api/v1/me/tokens", ""); code != 200 || strings.Count(own, "login by ") != 1 || !strings.Contains(own, "context home") || !strings.Contains(own, "expiresAt") {
		t.Errorf("after two sign-ins from one place the tokens are %d %s", code, own)
	}
	run(t, 0, "", "logout")
	if code, answer := r.asks("GET", "/api/v1/me", ""); code != 401 {
		t.Errorf("the token after signing out: %d %s", code, answer)
	}
	write(t, contexts, string(signed))
	if out := run(t, 1, "", "status", "--data-dir", nowhere); !strings.Contains(out, "token") {
		t.Errorf("status with the token that was signed out: %s", out)
	}
	run(t, 0, "", "context", "remove", "home")
	if out := run(t, 1, "", "status", "--data-dir", nowhere); !strings.Contains(out, "weir login") {
		t.Errorf("status without a context:\n%s", out)
	}
}
