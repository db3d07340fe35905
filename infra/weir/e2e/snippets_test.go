package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTheSnippetsOfTheConsole runs what the console offers to paste: each sends
// one event, which arrives once.
func TestTheSnippetsOfTheConsole(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	out, err := exec.Command("node", "snippets.mjs", in.Gateway, "wk_web").Output()
	if err != nil {
		t.Fatalf("snippets.mjs: %v", err)
	}
	var all []struct{ Name, Text string }
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	dir := t.TempDir()
	modules, err := filepath.Abs("node_modules")
	if err == nil {
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range all {
		before := len(hook.all())
		var closePage func()
		switch s.Name {
		case "curl":
			startCommand(t, exec.Command("sh", "-c", s.Text))
		case "Node", "Node (RudderStack)":
			file := filepath.Join(dir, "node.mjs")
			write(t, file, s.Text)
			startCommand(t, exec.Command("node", file))
		case "Browser", "Browser (RudderStack)", "Beacon":
			file := filepath.Join(dir, "page.mjs")
			write(t, file, s.Text)
			_, closePage = openPage(t, file, nil)
		case "Pixel":
			file := filepath.Join(dir, "page.html")
			write(t, file, s.Text)
			_, closePage = openPage(t, file, nil)
		default:
			t.Errorf("snippet %d, %q, is run by nobody", i, s.Name)
			continue
		}
		until(t, "the event of the snippet "+s.Name, func() bool { return len(hook.all()) > before })
		if closePage != nil {
			closePage()
		}
	}
	if len(hook.ids()) != len(all) {
		t.Errorf("%d events arrived of %d snippets", len(hook.ids()), len(all))
	}
}
