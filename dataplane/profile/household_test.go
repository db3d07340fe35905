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

// TestAHouseholdForgetsAnErasedMember: the next run counts nothing of them, also where a gate holds it, and then does so
// once: what else came stays out of records until it is published.
func TestAHouseholdForgetsAnErasedMember(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		d := w.Dialect()
		if _, err := tables.Run(t.Context(), s, "create schema if not exists crm", "create table crm.contacts (id text, street text, at_time timestamptz, changed timestamptz)"); err != nil {
			t.Fatal(err)
		}
		c := shop(w)
		c.Plan.Audiences = nil
		c.Plan.Entities = append(c.Plan.Entities, profiles.Entity{Name: "household", IDs: []profiles.Identifier{{Name: "user", Of: "user"}, {Name: "address", Clean: "text"}}})
		c.Plan.Inputs = append(c.Plan.Inputs, profiles.Input{Name: "homes", From: "crm.contacts", At: "at_time", Changed: "changed", IDs: raw(`{"user_id":"id","address":"street"}`)})
		c.Plan.Features = []profiles.Feature{{Name: "spent", Sum: "orders.total"}, {Name: "revenue", Entity: "household", Sum: "orders.total"}, {Name: "favourite", Entity: "household", MostFrequent: "orders.product"}}
		if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
			t.Fatal(problems)
		}
		order := func(id, user string, total float64, product string) {
			rows(t, s, d, "events.order_completed", []any{id, user, total, product, now.Add(-day), now.Add(-day)})
		}
		for user, street := range map[string]string{"u1": "elm 1", "u2": "elm 1", "u3": "oak 5"} {
			rows(t, s, d, "crm.contacts", []any{user, street, now.Add(-day), now.Add(-day)})
		}
		order("o1", "u1", 10, "tea")
		order("o2", "u2", 20, "absinthe")
		order("o3", "u2", 20, "absinthe")
		order("o4", "u3", 7, "poppies")
		households := func() string { return all(t, s, "select revenue, favourite from household_golden order by revenue") }
		do(t, s, c, now)
		if v := households(); v != "7 poppies; 50 absinthe" {
			t.Fatalf("at first: %s", v)
		}
		c.Plan.Entities[1].Gate = &profiles.Gate{Largest: 1} // holds every run
		held := func() {
			t.Helper()
			r, err := profile.Do(t.Context(), s, c, now, profile.Options{})
			if err != nil || r.State != profile.Held {
				t.Fatalf("%+v, %v; want a run that is held", r, err)
			}
		}
		held()
		for _, user := range []string{"u2", "u3"} {
			if _, _, err := profile.Erase(t.Context(), s, c, "user", "user_id:"+user, now); err != nil {
				t.Fatal(err)
			}
		}
		held()
		if v := households(); v != "10 tea" {
			t.Errorf("with a gate that holds the run, the households are %s; want that of who is left", v)
		}
		traces(t, s, "absinthe")
		traces(t, s, "poppies")
		order("o5", "u1", 1, "tea")
		held()
		if v := households(); v != "10 tea" {
			t.Errorf("a run that is held after that made %s", v)
		}
		c.Plan.Entities[1].Gate = nil
		do(t, s, c, now)
		if v := households(); v != "11 tea" {
			t.Errorf("once it is published, the households are %s", v)
		}
		before := households() + all(t, s, "select weir_id, id_type, value from household_ids order by 1, 2, 3")
		if r, err := profile.Do(t.Context(), s, c, now, profile.Options{Full: true}); err != nil || r.Built["household"].Changed != 0 || households()+all(t, s, "select weir_id, id_type, value from household_ids order by 1, 2, 3") != before {
			t.Errorf("all again: %+v, %v, %s", r.Built, err, households())
		}
	})
}
