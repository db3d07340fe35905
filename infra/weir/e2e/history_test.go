package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatWasDoneIsShownAndUndone changes a workspace, rolls it back, and reads both in
// the history and in the audit log.
func TestWhatWasDoneIsShownAndUndone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hook := newSink(t)
	config := func(header string) string {
		t.Helper()
		file := filepath.Join(dir, "acme.yaml")
		write(t, filepath.Join(dir, "headers"), `{"X-Version":"`+header+`"}`)
		write(t, file, `workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: hook
    type: webhook
    settings: { url: "`+hook.URL+`" }
    secrets: { headers: { from: file, name: `+filepath.Join(dir, "headers")+` } }
connections:
  - { source: web, destination: hook }
`)
		return file
	}
	_, in := dev(t, filepath.Join(dir, "data"), "")
	at := func(args ...string) string { return run(t, 0, "", append(args, "--data-dir", in.Dir)...) }
	at("apply", "-f", config("one"), "--message", "the first header")
	at("apply", "-f", config("two"), "--message", "a second header")
	if out := at("history", "--workspace", "acme"); !strings.Contains(out, "the first header") || !strings.Contains(out, "~1 destination") {
		t.Errorf("history does not say what changed and why:\n%s", out)
	}
	if out := at("history", "show", "2", "--workspace", "acme"); !strings.Contains(out, "~ destination hook") || !strings.Contains(out, "secrets.headers") || strings.Contains(out, "X-Version") {
		t.Errorf("history show 2 does not name the secret by its fingerprint:\n%s", out)
	}
	if out := at("rollback", "--to", "1", "--workspace", "acme"); !strings.Contains(out, "revision 3 applied") {
		t.Errorf("rollback:\n%s", out)
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"After"}`)
	until(t, "the event with the first header", func() bool { return len(hook.all()) > 0 })
	if got := hook.all()[0].Header.Get("X-Version"); got != "one" {
		t.Errorf("after the rollback the header is %q, want one", got)
	}
	if out := at("audit", "list", "--workspace", "acme", "--action", "workspace.commit", "--output", "json"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "fingerprint") || strings.Contains(out, "X-Version") {
		t.Errorf("the audit log has other commits than three, or shows the secret:\n%s", out)
	}
	if out := at("audit", "verify"); !strings.Contains(out, "are as they were written") {
		t.Errorf("audit verify:\n%s", out)
	}
	if out := at("audit", "export"); !strings.Contains(out, `"action":"workspace.commit"`) {
		t.Errorf("audit export:\n%s", out)
	}
}
