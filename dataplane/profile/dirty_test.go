package profile_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

var seeds = flag.Int("seeds", 1, "how many seeds the equality of builds runs, on each engine")

// errDies is what a session of a dying plane says.
var errDies = errors.New("the plane died")

// dying is a session that ends after some statements.
type dying struct {
	tables.Session
	left *int
}

func (d dying) Exec(ctx context.Context, sql string) (int64, error) {
	if *d.left--; *d.left < 0 {
		return 0, errDies
	}
	return d.Session.Exec(ctx, sql)
}

func (d dying) Tx(ctx context.Context, do func(tables.Session) error) error {
	return d.Session.Tx(ctx, func(in tables.Session) error { return do(dying{in, d.left}) })
}

// records are golden records and memberships, without when they were computed.
func records(t testing.TB, s tables.Session, c profile.Config) (lines []string) {
	t.Helper()
	columns := []string{"weir_id"}
	for _, f := range c.Plan.Features {
		columns = append(columns, f.Name)
	}
	for _, x := range c.Plan.Scores {
		columns = append(columns, x.Name)
	}
	for _, q := range []string{"select " + strings.Join(columns, ", ") + " from user_golden", "select audience, weir_id from user_audiences"} {
		if err := s.Rows(t.Context(), q, func(v []any) error { lines = append(lines, fmt.Sprintln(v...)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(lines)
	return lines
}

// TestSomeIsAll: a build that computes those alone for whom something may have changed gives what one that
// computes everybody gives: after late rows, rows of the future, changed rows and moved identifiers, after time
// without rows, after decisions, and after a death at any statement.
func TestSomeIsAll(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		for seed := range uint64(*seeds) {
			if _, err := tables.Run(t.Context(), s, "drop schema if exists events cascade", "drop schema if exists desk cascade"); err != nil {
				t.Fatal(err)
			}
			makeTables(t, s)
			if _, err := tables.Run(t.Context(), s, "alter table desk.tickets add column updated_at timestamptz"); err != nil {
				t.Fatal(err)
			}
			someIsAll(t, w, s, seed)
			for _, table := range []string{"_entities", "_cursors", "_types", "_built", "_user_nodes", "_user_links", "_user_graph", "_user_apart", "_user_ruled", "_user_past", "user_rules", "user_ledger", "user_golden", "user_audiences", "user_moves", "user_changes", "_user_base", "runs"} {
				if _, err := s.Exec(t.Context(), "delete from "+table); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func someIsAll(t *testing.T, w tables.Warehouse, s tables.Session, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 77))
	c := shop(w)
	ids := c.Plan.Entities[0].IDs
	ids[1].Limit, ids[3].Limit, ids[3].Expire = raw(`{"user_id":2}`), raw(`{"user_id":2}`), "45d"
	c.Plan.Inputs[4].Changed = "updated_at"
	c.Plan.Scores = []scores.Score{{Name: "churn", Model: scores.Logistic, Weights: raw(`{"logins_30d":0.1,"revenue":-0.01}`)}}
	if seed%2 == 0 { // without what becomes older by itself
		c.Plan.Features = slices.DeleteFunc(c.Plan.Features, func(f profiles.Feature) bool { return f.Since != "" })
	}
	c.Plan.Audiences = append(c.Plan.Audiences, profiles.Audience{Name: "asks", Where: raw(`{"any":[{"did":"tickets","last":"14d","times":2},{"churn":{"over":0.5}}]}`)})
	at, n := now.Add(-100*day), 0
	add := func(from time.Time) {
		var tracks, identifies, orders, tickets [][]any
		for range 1 + r.IntN(12) {
			n++
			known := from.Add(time.Duration(r.Int64N(int64(at.Sub(from)))))
			when := known
			switch r.IntN(5) {
			case 0: // late
				when = known.Add(-time.Duration(r.IntN(60)) * day)
			case 1: // of the future
				when = known.Add(time.Duration(r.IntN(20)) * day)
			case 2: // at an edge
				when = at.Add(-[]time.Duration{0, 7 * day, 14 * day, 30 * day}[r.IntN(4)])
			}
			pick := func(kind string, of int) any {
				if r.IntN(3) == 0 {
					return nil
				}
				return fmt.Sprintf("%s%d", kind, r.IntN(of))
			}
			mail := fmt.Sprintf("m%d@home.org", r.IntN(12))
			switch r.IntN(4) {
			case 0:
				identifies = append(identifies, []any{fmt.Sprintf("i%d", n), pick("a", 25), pick("u", 14), mail, nil, when, known})
			case 1:
				tickets = append(tickets, []any{fmt.Sprintf("k%d", n), mail, when, known})
			case 2:
				orders = append(orders, []any{fmt.Sprintf("o%d", n), pick("u", 14), float64(r.IntN(90)) / 4, []string{"tea", "cup"}[r.IntN(2)], when, known})
			default:
				tracks = append(tracks, []any{fmt.Sprintf("t%d", n), pick("a", 25), pick("u", 14), []string{"login", "view"}[r.IntN(2)], when, known})
			}
		}
		rows(t, s, w.Dialect(), "events.tracks", tracks...)
		rows(t, s, w.Dialect(), "events.identifies", identifies...)
		rows(t, s, w.Dialect(), "events.order_completed", orders...)
		rows(t, s, w.Dialect(), "desk.tickets", tickets...)
	}
	for step := range 14 {
		from := at
		at = at.Add([]time.Duration{time.Minute, 3 * time.Hour, 2 * day, 8 * day, 31 * day}[r.IntN(5)])
		what := []string{"rows", "rows", "rows", "time", "changed", "decision", "death", "audience"}[r.IntN(8)]
		switch what {
		case "rows", "death":
			add(from)
		case "changed": // when it was and what it says, not whose it is
			if _, err := s.Exec(t.Context(), fmt.Sprintf("update desk.tickets set created_at = %s, updated_at = %s where id in (select min(id) from desk.tickets)", tables.Time(at.Add(-3*day)), tables.Time(at.Add(-time.Microsecond)))); err != nil {
				t.Fatal(err)
			}
		case "decision":
			d := answers.Decision{Kind: []string{"block", "link", "unlink"}[r.IntN(3)], A: fmt.Sprintf("anonymous_id:a%d", r.IntN(25)), Undo: r.IntN(3) == 0}
			if d.Kind != "block" {
				d.B = fmt.Sprintf("user_id:u%d", r.IntN(14))
			} else if r.IntN(2) == 0 { // rows that name somebody beside a blocked user become theirs
				d.A = fmt.Sprintf("user_id:u%d", r.IntN(14))
			}
			_ = answers.Decide(t.Context(), s, c, "", d, at) // not all are there
		case "audience":
			c.Plan.Audiences[0].Where = raw(fmt.Sprintf(`{"revenue":{"over":%d}}`, r.IntN(40)))
		}
		if what == "death" {
			left := r.IntN(250)
			if _, err := profile.Do(t.Context(), dying{s, &left}, c, at, profile.Options{}); err != nil && !errors.Is(err, errDies) {
				t.Fatal(err)
			}
		}
		do(t, s, c, at)
		if r.IntN(3) > 0 && step < 13 {
			continue
		}
		got := records(t, s, c)
		if _, err := profile.Do(t.Context(), s, c, at, profile.Options{Full: true}); err != nil {
			t.Fatal(err)
		}
		if want := records(t, s, c); !cmp.Equal(got, want) {
			t.Fatalf("seed %d, step %d (%s): some is not all: %s", seed, step, what, cmp.Diff(want, got))
		}
	}
}

// TestRowsOfABlockedUser: a row that names a device beside a user is the device's person's once the user is blocked,
// also when that person and the user were never one: the build computes whoever is named beside.
func TestRowsOfABlockedUser(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		c := shop(w)
		c.Plan.Inputs = c.Plan.Inputs[:2]
		c.Plan.Features, c.Plan.Audiences = []profiles.Feature{{Name: "seen", Count: "events"}}, nil
		rows(t, s, w.Dialect(), "events.tracks", []any{"t1", "a1", "u1", "login", now.Add(-9 * day), now.Add(-9 * day)}, []any{"t2", "a1", "u2", "login", now.Add(-8 * day), now.Add(-8 * day)},
			[]any{"t3", nil, "u3", "login", now.Add(-day), now.Add(-day)}) // the newest rows are read again
		do(t, s, c, now)
		const seen = "select i.value, g.seen from user_golden g join user_ids i on i.weir_id = g.weir_id where i.id_type = 'user_id' order by 1"
		if got := all(t, s, seen); got != "u1 1; u2 1; u3 1" {
			t.Fatalf("at first: %s", got)
		}
		if err := answers.Decide(t.Context(), s, c, "", answers.Decision{Kind: "block", A: "user_id:u2"}, now); err != nil {
			t.Fatal(err)
		}
		later := now.Add(time.Minute)
		do(t, s, c, later)
		if got := all(t, s, seen); got != "u1 2; u3 1" {
			t.Errorf("once the other user is blocked: %s", got)
		}
		if r, err := profile.Do(t.Context(), s, c, later, profile.Options{Full: true}); err != nil || r.Built["user"].Changed != 0 {
			t.Errorf("all again: %+v, %v", r.Built, err)
		}
	})
}
