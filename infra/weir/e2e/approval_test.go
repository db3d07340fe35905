package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestASecondPersonApprovesAChangeInTheConsole has two people in browsers of their own: what one proposes waits, since
// a policy asks for another person, and runs once the other one approved it.
func TestASecondPersonApprovesAChangeInTheConsole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hook := newSink(t)
	_, in := dev(t, dir, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	rules := filepath.Join(dir, "rules.yaml")
	write(t, rules, "approval:\n  - { workspaces: [acme], kinds: [destination] }\n")
	run(t, 0, "", "policy", "set", "rules", "-f", rules, "--data-dir", in.Dir)
	out, err := exec.Command("node", "approval.mjs", chromium(t), in.Control, in.Email, in.Password).CombinedOutput()
	if err != nil {
		t.Fatalf("approval.mjs: %v\n%s", err, out)
	}
	if h := run(t, 0, "", "history", "--data-dir", in.Dir, "--output", "json"); !strings.Contains(h, "ben@acme.example") || !strings.Contains(h, "the bills moved") {
		t.Errorf("the history does not say who approved: %s", h)
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"After","messageId":"m1"}`)
	until(t, "an event at the destination of the new name", func() bool { return bookOf(t, in, "web", "billing").Delivered == 1 })
}
