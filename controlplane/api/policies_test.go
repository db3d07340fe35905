package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
)

// with is a document of acme with these destinations and their connections.
func with(names ...string) string {
	var destinations, connections []string
	for _, n := range names {
		destinations = append(destinations, fmt.Sprintf(`{"name":%q,"type":"webhook","settings":{"url":"https://%s.example/"}}`, n, n))
		connections = append(connections, fmt.Sprintf(`{"source":"web","destination":%q}`, n))
	}
	return fmt.Sprintf(`{"workspace":"acme","region":"eu","sources":[{"name":"web","type":"http","writeKey":"wk_of_acme_web"}],"destinations":[%s],"connections":[%s]}`,
		strings.Join(destinations, ","), strings.Join(connections, ","))
}

// TestAPolicyIsTriedOnAWorkspace asks policies that are not set what they have against what
// is there, and leaves no trace.
func TestAPolicyIsTriedOnAWorkspace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		d.join()
		d.want(d.as("editor", "PUT", acme+"/config", applying(with("crm", "team-a"))), 200)
		try := func(body string) answer { return d.as("viewer", "POST", acme+"/policy-test", body) }
		denied := d.want(try(setPolicy("rego", teamNames)), 200)
		if denied.field(t, "problems", "0", "path") != "destinations[0].name" || denied.field(t, "problems", "0", "text") != "Policy test: a name begins with team-" || strings.Count(string(denied.text), "bad_team") != 1 {
			t.Errorf("the policy in Rego says %s", denied.text)
		}
		asks := d.want(try(setPolicy("rules", "approval: [{ kinds: [source] }]\nforbid: [webhook]")), 200)
		if asks.field(t, "needs", "0", "policy") != "test" || asks.field(t, "problems", "1", "path") == nil {
			t.Errorf("the rules say %s", asks.text)
		}
		broken := d.want(try(setPolicy("rego", "package x\nallow := 1")), 422)
		if broken.field(t, "problems", "0", "code") != "no_deny" {
			t.Errorf("a broken policy is told with %s", broken.text)
		}
		d.want(d.as("viewer", "POST", "/api/v1/workspaces/none/policy-test", setPolicy("rules", "")), 404)
		if list := d.want(d.as("owner", "GET", "/api/v1/policies", ""), 200); strings.Contains(string(list.text), "names") || strings.Contains(string(list.text), "language") {
			t.Errorf("trying sets a policy: %s", list.text)
		}
	})
}

// setPolicy is the body that sets a policy.
func setPolicy(language, text string) string {
	body, _ := json.Marshal(map[string]any{"language": language, "text": text}) // of texts
	return string(body)
}

const teamNames = `package policies.names
deny contains {"path": path, "message": "a name begins with team-", "code": "bad_team"} if {
	some i, d in input.after.destinations
	not startswith(d.name, "team-")
	input.before != {}
	input.author.kind == "token"
	input.organization == "default"
	input.plane.region == "eu"
	some c in input.changes
	c.kind == "destination"
	path := sprintf("destinations[%d].name", [i])
}`

func TestPoliciesOfAnOrganizationReviewEveryCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		d.join()
		apply := func(document string) answer { return d.as("editor", "PUT", acme+"/config", applying(document)) }
		d.want(apply(with("team-a")), 200)
		d.want(d.as("admin", "PUT", "/api/v1/policies/names", setPolicy("rego", teamNames)), 403)
		d.want(d.as("owner", "PUT", "/api/v1/policies/names", setPolicy("rego", teamNames)), 204)
		if shown := d.want(d.as("viewer", "GET", "/api/v1/policies/names", ""), 200); shown.field(t, "text") != teamNames || shown.field(t, "enabled") != true {
			t.Errorf("the policy = %s", shown.text)
		}
		refused := d.want(apply(with("team-a", "crm")), 422)
		if refused.field(t, "problems", "0", "code") != "bad_team" || refused.field(t, "problems", "0", "text") != "Policy names: a name begins with team-" {
			t.Errorf("refused with %s", refused.text)
		}
		if differs := d.want(d.as("viewer", "POST", acme+"/diff", applying(with("team-a", "crm"))), 200); differs.field(t, "problems", "0", "code") != "bad_team" {
			t.Errorf("the difference = %s", differs.text)
		}
		broken := d.want(d.as("owner", "PUT", "/api/v1/policies/names", setPolicy("rego", "package p\ndeny contains x if http.send({})")), 422)
		if broken.field(t, "problems", "0", "code") != "bad_rego" || !strings.Contains(broken.field(t, "problems", "0", "path").(string), "line 2") {
			t.Errorf("a broken policy is refused with %s", broken.text)
		}
		d.want(d.as("owner", "PUT", "/api/v1/policies/Bad%20Name", setPolicy("rego", teamNames)), 422)
		d.want(d.as("owner", "PUT", "/api/v1/policies/x", setPolicy("lua", "")), 422)
		d.want(d.as("owner", "PUT", "/api/v1/policies/none", `{"enabled":false}`), 404)
		d.want(apply(with("team-a", "crm")), 422) // the former one stays

		// A policy against everything, or one that never ends, keeps nobody from taking it away.
		d.want(d.as("owner", "PUT", "/api/v1/policies/lock", setPolicy("rego", `package lock
deny contains {"message": "nothing"} if { every a in numbers.range(1, 100000) { every b in numbers.range(1, 100000) { a + b > 0 } } }`)), 204)
		late := d.want(apply(with("team-a", "team-b")), 422)
		if late.field(t, "problems", "0", "code") != "policy_failed" || !strings.Contains(late.field(t, "problems", "0", "text").(string), "The policy lock ") {
			t.Errorf("a policy without end refuses with %s", late.text)
		}
		d.want(d.as("owner", "PUT", "/api/v1/policies/lock", `{"enabled":false}`), 204)
		d.want(apply(with("team-a", "team-b")), 200)
		d.want(d.as("owner", "DELETE", "/api/v1/policies/names", ""), 204)
		d.want(apply(with("team-a", "crm")), 200)

		d.want(d.as("owner", "PUT", "/api/v1/workspaces/reserved/config", applying(`{"workspace":"reserved","region":"eu"}`)), 422) // the operator's
		list := d.want(d.as("viewer", "GET", "/api/v1/policies", ""), 200)
		if list.field(t, "operator", "0") != "operator" || list.field(t, "policies", "0", "name") != "lock" || list.field(t, "policies", "0", "enabled") != false {
			t.Errorf("policies = %s", list.text)
		}
		left := rows(t, d.want(d.as("auditor", "GET", "/api/v1/audit?limit=500", ""), 200))
		if len(left["policy.set"]) != 3 || len(left["policy.remove"]) != 1 {
			t.Errorf("the audit log has %d policy.set and %d policy.remove, want 3 and 1", len(left["policy.set"]), len(left["policy.remove"]))
		}
	})
}

// people makes members of the organization default with sessions, by their roles.
func (d *harness) people(roles ...string) map[string]func(method, path, body string) answer {
	d.t.Helper()
	out := map[string]func(method, path, body string) answer{}
	for _, role := range roles {
		made := d.want(d.as("owner", "POST", "/api/v1/invitations", fmt.Sprintf(`{"email":"%s@example.com","role":%q}`, role, role)), 200)
		d.want(d.send("POST", "/api/v1/invitations/accept", fmt.Sprintf(`{"token":%q,"password":"a long password"}`, made.field(d.t, "token"))), 200)
		in := d.want(d.send("POST", "/api/v1/login", fmt.Sprintf(`{"email":"%s@example.com","password":"a long password"}`, role)), 200)
		session, _, _ := strings.Cut(in.header.Get("Set-Cookie"), ";")
		out[role] = func(method, path, body string) answer {
			return d.send(method, path, body, "Cookie", session, "X-Weir-CSRF", "1")
		}
	}
	return out
}

const needApproval = `
regions: { eu: [webhook] }
approval:
  - { workspaces: ["ac*"], kinds: [destination] }
`

func TestACommitWaitsForAnotherPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		d.join()
		by := d.people("editor", "admin", "viewer")
		d.want(by["editor"]("PUT", acme+"/config", applying(with("one"))), 200)
		d.want(d.as("owner", "PUT", "/api/v1/policies/rules", setPolicy("rules", "approval: [{ operation: [add] }]")), 422)
		d.want(d.as("owner", "PUT", "/api/v1/policies/rules", setPolicy("rules", needApproval)), 204)

		waits := d.want(by["editor"]("PUT", acme+"/config", applying(with("one", "two"))), 202)
		if waits.field(t, "number") != 1.0 || waits.field(t, "waits", "change") != 1.0 || waits.field(t, "waits", "needs", "0", "policy") != "rules" {
			t.Errorf("the commit that waits = %s", waits.text)
		}
		if again := d.want(by["editor"]("PUT", acme+"/config", applying(with("one", "two"))), 202); again.field(t, "waits", "change") == nil {
			t.Errorf("the commit again = %s", again.text)
		}
		newest := func() string {
			list := d.want(by["viewer"]("GET", "/api/v1/changes?state=waiting", ""), 200).field(t, "changes").([]any)
			if len(list) != 1 {
				t.Fatalf("%d changes wait, want one", len(list))
			}
			return fmt.Sprintf("%s/changes/%v", acme, list[0].(map[string]any)["number"])
		}
		at := newest()
		shown := d.want(by["viewer"]("GET", at, ""), 200)
		if shown.field(t, "author") != "person:editor@example.com" || !strings.Contains(string(shown.text), "https://two.example/") || strings.Contains(string(shown.text), "wk_of_acme_web") {
			t.Errorf("the change = %s", shown.text)
		}
		d.want(by["viewer"]("POST", at+"/approve", `{}`), 403)
		d.want(by["editor"]("POST", at+"/approve", `{}`), 403)
		d.want(d.as("owner", "POST", at+"/approve", `{}`), 403) // no person
		d.want(by["admin"]("POST", at+"/withdraw", `{}`), 403)
		d.want(by["admin"]("POST", strings.Replace(at, "acme", "other", 1)+"/approve", `{}`), 404)
		done := d.want(by["admin"]("POST", at+"/approve", `{"note":"fine"}`), 200)
		if done.field(t, "number") != 2.0 {
			t.Errorf("approved as %s", done.text)
		}
		d.want(by["admin"]("POST", at+"/approve", `{}`), 409)
		d.want(by["admin"]("POST", at+"/reject", `{}`), 409)
		past := d.want(by["viewer"]("GET", acme+"/revisions/2", ""), 200)
		if past.field(t, "by") != "person:editor@example.com" || past.field(t, "approvedBy") != "person:admin@example.com" {
			t.Errorf("the revision = %s", past.text)
		}

		// An admin is not his own second person, and what others did meanwhile makes a change stale.
		d.want(by["admin"]("PUT", acme+"/config", applying(with("one", "two", "three"))), 202)
		mine := newest()
		d.want(by["admin"]("POST", mine+"/approve", `{}`), 403)
		d.want(by["editor"]("PUT", acme+"/config", applying(strings.Replace(with("one", "two"), `"web"`, `"site"`, -1))), 200) // no destination
		second := d.people("owner")["owner"]
		if stale := d.want(second("POST", mine+"/approve", `{}`), 409); !strings.Contains(stale.field(t, "detail").(string), "was made on revision 2 of acme, which is at 3 now") {
			t.Errorf("a stale change answers %s", stale.text)
		}
		d.want(by["admin"]("POST", mine+"/withdraw", `{"note":"stale"}`), 204)

		// Nor is somebody the second person of a token that he made, also when it is gone.
		made := d.want(by["admin"]("POST", "/api/v1/tokens", `{"name":"ci","role":"editor"}`), 200)
		d.want(d.send("PUT", acme+"/config", applying(with("one", "two", "four")), "Authorization", "Bearer "+made.field(t, "token").(string)), 202)
		ofToken := newest()
		d.want(by["admin"]("POST", ofToken+"/approve", `{}`), 403)
		d.want(by["admin"]("DELETE", "/api/v1/tokens/"+made.field(t, "id").(string), ""), 204)
		d.want(by["admin"]("POST", ofToken+"/approve", `{}`), 403)
		d.want(second("POST", ofToken+"/reject", `{"note":"no"}`), 204)

		// The policies of today hold at approval, too.
		d.want(by["editor"]("PUT", acme+"/config", applying(strings.Replace(with("one"), `"web"`, `"site"`, -1))), 202)
		d.want(d.as("owner", "PUT", "/api/v1/policies/never", setPolicy("rego", "package never\ndeny contains {\"message\": \"not now\"}")), 204)
		d.want(by["admin"]("POST", newest()+"/approve", `{}`), 422)
		d.want(by["admin"]("POST", newest()+"/reject", `{"note":"no"}`), 204)

		// A deletion is no way around another person.
		d.want(by["admin"]("DELETE", acme+"?discardParked=true", ""), 403)
		d.want(d.as("owner", "PUT", "/api/v1/policies/rules", `{"enabled":false}`), 204)
		d.want(by["admin"]("DELETE", acme+"?discardParked=true", ""), 204)

		left := rows(t, d.want(d.as("auditor", "GET", "/api/v1/audit?limit=500", ""), 200))
		if len(left["change.propose"]) < 3 || len(left["change.withdraw"]) != 1 || len(left["change.reject"]) != 2 {
			t.Errorf("the audit log has %d proposals, %d withdrawn, %d rejected", len(left["change.propose"]), len(left["change.withdraw"]), len(left["change.reject"]))
		}
		for _, row := range left["workspace.commit"] {
			if row["actor"] == "person:admin@example.com" && !strings.Contains(row["detail"].(string), "of person:editor@example.com") {
				t.Errorf("the row of the approved commit names no author: %v", row)
			}
		}
	})
}

// TestANewWorkspaceWaitsToo approves a workspace that is not there yet, with what the
// rules say of kinds.
func TestANewWorkspaceWaitsToo(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.join()
	by := d.people("editor", "admin")
	d.want(d.as("owner", "PUT", "/api/v1/policies/rules", setPolicy("rules", needApproval)), 204)
	bad := strings.Replace(with("one"), `"webhook","settings":{"url":"https://one.example/"}`, `"duckdb","settings":{"path":"a.duckdb"}`, 1)
	if refused := d.want(by["editor"]("PUT", acme+"/config", applying(bad)), 422); refused.field(t, "problems", "0", "code") != "kind_not_allowed" {
		t.Errorf("a kind that the region does not take: %s", refused.text)
	}
	d.want(by["editor"]("PUT", acme+"/config", applying(with("one"))), 202)
	d.want(by["editor"]("PUT", acme+"/config", applying(with("one", "two"))), 202) // in its place
	list := d.want(by["admin"]("GET", "/api/v1/changes", ""), 200)
	if list.field(t, "changes", "0", "state") != "waiting" || list.field(t, "changes", "1", "state") != "withdrawn" {
		t.Errorf("changes = %s", list.text)
	}
	d.want(by["admin"]("POST", acme+"/changes/1/approve", `{}`), 409)
	d.want(by["admin"]("POST", acme+"/changes/2/approve", `{}`), 200)
	if ws := d.want(by["editor"]("GET", acme, ""), 200); ws.field(t, "number") != 1.0 {
		t.Errorf("the workspace = %s", ws.text)
	}
}

func TestRolesOfAnOrganization(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		d.join()
		d.want(d.as("editor", "PUT", acme+"/config", applying(with("one", "two"))), 200)
		set := func(role, name, actions string) answer {
			return d.as(role, "PUT", "/api/v1/roles/"+name, `{"actions":[`+actions+`]}`)
		}
		d.want(set("editor", "deployer", `"workspace:write"`), 403)
		d.want(set("admin", "deployer", `"policy:write"`), 403) // more than an admin has
		d.want(set("admin", "owner", `"workspace:write"`), 422)
		d.want(set("admin", "deployer", `"workspace:burn"`), 422)
		d.want(set("admin", "deployer", `"plane:invite"`), 422)
		d.want(set("admin", "deployer", ``), 422)
		d.want(set("owner", "governor", `"policy:write","workspace:read"`), 204)
		d.want(set("admin", "governor", `"workspace:read"`), 403) // takes what the admin does not have
		d.want(set("admin", "deployer", `"workspace:write","workspace:diff"`), 204)

		made := d.want(d.as("admin", "POST", "/api/v1/members", `{"name":"robot","role":"deployer"}`), 200)
		d.want(d.as("admin", "POST", "/api/v1/members", `{"name":"boss","role":"governor"}`), 403)
		token := d.want(d.as("admin", "POST", "/api/v1/members/"+made.field(t, "id").(string)+"/tokens", `{"name":"ci"}`), 200).field(t, "token").(string)
		robot := func(method, path, body string) answer {
			return d.send(method, path, body, "Authorization", "Bearer "+token)
		}
		d.want(robot("GET", "/api/v1/me", ""), 200)
		d.want(robot("GET", acme+"/config", ""), 403)
		d.want(robot("PUT", acme+"/config", applying(with("one", "two", "three"))), 200)
		d.want(set("admin", "deployer", `"workspace:diff"`), 204) // also where it was granted
		d.want(robot("PUT", acme+"/config", applying(with("one"))), 403)
		d.want(d.as("admin", "DELETE", "/api/v1/roles/deployer", ""), 409)
		d.want(d.as("admin", "DELETE", "/api/v1/members/robot", ""), 204)
		d.want(d.as("admin", "DELETE", "/api/v1/roles/deployer", ""), 204)
		d.want(d.as("admin", "DELETE", "/api/v1/roles/deployer", ""), 404)
		list := string(d.want(d.as("auditor", "GET", "/api/v1/roles", ""), 200).text)
		if !strings.Contains(list, `"governor"`) || strings.Contains(list, `"deployer"`) || !strings.Contains(list, `"name":"owner"`) {
			t.Errorf("roles = %s", list)
		}
		if left := rows(t, d.want(d.as("auditor", "GET", "/api/v1/audit?limit=500", ""), 200)); len(left["role.set"]) != 3 || len(left["role.remove"]) != 1 {
			t.Errorf("the audit log has %d role.set and %d role.remove, want 3 and 1", len(left["role.set"]), len(left["role.remove"]))
		}
	})
}

// TestAnEditorOfOneDestinationChangesThatAlone: what is granted on an object is good for
// it in a commit, and for nothing else.
func TestAnEditorOfOneDestinationChangesThatAlone(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.join()
	d.want(d.as("editor", "PUT", acme+"/config", applying(with("one", "two"))), 200)
	ws := d.want(d.as("viewer", "GET", acme, ""), 200)
	object := ""
	for _, one := range ws.field(t, "destinations").([]any) {
		if one.(map[string]any)["name"] == "one" {
			object = one.(map[string]any)["id"].(string)
		}
	}
	made := d.want(d.as("admin", "POST", "/api/v1/members", fmt.Sprintf(`{"name":"robot","role":"editor","workspace":"acme","object":%q}`, object)), 200)
	for _, elsewhere := range []string{"dst_of_nobody", object[1:]} {
		refused := d.as("admin", "PUT", "/api/v1/members/"+made.field(t, "id").(string)+"/role", fmt.Sprintf(`{"role":"viewer","workspace":"acme","object":%q}`, elsewhere))
		if d.want(refused, 422); !strings.Contains(string(refused.text), "unknown_object") {
			t.Errorf("a role on the object %q: %s, want unknown_object", elsewhere, refused.text)
		}
	}
	token := d.want(d.as("admin", "POST", "/api/v1/members/"+made.field(t, "id").(string)+"/tokens", `{"name":"ci"}`), 200).field(t, "token").(string)
	robot := func(method, path, body string) answer {
		return d.send(method, path, body, "Authorization", "Bearer "+token)
	}
	one := strings.Replace(with("one", "two"), "https://one.example/", "https://first.example/", 1)
	d.want(robot("PUT", acme+"/config", applying(one)), 200)
	for name, document := range map[string]string{
		"another destination": strings.Replace(one, "https://two.example/", "https://mine.example/", 1),
		"their names swapped": strings.NewReplacer(`"name":"one",`, `"name":"two","was":"one",`, `"name":"two",`, `"name":"one","was":"two",`).Replace(one),
		"a new one":           with("one", "two", "three"),
		"none":                with("two"),
		"a source":            strings.Replace(one, "wk_of_acme_web", "wk_of_acme_web2", 1),
		"a connection":        strings.Replace(one, `{"source":"web","destination":"two"}`, `{"source":"web","destination":"two","consentCategories":["ads"]}`, 1),
	} {
		if a := robot("PUT", acme+"/config", applying(document)); a.status != 403 && a.status != 422 || a.status == 422 && name != "a connection" {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	if differs := d.want(robot("POST", acme+"/diff", applying(with("two"))), 200); !strings.Contains(string(differs.text), `"denied"`) {
		t.Errorf("the difference = %s", differs.text)
	}
	d.want(robot("GET", acme+"/config", ""), 403)
	d.want(robot("POST", acme+"/rollback", `{"to":1}`), 403)
	d.want(robot("PUT", "/api/v1/workspaces/other/config", applying(strings.Replace(one, "acme", "other", 1))), 403)
}
