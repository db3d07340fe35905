package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnEditorCannotHaveASecretSentToHim changes the address below a sealed header,
// by file and by the API, and gives the value again where it belongs to the new one.
func TestAnEditorCannotHaveASecretSentToHim(t *testing.T) {
	good, evil, next := newSink(t), newSink(t), newSink(t)
	dir := t.TempDir()
	t.Setenv("WEIR_SECRET_HOOK", `{"X-Secret":"hunter2"}`)
	config := func(url string) string {
		return fmt.Sprintf("workspace: acme\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: wk_web }\ndestinations:\n"+
			"  - { name: hook, type: webhook, settings: { url: %q }, secrets: { headers: { from: env, name: WEIR_SECRET_HOOK } } }\nconnections:\n  - { source: web, destination: hook }\n", url)
	}
	_, in := dev(t, dir, config(good.URL), addresses(t)...)
	cli := func(want int, args ...string) string {
		t.Helper()
		return run(t, want, "", append(args, "--control", in.Control, "--token", in.Token)...)
	}
	sent := 0
	// delivers sends an event and wants it with the header at a webhook.
	delivers := func(to *sink) {
		t.Helper()
		sent++
		mid := fmt.Sprintf("m%d", sent)
		accept(t, in.Gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":"u","event":"A","messageId":%q}`, mid))
		until(t, mid+" at its webhook", func() bool { return to.ids()[mid] == 1 })
		for _, a := range to.all() {
			if bytes.Contains(a.Body, []byte(mid)) && a.Header.Get("X-Secret") != "hunter2" {
				t.Errorf("%s came without its header", mid)
			}
		}
	}
	delivers(good)

	exported := cli(0, "export", "acme")
	file := filepath.Join(dir, "stolen.yaml")
	write(t, file, strings.ReplaceAll(exported, good.URL, evil.URL))
	if out := cli(1, "apply", "-f", file); !strings.Contains(out, "secrets.headers") || !strings.Contains(out, "give its value again") {
		t.Errorf("apply says %s", out)
	}
	document := ask(t, in, "GET", "/api/v1/workspaces/acme/config", "", 200)
	if out := ask(t, in, "PUT", "/api/v1/workspaces/acme/config", `{"document":`+strings.ReplaceAll(document, good.URL, evil.URL)+`}`, 422); !strings.Contains(out, "secret_elsewhere") {
		t.Errorf("the API says %s", out)
	}
	delivers(good)

	write(t, file, config(next.URL))
	cli(0, "apply", "-f", file)
	delivers(next)
	if got := evil.all(); len(got) != 0 {
		t.Errorf("%d requests came to the stranger", len(got))
	}
}

// ask calls the control plane's API with the installation's token.
func ask(t *testing.T, in installation, method, path, body string, want int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, in.Control+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+in.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read
	if err != nil || resp.StatusCode != want {
		t.Fatalf("%s %s: %d %s, %v, want %d", method, path, resp.StatusCode, b, err, want)
	}
	return string(b)
}
