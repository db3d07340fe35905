package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnOrganizationIsLookedAfterInTheConsole opens the pages of an organization in Chromium with axe, writes a
// policy, finds who switched a source off, and restores what was before. The source takes events again.
func TestAnOrganizationIsLookedAfterInTheConsole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hook := newSink(t)
	config := hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL})
	_, in := dev(t, dir, config)
	off := filepath.Join(dir, "off.yaml")
	write(t, off, strings.Replace(config, "writeKey: wk_web", "writeKey: wk_web, disabled: true", 1))
	run(t, 0, "", "apply", "-f", off, "--message", "switched off by mistake", "--data-dir", in.Dir)
	out, err := exec.Command("node", "organization.mjs", chromium(t), in.Control, in.Email, in.Password).CombinedOutput()
	if err != nil {
		t.Fatalf("organization.mjs: %v\n%s", err, out)
	}
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"u","event":"After"}`)
	until(t, "the event of the source that is on again", func() bool { return len(hook.all()) > 0 })
}
