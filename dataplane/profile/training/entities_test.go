package training_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/profile/training"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// homes is a shop with households, by address, and accounts, whose names are those of users.
func homes(t *testing.T, w tables.Warehouse, s tables.Session) profile.Config {
	t.Helper()
	makeTables(t, s)
	if _, err := tables.Run(t.Context(), s, "create schema if not exists crm", "create table crm.contacts (id text, street text, at_time timestamptz, changed timestamptz)"); err != nil {
		t.Fatal(err)
	}
	c := shop(w)
	c.Plan.Entities = append(c.Plan.Entities, profiles.Entity{Name: "account", IDs: []profiles.Identifier{{Name: "user_id"}}},
		profiles.Entity{Name: "household", IDs: []profiles.Identifier{{Name: "user", Of: "user"}, {Name: "address", Clean: "text", Limit: raw(`{"user":6}`)}}})
	c.Plan.Inputs = append(c.Plan.Inputs, profiles.Input{Name: "homes", From: "crm.contacts", At: "at_time", Changed: "changed", IDs: raw(`{"user_id":"id","address":"street"}`)})
	for _, entity := range []string{"account", "household"} {
		c.Plan.Features = append(c.Plan.Features, profiles.Feature{Name: entity + "_orders", Entity: entity, Count: "orders", Last: "90d"},
			profiles.Feature{Name: entity + "_away", Entity: entity, Since: "orders"}, profiles.Feature{Name: entity + "_spent", Entity: entity, Sum: "orders.total"})
		c.Plan.Scores = append(c.Plan.Scores, scores.Score{Name: entity + "_churn", Entity: entity, Model: scores.Logistic, Among: raw(`{"did":"orders"}`),
			Predict: raw(`{"not":{"did":"orders","next":"30d"}}`), Cuts: &scores.Cuts{Every: "30d", Count: 3}})
		c.Plan.Audiences = append(c.Plan.Audiences, profiles.Audience{Name: entity + "_leaving", Entity: entity, Where: raw(fmt.Sprintf(`{"%s_churn":{"atLeast":0.5}}`, entity))})
	}
	if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

// TestScoresOfEveryEntity: accounts and households have models of their own, learned from their own rows, in golden
// records and audiences.
func TestScoresOfEveryEntity(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	s, err := w.Session(t.Context(), "profiles")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c := homes(t, w, s)
	customers(t, s, 700, 5, func(away float64, _, _ int) float64 { return 2 - away/12 })
	var streets []string
	for i := range 700 { // two live together
		streets = append(streets, fmt.Sprintf("'u%d', 'Elm %d', %[3]s, %[3]s", i, i/2, tables.Time(now.Add(-200*day))))
	}
	enginetest.Insert(t, s, "crm.contacts", streets)
	if _, err := profile.Do(t.Context(), s, c, now, profile.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, one := range c.Plan.Scores[1:] {
		l, err := training.Learn(t.Context(), s, c, one, now)
		if err != nil || !l.Live || len(l.Model.Weights) != 3 {
			t.Errorf("%s is learned as %+v, %v", one.Name, l, err)
		}
	}
	run, err := profile.Do(t.Context(), s, c, now, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for entity, persons := range map[string]int64{"account": 700, "household": 350} {
		b := run.Built[entity]
		if len(b.Scores) != 1 || b.Scores[0].Persons != persons || b.Scores[0].Code != "" || b.Scores[0].Drift == nil {
			t.Errorf("the scores of %ss are %+v", entity, b.Scores)
		}
		leaving := lines(t, s, fmt.Sprintf("select weir_id from %[1]s_golden where %[1]s_churn >= 0.5", entity))
		if got := lines(t, s, fmt.Sprintf("select weir_id from %s_audiences", entity)); !slices.Equal(got, leaving) || len(got) == 0 || int64(len(got)) == persons {
			t.Errorf("the audience of %ss has %d, and %d have the score", entity, len(got), len(leaving))
		}
		// Who was away for longer leaves more likely.
		if odd := lines(t, s, fmt.Sprintf("select avg(case when %[1]s_away > 60 then %[1]s_churn end) > 0.2 + avg(case when %[1]s_away < 30 then %[1]s_churn end) from %[1]s_golden", entity)); odd[0] != "true" {
			t.Errorf("%ss who were away for long stay", entity)
		}
	}
	spread, err := answers.Scores(t.Context(), s, c)
	if err != nil || len(spread) != 3 || spread[2].Name != "household_churn" || spread[2].Known != 350 || spread[2].Numbers == nil {
		t.Errorf("the scores lie as %+v, %v", spread, err)
	}
}

// TestNoHouseholdOfTheFuture: examples of households are what a run at the cut made of them, though persons became
// one since, moved, and were joined by somebody.
func TestNoHouseholdOfTheFuture(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		c, d := homes(t, w, s), w.Dialect()
		move := c.Plan.Scores[2]
		move.Model, move.Cuts.Count = scores.Boosted, 2
		r := rand.New(rand.NewPCG(41, 42))
		cuts := training.Cuts(move, now)
		slices.Reverse(cuts)
		const (
			cells = "cast(household_orders as double precision), cast(household_away as double precision), cast(household_spent as double precision)"
			// Who is in a household, by what does not change its name.
			members = `select distinct m.id || ' ' || h.weir_id from household_ids h join (select 'address:' || value as id, 'address' as id_type, value from household_ids where id_type = 'address'
				union all select u.id_type || ':' || u.value, 'user', u.weir_id from user_ids u) m on m.id_type = h.id_type and m.value = h.value where h.weir_id is not null`
		)
		then := map[time.Time]map[string]string{} // features by identifier
		n := 0
		for i, until := range append(slices.Clone(cuts), now) {
			from := until.Add(-60 * day)
			if i > 0 {
				from = cuts[i-1]
			}
			var identifies, orders, contacts []string
			for range 60 {
				n++
				known := from.Add(time.Duration(r.Int64N(int64(until.Sub(from)))))
				at := known.Add(-time.Duration(r.IntN(40)) * day * time.Duration(r.IntN(2)))
				times := tables.Time(at) + ", " + tables.Time(known) + ", " + tables.Time(known)
				user, mail := fmt.Sprintf("u%d", r.IntN(30)), fmt.Sprintf("m%d@home.org", r.IntN(30))
				switch r.IntN(4) {
				case 0:
					identifies = append(identifies, fmt.Sprintf("'i%d', 'a%d', '%s', '%s', %s", n, r.IntN(60), user, mail, times))
				case 1:
					contacts = append(contacts, fmt.Sprintf("'%s', 'Elm %d', %s, %s", user, r.IntN(40), tables.Time(at), tables.Time(known)))
				default:
					orders = append(orders, fmt.Sprintf("'o%d', '%s', null, %d.25, %s", n, user, r.IntN(50), times))
				}
			}
			enginetest.Insert(t, s, "events.identifies", identifies)
			enginetest.Insert(t, s, "events.order_completed", orders)
			enginetest.Insert(t, s, "crm.contacts", contacts)
			run := func() {
				if run, err := profile.Do(t.Context(), s, c, until, profile.Options{}); err != nil || run.State != profile.Published {
					t.Fatalf("%+v, %v", run, err)
				}
			}
			run()
			if i == 0 { // somebody joins two homes before all cuts but the first, and names a person as they are called then
				ids := lines(t, s, "select id_type || ':' || value from household_ids where weir_id is not null and id_type = 'user'")
				for _, b := range lines(t, s, "select id_type || ':' || value from household_ids where weir_id is not null and id_type = 'address'")[:2] {
					if err := answers.Decide(t.Context(), s, c, "household", answers.Decision{Kind: "link", A: ids[0], B: b}, until.Add(time.Minute)); err != nil {
						t.Fatal(err)
					}
				}
			}
			golden := map[string]string{}
			for _, line := range lines(t, s, "select weir_id, "+cells+" from household_golden where household_away is not null") {
				who, rest, _ := strings.Cut(line, " ")
				golden[who] = rest
			}
			then[until] = map[string]string{}
			for _, line := range lines(t, s, members) {
				at := strings.LastIndex(line, " ")
				if rest, ordered := golden[line[at+1:]]; ordered {
					then[until][line[:at]] = line[at+1:] + " " + rest
				}
			}
		}
		if _, err := training.Learn(t.Context(), s, c, move, now); err != nil {
			t.Fatal(err)
		}
		for _, cut := range cuts {
			got := lines(t, s, "select household_orders, household_away, household_spent from household_training_household_churn where cut = "+tables.Time(cut))
			households := map[string]string{} // that are some today
			for _, line := range lines(t, s, members) {
				if x, there := then[cut][line[:strings.LastIndex(line, " ")]]; there {
					who, rest, _ := strings.Cut(x, " ")
					households[who] = rest
				}
			}
			if want := slices.Sorted(maps.Values(households)); !cmp.Equal(got, want) || len(want) < 5 {
				t.Errorf("the examples of %s are not what the run at it made: %s", cut.Format(time.DateOnly), cmp.Diff(want, got))
			}
		}
		left := lines(t, s, "select table_name from information_schema.tables where table_name like '%cut%' or table_name like '!_w!_%' escape '!'")
		if len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		// Of a household whose member is erased nothing is told that was of the member.
		who := strings.Fields(lines(t, s, "select e.weir_id, i.value from household_training_household_churn e join household_ids h on h.weir_id = e.weir_id and h.id_type = 'user' join user_ids i on i.weir_id = h.value where i.id_type = 'user_id'")[0])
		if _, _, err := profile.Erase(t.Context(), s, c, "", "user_id:"+who[1], now); err != nil {
			t.Fatal(err)
		}
		if got := lines(t, s, "select weir_id from household_training_household_churn where weir_id = "+d.Text(who[0])); len(got) > 0 {
			t.Errorf("the household of the erased person is still an example: %v", got)
		}
	})
}
