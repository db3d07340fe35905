package profile_test

import (
	"strings"
	"testing"

	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// TestAccounts: groups of one domain are an account, beside the persons in the same rows, with features, audiences and
// decisions of its own; a domain that is many's is nobody's, and an account is erased without its persons.
func TestAccounts(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		d := w.Dialect()
		if _, err := tables.Run(t.Context(), s, `create table events.groups (id text, anonymous_id text, user_id text, group_id text, domain text, plan text, "timestamp" timestamptz, uuid_ts timestamptz)`,
			"create schema if not exists crm", "create table crm.deals (id text, company text, site text, owner text, amount double precision, at_time timestamptz, changed timestamptz)"); err != nil {
			t.Fatal(err)
		}
		c := shop(w)
		c.Plan.Entities = append(c.Plan.Entities, profiles.Entity{Name: "account", IDs: []profiles.Identifier{{Name: "group_id"}, {Name: "domain", Clean: "domain", Block: []string{"gmail.com"}, Limit: raw(`{"group_id":3}`)}}})
		c.Plan.Inputs = append(c.Plan.Inputs, profiles.Input{Name: "groups", Events: "group"},
			profiles.Input{Name: "deals", From: "crm.deals", At: "at_time", Changed: "changed", IDs: raw(`{"group_id":"company","domain":"site","email":"owner"}`)})
		c.Plan.Features = []profiles.Feature{{Name: "deals", Count: "deals"}, {Name: "plan", Entity: "account", Latest: []string{"groups.plan"}}, {Name: "won", Entity: "account", Sum: "deals.amount"},
			{Name: "recent", Entity: "account", Sum: "deals.amount", Last: "7d"}}
		c.Plan.Scores = []scores.Score{{Name: "fit", Entity: "account", Model: scores.SQL, SQL: "won / 2"}, {Name: "last_deal", Entity: "account", Model: scores.Table, Table: "deals.amount"}}
		c.Plan.Audiences = []profiles.Audience{{Name: "large", Entity: "account", Where: raw(`{"won":{"atLeast":100},"fit":{"atLeast":50}}`)}}
		if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
			t.Fatal(problems)
		}
		group := func(id, user, of string, domain any, plan string) {
			rows(t, s, d, "events.groups", []any{id, nil, user, of, domain, plan, now.Add(-2 * day), now.Add(-2 * day)})
		}
		deal := func(id string, company, site any, amount float64) {
			rows(t, s, d, "crm.deals", []any{id, company, site, "ann@home.org", amount, now.Add(-day), now.Add(-day)})
		}
		group("g1", "u1", "acme", "https://www.Acme.com/about", "free")
		group("g2", "u2", "acme-eu", "acme.com", "pro")
		group("g3", "u3", "solo", "gmail.com", "free")
		group("g4", "u4", "duo", "Gmail.com", "free")
		deal("d1", nil, "www.acme.com", 70)
		deal("d2", "acme", nil, 40)
		deal("d3", "solo", nil, 5)
		// The accounts by their groups, with what they won.
		got := func() string {
			return all(t, s, "select i.value, g.won, g.recent, g.plan from account_ids i join account_golden g on g.weir_id = i.weir_id where i.id_type = 'group_id' order by i.value")
		}
		do(t, s, c, now)
		if v := got(); v != "acme 110 110 pro; acme-eu 110 110 pro; duo 0 0 free; solo 5 5 free" && v != "acme 110 110 free; acme-eu 110 110 free; duo 0 0 free; solo 5 5 free" {
			t.Errorf("at first: %s", v)
		}
		if v := all(t, s, "select count(*) from account_golden") + " " + all(t, s, "select count(*) from account_audiences") + " " + all(t, s, "select count(*) from user_ids where value in ('u1', 'u2', 'u3', 'u4') and weir_id is not null"); v != "3 1 4" {
			t.Errorf("accounts, large ones, persons: %s", v)
		}
		if v := all(t, s, "select g.fit, g.last_deal from account_ids i join account_golden g on g.weir_id = i.weir_id where i.value in ('acme-eu', 'duo', 'solo') order by i.value"); v != "55 70; 0 <nil>; 2.5 5" && v != "55 40; 0 <nil>; 2.5 5" {
			t.Errorf("the scores of accounts are %s", v)
		}
		if v := all(t, s, "select g.deals from user_golden g join user_ids i on i.weir_id = g.weir_id where i.value = 'ann@home.org'"); v != "3" {
			t.Errorf("the owner of the deals has %s of them", v)
		}
		if r := do(t, s, c, now); r.Built["account"].Changed != 0 || r.Built["account"].Moves != 0 {
			t.Errorf("the same again: %+v", r.Built)
		}
		x, err := answers.Explain(t.Context(), s, c, "account", "group_id:acme", "group_id:acme-eu")
		if err != nil || x.Person != x.Other || len(x.Path) != 2 || !strings.HasPrefix(x.Person, "account_") {
			t.Errorf("explained as %+v, %v", x, err)
		}
		// A week later the window is empty, and another deal is the account's alone.
		later := now.Add(8 * day)
		rows(t, s, d, "crm.deals", []any{"d4", "duo", nil, "ann@home.org", 200.0, later.Add(-day), later.Add(-day)})
		r := do(t, s, c, later)
		if v := got(); !strings.HasPrefix(v, "acme 110 0 ") || !strings.Contains(v, "duo 200 200 free; solo 5 0 free") || r.Built["account"].Moves != 1 {
			t.Errorf("a week later: %s, %+v", v, r.Built)
		}
		// Somebody parts the two groups; a full build says the same, and under former names.
		for _, one := range []answers.Decision{{Kind: "unlink", A: "group_id:acme-eu", B: "domain:acme.com"}} {
			if err := answers.Decide(t.Context(), s, c, "account", one, later); err != nil {
				t.Fatal(err)
			}
		}
		do(t, s, c, later)
		names := all(t, s, "select value, weir_id from account_ids order by 1")
		v := got()
		if !strings.Contains(v, "acme-eu 0 0 pro") || !strings.HasPrefix(v, "acme 110 0 free") {
			t.Errorf("parted: %s", v)
		}
		if again, err := profile.Do(t.Context(), s, c, later, profile.Options{Full: true}); err != nil || again.Built["account"].Changed != 0 || got() != v || all(t, s, "select value, weir_id from account_ids order by 1") != names {
			t.Errorf("all again: %+v, %s, %v", again.Built, got(), err)
		}
		// Four groups of one domain are more than its limit: it is nobody's, and each is an account.
		for _, of := range []string{"b1", "b2", "b3", "b4"} {
			rows(t, s, d, "events.groups", []any{"g" + of, nil, "u" + of, of, "agency.io", "free", later, later})
		}
		after := later.Add(day)
		do(t, s, c, after)
		if v := all(t, s, "select count(distinct weir_id) from account_ids where value in ('b1', 'b2', 'b3', 'b4')") + " " + all(t, s, "select why from account_apart"); v != "4 more than 3 group_id" {
			t.Errorf("an agency's customers: %s", v)
		}
		for id, want := range map[string]string{"domain: Agency.io": "more than 3 group_id", "domain:nobody.io": "Nobody has"} {
			if _, err := answers.Explain(t.Context(), s, c, "account", id, ""); fault.KindOf(err) != fault.Missing || !strings.Contains(err.Error(), want) {
				t.Errorf("%s is explained as %v; want fault.Missing that says %s", id, err, want)
			}
		}
		if _, _, err := profile.Erase(t.Context(), s, c, "account", "group_id:solo", after); err != nil {
			t.Fatal(err)
		}
		do(t, s, c, after)
		if v := all(t, s, "select count(*) from account_ids where value = 'solo'") + " " + all(t, s, "select count(*) from crm.deals where company = 'solo'") + " " + all(t, s, "select count(*) from user_ids where value = 'u1' and weir_id is not null"); v != "0 0 1" {
			t.Errorf("after it was erased: %s", v)
		}
	})
}
