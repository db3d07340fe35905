package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestAFeatureAndAnAudienceAreMadeInTheConsole makes both in Chromium by forms, in at most 12 and 10 acts, and sees
// the audience grow by a ticket after a build.
func TestAFeatureAndAnAudienceAreMadeInTheConsole(t *testing.T) {
	t.Parallel()
	config := strings.Replace(profilesConfig, "    features:\n", "      - { name: tickets, events: Ticket Opened }\n    features:\n", 1)
	_, in := dev(t, t.TempDir(), config)
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[
		{"type":"track","userId":"u1","event":"Ticket Opened","messageId":"1","properties":{"status":"open"}},
		{"type":"track","userId":"u1","event":"Ticket Opened","messageId":"2","properties":{"status":"open"}},
		{"type":"track","userId":"u2","event":"Ticket Opened","messageId":"3","properties":{"status":"open"}},
		{"type":"track","userId":"u2","event":"Ticket Opened","messageId":"4","properties":{"status":"closed"}}]}`)
	until(t, "the rows", func() bool { return rowCount(t, in, "tracks") == 4 })
	run(t, 0, "", "profiles", "run", "--data-dir", in.Dir)
	out, err := exec.Command("node", "profiles.mjs", chromium(t), in.Control, in.Email, in.Password, in.Gateway).CombinedOutput()
	if err != nil {
		t.Fatalf("profiles.mjs: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}
