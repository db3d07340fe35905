package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// text is v as JSON.
func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// signedIn is a caller with a session.
func (d *harness) signedIn(email, password, code string) (header []string) {
	d.t.Helper()
	in := d.want(d.send("POST", "/api/v1/login", text(d.t, map[string]string{"email": email, "password": password, "code": code}), "User-Agent", "test"), 200)
	return []string{"Cookie", sessionOf(in), "X-Weir-CSRF", "1"}
}

func sessionOf(a answer) string {
	for _, cookie := range a.header.Values("Set-Cookie") {
		if strings.HasPrefix(cookie, "weir_session=") {
			session, _, _ := strings.Cut(cookie, ";")
			return session
		}
	}
	return ""
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	one, two, three := d.signedIn(d.email, d.password, ""), d.signedIn(d.email, d.password, ""), d.signedIn(d.email, d.password, "")
	list := d.want(d.send("GET", "/api/v1/me/sessions", "", two...), 200)
	if all := list.field(t, "sessions").([]any); len(all) != 3 || list.field(t, "sessions", "1", "current") != true || list.field(t, "sessions", "1", "agent") != "test" || list.field(t, "sessions", "1", "address") != "127.0.0.1" {
		t.Fatalf("sessions = %s, want three, the second being this one", list.text)
	}
	if strings.Contains(string(list.text), strings.TrimPrefix(one[1], "weir_session=")) {
		t.Errorf("the list shows the token of a session: %s", list.text)
	}
	first := list.field(t, "sessions", "2", "id").(string)
	d.want(d.send("DELETE", "/api/v1/me/sessions/"+first, "", two...), 204)
	d.want(d.send("DELETE", "/api/v1/me/sessions/"+first, "", two...), 404)
	d.want(d.send("GET", "/api/v1/me", "", one...), 401)
	if got := d.want(d.send("DELETE", "/api/v1/me/sessions?others=true", "", two...), 200); got.field(t, "ended") != 1.0 {
		t.Errorf("ended = %s, want 1", got.text)
	}
	d.want(d.send("GET", "/api/v1/me", "", three...), 401)
	again := d.signedIn(d.email, d.password, "")
	d.want(d.send("POST", "/api/v1/me/password", text(t, map[string]string{"former": d.password, "password": "a longer password"}), two...), 204)
	d.want(d.send("GET", "/api/v1/me", "", again...), 401)
	d.want(d.send("GET", "/api/v1/me", "", two...), 200)
	d.want(d.send("DELETE", "/api/v1/me/sessions?others=perhaps", "", two...), 400)
	d.want(d.send("DELETE", "/api/v1/me/sessions", "", two...), 200)
	d.want(d.send("GET", "/api/v1/me", "", two...), 401)
	d.want(d.as("owner", "GET", "/api/v1/me/sessions", ""), 403) // a token of nobody
}

// ahead is the code of a secret some time steps from now: each code is good once.
func ahead(t *testing.T, secret string, steps int) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// problemCode is the code of the first problem that an answer names.
func problemCode(t *testing.T, a answer) any { t.Helper(); return a.field(t, "problems", "0", "code") }

func TestAnAuthenticatorAsksForItsCodes(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	login := func(password, code string) answer {
		return d.send("POST", "/api/v1/login", text(t, map[string]string{"email": d.email, "password": password, "code": code}))
	}
	me, before := d.signedIn(d.email, d.password, ""), d.signedIn(d.email, d.password, "")
	token := d.want(d.send("POST", "/api/v1/me/tokens", `{"name":"before"}`, me...), 200).field(t, "token").(string)
	d.want(d.send("PUT", "/api/v1/sign-in", `{"requireCode":true}`, me...), 403) // it would shut out whoever asks
	d.want(d.send("POST", "/api/v1/me/authenticator", `{"password":"wrong"}`, me...), 403)
	enrolled := d.want(d.send("POST", "/api/v1/me/authenticator", text(t, map[string]string{"password": d.password}), me...), 200)
	secret := enrolled.field(t, "secret").(string)
	d.want(login(d.password, ""), 200) // it is not confirmed
	d.want(d.send("POST", "/api/v1/me/authenticator/confirm", `{"code":"12345"}`, me...), 403)
	used := ahead(t, secret, -1) // kept: half a minute later another code is the former one
	confirmed := d.want(d.send("POST", "/api/v1/me/authenticator/confirm", fmt.Sprintf(`{"code":%q}`, used), me...), 200)
	recovery := confirmed.field(t, "recoveryCodes").([]any)
	d.want(d.send("GET", "/api/v1/me", "", before...), 401)
	me[1] = sessionOf(confirmed)
	if state := d.want(d.send("GET", "/api/v1/me/authenticator", "", me...), 200); state.field(t, "enrolled") != true || state.field(t, "recoveryCodes") != 10.0 {
		t.Errorf("authenticator = %s", state.text)
	}

	if a := d.want(login(d.password, ""), http.StatusUnauthorized); problemCode(t, a) != "code_needed" {
		t.Errorf("a password alone is answered %s", a.text)
	}
	if a := d.want(login("wrong", ahead(t, secret, 0)), http.StatusUnauthorized); a.field(t, "code") != "bad_login" || strings.Contains(string(a.text), "_code") {
		t.Errorf("a wrong password with a right code is answered %s", a.text)
	}
	if a := d.want(login(d.password, used), http.StatusUnauthorized); problemCode(t, a) != "wrong_code" {
		t.Errorf("a code that was used is answered %s", a.text)
	}
	now := ahead(t, secret, 1)
	d.want(login(d.password, now[:3]+" "+now[3:]), 200)
	d.want(login(d.password, now), http.StatusUnauthorized)
	d.want(login(d.password, strings.ToUpper(recovery[0].(string))), 200)
	d.want(login(d.password, recovery[0].(string)), http.StatusUnauthorized)

	// The organization asks for codes: what a password alone made counts no more there.
	d.want(d.send("PUT", "/api/v1/sign-in", `{"requireCode":true}`, me...), 200)
	d.want(d.send("GET", "/api/v1/members", "", me...), 200)
	bearer := []string{"Authorization", "Bearer " + token}
	if a := d.want(d.send("GET", "/api/v1/members", "", bearer...), 403); !strings.Contains(string(a.text), "one-time code") {
		t.Errorf("a token of a sign-in without a code is answered %s", a.text)
	}
	if a := d.want(d.send("GET", "/api/v1/me", "", bearer...), 200); a.field(t, "organizations", "0", "needs") != "code" || a.field(t, "organizations", "0", "role") != "" {
		t.Errorf("me = %s, want an organization that needs a code", a.text)
	}
	if a := d.want(d.send("GET", "/api/v1/workspaces", "", bearer...), 200); a.field(t, "workspaces") == nil || len(a.field(t, "workspaces").([]any)) != 0 {
		t.Errorf("workspaces of a token of a sign-in without a code = %s", a.text)
	}
	good := d.want(d.send("POST", "/api/v1/me/tokens", `{"name":"after"}`, me...), 200).field(t, "token").(string)
	d.want(d.send("GET", "/api/v1/members", "", "Authorization", "Bearer "+good), 200)
	d.want(d.as("admin", "PUT", "/api/v1/sign-in", `{"requireCode":false}`), 403)

	more := d.want(d.send("POST", "/api/v1/me/authenticator/recovery-codes", text(t, map[string]any{"password": d.password, "code": recovery[1]}), me...), 200)
	d.want(login(d.password, recovery[2].(string)), http.StatusUnauthorized)
	d.want(d.as("admin", "DELETE", "/api/v1/members/"+d.email+"/authenticator", ""), 403)
	d.want(d.as("owner", "DELETE", "/api/v1/members/"+d.email+"/authenticator", ""), 403) // an operator too
	d.want(d.send("DELETE", "/api/v1/members/"+d.email+"/authenticator", "", me...), 204)
	d.want(d.send("GET", "/api/v1/me", "", me...), 401)
	d.want(login(d.password, more.field(t, "recoveryCodes", "0").(string)), 200) // it asks for none
	log := d.want(d.as("auditor", "GET", "/api/v1/audit?limit=500", ""), 200)
	for _, action := range []string{"authenticator.remove", "organization.sign-in"} {
		if !strings.Contains(string(log.text), `"`+action+`"`) {
			t.Errorf("the audit log has no %s", action)
		}
	}
	for _, hidden := range []any{secret, recovery[1], more.field(t, "recoveryCodes", "1")} {
		if strings.Contains(string(log.text), hidden.(string)) {
			t.Errorf("the audit log shows %v", hidden)
		}
	}
}

func TestCodesAreGuessedLittleFromAnywhere(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	me := d.signedIn(d.email, d.password, "")
	secret := d.want(d.send("POST", "/api/v1/me/authenticator", text(t, map[string]string{"password": d.password}), me...), 200).field(t, "secret").(string)
	recovery := d.want(d.send("POST", "/api/v1/me/authenticator/confirm", fmt.Sprintf(`{"code":%q}`, ahead(t, secret, -1)), me...), 200).field(t, "recoveryCodes").([]any)
	login := func(from int, code string) answer {
		return d.send("POST", "/api/v1/login", text(t, map[string]string{"email": d.email, "password": d.password, "code": code}), "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", from))
	}
	guesses := 0
	for ; guesses < 40 && login(guesses, ahead(t, secret, 1000+guesses)).status == http.StatusUnauthorized; guesses++ {
	}
	if guesses != 20 {
		t.Errorf("%d guesses from as many addresses, want 20", guesses)
	}
	d.want(login(99, ahead(t, secret, 1)), http.StatusTooManyRequests)
	d.want(login(99, recovery[0].(string)), 200)
}
