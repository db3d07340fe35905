package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTheConsoleInABrowser signs in with Chromium and finds the workspace.
func TestTheConsoleInABrowser(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	shot := filepath.Join(t.TempDir(), "console.png")
	out, err := exec.Command("node", "console.mjs", chromium(t), in.Control, in.Email, in.Password, shot).CombinedOutput()
	if err != nil {
		t.Fatalf("console.mjs: %v\n%s", err, out)
	}
	if st, err := os.Stat(shot); err != nil || st.Size() < 10_000 {
		t.Errorf("screenshot: %v %v", st, err)
	}
}
