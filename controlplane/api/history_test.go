package api_test

import (
	"fmt"
	"strings"
	"testing"

	"weir/controlplane/store"
)

// rows are the audit rows of an answer, by action.
func rows(t *testing.T, a answer) map[string][]map[string]any {
	t.Helper()
	out := map[string][]map[string]any{}
	for _, e := range a.field(t, "entries").([]any) {
		row := e.(map[string]any)
		out[row["action"].(string)] = append(out[row["action"].(string)], row)
	}
	return out
}

func TestTheAuditLogSaysFromWhereAndWhatChanged(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.join()
	send := func(document string) answer {
		return d.want(d.send("PUT", acme+"/config", applying(document), "Authorization", "Bearer "+d.tokens["editor"], "X-Forwarded-For", "203.0.113.7"), 200)
	}
	send(`{"workspace":"acme","region":"eu","sources":[{"name":"web","type":"http","writeKey":"wk_of_acme_web"}],"destinations":[{"name":"hook","type":"webhook","settings":{"url":"https://one.example/"}}]}`)
	second := send(`{"workspace":"acme","region":"eu","sources":[{"name":"web","type":"http","writeKey":"wk_of_acme_web"}],"destinations":[{"name":"hook","type":"webhook","settings":{"url":"https://two.example/"}}]}`)
	listed := d.want(d.as("auditor", "GET", "/api/v1/audit?workspace=acme&action=workspace.commit", ""), 200)
	commits := rows(t, listed)["workspace.commit"]
	if len(commits) != 2 {
		t.Fatalf("the audit log has %d commits: %s", len(commits), listed.text)
	}
	row := commits[0]
	if row["address"] != "203.0.113.7" || row["request"] != second.header.Get("X-Request-Id") || row["request"] == "" || !strings.HasPrefix(row["actorId"].(string), "tok_") {
		t.Errorf("the row %v does not say from where, want 203.0.113.7, the request %q and the token", row, second.header.Get("X-Request-Id"))
	}
	for side, want := range map[string]string{"before": "https://one.example/", "after": "https://two.example/"} {
		if got := fmt.Sprint(row[side]); !strings.Contains(got, "settings.url:"+want) || strings.Contains(got, "web") {
			t.Errorf("%s is %s, want the address %s alone", side, got, want)
		}
	}
	if strings.Contains(string(listed.text), "wk_of_acme_web") {
		t.Errorf("the audit log shows a write key: %s", listed.text)
	}
	d.want(d.as("editor", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"live:read"}`), 200)
	if got := rows(t, d.want(d.as("auditor", "GET", "/api/v1/audit?action=capability", ""), 200))["capability.issue"]; len(got) != 1 || got[0]["detail"] != "live:read" {
		t.Errorf("the capability to read live events left %v, want its row", got)
	}
	for query, want := range map[string]int{"actor=editor": 3, "actor=nobody": 0, "object=hook": 2, "since=2000-01-01T00:00:00Z": 3, "until=2000-01-01T00:00:00Z": 0} {
		a := d.want(d.as("auditor", "GET", "/api/v1/audit?workspace=acme&"+query, ""), 200)
		found := 0
		for action, list := range rows(t, a) {
			if action != "plane.ack" {
				found += len(list)
			}
		}
		if found != want && (want == 0 || query != "actor=editor") {
			t.Errorf("%s lists %d rows, want %d: %s", query, found, want, a.text)
		}
	}
	d.want(d.as("auditor", "GET", "/api/v1/audit?since=yesterday", ""), 400)
	d.want(d.as("auditor", "GET", "/api/v1/audit?workspace=nothing", ""), 404)
}

func TestTheAuditLogIsVerified(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	for i := range 3 {
		d.want(d.as("owner", "POST", "/api/v1/tokens", fmt.Sprintf(`{"name":"t%d","role":"viewer"}`, i)), 200)
	}
	report := d.want(d.as("auditor", "GET", "/api/v1/audit/verify", ""), 200)
	if report.field(t, "through").(float64) < 3 || len(report.field(t, "problems").([]any)) != 0 || report.field(t, "next") != "" {
		t.Errorf("verify = %s, want three rows and more without problems", report.text)
	}
	d.want(d.as("auditor", "GET", "/api/v1/audit/verify?scope=installation", ""), 403)
	d.want(d.as("operator", "GET", "/api/v1/audit/verify?scope=installation", ""), 200)
	d.want(d.as("operator", "GET", "/api/v1/audit/verify", ""), 403)
	d.want(d.as("auditor", "GET", "/api/v1/audit/verify?scope=else", ""), 422)
	d.want(d.as("auditor", "GET", "/api/v1/audit/verify?cursor=99999", ""), 404)
	made := d.want(d.as("operator", "POST", "/api/v1/orgs", `{"name":"north"}`), 200)
	d.tokens["north"] = d.token(d.accounts, store.OrganizationID(made.field(t, "id").(string)), "owner")
	d.want(d.as("auditor", "GET", "/api/v1/orgs/north/audit/verify", ""), 403)
	mine := d.want(d.as("north", "GET", "/api/v1/audit", ""), 200)
	if strings.Contains(string(mine.text), "org_default") {
		t.Errorf("the audit log of north has rows of default: %s", mine.text)
	}
}

func TestARevisionComesBackUnderTheNextNumber(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	d.join()
	put := func(url, reason string) {
		d.want(d.as("editor", "PUT", acme+"/config", fmt.Sprintf(`{"document":{"workspace":"acme","region":"eu","destinations":[{"name":"hook","type":"webhook","settings":{"url":%q}}]},"prune":true,"reason":%q}`, url, reason)), 200)
	}
	put("https://one.example/", "the first")
	put("https://two.example/", "")
	listed := d.want(d.as("viewer", "GET", acme+"/revisions", ""), 200)
	if listed.field(t, "revisions", "0", "reason") != "" || listed.field(t, "revisions", "1", "reason") != "the first" || listed.field(t, "revisions", "0", "changes", "0", "fields", "0") != "settings.url" {
		t.Errorf("revisions = %s, want reasons and changes", listed.text)
	}
	shown := d.want(d.as("viewer", "GET", acme+"/revisions/2", ""), 200)
	if shown.field(t, "former") != 1.0 || !strings.Contains(fmt.Sprint(shown.field(t, "before")), "one.example") || !strings.Contains(fmt.Sprint(shown.field(t, "after")), "two.example") {
		t.Errorf("revision 2 = %s, want both addresses", shown.text)
	}
	d.want(d.as("viewer", "GET", acme+"/revisions/9", ""), 404)
	d.want(d.as("viewer", "GET", acme+"/revisions/x", ""), 400)
	d.want(d.as("viewer", "POST", acme+"/rollback", `{"to":1}`), 403)
	late := d.want(d.as("editor", "POST", acme+"/rollback", `{"to":1}`, "If-Match", `"1"`), 412)
	if late.field(t, "revisions", "0", "number") != 2.0 || !strings.Contains(late.field(t, "detail").(string), "revision 2 by token:editor: change destination hook (settings.url)") {
		t.Errorf("who was too late is told %s, want what revision 2 changed", late.text)
	}
	d.want(d.as("editor", "POST", acme+"/rollback", `{"to":9}`), 404)
	d.want(d.as("editor", "POST", "/api/v1/workspaces/nothing/rollback", `{"to":1}`), 404)
	back := d.want(d.as("editor", "POST", acme+"/rollback", `{"to":1}`, "If-Match", `"2"`, "Idempotency-Key", "k"), 200)
	again := d.want(d.as("editor", "POST", acme+"/rollback", `{"to":1}`, "If-Match", `"2"`, "Idempotency-Key", "k"), 200)
	if back.field(t, "number") != 3.0 || again.field(t, "number") != 3.0 {
		t.Errorf("the rollback is number %v, repeated %v; want 3 both times", back.field(t, "number"), again.field(t, "number"))
	}
	config := d.want(d.as("viewer", "GET", acme+"/config", ""), 200)
	if !strings.Contains(string(config.text), "one.example") {
		t.Errorf("after the rollback the configuration is %s", config.text)
	}
	if shown = d.want(d.as("viewer", "GET", acme+"/revisions/3", ""), 200); shown.field(t, "reason") != "Rollback to revision 1" {
		t.Errorf("revision 3 = %s, want its reason", shown.text)
	}
	d.want(d.as("editor", "PUT", acme+"/config", fmt.Sprintf(`{"document":{"workspace":"acme","region":"eu","sources":[{"name":"a","type":"http"}]},"reason":%q}`, strings.Repeat("x", 3000))), 422)
}
