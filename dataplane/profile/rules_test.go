package profile_test

import (
	"fmt"
	"testing"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
)

// TestRulesAreTriedOnRows: rules that nobody saved are compared with those of the profile.
func TestRulesAreTriedOnRows(t *testing.T) {
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		rules := []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id", Unique: true}, {Name: "email"}}}}
		c := profile.Config{Name: "customers", SQL: w.Dialect(), Home: "events", Table: func(event string) string { return event },
			Plan: profiles.Plan{Entities: rules, Inputs: []profiles.Input{{Name: "traits", Events: "identify"}}}}
		at := tables.Time(now.Add(-time.Hour))
		if _, err := tables.Run(t.Context(), s, "create schema if not exists events",
			fmt.Sprintf(`create table events.identifies as select 'i' || r as id, 'u' || r as user_id, case when r < 3 then 'shared@shop.org' else 'u' || r || '@shop.org' end as email, %[1]s as "timestamp", %[1]s as uuid_ts
				from (select 1 as r union all select 2 union all select 3) x`, at)); err != nil {
			t.Fatal(err)
		}
		next := []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id"}, {Name: "email"}}, Gate: &profiles.Gate{Moved: "1%"}}}
		for _, published := range []bool{false, true} { // also before there is a run
			if published {
				if _, err := profile.Do(t.Context(), s, c, now, profile.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := c.Compare(t.Context(), s, "", next, nil, now)
			if err != nil || got.Before.Persons != 3 || got.After.Persons != 2 || got.Joined != 1 || len(got.Held) != 1 || got.Held[0] != "moved" {
				t.Errorf("published %v: %+v, %v; want two persons joined, and the build held", published, got, err)
			}
		}
		if _, err := c.Compare(t.Context(), s, "", []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id", Expire: "soon"}}}}, nil, now); fault.KindOf(err) != fault.Invalid {
			t.Errorf("rules that are none: %v, want fault.Invalid", err)
		}
		// An input that nobody saved is read too, and what the features name may be gone.
		c.Plan.Features = []profiles.Feature{{Name: "logins", Count: "traits"}}
		if _, err := tables.Run(t.Context(), s, fmt.Sprintf(`create table events.cards as select 'c1' as id, 'u1' as user_id, 'u3@shop.org' as email, %[1]s as "timestamp", %[1]s as uuid_ts`, at)); err != nil {
			t.Fatal(err)
		}
		more := []profiles.Input{{Name: "people", Events: "identify"}, {Name: "cards", Events: "cards"}}
		if got, err := c.Compare(t.Context(), s, "", next, more, now); err != nil || got.Before.Persons != 3 || got.After.Persons != 1 {
			t.Errorf("with another input: %+v, %v; want all persons joined", got, err)
		}
		if _, err := c.Compare(t.Context(), s, "", next, []profiles.Input{{Name: "cards"}}, now); fault.KindOf(err) != fault.Invalid {
			t.Errorf("inputs that are none: %v, want fault.Invalid", err)
		}
		if _, err := c.Compare(t.Context(), s, "cat", next, nil, now); fault.KindOf(err) != fault.Missing {
			t.Errorf("an entity that is not there: %v, want fault.Missing", err)
		}
	})
}
