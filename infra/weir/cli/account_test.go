package cli_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// accounts answers what commands about one's own account ask, of an account whose
// password is "secret" and whose code is "123456".
type accounts struct {
	mu    sync.Mutex
	calls []string // method, path and body
}

func (a *accounts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a body that ends early shows in the calls
	a.mu.Lock()
	a.calls = append(a.calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	a.mu.Unlock()
	proven := r.Method == http.MethodPost && (r.URL.Path == "/api/v1/login" || r.URL.Path == "/api/v1/me/password" || r.URL.Path == "/api/v1/me/authenticator" || r.URL.Path == "/api/v1/me/authenticator/remove")
	switch {
	case proven && !strings.Contains(string(body), `"secret"`):
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"kind":"denied","detail":"the address or the password is wrong"}`)
	case proven && !strings.Contains(string(body), `"123456"`):
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"kind":"denied","detail":"this account asks for a one-time code too","problems":[{"path":"code","code":"code_needed","text":"Send it."}]}`)
	case r.URL.Path == "/api/v1/login":
		http.SetCookie(w, &http.Cookie{Name: "weir_session", Value: "s"})
		_, _ = io.WriteString(w, `{"email":"ann@example.com","role":"owner"}`)
	case r.URL.Path == "/api/v1/login/device":
		_, _ = fmt.Fprintf(w, `{"deviceCode":"secret code","userCode":"WDJB-MJHT","verificationUri":"http://%[1]s/device","verificationUriComplete":"http://%[1]s/device?code=WDJB-MJHT","expiresIn":600,"interval":1}`, r.Host)
	case r.URL.Path == "/api/v1/login/device/token":
		_, _ = io.WriteString(w, `{"id":"tok_b","name":"login by x","token":"weir_browser","expiresAt":"2026-05-01T00:00:00Z","email":"ann@example.com"}`)
	case r.URL.Path == "/api/v1/me":
		_, _ = io.WriteString(w, `{"email":"ci","role":"editor","kind":"token"}`)
	case r.URL.Path == "/api/v1/me/tokens" && r.Method == http.MethodPost:
		_, _ = io.WriteString(w, `{"token":"weir_x","id":"tok_x"}`)
	case r.URL.Path == "/api/v1/me/authenticator" && r.Method == http.MethodPost:
		_, _ = io.WriteString(w, `{"secret":"ABC","uri":"otpauth://totp/x?secret=ABC","qr":"data:image/png;base64,"}`)
	case r.URL.Path == "/api/v1/me/authenticator/confirm":
		_, _ = io.WriteString(w, `{"recoveryCodes":["aaaa-bbbb"]}`)
	case r.URL.Path == "/api/v1/me/sessions" && r.Method == http.MethodDelete:
		_, _ = io.WriteString(w, `{"ended":2}`)
	case r.URL.Path == "/api/v1/me/sessions":
		_, _ = io.WriteString(w, `{"sessions":[{"id":"ses_a","address":"192.0.2.1","by":"code","createdAt":"2026-05-01T00:00:00Z","lastSeenAt":"2026-05-01T00:00:00Z","expiresAt":"2026-05-01T12:00:00Z","current":false}]}`)
	case r.URL.Path == "/api/v1/identity-provider":
		_, _ = io.WriteString(w, `{"issuer":"https://idp.example","clientId":"weir","hasSecret":true,"domains":["acme.example"],"role":"viewer","required":false,"redirectUris":["https://weir.example/cb"]}`)
	default:
		_, _ = io.WriteString(w, `{}`)
	}
}

// said reports whether a call was made.
func (a *accounts) said(call string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Contains(strings.Join(a.calls, "\n"), call)
}

func TestAccountsAreLookedAfter(t *testing.T) {
	t.Parallel()
	a := &accounts{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	s := &shell{t: t, dir: t.TempDir(), env: map[string]string{"WEIR_CONTROL": server.URL, "WEIR_TOKEN": "weir_t"}}
	s.env["WEIR_CONTEXTS"] = s.dir + "/contexts.json"
	for i, step := range []struct{ in, args, call, out string }{
		{"secret\n123456\n", "login --email ann@example.com --control " + server.URL, `"code":"123456"`, "signed in to"},
		{"", "session list", "GET /api/v1/me/sessions", "ses_a"},
		{"", "session revoke ses_a", "DELETE /api/v1/me/sessions/ses_a", "ended session ses_a"},
		{"", "session revoke --all", "DELETE /api/v1/me/sessions", "ended 2 sessions"},
		{"secret\na new password\n123456\n", "password", `POST /api/v1/me/password {"code":"123456","former":"secret","password":"a new password"}`, "the password is changed"},
		{"a new password\n", "password --reset tok --control " + server.URL, `POST /api/v1/password/reset {"password":"a new password","token":"tok"}`, "the password is changed"},
		{"secret\n123456\n654321\n", "authenticator enrol", `POST /api/v1/me/authenticator/confirm {"code":"654321"}`, "aaaa-bbbb"},
		{"secret\n123456\n", "authenticator remove", `POST /api/v1/me/authenticator/remove {"code":"123456","password":"secret"}`, "the password alone"},
		{"hush\n", "org oidc set --issuer https://idp.example --client-id weir --domain acme.example --secret", `"clientSecret":"hush"`, "https://idp.example as client weir"},
		{"", "org sign-in --require-code", `PUT /api/v1/sign-in {"requireCode":true}`, "alone"},
		{"", "member reset-authenticator bob@example.com", "DELETE /api/v1/members/bob@example.com/authenticator", "password alone"},
	} {
		s.in = step.in
		if out := s.must(strings.Fields(step.args)...); !strings.Contains(out, step.out) || !a.said(step.call) {
			t.Errorf("step %d, weir %s: %s", i, step.args, out+fmt.Sprint(a.calls))
		}
	}
	s.in = "wrong\n"
	s.fails(1, []string{"the e-mail address or the password is wrong"}, "login", "--email", "ann@example.com", "--control", server.URL)
	s.fails(2, []string{"--all"}, "session", "revoke")
}

func TestPeopleSignInThroughABrowser(t *testing.T) {
	t.Parallel()
	a := &accounts{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	s := &shell{t: t, dir: t.TempDir(), env: map[string]string{"USER": "ann"}}
	opened := s.dir + "/opened"
	browser := s.file("browser", "#!/bin/sh\nprintf %s \"$1\" > "+opened+"\n")
	if err := errors.Join(os.Chmod(browser, 0o700), syscall.Mkfifo(opened, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.env["WEIR_CONTEXTS"], s.env["BROWSER"] = s.dir+"/contexts.json", browser
	code, out, notes := s.run("login", "--control", server.URL, "--name", "here")
	if code != 0 || !strings.Contains(out, "signed in to "+server.URL+" as ann@example.com until 2026-05-01; context here") {
		t.Fatalf("exit %d\n%s%s", code, out, notes)
	}
	page := server.URL + "/device?code=WDJB-MJHT"
	if !strings.Contains(notes, page) || !strings.Contains(notes, "WDJB-MJHT") || strings.Contains(out+notes, "secret code") || strings.Contains(out+notes, "weir_browser") {
		t.Errorf("it says:\n%s%s", out, notes)
	}
	if text, err := os.ReadFile(opened); err != nil || string(text) != page { // waits for the browser, which goes on by itself
		t.Errorf("the browser opens %s, error %v, want %s", text, err, page)
	}
	if !a.said(`POST /api/v1/login/device {"device":"ann@`) || !a.said(`POST /api/v1/login/device/token {"deviceCode":"secret code"}`) {
		t.Errorf("the calls are %v", a.calls)
	}
	kept, err := os.ReadFile(s.env["WEIR_CONTEXTS"])
	if err != nil || !strings.Contains(string(kept), "weir_browser") || !strings.Contains(string(kept), "tok_b") {
		t.Errorf("the contexts are %s, %v", kept, err)
	}

	s.in = "weir_made_before\n"
	if out := s.must("login", "--control", server.URL, "--name", "ci", "--with-token"); !strings.Contains(out, "as token ci; context ci") {
		t.Errorf("with a token: %s", out)
	}
	s.fails(2, []string{"--with-token and --email"}, "login", "--control", server.URL, "--with-token", "--email", "a@b.c")
	s.fails(1, []string{"'weir login' did not make"}, "logout")
}
