package e2e_test

import (
	"encoding/json"
	"os/exec"
	"testing"
)

// chromium finds the browser that is installed.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is missing: infra/tools/setup.sh test installs it")
	return ""
}

// openPage opens a page in Chromium with the script or HTML file at path, which
// may import from npm. settings are the page's window.settings. The page stays
// open until close is called.
func openPage(t *testing.T, path string, settings map[string]any) (p *process, closePage func()) {
	t.Helper()
	b, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "browser.mjs", chromium(t), path, string(b))
	w, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p = startCommand(t, cmd)
	return p, func() {
		t.Helper()
		_ = w.Close()
		<-p.done
		if p.err != nil {
			t.Errorf("%s: %v", p.name, p.err)
		}
	}
}

func (r *sdkRun) runPage(t *testing.T) {
	t.Helper()
	p, closePage := openPage(t, "page.mjs", map[string]any{
		"sdk": r.name, "gateway": r.proxy.URL, "writeKey": "wk_" + r.source, "burst": r.burst, "skew": r.skew.Milliseconds(),
	})
	p.line(`^made every call$`)
	until(t, "every call of the page at the webhook", func() bool { return len(r.hook.ids()) >= r.calls })
	closePage()
	r.tell(t, p.output())
}
