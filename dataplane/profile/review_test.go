package profile_test

import (
	"fmt"
	"strings"
	"testing"

	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
)

// TestReviewedPairs: people say of pairs whether they are one person; how a run agrees is told, and one that breaks
// a pair is held when the gate says so, but not for a pair that is broken already.
func TestReviewedPairs(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		d := w.Dialect()
		makeTables(t, s)
		identify := func(id string, user, email any) {
			rows(t, s, d, "events.identifies", []any{id, "a" + id, user, email, nil, now.Add(-day), now.Add(-day)})
		}
		identify("1", "u1", "ann@home.org")
		identify("2", "u2", "bo@home.org")
		identify("3", nil, "cy@home.org")
		identify("4", "u4", "cy.work@home.org")
		identify("5", "u4", "cy.old@home.org")
		rows(t, s, d, "events.tracks", []any{"t1", "a1", "u2", "login", now.Add(-day), now.Add(-day)}) // Bo on Ann's device
		c := shop(w)
		c.Plan.Features, c.Plan.Audiences = nil, nil
		c.Plan.Entities[0].Gate = &profiles.Gate{Reviewed: &profiles.Review{Recall: "90%"}}
		if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
			t.Fatal(problems)
		}
		if r := do(t, s, c, now); r.Identity["user"].Reviewed != nil {
			t.Errorf("nobody reviewed, and there is %+v", r.Identity["user"].Reviewed)
		}
		reviews := func() answers.Reviews {
			t.Helper()
			r, err := answers.Pairs(t.Context(), s, c, "")
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		queue := func() string {
			var all []string
			for _, p := range reviews().Queue {
				all = append(all, fmt.Sprint(p.A, " ", p.B, " ", p.One, " ", p.Alike))
			}
			return strings.Join(all, "; ")
		}
		// Ann's device was seen with Bo, and one customer has two addresses.
		if got := queue(); got != "user_id:u2 anonymous_id:a1 false 0; email:cy.old@home.org email:cy.work@home.org true 2" {
			t.Errorf("the queue is %s", got)
		}
		say := func(kind, a, b string, undo bool) {
			t.Helper()
			if err := answers.Decide(t.Context(), s, c, "", answers.Decision{Kind: kind, A: a, B: b, Undo: undo, By: "x"}, now); err != nil {
				t.Fatal(err)
			}
		}
		say("same", "email:cy.old@home.org", "email:cy.work@home.org", false)
		say("different", "user_id:u2", "anonymous_id:a1", false)
		if got := queue(); got != "" {
			t.Errorf("after all were reviewed the queue is %s", got)
		}
		say("different", "user_id:u1", "user_id:u2", false)
		say("same", "user_id:u1", "user_id:u2", false) // the last word counts
		say("different", "user_id:u2", "user_id:u1", false)
		say("same", "email:cy@home.org", "user_id:u4", false) // which they are not
		m := reviews().Measures
		if m.Pairs != 4 || m.Broken != 1 || m.Precision != 1 || m.Recall != 0.5 || len(reviews().Reviewed) != 4 || reviews().Reviewed[0].A != "email:cy@home.org" {
			t.Errorf("reviews: %+v, %+v", m, reviews().Reviewed)
		}
		r := do(t, s, c, now) // a pair that is broken already holds nothing
		if got := r.Identity["user"].Reviewed; got == nil || *got != m {
			t.Errorf("the run says %+v, want %+v", got, m)
		}
		// A run that would join two who are known to be two is held, and one that joins what is one is not.
		before := all(t, s, "select id_type, value, weir_id from user_ids order by 1, 2")
		identify("6", nil, "ann@home.org")
		rows(t, s, d, "events.tracks", []any{"t2", "a6", nil, "login", now, now})
		say("different", "email:ann@home.org", "email:cy@home.org", false)
		say("link", "email:ann@home.org", "email:cy@home.org", false)
		held, err := profile.Do(t.Context(), s, c, now, profile.Options{})
		if err != nil || held.State != profile.Held || held.Code != "reviewed" || held.Identity["user"].Reviewed.Broken != 2 || held.Identity["user"].Reviewed.Precision != 0.5 {
			t.Errorf("the run: %+v, %+v, %v", held, held.Identity["user"].Reviewed, err)
		}
		would := func() string {
			t.Helper()
			h, err := answers.Held(t.Context(), s, c, "user")
			if err != nil {
				t.Fatal(err)
			}
			if h == nil {
				return "nothing"
			}
			says := strings.Join(h.By, " ") + ":"
			for _, p := range h.Pairs {
				says += fmt.Sprintf(" %s %s %s;", p.A, p.Said, p.B)
			}
			for _, m := range h.Movers {
				says += fmt.Sprintf(" %s from %s to %s;", m.ID, m.From, m.With)
			}
			for _, j := range h.Joins {
				says += fmt.Sprintf(" %d of %d", j.IDs, j.Of)
			}
			return says
		}
		// What it would break and move is told, and not the pair that is broken already.
		if got := would(); got != "reviewed: email:ann@home.org different email:cy@home.org; email:cy@home.org from email:cy@home.org to user_id:u1; anonymous_id:a3 from email:cy@home.org to user_id:u1; 6 of 2" {
			t.Errorf("held is %s", got)
		}
		if got := all(t, s, "select id_type, value, weir_id from user_ids where value not in ('a6') order by 1, 2"); got != before {
			t.Errorf("held, and there is\n%s\nwant\n%s", got, before)
		}
		say("link", "email:ann@home.org", "email:cy@home.org", true)
		say("link", "email:cy@home.org", "user_id:u4", false)
		if got := do(t, s, c, now).Identity["user"].Reviewed; got == nil || got.Broken != 0 || got.Recall != 1 {
			t.Errorf("after the link: %+v", got)
		}
		if got := would(); got != "nothing" {
			t.Errorf("after a run was published held is %s", got)
		}
		// Apart is nobody's: a pair of one person is broken then.
		say("block", "email:cy@home.org", "", false)
		if held, err := profile.Do(t.Context(), s, c, now, profile.Options{}); err != nil || held.Code != "reviewed" {
			t.Errorf("after a block: %+v, %v", held, err)
		}
		if got := would(); !strings.HasPrefix(got, "reviewed: email:cy@home.org same user_id:u4;") {
			t.Errorf("after a block held is %s", got)
		}
		say("same", "email:cy@home.org", "user_id:u4", true)
		do(t, s, c, now)
		for name, d := range map[string]answers.Decision{"a pair of one": {Kind: "same", A: "user_id:u1", B: "user_id:u1"}, "an unknown": {Kind: "same", A: "user_id:u1", B: "user_id:nobody"}} {
			if err := answers.Decide(t.Context(), s, c, "", d, now); err == nil {
				t.Errorf("%s was reviewed", name)
			}
		}
		// Who is erased leaves no pair.
		if _, _, err := profile.Erase(t.Context(), s, c, "", "user_id:u2", now); err != nil {
			t.Fatal(err)
		}
		if n := all(t, s, "select count(*) from user_rules where a = 'user_id:u2' or b = 'user_id:u2'"); n != "0" {
			t.Errorf("%s pairs of the erased person are left", n)
		}
	})
}

// TestManyPairsAreReviewedAtOnce: those that are right are kept, whatever their order and however often they are sent, and the others named.
func TestManyPairsAreReviewedAtOnce(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		var people [][]any
		for i := range 600 {
			people = append(people, []any{fmt.Sprint("i", i), nil, fmt.Sprint("u", i), fmt.Sprintf("u%d@home.org", i), nil, now.Add(-day), now.Add(-day)})
		}
		rows(t, s, w.Dialect(), "events.identifies", people...)
		c := shop(w)
		c.Plan.Features, c.Plan.Audiences = nil, nil
		do(t, s, c, now)
		review := func(kind string, undo bool, pairs ...[2]string) string {
			t.Helper()
			wrong, err := answers.Review(t.Context(), s, c, "", kind, pairs, undo, now)
			if err != nil {
				t.Fatal(err)
			}
			lines := []string{}
			for _, one := range wrong {
				lines = append(lines, fmt.Sprint(one.At, " ", one.Text[:9]))
			}
			return strings.Join(lines, "; ")
		}
		kept := func() string { return all(t, s, "select kind, count(*) from user_rules group by kind order by kind") }
		var many [][2]string
		for i := range answers.MostPairs {
			many = append(many, [2]string{fmt.Sprint("user_id:u", i), fmt.Sprint("email:u", i, "@home.org")})
		}
		for range 2 {
			if got := review("same", false, many...); got != "" || kept() != "same 500" {
				t.Errorf("500 pairs: %s, kept %s", got, kept())
			}
		}
		// The last word on a pair counts.
		got := review("different", false, [2]string{"email:u0@home.org", "user_id:u0"}, [2]string{"user_id:nobody", "user_id:u1"}, [2]string{"user_id:u0", "email:u0@home.org"}, [2]string{"u1", "user_id:u2"}, [2]string{"user_id:u3", "user_id:u3"})
		if got != "1 No identi; 3 Give iden; 4 A pair to" || kept() != "different 1; same 499" {
			t.Errorf("wrong are %s, and kept %s", got, kept())
		}
		if got := review("same", true, many[:100]...); got != "" || kept() != "same 400" {
			t.Errorf("taken back: %s, kept %s", got, kept())
		}
		for kind, pairs := range map[string][][2]string{"block": many[:1], "same": append(many, many[0])} {
			if _, err := answers.Review(t.Context(), s, c, "", kind, pairs, false, now); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%d pairs as %s: %v, want fault.Invalid", len(pairs), kind, err)
			}
		}
		if r := do(t, s, c, now); r.Identity["user"].Reviewed == nil || r.Identity["user"].Reviewed.Pairs != 400 {
			t.Errorf("the run is judged by %+v", r.Identity["user"].Reviewed)
		}
	})
}
