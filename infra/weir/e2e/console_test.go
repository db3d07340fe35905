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

// TestADestinationIsMadeInTheConsole makes a source and a destination with a secret in Chromium, tests it from
// its plane, publishes both, and sends an event. The secret arrives, and was never seen in clear on the way up.
func TestADestinationIsMadeInTheConsole(t *testing.T) {
	t.Parallel()
	const secret = "Bearer hunter2-of-the-story"
	first, story := newSink(t), newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": first.URL}))
	out, err := exec.Command("node", "story.mjs", chromium(t), in.Control, in.Email, in.Password, story.URL+"/", secret).CombinedOutput()
	if err != nil {
		t.Fatalf("story.mjs: %v\n%s", err, out)
	}
	all := story.all()
	if len(all) == 0 || all[len(all)-1].Header.Get("Authorization") != secret {
		t.Errorf("%d requests came, the last without its secret", len(all))
	}
}
