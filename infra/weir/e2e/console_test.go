package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
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
// its plane, publishes both, and sends an event; then so does a destination of a kind of its own, whose spec was
// wrong at first. The secret arrives, and was never seen in clear on the way up.
func TestADestinationIsMadeInTheConsole(t *testing.T) {
	t.Parallel()
	const secret = "Bearer hunter2-of-the-story"
	first, story := newSink(t), newSink(t)
	var mu sync.Mutex
	at := map[string]int{} // requests by their path
	story.set(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		at[r.URL.Path]++
		if r.Header.Get("Authorization") != secret {
			at["without the secret"]++
		}
		return false
	})
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": first.URL}))
	out, err := exec.Command("node", "story.mjs", chromium(t), in.Control, in.Email, in.Password, story.URL+"/", secret).CombinedOutput()
	if err != nil {
		t.Fatalf("story.mjs: %v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	if at["/"] < 2 || at["/me"] == 0 || at["/events"] != 1 || at["without the secret"] > 0 {
		t.Errorf("requests came to %v", at)
	}
}
