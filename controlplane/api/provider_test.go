package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"weir/controlplane/store/accounts"
	"weir/controlplane/store/tenancy"
)

// people are those of the provider: their password is "verysecure".
const people = `{
"id-ann": {"ID": "id-ann", "Username": "ann", "Password": "verysecure", "Email": "Ann@acme.example", "EmailVerified": true},
"id-bob": {"ID": "id-bob", "Username": "bob", "Password": "verysecure", "Email": "bob@other.example", "EmailVerified": true},
"id-cy":  {"ID": "id-cy", "Username": "cy", "Password": "verysecure", "Email": "cy@acme.example", "EmailVerified": false},
"id-adm": {"ID": "id-adm", "Username": "adm", "Password": "verysecure", "Email": "admin@acme.example", "EmailVerified": true}
}`

// provider runs an OpenID Connect provider with one client for the control plane of d.
func (d *harness) provider() (issuer string) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "people.json")
	if err := os.WriteFile(file, []byte(people), 0o600); err != nil {
		d.t.Fatal(err)
	}
	users, err := storage.StoreFromFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	issuer = "http://" + server.Listener.Addr().String() + "/"
	client := storage.WebClient("weir", "hush hush", d.url+"/api/v1/login/oidc/callback")
	server.Config.Handler = exampleop.SetupServer(issuer, storage.NewStorageWithClients(users, map[string]*storage.Client{"weir": client}), nil, false)
	server.Start()
	d.t.Cleanup(server.Close)
	return issuer
}

// browser is somebody's, with cookies and redirects that are followed one by one.
type browser struct {
	d    *harness
	http *http.Client
}

func (d *harness) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return &browser{d, &http.Client{Jar: jar, CheckRedirect: client.CheckRedirect}}
}

// open asks for an address, and returns where it leads to, empty for nowhere, and its text.
func (b *browser) open(method, at, body, kind string) (int, string, string) {
	b.d.t.Helper()
	req, err := http.NewRequestWithContext(b.d.t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		b.d.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.d.t.Fatal(err)
	}
	where := ""
	if to, err := resp.Location(); err == nil {
		where = to.String()
	}
	return resp.StatusCode, where, string(text)
}

// begin begins a sign-in and returns where the browser goes.
func (b *browser) begin(organization, back string) string {
	b.d.t.Helper()
	status, _, body := b.open("POST", b.d.url+"/api/v1/login/oidc", text(b.d.t, map[string]string{"organization": organization, "back": back}), "application/json")
	var out struct{ URL string }
	if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusOK {
		b.d.t.Fatalf("begin a sign-in = %d %s", status, body)
	}
	return out.URL
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// at signs somebody in at the provider, and returns where the provider sends the browser.
func (b *browser) at(address, user string) string {
	b.d.t.Helper()
	_, login, body := b.open("GET", address, "", "")
	if login == "" {
		b.d.t.Fatalf("the provider answers %s", body)
	}
	_, _, page := b.open("GET", login, "", "")
	id := hidden.FindStringSubmatch(page)
	if id == nil {
		b.d.t.Fatalf("the provider's page is %s", page)
	}
	form := url.Values{"username": {user}, "password": {"verysecure"}, "id": {id[1]}}.Encode()
	_, next, page := b.open("POST", login, form, "application/x-www-form-urlencoded")
	if next == "" {
		b.d.t.Fatalf("the provider signs %s not in: %s", user, page)
	}
	_, back, _ := b.open("GET", next, "", "")
	return back
}

// signIn goes all the way, and returns where the console is opened.
func (b *browser) signIn(organization, user string) string {
	b.d.t.Helper()
	_, where, _ := b.open("GET", b.at(b.begin(organization, "/live"), user), "", "")
	return strings.TrimPrefix(where, b.d.url)
}

func (b *browser) get(path string) (int, string) {
	b.d.t.Helper()
	status, _, body := b.open("GET", b.d.url+path, "", "")
	return status, body
}

func TestPeopleSignInAtTheirOrganizationsProvider(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	issuer := d.provider()
	put := func(as string, more map[string]any) answer {
		in := map[string]any{"issuer": issuer, "clientId": "weir", "domains": []string{"acme.example"}}
		for k, v := range more {
			in[k] = v
		}
		return d.as(as, "PUT", "/api/v1/identity-provider", text(t, in))
	}
	d.want(d.as("owner", "GET", "/api/v1/identity-provider", ""), 404)
	d.want(put("admin", map[string]any{"clientSecret": "hush hush"}), 403)
	d.want(put("owner", nil), 422) // no secret is kept yet
	d.want(put("owner", map[string]any{"clientSecret": "x", "domains": []string{}}), 422)
	d.want(put("owner", map[string]any{"clientSecret": "x", "role": "owner"}), 422)
	d.want(put("owner", map[string]any{"clientSecret": "x", "issuer": "http://10.0.0.1"}), 422)
	d.want(put("owner", map[string]any{"clientSecret": "x", "issuer": d.url}), 422) // no provider
	shown := d.want(put("owner", map[string]any{"clientSecret": "hush hush"}), 200)
	if shown.field(t, "redirectUris", "0") != d.url+"/api/v1/login/oidc/callback" || strings.Contains(string(shown.text), "hush") {
		t.Errorf("the provider is shown as %s", shown.text)
	}
	if kept, err := d.store.Accounts().Provider(t.Context(), tenancy.Default); err != nil || strings.Contains(string(kept.Secret), "hush") {
		t.Errorf("the client's secret is kept in clear, %v", err)
	}

	// Who was not invited is a stranger until the organization gives strangers a role.
	for user, failed := range map[string]string{"ann": "not_member", "bob": "address_refused", "cy": "address_refused"} {
		if where := d.browser().signIn("default", user); where != "/?sign-in="+failed {
			t.Errorf("%s, who was not invited, is sent to %s, want %s", user, where, failed)
		}
	}
	d.want(put("owner", map[string]any{"role": "editor"}), 200) // the secret stays
	ann := d.browser()
	if where := ann.signIn("default", "ann"); where != "/live" {
		t.Fatalf("ann is sent to %s, want /live", where)
	}
	status, me := ann.get("/api/v1/me")
	if status != 200 || !strings.Contains(me, `"ann@acme.example"`) || !strings.Contains(me, `"editor"`) {
		t.Errorf("me of ann = %d %s", status, me)
	}
	if _, list := ann.get("/api/v1/me/sessions"); !strings.Contains(list, `"by":"provider"`) {
		t.Errorf("sessions of ann = %s", list)
	}
	d.want(d.send("POST", "/api/v1/login", `{"email":"ann@acme.example","password":""}`), 401) // there is no password

	// A member that was removed does not come back by signing in.
	d.want(d.as("owner", "DELETE", "/api/v1/members/ann@acme.example", ""), 204)
	if status, _ := ann.get("/api/v1/members"); status != 403 {
		t.Errorf("members for ann, who was removed = %d, want 403", status)
	}
	if where := d.browser().signIn("default", "ann"); where != "/?sign-in=not_member" {
		t.Errorf("ann, who was removed, is sent to %s", where)
	}

	// A sign-in belongs to its browser, once, and leads to the own origin alone.
	other := d.browser()
	address := other.begin("default", "//evil.example/x")
	back := other.at(address, "adm")
	if _, where, _ := d.browser().open("GET", back, "", ""); where != d.url+"/?sign-in=sign_in_refused" {
		t.Errorf("another browser with the answer is sent to %s", where)
	}
	query, err := url.Parse(address)
	if err != nil || query.Query().Get("code_challenge_method") != "S256" || query.Query().Get("nonce") == "" {
		t.Errorf("the browser is sent to %s, want PKCE and a nonce", address)
	}
	if _, where, _ := other.open("GET", back, "", ""); where != d.url+"/" {
		t.Errorf("a page of another origin leads to %s", where)
	}
	if _, where, _ := other.open("GET", back, "", ""); where != d.url+"/?sign-in=sign_in_refused" {
		t.Errorf("the answer a second time leads to %s", where)
	}
	if status, _, _ := other.open("POST", d.url+"/api/v1/login/oidc", `{"organization":"nobody"}`, "application/json"); status != 404 {
		t.Errorf("an organization that is not there = %d, want 404", status)
	}

	// Required: roles of other sign-ins count no more, but an owner's; and removed, all of it ends.
	d.want(put("owner", map[string]any{"role": "editor", "required": true}), 200)
	owner := d.signedIn(d.email, d.password, "")
	d.want(d.send("GET", "/api/v1/members", "", owner...), 200)
	invited := d.want(d.as("owner", "POST", "/api/v1/invitations", `{"email":"dee@acme.example","role":"admin"}`), 200)
	in := d.want(d.send("POST", "/api/v1/invitations/accept", text(t, map[string]any{"token": invited.field(t, "token"), "password": "a long password"})), 200)
	if a := d.want(d.send("GET", "/api/v1/members", "", "Cookie", sessionOf(in)), 403); !strings.Contains(string(a.text), "identity provider") {
		t.Errorf("a password where the provider is required is answered %s", a.text)
	}
	if status, _ := other.get("/api/v1/workspaces"); status != 200 {
		t.Errorf("workspaces for who signed in at the provider = %d", status)
	}
	d.want(d.as("admin", "DELETE", "/api/v1/identity-provider", ""), 403)
	d.want(d.as("owner", "DELETE", "/api/v1/identity-provider", ""), 204)
	if status, _ := other.get("/api/v1/me"); status != 401 {
		t.Errorf("me after the provider was removed = %d, want 401", status)
	}
	d.want(d.send("GET", "/api/v1/members", "", "Cookie", sessionOf(in)), 200)
}

// TestAProviderVouchesForItsOrganizationAlone: its owner could have it name anybody.
func TestAProviderVouchesForItsOrganizationAlone(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	issuer := d.provider()
	made := d.want(d.as("operator", "POST", "/api/v1/orgs", `{"name":"rogue"}`), 200)
	rogue := tenancy.OrganizationID(made.field(t, "id").(string))
	d.tokens["rogue"] = d.token(d.accounts, rogue, "owner")
	invited := d.want(d.as("owner", "POST", "/api/v1/invitations", `{"email":"admin@acme.example","role":"owner"}`), 200)
	victim := d.want(d.send("POST", "/api/v1/invitations/accept", text(t, map[string]any{"token": invited.field(t, "token"), "password": "a long password"})), 200)
	d.want(d.as("rogue", "PUT", "/api/v1/orgs/rogue/identity-provider", text(t, map[string]any{"issuer": issuer, "clientId": "weir", "clientSecret": "hush hush", "domains": []string{"acme.example"}, "role": "viewer"})), 200)
	b := d.browser()
	if where := b.signIn("rogue", "adm"); where != "/live" {
		t.Fatalf("the rogue organization's person is sent to %s", where)
	}
	if status, me := b.get("/api/v1/me"); status != 200 || strings.Contains(me, `"default"`) || !strings.Contains(me, `"rogue"`) {
		t.Errorf("me = %d %s, want rogue alone", status, me)
	}
	if status, _ := b.get("/api/v1/orgs/default/members"); status != 403 {
		t.Errorf("members of default = %d, want 403", status)
	}
	if _, list := b.get("/api/v1/me/sessions"); strings.Count(list, `"id"`) != 1 {
		t.Errorf("sessions = %s, want the provider's alone", list)
	}
	u, _ := url.Parse(d.url)
	session := ""
	for _, cookie := range b.http.Jar.Cookies(u) {
		if cookie.Name == "weir_session" {
			session = "weir_session=" + cookie.Value
		}
	}
	as := []string{"Cookie", session, "X-Weir-CSRF", "1"}
	d.want(d.send("POST", "/api/v1/me/authenticator", `{"password":"a long password"}`, as...), 403)
	d.want(d.send("POST", "/api/v1/me/password", `{"former":"a long password","password":"another password"}`, as...), 403)
	token := d.want(d.send("POST", "/api/v1/me/tokens", `{"name":"rogue"}`, as...), 200).field(t, "token").(string)
	d.want(d.send("GET", "/api/v1/orgs/default/members", "", "Authorization", "Bearer "+token), 403)
	d.want(d.send("DELETE", "/api/v1/me/sessions", "", as...), 200)
	d.want(d.send("GET", "/api/v1/me", "", "Cookie", sessionOf(victim)), 200)
	if p := accounts.ByProvider(rogue); p.Provider() != rogue {
		t.Errorf("ByProvider(%s) is of %s", rogue, p.Provider())
	}
}
