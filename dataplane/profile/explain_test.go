package profile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/dataplane/profile/answers"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
)

// told is a path with the events of each link.
func told(x answers.Explained) string {
	var lines []string
	for _, h := range x.Path {
		line := h.From + " - " + h.To + ":"
		for _, e := range h.Events {
			line += fmt.Sprintf(" %s %s %s %d", e.Table, e.Event, e.ID, int(now.Sub(e.At)/time.Hour))
			if e.Received != nil {
				line += fmt.Sprintf("/%d", int(now.Sub(*e.Received)/time.Hour))
			}
		}
		if h.More {
			line += " and more"
		}
		if h.Rule != nil {
			line += fmt.Sprintf(" decided %d", int(now.Sub(h.Rule.At)/time.Hour))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// TestLinksAreExplainedByTheirEvents: each link of the path between two identifiers has the oldest rows in which both
// stand, whichever table has them and however they are written there, and each row once.
func TestLinksAreExplainedByTheirEvents(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		d := w.Dialect()
		makeTables(t, s)
		if _, err := tables.Run(t.Context(), s, "alter table desk.tickets add column phone text", "create schema if not exists crm", "create table crm.contacts (id text, street text, at_time timestamptz, changed timestamptz)"); err != nil {
			t.Fatal(err)
		}
		ago := func(hours int) time.Time { return now.Add(-time.Duration(hours) * time.Hour) }
		for i := range 5 { // of two inputs: all events, and those that identify
			rows(t, s, d, "events.identifies", []any{fmt.Sprintf("i%d", i), "a1", "u1", nil, nil, ago(90 - i), ago(80 - i)})
		}
		rows(t, s, d, "events.tracks", []any{"t0", "a1", "u1", "login", ago(95), ago(70)}, []any{"t9", "a1", nil, "login", ago(99), ago(99)})
		rows(t, s, d, "events.identifies", []any{"i7", nil, "u1", " Ann@Home.org", nil, ago(50), ago(49)}, []any{"i8", nil, "u8", "bo@home.org", nil, ago(50), ago(49)})
		rows(t, s, d, "crm.contacts", []any{"u1", " Elm 1 ", ago(30), ago(29)})
		if _, err := s.Exec(t.Context(), "insert into desk.tickets values ('k1', 'ANN@home.org', "+tables.Time(ago(20))+", '0170 123')"); err != nil {
			t.Fatal(err)
		}
		c := shop(w)
		c.Plan.Features, c.Plan.Audiences = nil, nil
		c.Plan.Entities = append(c.Plan.Entities, profiles.Entity{Name: "household", IDs: []profiles.Identifier{{Name: "user", Of: "user"}, {Name: "address", Clean: "text"}}})
		c.Plan.Inputs[len(c.Plan.Inputs)-1].IDs = raw(`{"email":"requester","phone":"phone"}`)
		c.Plan.Inputs = append(c.Plan.Inputs, profiles.Input{Name: "homes", From: "crm.contacts", At: "at_time", Changed: "changed", IDs: raw(`{"user_id":"id","address":"street"}`)})
		do(t, s, c, now)
		explain := func(entity, a, b string) string {
			t.Helper()
			x, err := answers.Explain(t.Context(), s, c, entity, a, b)
			if err != nil || x.Unfinished {
				t.Fatalf("%s and %s: %+v, %v", a, b, x, err)
			}
			return told(x)
		}
		want := "anonymous_id:a1 - user_id:u1: events.tracks login t0 95/70 events.identifies identify i0 90/80 events.identifies identify i1 89/79 and more; " +
			"user_id:u1 - email:ann@home.org: events.identifies identify i7 50/49; email:ann@home.org - phone:+49170123: desk.tickets  k1 20"
		if got := explain("", "anonymous_id:a1", "phone:0170 123"); got != want {
			t.Errorf("explained as\n%s, want\n%s", got, want)
		}
		who := all(t, s, "select weir_id from user_ids where value = 'u1'")
		if got := explain("household", "user:"+who, "address:elm 1"); got != "user:"+who+" - address:elm 1: crm.contacts  u1 30/29" {
			t.Errorf("a household is explained as %s", got)
		}
		// What somebody decided has no events, and neither has a link whose rows are gone.
		if err := answers.Decide(t.Context(), s, c, "", answers.Decision{Kind: "link", A: "email:bo@home.org", B: "email:ann@home.org"}, ago(3)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Exec(t.Context(), "delete from events.identifies where id = 'i8'"); err != nil {
			t.Fatal(err)
		}
		c.Plan.Entities[0].IDs[0].Unique = false
		do(t, s, c, now)
		if got := explain("", "user_id:u8", "email:ann@home.org"); got != "user_id:u8 - email:bo@home.org:; email:bo@home.org - email:ann@home.org: decided 3" {
			t.Errorf("a decision and rows that are gone are explained as %s", got)
		}
	})
}
