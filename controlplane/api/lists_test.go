package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
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
	})
}
