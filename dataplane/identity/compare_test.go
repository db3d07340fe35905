package identity_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/identity"
	"weir/dataplane/tables"
)

// TestCompare: what other rules would join and part is said, with examples, and nothing stays
// in the warehouse.
func TestCompare(t *testing.T) {
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		exec(t, s, "create table src (at_time timestamptz, user_id text, stripe_id text, email text, phone text, anonymous_id text)",
			`insert into src select timestamptz '2026-01-01 00:00:00+00', 'u' || r, null, 'help@shop.org', null, 'd' || r from (select 1 as r union all select 2 union all select 3 union all select 4 union all select 5) s`,
			`insert into src values (timestamptz '2026-01-02 00:00:00+00', 'solo', null, null, null, 'dsolo')`)
		usual := graph(w, "user", "true") // the address of five users is nobody's
		open := graph(w, "user", "true")
		for i := range open.Types {
			open.Types[i].Limits = nil
			if open.Types[i].Name == "user_id" {
				open.Types[i].Unique = false
			}
		}
		open.Gate = identity.Gate{Largest: 8}
		names := func() (all []string) {
			each(t, s, "select table_schema || '.' || table_name from information_schema.tables order by 1", func(v []any) { all = append(all, v[0].(string)) })
			return all
		}
		before := names()
		c, err := identity.Compare(t.Context(), s, usual, open, "", now, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if c.Before.Persons != 6 || c.Before.IDs != 12 || c.Before.Largest != 2 || c.Before.Apart["more than 3 user_id"] != 1 {
			t.Errorf("before: %+v, want 6 persons of 2 identifiers, and the address apart", c.Before)
		}
		if c.After.Persons != 2 || c.After.IDs != 13 || c.After.Largest != 11 || len(c.After.Apart) != 0 {
			t.Errorf("after: %+v, want one of 11 identifiers and one of 2", c.After)
		}
		if c.Moved != 8 || c.Gone != 4 || c.Joined != 1 || c.Parted != 0 || !slices.Equal(c.Held, []string{"largest"}) || len(c.Sampled) != 0 {
			t.Errorf("the comparison is %+v", c)
		}
		if len(c.Joins) != 1 || c.Joins[0].IDs != 11 || c.Joins[0].Of != 5 || len(c.Joins[0].Examples) != 5 || len(c.Largest) != 2 || len(c.Movers) != 8 || c.Movers[0].With == "" || c.Movers[0].From == "" {
			t.Errorf("joins %+v, largest %+v, movers %+v", c.Joins, c.Largest, c.Movers)
		}
		c, err = identity.Compare(t.Context(), s, open, usual, "", now, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if c.Parted != 1 || c.Joined != 0 || len(c.Parts) != 1 || c.Parts[0].IDs != 11 || c.Parts[0].Of != 6 || c.After.Persons != 6 {
			t.Errorf("the way back: %+v, want the address's persons parted", c)
		}
		if c, err = identity.Compare(t.Context(), s, usual, usual, "", now, 1); err != nil || !slices.Equal(c.Sampled, []string{"src"}) || c.Before.IDs != 2 || c.Moved != 0 {
			t.Errorf("of the newest row alone: %+v, %v", c, err)
		}
		if diff := cmp.Diff(before, names()); diff != "" {
			t.Errorf("the comparison left tables behind (-before +after)\n%s", diff)
		}
		without := graph(w, "user", "true")
		for i := range without.Types {
			without.Types[i].Blocks = append(without.Types[i].Blocks, func(x string) string { return x + " like 'dsolo'" })
		}
		if c, err = identity.Compare(t.Context(), s, usual, without, "", now, 1000); err != nil || c.Parted != 1 || c.After.Apart["excluded"] != 1 || c.After.IDs != 11 {
			t.Errorf("with a pattern: %+v, %v; want one identifier nobody's", c, err)
		}
		exec(t, s, "create table user_rules (kind text, a text, b text, by_whom text, at_time timestamptz)", "insert into user_rules values ('block', 'email:help@shop.org', null, 'ann', now())")
		if c, err = identity.Compare(t.Context(), s, usual, open, "user_rules", now, 1000); err != nil || c.Joined != 0 || c.After.Apart["blocked"] != 1 {
			t.Errorf("with the address blocked: %+v, %v; want nobody joined", c, err)
		}
	})
}
