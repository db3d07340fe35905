package profile_test

import (
	"strings"
	"testing"

	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// TestHouseholds: persons who share an address are a household, with features of its own; one whom so many
// share is none; households follow when persons become one or come apart, and when one is erased.
func TestHouseholds(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		d := w.Dialect()
		if _, err := tables.Run(t.Context(), s, "create schema if not exists crm", "create table crm.contacts (id text, mail text, street text, at_time timestamptz, changed timestamptz)"); err != nil {
			t.Fatal(err)
		}
		c := shop(w)
		c.Plan.Entities = append(c.Plan.Entities, profiles.Entity{Name: "household", IDs: []profiles.Identifier{{Name: "user", Of: "user"}, {Name: "address", Clean: "text", Limit: raw(`{"user":3}`)}}})
		c.Plan.Inputs = append(c.Plan.Inputs, profiles.Input{Name: "homes", From: "crm.contacts", At: "at_time", Changed: "changed", IDs: raw(`{"user_id":"id","email":"mail","address":"street"}`)})
		c.Plan.Features = []profiles.Feature{{Name: "spent", Sum: "orders.total"}, {Name: "revenue", Entity: "household", Sum: "orders.total"}, {Name: "street", Entity: "household", Latest: []string{"homes.street"}}}
		c.Plan.Scores = []scores.Score{{Name: "stays", Entity: "household", Model: scores.Logistic, Intercept: -3, Weights: raw(`{"revenue":0.1}`)}}
		c.Plan.Audiences = []profiles.Audience{{Name: "rich", Entity: "household", Where: raw(`{"stays":{"atLeast":0.5}}`)}}
		if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
			t.Fatal(problems)
		}
		home := func(user, street string) {
			rows(t, s, d, "crm.contacts", []any{user, nil, street, now.Add(-day), now.Add(-day)})
		}
		home("u1", "Elm 1")
		home("u2", " elm 1")
		home("u3", "Oak 5")
		for _, x := range []string{"u5", "u6", "u7", "u8"} {
			home(x, "Tower 9")
		}
		for i, x := range []string{"u1", "u2", "u3", "u4", "u5"} {
			rows(t, s, d, "events.order_completed", []any{"o" + x, x, 10.0 * float64(i+1), "tea", now.Add(-day), now.Add(-day)})
		}
		// The households by their members, with what they spent.
		got := func() string {
			var members []string
			err := s.Rows(t.Context(), "select u.value, h.value, g.revenue from user_ids u join household_ids h on h.id_type = 'user' and h.value = u.weir_id join household_golden g on g.weir_id = h.weir_id where u.id_type = 'user_id' order by g.weir_id, u.value", func(v []any) error {
				members = append(members, strings.TrimSpace(v[0].(string)))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(members, " ") + "; " + strings.ReplaceAll(all(t, s, "select g.revenue, count(*) from household_golden g join household_ids h on h.weir_id = g.weir_id and h.id_type = 'user' group by g.weir_id, g.revenue order by 1, 2"), "\n", ", ")
		}
		do(t, s, c, now)
		if v := got(); !strings.HasSuffix(v, "; 0 1; 0 1; 0 1; 30 1; 30 2; 40 1; 50 1") {
			t.Errorf("at first: %s", v)
		}
		if v := all(t, s, "select count(*), count(case when abs(g.stays - 1 / (1 + exp(3 - g.revenue / 10))) < 1e-9 then 1 end), count(a.weir_id), count(case when g.revenue >= 30 then 1 end) from household_golden g left join household_audiences a on a.weir_id = g.weir_id"); v != "7 7 4 4" {
			t.Errorf("households, those whose score is right, those in the audience, and those who should be: %s", v)
		}
		if n := all(t, s, "select count(*) from household_golden"); n != "7" {
			t.Errorf("there are %s households", n)
		}
		if r := do(t, s, c, now); r.Built["household"].Changed != 0 || r.Built["household"].Moves != 0 {
			t.Errorf("the same again: %+v", r.Built)
		}
		x, err := answers.Explain(t.Context(), s, c, "household", "user:"+all(t, s, "select weir_id from user_ids where value = 'u1'"), "address:elm 1")
		if err != nil || x.Person != x.Other || len(x.Path) != 1 {
			t.Errorf("explained as %+v, %v", x, err)
		}
		// Two turn out to be one, who has both homes; of the household of who is no more nothing stays.
		rows(t, s, d, "crm.contacts", []any{nil, "m1@home.org", "Pine 1", now, now}, []any{nil, "m2@home.org", "Pine 2", now, now})
		later := now.Add(day)
		home("u4", "Elm 1")
		do(t, s, c, later)
		if v := got(); !strings.HasSuffix(v, "; 0 1; 0 1; 0 1; 0 1; 0 1; 30 1; 50 1; 70 3") {
			t.Errorf("one more at an address: %s", v)
		}
		if err := answers.Decide(t.Context(), s, c, "user", answers.Decision{Kind: "link", A: "email:m1@home.org", B: "email:m2@home.org"}, later); err != nil {
			t.Fatal(err)
		}
		do(t, s, c, later)
		if v := all(t, s, "select count(distinct weir_id) from household_ids where value in ('pine 1', 'pine 2')"); v != "1" || !strings.HasSuffix(got(), "; 0 1; 0 1; 0 1; 0 1; 30 1; 50 1; 70 3") {
			t.Errorf("one with two homes: %s, %s", v, got())
		}
		r, err := profile.Do(t.Context(), s, c, later, profile.Options{Full: true})
		if err != nil || r.Built["household"].Changed != 0 {
			t.Errorf("all again: %+v, %v", r.Built, err)
		}
		if n := all(t, s, "select count(*) from household_golden g where not exists (select 1 from household_ids h join user_ids u on u.weir_id = h.value where h.weir_id = g.weir_id and h.id_type = 'user')"); n != "0" {
			t.Errorf("%s households have nobody", n)
		}
		who := all(t, s, "select weir_id from user_ids where value = 'u3'")
		if _, _, err := profile.Erase(t.Context(), s, c, "", "user_id:u3", later); err != nil {
			t.Fatal(err)
		}
		do(t, s, c, later)
		if n := all(t, s, "select count(*) from household_ids where value = "+d.Text(who)+" or value = 'oak 5'"); n != "0" {
			t.Errorf("the erased person is still in a household, or the address: %s", n)
		}
		traces(t, s, "oak 5")
		if _, _, err := profile.Erase(t.Context(), s, c, "household", "address:elm 1", later); err == nil {
			t.Error("a household was erased")
		}
	})
}
