package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/id"
)

// pages reads a list to its end, and returns the names of each page.
func (d *harness) pages(role, path, member string) (out [][]string) {
	d.t.Helper()
	cursor := ""
	for {
		at := path
		if cursor != "" {
			at += "&cursor=" + cursor
		}
		a := d.want(d.as(role, "GET", at, ""), 200)
		var names []string
		for _, e := range a.field(d.t, member).([]any) {
			names = append(names, e.(map[string]any)["name"].(string))
		}
		out = append(out, names)
		if cursor = a.field(d.t, "next").(string); cursor == "" {
			return out
		}
		if len(out) > 50 {
			d.t.Fatalf("%s has no end", path)
		}
	}
}

// capabilities asks for those of several workspaces at once; bound is a viewer's token of ba.
func (d *harness) capabilities(p id.Plane, bound string) {
	t := d.t
	t.Helper()
	const path = "/api/v1/capabilities/batch"
	all := d.want(d.as("viewer", "POST", path, `{"workspaces":["bb-c","aa"],"action":"ledger:read"}`), 200)
	if fmt.Sprint(all.field(t, "capabilities", "0", "workspaces")) != "[bb-c aa]" || all.field(t, "capabilities", "0", "plane") != string(p) || len(all.field(t, "capabilities").([]any)) != 1 {
		t.Errorf("capabilities = %s, want one of %s for two workspaces", all.text, p)
	}
	d.want(d.as("viewer", "POST", path, `{"workspaces":["aa","none"],"action":"ledger:read"}`), 404)
	d.want(d.as("viewer", "POST", path, `{"workspaces":["aa","ab"],"action":"dead:read"}`), 422)
	d.want(d.as("viewer", "POST", path, `{"workspaces":[],"action":"ledger:read"}`), 422)
	d.want(d.send("POST", path, `{"workspaces":["ba"],"action":"ledger:read"}`, bearer(bound)...), 200)
	for _, other := range []string{"aa", "none"} {
		d.want(d.send("POST", path, fmt.Sprintf(`{"workspaces":["ba",%q],"action":"ledger:read"}`, other), bearer(bound)...), 403)
	}
}

// TestListsHavePages: on both databases, in both directions, with what limits them, and
// with what the caller may not read in between.
func TestListsHavePages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		p := d.join()
		names := []string{"aa", "ab", "ba", "bb-c", "bbxc"}
		for _, name := range names {
			d.want(d.as("editor", "PUT", "/api/v1/workspaces/"+name+"/config", applying(fmt.Sprintf(`{"workspace":%q,"region":"eu","sources":[{"name":"web","type":"http"}]}`, name))), 200)
			d.want(d.as("admin", "POST", "/api/v1/members", fmt.Sprintf(`{"name":%q,"role":"viewer"}`, name)), 200)
		}
		for _, path := range []string{"/api/v1/workspaces?limit=2", "/api/v1/orgs/default/status?limit=2"} {
			got := d.pages("viewer", path, "workspaces")
			if fmt.Sprint(got) != "[[aa ab] [ba bb-c] [bbxc]]" {
				t.Errorf("%s = %v", path, got)
			}
		}
		for query, want := range map[string]string{
			"sort=-name&limit=4":          "[[bbxc bb-c ba ab] [aa]]",
			"q=B-C":                       "[[bb-c]]",
			"region=us":                   "[[]]",
			"plane=eu-1&limit=5":          "[[aa ab ba bb-c bbxc]]",
			"plane=" + string(p.id):       "[[aa ab ba bb-c bbxc]]",
			"plane=none":                  "[[]]",
			"state=pending&limit=3":       "[[aa ab ba] [bb-c bbxc]]",
			"state=applied":               "[[]]",
			"state=pending&q=a&region=eu": "[[aa ab ba]]",
		} {
			if got := d.pages("viewer", "/api/v1/workspaces?"+query, "workspaces"); fmt.Sprint(got) != want {
				t.Errorf("workspaces?%s = %v, want %s", query, got, want)
			}
		}
		for _, query := range []string{"limit=0", "limit=1001", "cursor=!", "sort=age", "state=well"} {
			d.want(d.as("viewer", "GET", "/api/v1/workspaces?"+query, ""), 400)
		}
		made := d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"bound","role":"viewer","workspace":"ba"}`), 200)
		bound := d.want(d.send("GET", "/api/v1/status?limit=1", "", bearer(made.field(t, "token").(string))...), 200)
		if strings.Contains(string(bound.text), `"aa"`) || bound.field(t, "workspaces", "0", "name") != "ba" || bound.field(t, "next") != "" || bound.field(t, "planes", "0", "workspaces", "0", "workspace") != "ba" {
			t.Errorf("status for a token of ba = %s, want ba alone", bound.text)
		}
		if one := d.want(d.as("viewer", "GET", "/api/v1/status?limit=1&sort=-name", ""), 200); one.field(t, "planes", "0", "workspaces", "0", "workspace") != "bbxc" {
			t.Errorf("planes show %s, want what they say of the page", one.text)
		}
		for _, path := range []string{"/api/v1/planes", "/api/v1/status?limit=1"} {
			if one := d.want(d.as("viewer", "GET", path, ""), 200); one.field(t, "planes", "0", "workspaceCount") != 5.0 {
				t.Errorf("%s = %s, want five workspaces on the plane", path, one.text)
			}
			if one := d.want(d.send("GET", path, "", bearer(made.field(t, "token").(string))...), 200); one.field(t, "planes", "0", "workspaceCount") != 1.0 {
				t.Errorf("%s for a token of ba = %s, want one workspace on the plane", path, one.text)
			}
		}
		if got := d.pages("viewer", "/api/v1/workspaces?limit=3&brief=true", "workspaces"); fmt.Sprint(got) != "[[aa ab ba] [bb-c bbxc]]" {
			t.Errorf("workspaces in brief = %v, want all five", got)
		}
		if got := d.want(d.as("viewer", "GET", "/api/v1/workspaces?brief=true&name=aa", ""), 200); got.field(t, "workspaces", "0", "region") != "eu" || strings.Contains(string(got.text), "writeKey") {
			t.Errorf("aa in brief = %s, want it without its sources", got.text)
		}
		d.want(d.as("viewer", "GET", "/api/v1/workspaces?brief=yes", ""), 400)
		if got := d.pages("viewer", "/api/v1/workspaces?limit=2&name=bbxc&name=aa&name=none&name=ba", "workspaces"); fmt.Sprint(got) != "[[aa ba] [bbxc]]" {
			t.Errorf("workspaces by their names = %v", got)
		}
		if got := d.want(d.send("GET", "/api/v1/workspaces?name=aa&name=ba", "", bearer(made.field(t, "token").(string))...), 200); strings.Contains(string(got.text), `"aa"`) || got.field(t, "workspaces", "0", "name") != "ba" {
			t.Errorf("workspaces by their names for a token of ba = %s", got.text)
		}
		d.want(d.as("viewer", "GET", "/api/v1/workspaces?"+strings.Repeat("name=a&", 501), ""), 400)
		d.capabilities(p.id, made.field(t, "token").(string))
		members := d.pages("admin", "/api/v1/members?kind=service&limit=2", "members")
		if all := slices.Concat(members...); len(members) != 3 || len(all) != 5 || !slices.IsSorted(all) {
			t.Errorf("members = %v, want five in three pages", members)
		}
		if got := d.pages("admin", "/api/v1/tokens?q=BOUN", "tokens"); fmt.Sprint(got) != "[[bound]]" {
			t.Errorf("tokens = %v", got)
		}
		if got := d.pages("operator", "/api/v1/planes?kind=private", "planes"); fmt.Sprint(got) != "[[]]" {
			t.Errorf("private planes = %v, want none", got)
		}
		for _, role := range []string{"carrier", "reader"} {
			d.want(d.as("owner", "PUT", "/api/v1/roles/"+role, `{"actions":["workspace:read"]}`), 204)
			d.want(d.as("owner", "PUT", "/api/v1/policies/"+role, `{"language":"rules","text":"forbid: [duckdb]"}`), 204)
		}
		d.want(d.as("owner", "PUT", "/api/v1/policies/reader", `{"enabled":false}`), 204)
		for path, want := range map[string]string{
			"roles?fixed=false&limit=1":           "[[carrier] [reader]]",
			"roles?sort=-name&q=R&limit=2":        "[[viewer reader] [owner marketer] [editor carrier] [auditor]]",
			"roles?fixed=true&q=er&limit=2":       "[[marketer owner] [viewer]]",
			"policies?limit=1":                    "[[carrier] [reader]]",
			"policies?sort=-name":                 "[[reader carrier]]",
			"policies?enabled=false":              "[[reader]]",
			"policies?enabled=true&language=rego": "[[]]",
			"policies?q=ARR&language=rules":       "[[carrier]]",
		} {
			member, _, _ := strings.Cut(path, "?")
			if got := d.pages("admin", "/api/v1/"+path, member); fmt.Sprint(got) != want {
				t.Errorf("%s = %v, want %s", path, got, want)
			}
		}
		for _, path := range []string{"roles?fixed=yes", "roles?limit=0", "policies?language=lua", "policies?enabled=1", "policies?sort=age"} {
			d.want(d.as("admin", "GET", "/api/v1/"+path, ""), 400)
		}
	})
}

// TestAPrivatePlaneIsOfItsOrganizationAlone: others neither see it nor put workspaces on it.
func TestAPrivatePlaneIsOfItsOrganizationAlone(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	for _, name := range []string{"north", "south"} {
		made := d.want(d.as("operator", "POST", "/api/v1/orgs", fmt.Sprintf(`{"name":%q}`, name)), 200)
		d.tokens[name] = d.token(d.accounts, store.OrganizationID(made.field(t, "id").(string)), "owner")
	}
	invite := func(body string) answer { return d.as("operator", "POST", "/api/v1/planes/invitations", body) }
	d.want(invite(`{"region":"eu","kind":"private","organization":"nowhere"}`), 404)
	d.want(invite(`{"region":"eu","kind":"regional","organization":"north"}`), 422)
	private := d.joinBy(d.want(invite(`{"region":"eu","kind":"private","organization":"north"}`), 200).field(t, "token").(string))

	place := func(org string) answer {
		return d.as(org, "PUT", "/api/v1/orgs/"+org+"/workspaces/shop/config", applying(`{"workspace":"shop","region":"eu"}`))
	}
	if a := d.want(place("south"), 422); a.field(t, "problems", "0", "code") != "no_plane" {
		t.Errorf("south's workspace with north's plane alone: %s, want the problem no_plane", a.text)
	}
	d.want(place("north"), 200)
	for caller, sees := range map[string]bool{"north": true, "south": false, "viewer": false, "operator": true} {
		for _, path := range []string{"/api/v1/planes", "/api/v1/planes?kind=private", "/api/v1/planes?region=eu"} {
			a := d.want(d.as(caller, "GET", path, ""), 200)
			if got := strings.Contains(string(a.text), string(private.id)); got != sees {
				t.Errorf("%s as %s shows north's plane: %v, want %v", path, caller, got, sees)
			}
		}
	}
	if a := d.want(d.as("south", "GET", "/api/v1/status", ""), 200); strings.Contains(string(a.text), string(private.id)) {
		t.Errorf("the status of south shows north's plane: %s", a.text)
	}
	if a := d.want(d.as("north", "GET", "/api/v1/status", ""), 200); !strings.Contains(string(a.text), string(private.id)) {
		t.Errorf("the status of north lacks its plane: %s", a.text)
	}
}
