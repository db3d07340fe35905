package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// provider runs an OpenID Connect provider with one client for a control plane and one
// person, ann, whose password is "verysecure".
func provider(t *testing.T, dir, control string) (issuer string) {
	t.Helper()
	file := filepath.Join(dir, "people.json")
	write(t, file, `{"id-ann": {"ID": "id-ann", "Username": "ann", "Password": "verysecure", "Email": "ann@acme.example", "EmailVerified": true}}`)
	users, err := storage.StoreFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	issuer = "http://" + server.Listener.Addr().String() + "/"
	client := storage.WebClient("weir", "hush hush", control+"/api/v1/login/oidc/callback")
	server.Config.Handler = exampleop.SetupServer(issuer, storage.NewStorageWithClients(users, map[string]*storage.Client{"weir": client}), slog.New(slog.DiscardHandler), false)
	server.Start()
	t.Cleanup(server.Close)
	return issuer
}

// TestThePersonOfAProviderSignsInToTheCommandLine begins `weir login`, opens its address in Chromium, signs in at
// the organization's OpenID Connect provider there, sees the program with its code, and allows it. The command
// line has a token of its own then, which signing out ends.
func TestThePersonOfAProviderSignsInToTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, in := dev(t, dir, hookConfig("acme", "eu", "wk_web", nil))
	body := fmt.Sprintf(`{"issuer":%q,"clientId":"weir","clientSecret":"hush hush","domains":["acme.example"],"role":"viewer"}`, provider(t, dir, in.Control))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, in.Control+"/api/v1/identity-provider", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+in.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK { // the text is for people
		t.Fatalf("set the provider: %d %s", res.StatusCode, text)
	}

	contexts := filepath.Join(dir, "contexts.json")
	weir := func(args ...string) *exec.Cmd {
		cmd := exec.Command(binary, args...)
		cmd.Env = append(os.Environ(), "WEIR_CONTEXTS="+contexts)
		return cmd
	}
	login := startCommand(t, weir("login", "--control", in.Control, "--name", "here", "--no-open"))
	page := login.line(`^  (http\S+/device\?code=(\S+))$`)
	out, err := exec.Command("node", "device.mjs", chromium(t), page[1], page[2], os.Getenv("WEIR_SHOTS")).CombinedOutput()
	if err != nil {
		t.Fatalf("device.mjs: %v\n%s", err, out)
	}
	login.line(`^signed in to \S+ as ann@acme.example until .*; context here$`)
	<-login.done
	kept, err := os.ReadFile(contexts)
	if err != nil {
		t.Fatal(err)
	}
	var signed struct {
		Contexts map[string]struct{ Token string }
	}
	if err := json.Unmarshal(kept, &signed); err != nil {
		t.Fatal(err)
	}
	status := []string{"status", "--control", in.Control, "--token", signed.Contexts["here"].Token, "--data-dir", filepath.Join(dir, "nowhere")}
	if shown := run(t, 0, "", status...); !strings.Contains(shown, "acme") {
		t.Errorf("the person's workspaces are\n%s", shown)
	}
	if out, err := weir("logout").CombinedOutput(); err != nil {
		t.Fatalf("weir logout: %v\n%s", err, out)
	}
	run(t, 1, "", status...)
}
