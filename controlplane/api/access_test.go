package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/store"
)

var update = flag.Bool("update", false, "rewrite testdata/access.txt")

// TestEveryRouteHasALineOfAccess asks every operation of the document as every
// role, with a body that changes nothing, and writes down who is let through.
func TestEveryRouteHasALineOfAccess(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(d.schema.operations)) {
		method, path, _ := strings.Cut(key, " ")
		concrete := strings.NewReplacer("{org}", "default", "{number}", "1", "{name}", "nothing", "{id}", "tok_nothing").Replace(path)
		line := fmt.Sprintf("%-6s %s", method, path)
		line = fmt.Sprintf("%-56s", line)
		for _, role := range append([]string{""}, roles...) {
			who, a := role, answer{}
			if role == "" {
				who, a = "anyone", d.send(method, concrete, "")
			} else {
				a = d.as(role, method, concrete, "")
			}
			may := "yes"
			switch a.status {
			case http.StatusUnauthorized:
				may = "401"
			case http.StatusForbidden:
				may = "403"
			}
			line += " " + who + ":" + may
		}
		lines = append(lines, line)
	}
	got := strings.Join(lines, "\n") + "\n"
	const file = "testdata/access.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("access differs from %s (-want +got); -update rewrites it:\n%s", file, diff)
	}
}

// TestSecurityOfTheDocumentIsThatOfTheRoutes: open there, open here.
func TestSecurityOfTheDocumentIsThatOfTheRoutes(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	for key, op := range d.schema.operations {
		method, path, _ := strings.Cut(key, " ")
		a := d.send(method, strings.NewReplacer("{org}", "default", "{number}", "1", "{name}", "nothing", "{id}", "x").Replace(path), "")
		open := op.Security != nil && len(*op.Security) == 0
		if guarded := a.status == http.StatusUnauthorized && op.OperationID != "login"; guarded == open {
			t.Errorf("%s without a caller answers %d, but the document says open=%v", key, a.status, open)
		}
		if a.status == http.StatusNotFound && a.field(t, "detail") == "there is nothing at this address; /api/openapi.json lists what there is" {
			t.Errorf("%s is in the document and has no route", key)
		}
	}
}

func (d *harness) signIn() string {
	d.t.Helper()
	in := d.want(d.send("POST", "/api/v1/login", fmt.Sprintf(`{"email":%q,"password":%q}`, d.email, d.password)), 200)
	cookie := in.header.Get("Set-Cookie")
	for _, part := range []string{"weir_session=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, part) {
			d.t.Errorf("cookie %q lacks %s", cookie, part)
		}
	}
	session, _, _ := strings.Cut(cookie, ";")
	return session
}

func TestSessionsNeedTheHeaderAndTheirOwnOrigin(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	session := d.signIn()
	if me := d.want(d.send("GET", "/api/v1/me", "", "Cookie", session), 200); me.field(t, "kind") != "person" || me.field(t, "role") != "owner" {
		t.Errorf("me = %s", me.text)
	}
	d.want(d.send("POST", "/api/v1/tokens", `{"name":"x","role":"viewer"}`, "Cookie", session), 403)
	d.want(d.send("POST", "/api/v1/tokens", `{"name":"x","role":"viewer"}`, "Cookie", session, "X-Weir-CSRF", "1", "Sec-Fetch-Site", "cross-site"), 403)
	d.want(d.send("POST", "/api/v1/login", `{}`, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), 403)
	made := d.want(d.send("POST", "/api/v1/tokens", `{"name":"x","role":"viewer"}`, "Cookie", session, "X-Weir-CSRF", "1", "Sec-Fetch-Site", "same-origin"), 200)
	d.want(d.send("GET", "/api/v1/me", "", "Authorization", "Bearer "+made.field(t, "token").(string)), 200)
	if list := d.want(d.send("GET", "/api/v1/tokens", "", "Cookie", session), 200); strings.Contains(string(list.text), made.field(t, "token").(string)) {
		t.Errorf("the list of tokens shows one: %s", list.text)
	}
	d.want(d.send("DELETE", "/api/v1/tokens/"+made.field(t, "id").(string), "", "Cookie", session, "X-Weir-CSRF", "1"), 204)
	d.want(d.send("GET", "/api/v1/me", "", "Authorization", "Bearer "+made.field(t, "token").(string)), 401)
	d.want(d.send("POST", "/api/v1/logout", "", "Cookie", session, "X-Weir-CSRF", "1"), 204)
	d.want(d.send("GET", "/api/v1/me", "", "Cookie", session), 401)
	d.want(d.send("POST", "/api/v1/login", fmt.Sprintf(`{"email":%q,"password":"no"}`, d.email)), 401)
}

func TestFailedSignInsAreLimitedByClientNotByProxyOrDevice(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	login := func(password string, header ...string) answer {
		return d.send("POST", "/api/v1/login", fmt.Sprintf(`{"email":%q,"password":%q}`, d.email, password), header...)
	}
	in := d.want(login(d.password, "X-Forwarded-For", "203.0.113.1"), 200)
	device := ""
	for _, cookie := range in.header.Values("Set-Cookie") {
		if strings.HasPrefix(cookie, "weir_device=") {
			device, _, _ = strings.Cut(cookie, ";")
			for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/api/v1/login", "Max-Age="} {
				if !strings.Contains(cookie, part) {
					t.Errorf("cookie %q lacks %s", cookie, part)
				}
			}
		}
	}
	for range 10 {
		d.want(login("no", "X-Forwarded-For", "203.0.113.1"), 401)
	}
	d.want(login(d.password, "X-Forwarded-For", "203.0.113.1"), 429)
	d.want(login(d.password, "X-Forwarded-For", "203.0.113.2"), 200)
	d.want(login(d.password, "X-Forwarded-For", "203.0.113.1", "Cookie", device), 200)
}

func TestInvitationsAreGoodOnce(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	invited := d.want(d.as("operator", "POST", "/api/v1/planes/invitations", `{"region":"eu","kind":"regional"}`), 200)
	token := invited.field(t, "token").(string)
	_, _, ask := joining(t, token)
	body, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	one := d.want(d.send("POST", "/api/v1/planes/join", string(body)), 200)
	two := d.want(d.send("POST", "/api/v1/planes/join", string(body)), 200)
	if one.field(t, "plane") != two.field(t, "plane") {
		t.Errorf("the same plane asked twice and is %v and %v", one.field(t, "plane"), two.field(t, "plane"))
	}
	_, _, other := joining(t, token)
	if body, err = json.Marshal(other); err != nil {
		t.Fatal(err)
	}
	d.want(d.send("POST", "/api/v1/planes/join", string(body)), 403)
	d.want(d.send("POST", "/api/v1/planes/join", `{"token":"x","name":"A b"}`), 422)
	d.want(d.as("operator", "POST", "/api/v1/planes/invitations", `{"region":"EU","kind":"own"}`), 422)
}

func TestBodiesAreBoundedAndStrict(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.want(d.as("editor", "PUT", acme+"/config", `{"document":"`+strings.Repeat("x", 9<<20)+`"}`), 413)
	d.want(d.send("POST", "/api/v1/login", `{"email":"`+strings.Repeat("x", 70<<10)+`"}`), 413)
	d.want(d.as("editor", "PUT", acme+"/config", strings.Repeat("[", 1<<20)), 422)
	d.want(d.as("editor", "PUT", acme+"/config", `{"document":`+strings.Repeat("[", 1<<20)), 400)
	unknown := d.want(d.as("editor", "PUT", acme+"/config", `{"dokument":{}}`), 422)
	if unknown.field(t, "problems", "0", "path") != "dokument" || unknown.field(t, "problems", "0", "code") != "unknown_field" {
		t.Errorf("an unknown member = %s", unknown.text)
	}
	deep := d.want(d.as("editor", "PUT", acme+"/config", `{"document":{"workspace":"acme","region":"eu","sources":[{"nam":1}]}}`), 422)
	if deep.field(t, "problems", "0", "path") != "sources[0].nam" {
		t.Errorf("an unknown member of the document = %s", deep.text)
	}
	d.want(d.as("editor", "PUT", acme+"/config", `{"document":{"workspace":"a","workspace":"b"}}`), 400)
	d.want(d.as("editor", "PUT", acme+"/config", `{}`), 422)
	d.want(d.as("admin", "GET", "/api/v1/audit?limit=0", ""), 400)
	d.want(d.as("admin", "GET", "/api/v1/audit?cursor=-1", ""), 400)
	if a := d.as("admin", "POST", "/api/v1/health", ""); a.status != 405 && a.status != 404 {
		t.Errorf("POST health = %d", a.status)
	}
	d.want(d.as("admin", "GET", "/api/v1/nothing", ""), 404)
}

func TestTheConsoleIsServed(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.join()
	for path, want := range map[string]string{"/": "console", "/workspaces/acme": "console", "/assets/app-1.js": "app()", "/index.html": "console"} {
		resp, err := http.Get(d.url + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(text), want) {
			t.Errorf("GET %s = %d %q, %v; want %q", path, resp.StatusCode, text, err, want)
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if want == "console" && !strings.Contains(policy, "connect-src 'self' http://127.0.0.1:8091 http://127.0.0.1:8090;") {
			t.Errorf("GET %s has the policy %q, want the plane's view in it", path, policy)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s lets the browser guess types", path)
		}
	}
	d.want(d.send("GET", "/assets/app-0.js", ""), 404)
	d.want(d.send("GET", "/api/nothing", ""), 404)
}

// TestATokenOfOneWorkspaceReachesNoOther asks every operation of the document
// with a token that is bound to acme, for another workspace.
func TestATokenOfOneWorkspaceReachesNoOther(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.join()
	d.want(d.as("editor", "PUT", acme+"/config", applying(`{"workspace":"acme","region":"eu"}`)), 200)
	d.want(d.as("editor", "PUT", "/api/v1/workspaces/neighbour/config", applying(`{"workspace":"neighbour","region":"eu"}`)), 200)
	unknown := d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"t","role":"admin","workspace":"nothing"}`), 422)
	if unknown.field(t, "problems", "0", "path") != "workspace" {
		t.Errorf("a token for a workspace that is not there = %s", unknown.text)
	}
	made := d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"t","role":"admin","workspace":"acme"}`), 200)
	bound := func(method, path, body string) answer {
		return d.send(method, path, body, "Authorization", "Bearer "+made.field(t, "token").(string))
	}
	shared := map[string]bool{"GET /api/v1/me": true, "POST /api/v1/logout": true, "GET /api/v1/catalog": true, "GET /api/v1/planes": true, "GET /api/v1/workspaces": true, "GET /api/v1/status": true,
		"GET /api/v1/orgs": true, "GET /api/v1/orgs/{org}/workspaces": true, "GET /api/v1/orgs/{org}/status": true,
		"GET /api/v1/changes": true, "GET /api/v1/orgs/{org}/changes": true, "GET /api/v1/notices": true, "GET /api/v1/orgs/{org}/notices": true}
	for key, op := range d.schema.operations {
		method, path, _ := strings.Cut(key, " ")
		if op.Security != nil && len(*op.Security) == 0 || shared[key] || key == "POST /api/v1/catalog/custom" { // which is about no workspace
			continue
		}
		body := ""
		if strings.HasSuffix(path, "/capabilities") {
			body = `{"workspace":"neighbour","action":"ledger:read"}`
		}
		if strings.HasSuffix(path, "/capabilities/batch") {
			body = `{"workspaces":["acme","neighbour"],"action":"ledger:read"}`
		}
		if path == "/api/v1/me/password" {
			body = `{"former":"a","password":"b"}`
		}
		if path == "/api/v1/me/tokens" {
			body = `{"name":"mine"}` // the token is nobody's
		}
		for _, name := range []string{"neighbour", "nothing"} {
			concrete := strings.NewReplacer("{org}", "default", "{number}", "1", "{name}", name, "{id}", made.field(t, "id").(string)).Replace(path)
			if a := bound(method, concrete, strings.ReplaceAll(body, "neighbour", name)); a.status != http.StatusForbidden {
				t.Errorf("%s %s with a token of acme = %d %s, want 403", method, concrete, a.status, a.text)
			}
		}
	}
	for path := range shared {
		method, path, _ := strings.Cut(path, " ")
		list := bound(method, strings.ReplaceAll(path, "{org}", "default"), "")
		if list.status >= 300 || strings.Contains(string(list.text), `"neighbour"`) || strings.HasSuffix(path, "s") && path != "/api/v1/orgs" && path != "/api/v1/planes" && !strings.HasSuffix(path, "/notices") && !strings.HasSuffix(path, "/changes") && !strings.Contains(string(list.text), `"acme"`) {
			t.Errorf("%s with a token of acme = %d %s, want acme alone", path, list.status, list.text)
		}
	}
	d.want(bound("PUT", acme+"/config", applying(`{"workspace":"acme","region":"eu","sources":[{"name":"web","type":"http"}]}`)), 200)
	d.want(bound("POST", "/api/v1/capabilities", `{"workspace":"acme","action":"ledger:read"}`), 200)
	d.want(bound("POST", "/api/v1/capabilities/batch", `{"workspaces":["acme"],"action":"ledger:read"}`), 200)
	listed := d.want(d.as("admin", "GET", "/api/v1/tokens", ""), 200)
	if !strings.Contains(string(listed.text), `"role":"admin","workspace":"acme"`) {
		t.Errorf("the list of tokens does not name the workspace: %s", listed.text)
	}
	// The name may be given to another workspace, which the token is not for.
	d.want(bound("DELETE", acme, ""), 204)
	d.want(d.as("editor", "PUT", acme+"/config", applying(`{"workspace":"acme","region":"eu"}`)), 200)
	if a := bound("GET", acme, ""); a.status != http.StatusForbidden {
		t.Errorf("another workspace of the name with the former one's token = %d, want 403", a.status)
	}
}

// TestNoOrganizationReachesAnother asks every operation of the document as the owner of one
// organization, with names and identifiers of another's: guessed, and swapped.
func TestNoOrganizationReachesAnother(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.join()
	for _, name := range []string{"north", "south"} {
		made := d.want(d.as("operator", "POST", "/api/v1/orgs", fmt.Sprintf(`{"name":%q}`, name)), 200)
		d.tokens[name] = d.token(d.accounts, store.OrganizationID(made.field(t, "id").(string)), "owner")
	}
	at := func(org string) string { return "/api/v1/orgs/" + org + "/workspaces/shop" }
	for _, name := range []string{"north", "south"} { // the same name in both
		d.want(d.as(name, "PUT", at(name)+"/config", applying(fmt.Sprintf(`{"workspace":"shop","region":"eu","sources":[{"name":"of-%s","type":"http"}]}`, name))), 200)
	}
	d.want(d.as("north", "PUT", at("north")+"/config", applying(`{"workspace":"shop","region":"eu","sources":[{"name":"of-north","type":"http"}]}`)), 200)
	shop := d.want(d.as("south", "GET", at("south"), ""), 200)
	south, source := shop.field(t, "id").(string), shop.field(t, "sources", "0", "id").(string)
	before := string(d.want(d.as("south", "GET", at("south")+"/config", ""), 200).text)
	token := d.want(d.as("south", "POST", "/api/v1/tokens", `{"name":"ci","role":"viewer"}`), 200).field(t, "id").(string)
	d.want(d.as("north", "POST", "/api/v1/tokens", `{"name":"ci","role":"viewer"}`), 200) // names are each organization's own

	for key, op := range d.schema.operations {
		method, path, _ := strings.Cut(key, " ")
		if op.Security != nil && len(*op.Security) == 0 || key == "POST /api/v1/logout" {
			continue
		}
		body := ""
		switch {
		case strings.HasSuffix(path, "/capabilities"):
			body = `{"workspace":"shop","action":"ledger:read"}`
		case strings.HasSuffix(path, "/capabilities/batch"):
			body = `{"workspaces":["shop"],"action":"ledger:read"}`
		case strings.HasSuffix(path, "/config") || strings.HasSuffix(path, "/diff"):
			body = applying(`{"workspace":"shop","region":"eu"}`)
		case strings.HasSuffix(path, "/rollback"):
			body = `{"to":1}`
		case strings.HasSuffix(path, "/invitations"):
			body = `{"email":"spy@example.com","role":"viewer"}`
		case strings.HasSuffix(path, "/members") || strings.HasSuffix(path, "/role"):
			body = `{"role":"viewer"}`
		case strings.HasSuffix(path, "/tokens"):
			body = `{"name":"spy","role":"owner"}`
		}
		for _, org := range []string{"south", "default", "none"} {
			concrete := strings.NewReplacer("{org}", org, "{number}", "1", "{name}", "shop", "{id}", token).Replace(path)
			a := d.as("north", method, concrete, body)
			if strings.Contains(path, "{org}") && a.status != http.StatusForbidden {
				t.Errorf("%s %s as an owner of north = %d %s, want 403", method, concrete, a.status, a.text)
			}
			if strings.Contains(path, "{id}") && a.status/100 == 2 {
				t.Errorf("%s %s as an owner of north = %d %s, want a refusal", method, concrete, a.status, a.text)
			}
			for _, foreign := range []string{south, source, "of-south", token} {
				if strings.Contains(string(a.text), foreign) && !strings.Contains(concrete, foreign) {
					t.Errorf("%s %s as an owner of north holds %s of south: %s", method, concrete, foreign, a.text)
				}
			}
			if !strings.Contains(path, "{org}") {
				break
			}
		}
	}
	// Identifiers of the other organization in a document of one's own.
	for _, document := range []string{
		fmt.Sprintf(`{"id":%q,"workspace":"mine","region":"eu"}`, south),
		fmt.Sprintf(`{"workspace":"mine","region":"eu","sources":[{"id":%q,"name":"a","type":"http"}]}`, source),
	} {
		a := d.as("north", "PUT", "/api/v1/orgs/north/workspaces/mine/config", applying(document))
		if a.status != http.StatusUnprocessableEntity || a.field(t, "problems", "0", "code") != "id_taken" {
			t.Errorf("%s as an owner of north = %d %s, want the problem id_taken", document, a.status, a.text)
		}
	}
	if after := string(d.want(d.as("south", "GET", at("south")+"/config", ""), 200).text); after != before {
		t.Errorf("the workspace of south was %s and is %s", before, after)
	}
	if listed := d.want(d.as("south", "GET", "/api/v1/tokens", ""), 200); !strings.Contains(string(listed.text), token) {
		t.Errorf("the token of south is gone: %s", listed.text)
	}
	if list := d.want(d.as("viewer", "GET", "/api/v1/status", ""), 200); strings.Contains(string(list.text), "shop") {
		t.Errorf("a viewer of default sees other organizations: %s", list.text)
	}
}

// TestNobodyGivesMoreThanHeHas tries to get on by a token.
func TestNobodyGivesMoreThanHeHas(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	for role, status := range map[string]int{"owner": 403, "operator": 403, "admin": 200, "editor": 200, "viewer": 200, "king": 422} {
		d.want(d.as("admin", "POST", "/api/v1/tokens", fmt.Sprintf(`{"name":"a %[1]s","role":%[1]q}`, role)), status)
	}
	d.want(d.as("owner", "POST", "/api/v1/tokens", `{"name":"an owner","role":"owner"}`), 200)
	limited := d.want(d.as("owner", "POST", "/api/v1/tokens", `{"name":"limited","role":"owner","scopes":["token:write","workspace:read"]}`), 200)
	as := []string{"Authorization", "Bearer " + limited.field(t, "token").(string)}
	d.want(d.send("GET", "/api/v1/workspaces/none", "", as...), 404)
	d.want(d.send("GET", "/api/v1/workspaces", "", as...), 403)
	d.want(d.send("POST", "/api/v1/tokens", `{"name":"more","role":"viewer"}`, as...), 403)
	d.want(d.as("owner", "POST", "/api/v1/tokens", `{"name":"wrong","role":"owner","scopes":["everything"]}`), 422)
	d.want(d.as("owner", "POST", "/api/v1/tokens", `{"name":"late","role":"owner","expiresAt":"2020-01-01T00:00:00Z"}`), 422)
	session := d.signIn()
	own := d.want(d.send("POST", "/api/v1/me/tokens", `{"name":"laptop"}`, "Cookie", session, "X-Weir-CSRF", "1"), 200)
	as[1] = "Bearer " + own.field(t, "token").(string)
	if me := d.want(d.send("GET", "/api/v1/me", "", as...), 200); me.field(t, "role") != "owner" || me.field(t, "operator") != true {
		t.Errorf("a person's own token is %s, want what the person is", me.text)
	}
	if listed := d.want(d.send("GET", "/api/v1/me/tokens", "", as...), 200); listed.field(t, "tokens", "0", "lastUsedAt") == nil {
		t.Errorf("the last use of a token is not shown: %s", listed.text)
	}
	d.want(d.send("DELETE", "/api/v1/me/tokens/"+own.field(t, "id").(string), "", as...), 204)
	d.want(d.send("GET", "/api/v1/me", "", as...), 401)
}

// TestPeopleBecomeMembersByInvitation goes from an invitation to a member that is removed.
func TestPeopleBecomeMembersByInvitation(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.want(d.as("admin", "POST", "/api/v1/invitations", `{"email":"bob@example.com","role":"owner"}`), 403)
	d.want(d.as("admin", "POST", "/api/v1/invitations", `{"email":"nobody","role":"viewer"}`), 422)
	d.want(d.as("owner", "POST", "/api/v1/invitations", `{"email":"bob@example.com","role":"operator"}`), 403)
	back := d.want(d.as("admin", "POST", "/api/v1/invitations", `{"email":"eve@example.com","role":"viewer"}`), 200)
	d.want(d.as("admin", "DELETE", "/api/v1/invitations/"+back.field(t, "id").(string), ""), 204)
	use := func(a answer, password string) string {
		return fmt.Sprintf(`{"token":%q,"password":%q}`, a.field(t, "token"), password)
	}
	d.want(d.send("POST", "/api/v1/invitations/accept", use(back, "a long password")), 404)
	made := d.want(d.as("admin", "POST", "/api/v1/invitations", `{"email":"Bob@example.com","role":"editor"}`), 200)
	if list := d.want(d.as("auditor", "GET", "/api/v1/invitations", ""), 200); !strings.Contains(string(list.text), "bob@example.com") || strings.Contains(string(list.text), made.field(t, "token").(string)) {
		t.Errorf("invitations = %s, want bob's without its token", list.text)
	}
	d.want(d.send("POST", "/api/v1/invitations/accept", use(made, "short")), 422)
	in := d.want(d.send("POST", "/api/v1/invitations/accept", use(made, "a long password")), 200)
	if in.field(t, "email") != "bob@example.com" || in.field(t, "role") != "editor" {
		t.Errorf("accepted = %s, want bob as an editor", in.text)
	}
	d.want(d.send("POST", "/api/v1/invitations/accept", use(made, "a long password")), 404) // once
	bob, _, _ := strings.Cut(in.header.Get("Set-Cookie"), ";")
	as := []string{"Cookie", bob, "X-Weir-CSRF", "1"}
	own := d.want(d.send("POST", "/api/v1/me/tokens", `{"name":"laptop"}`, as...), 200).field(t, "token").(string)
	d.want(d.send("GET", "/api/v1/members", "", as...), 403)
	members := d.want(d.as("admin", "GET", "/api/v1/members", ""), 200)
	if members.field(t, "members", "1", "name") != "bob@example.com" || members.field(t, "members", "1", "roles", "0", "role") != "editor" {
		t.Errorf("members = %s, want the first administrator and bob", members.text)
	}
	d.want(d.as("admin", "PUT", "/api/v1/members/bob@example.com/role", `{"role":"owner"}`), 403)
	d.want(d.as("admin", "PUT", "/api/v1/members/admin@localhost/role", `{"role":"viewer"}`), 403) // an owner's
	d.want(d.as("owner", "PUT", "/api/v1/members/admin@localhost/role", `{"role":"viewer"}`), 409) // the last one
	d.want(d.as("owner", "DELETE", "/api/v1/members/admin@localhost", ""), 409)
	d.want(d.as("owner", "PUT", "/api/v1/members/usr_none/role", `{"role":"viewer"}`), 404)

	// Passwords: by the person, and by a link of somebody who has all that the person has.
	d.want(d.send("POST", "/api/v1/me/password", `{"former":"wrong","password":"another password"}`, as...), 403)
	d.want(d.as("admin", "POST", "/api/v1/members/admin@localhost/password", ""), 403)
	d.want(d.as("owner", "POST", "/api/v1/members/admin@localhost/password", ""), 403) // an operator too
	link := d.want(d.as("admin", "POST", "/api/v1/members/bob@example.com/password", ""), 200)
	d.want(d.send("POST", "/api/v1/invitations/accept", use(link, "another password")), 404)
	d.want(d.send("POST", "/api/v1/password/reset", use(link, "another password")), 204)
	d.want(d.send("POST", "/api/v1/password/reset", use(link, "another password")), 404)
	d.want(d.send("GET", "/api/v1/me", "", as...), 401) // the sessions ended
	d.want(d.send("POST", "/api/v1/login", `{"email":"bob@example.com","password":"another password"}`), 200)

	d.want(d.as("admin", "DELETE", "/api/v1/members/bob@example.com", ""), 204)
	d.want(d.send("GET", "/api/v1/workspaces", "", "Authorization", "Bearer "+own), 403)
}

// TestAServiceAccountHasItsRoleAndTokens.
func TestAServiceAccountHasItsRoleAndTokens(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.want(d.as("admin", "POST", "/api/v1/members", `{"name":"deploy","role":"owner"}`), 403)
	d.want(d.as("admin", "POST", "/api/v1/members", `{"name":"deploy","role":"editor"}`), 200)
	made := d.want(d.as("admin", "POST", "/api/v1/members/deploy/tokens", `{"name":"ci","scopes":["workspace:read","workspace:write"]}`), 200)
	as := []string{"Authorization", "Bearer " + made.field(t, "token").(string)}
	d.want(d.send("GET", acme, "", as...), 404)
	d.want(d.send("GET", "/api/v1/me", "", as...), 403) // beyond its scopes
	d.want(d.as("owner", "PUT", "/api/v1/members/deploy/role", `{"role":"owner"}`), 204)
	d.want(d.as("admin", "POST", "/api/v1/members/deploy/tokens", `{"name":"more"}`), 403) // it would be an owner's
	d.want(d.as("owner", "DELETE", "/api/v1/members/deploy", ""), 204)
	d.want(d.send("GET", acme, "", as...), 401)
}
