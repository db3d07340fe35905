package profile_test

import (
	"context"
	"encoding/json"
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
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
)

var engines enginetest.Engines

func TestMain(m *testing.M) { engines.Main(m) }

func raw(s string) json.RawMessage { return json.RawMessage(s) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// shop is a plan that uses every aggregate.
func shop(w tables.Warehouse) profile.Config {
	return profile.Config{
		Name: "customers", SQL: w.Dialect(), Home: "events", Table: func(event string) string { return strings.ReplaceAll(strings.ToLower(event), " ", "_") },
		Plan: profiles.Plan{
			Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{
				{Name: "user_id", Unique: true}, {Name: "email", Clean: "email", Block: []string{"*@example.com", "*support@acme.org"}, Limit: raw(`{"user_id":3}`)},
				{Name: "phone", Clean: "phone", Country: "49"}, {Name: "anonymous_id"},
			}}},
			Inputs: []profiles.Input{
				{Name: "events", Events: "*"}, {Name: "traits", Events: "identify"}, {Name: "orders", Events: "Order Completed"}, {Name: "never", Events: "Never Seen"},
				{Name: "tickets", From: "desk.tickets", At: "created_at", IDs: raw(`{"email":"requester"}`)},
			},
			Features: []profiles.Feature{
				{Name: "logins_30d", Count: "events", Where: raw(`{"event":"login"}`), Last: "30d"}, {Name: "revenue", Sum: "orders.total"}, {Name: "mean_order", Average: "orders.total"},
				{Name: "least", Min: "orders.total"}, {Name: "most", Max: "orders.total"}, {Name: "first_product", First: "orders.product"}, {Name: "last_product", Latest: []string{"orders.product"}},
				{Name: "mail", Latest: []string{"never.email", "traits.email", "tickets.requester"}}, {Name: "favourite", MostFrequent: "orders.product"}, {Name: "products", Distinct: "orders.product"}, {Name: "listed", List: "orders.product"},
				{Name: "active_days", Days: "events"}, {Name: "buyer", Exists: "orders"}, {Name: "days_away", Since: "events"}, {Name: "tickets_7d", Count: "tickets", Last: "7d"},
				{Name: "absent", Count: "never"}, {Name: "per_login", Ratio: []string{"revenue", "logins_30d"}}, {Name: "worth", SQL: "revenue * 2 + case when buyer then 1 else 0 end"},
			},
			Audiences: []profiles.Audience{
				{Name: "buyers", Where: raw(`{"buyer":true,"revenue":{"over":10}}`)}, {Name: "quiet", Where: raw(`{"not":{"did":"events","where":{"event":"login"},"last":"7d"}}`)},
				{Name: "upset", Where: raw(`{"tickets_7d":{"atLeast":1}}`)},
			},
		},
	}
}

// rows makes the tables of events; each row is a list of literals.
func rows(t testing.TB, s tables.Session, d tables.Dialect, table string, all ...[]any) {
	t.Helper()
	lines := make([]string, len(all))
	for i, row := range all {
		cells := make([]string, len(row))
		for j, v := range row {
			switch v := v.(type) {
			case nil:
				cells[j] = "null"
			case string:
				cells[j] = d.Text(v)
			case time.Time:
				cells[j] = tables.Time(v)
			default:
				cells[j] = fmt.Sprint(v)
			}
		}
		lines[i] = strings.Join(cells, ", ")
	}
	enginetest.Insert(t, s, table, lines)
}

func makeTables(t testing.TB, s tables.Session) {
	t.Helper()
	if _, err := tables.Run(context.Background(), s, "create schema if not exists events", "create schema if not exists desk",
		`create table events.tracks (id text, anonymous_id text, user_id text, event text, "timestamp" timestamptz, uuid_ts timestamptz)`,
		`create table events.identifies (id text, anonymous_id text, user_id text, email text, phone text, "timestamp" timestamptz, uuid_ts timestamptz)`,
		`create table events.order_completed (id text, user_id text, total double precision, product text, "timestamp" timestamptz, uuid_ts timestamptz)`,
		`create table desk.tickets (id text, requester text, created_at timestamptz)`); err != nil {
		t.Fatal(err)
	}
}

func do(t testing.TB, s tables.Session, c profile.Config, at time.Time) profile.Run {
	t.Helper()
	r, err := profile.Do(context.Background(), s, c, at, profile.Options{})
	if err != nil || r.State != profile.Published {
		t.Fatalf("the run at %s: %+v, %v", r.Step, r, err)
	}
	return r
}

func all(t testing.TB, s tables.Session, sql string) string {
	t.Helper()
	var lines []string
	if err := s.Rows(context.Background(), sql, func(v []any) error { lines = append(lines, strings.TrimSuffix(fmt.Sprintln(v...), "\n")); return nil }); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return strings.Join(lines, "; ")
}

func TestOnePersonWithFeaturesAndAudiences(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		d := w.Dialect()
		makeTables(t, s)
		rows(t, s, d, "events.tracks", []any{"t1", "a1", nil, "login", now.Add(-40 * day), now}, []any{"t2", "a1", nil, "login", now.Add(-2 * day), now},
			[]any{"t3", nil, "u1", "login", now.Add(-3 * day), now}, []any{"t4", "a9", nil, "login", now.Add(-20 * day), now}, []any{"t5", "a1", nil, "login", now, now})
		rows(t, s, d, "events.identifies", []any{"i1", "a1", "u1", " Ann@Home.org", "0170 123", now.Add(-5 * day), now}, []any{"i2", nil, "u2", "x@example.com", nil, now.Add(-5 * day), now}, []any{"i3", nil, "u3", "x@example.com", "+49 30/1", now.Add(-5 * day), now})
		rows(t, s, d, "events.order_completed", []any{"o1", "u1", 10.5, "tea", now.Add(-9 * day), now}, []any{"o2", "u1", 4.5, "cup", now.Add(-8 * day), now}, []any{"o3", "u1", 6.0, "tea", now.Add(-7 * day), now})
		rows(t, s, d, "desk.tickets", []any{"k1", "ann@home.org", now.Add(-1 * day)})
		c := shop(w)
		do(t, s, c, now)
		golden := "select logins_30d, revenue, mean_order, least, most, first_product, last_product, mail, favourite, products, active_days, buyer, days_away, tickets_7d, absent, per_login, worth, listed from user_golden where weir_id = (select weir_id from user_ids where id_type = 'email' and value = 'ann@home.org')"
		want := "2 21 7 4.5 10.5 tea tea  Ann@Home.org tea 2 4 true 2 1 0 10.5 43 cup, tea"
		if got := all(t, s, golden); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("the record is\n%s, want\n%s", got, want)
		}
		if got := all(t, s, "select count(distinct weir_id) from user_ids where value in ('a1', 'u1', 'ann@home.org', '+49170123')"); got != "1" {
			t.Errorf("they are %s persons", got)
		}
		if got := all(t, s, "select audience, count(*) from user_audiences group by audience order by audience"); got != "buyers 1; quiet 3; upset 1" {
			t.Errorf("audiences: %s", got)
		}
		if r := do(t, s, c, now); r.Built["user"].Changed != 0 || r.Built["user"].Moves != 0 || r.Identity["user"].Moved != 0 {
			t.Errorf("the same again changed %+v", r)
		}
		later := now.Add(9 * day)
		if r := do(t, s, c, later); r.Built["user"].Moves == 0 {
			t.Errorf("time passed, and nobody left an audience: %+v", r)
		}
		if got := all(t, s, "select audience, move from user_moves where audience = 'upset' order by run"); got != "upset enter; upset exit" {
			t.Errorf("moves: %s", got)
		}
		decisions(t, s, c, later)
	})
}

// decisions blocks, explains and erases.
func decisions(t *testing.T, s tables.Session, c profile.Config, at time.Time) {
	t.Helper()
	ctx := t.Context()
	x, err := answers.Explain(ctx, s, c, "", "anonymous_id:a1", "email:ann@home.org")
	if err != nil || len(x.Path) != 1 || x.Person != x.Other || len(x.IDs) != 4 {
		t.Errorf("explained as %+v, %v", x, err)
	}
	one, err := answers.Find(ctx, s, c, "", "email: ANN@home.org")
	if err != nil || one.ID != x.Person || len(one.IDs) != 4 || len(one.Links) < 3 || one.Traits["revenue"] == nil || len(one.Past) == 0 || one.Past[0].Kind != "minted" || one.Past[0].At == nil {
		t.Errorf("the person is %+v, %v", one, err)
	}
	names := ""
	for _, e := range one.Events {
		names += e.Input + "." + e.Event + " "
	}
	if !strings.Contains(names, "events.login") || !strings.Contains(names, "tickets.") || strings.Contains(names, "orders") || strings.Count(names, "events.login") != 4 {
		t.Errorf("the events of the person are %s", names)
	}
	if again, err := answers.Find(ctx, s, c, "user", "weir_id:"+one.ID); err != nil || !cmp.Equal(again, one) {
		t.Errorf("by the public identifier the person is %+v, %v", again, err)
	}
	if _, err := answers.Find(ctx, s, c, "", "user_id:nobody"); fault.KindOf(err) != fault.Missing {
		t.Errorf("nobody is found with %v", err)
	}
	if in, err := answers.Inputs(ctx, s, c); err != nil || len(in) != 5 || len(in[3].Columns) != 0 || !slices.Contains(in[2].Columns, answers.Column{Name: "total", Type: tables.Number}) {
		t.Errorf("the inputs are %+v, %v", in, err)
	}
	if v, err := answers.Values(ctx, s, c, "orders", "product"); err != nil || fmt.Sprint(v) != "[tea cup]" {
		t.Errorf("the values are %v, %v", v, err)
	}
	if _, err := answers.Values(ctx, s, c, "orders", "nothing"); fault.KindOf(err) != fault.Missing {
		t.Errorf("the values of no column: %v", err)
	}
	sizes, err := answers.Sizes(ctx, s, c)
	if err != nil || len(sizes) != 3 || sizes[2].Name != "upset" || sizes[2].Persons != 0 || len(sizes[2].Moves) != 2 || sizes[2].Moves[0].Persons != 1 || sizes[2].Moves[1].Left != 1 || sizes[2].Moves[1].Persons != 0 {
		t.Errorf("the sizes are %+v, %v", sizes, err)
	}
	if err := answers.Decide(ctx, s, c, "", answers.Decision{Kind: "block", A: "anonymous_id:none"}, at); fault.KindOf(err) != fault.Missing {
		t.Errorf("an identifier that is not there was blocked: %v", err)
	}
	apart := "select count(distinct weir_id) from user_ids where value in ('a1', 'u1', 'ann@home.org')"
	for _, step := range []struct {
		d    answers.Decision
		want string
	}{
		{answers.Decision{Kind: "block", A: "user_id:u1", By: "me"}, "1"}, {answers.Decision{Kind: "block", A: "user_id:u1", Undo: true}, "1"},
		{answers.Decision{Kind: "link", A: "anonymous_id:a9", B: "email:ann@home.org"}, "1"}, {answers.Decision{Kind: "link", A: "anonymous_id:a9", B: "email:ann@home.org", Undo: true}, "1"},
	} {
		if err := answers.Decide(ctx, s, c, "", step.d, at); err != nil {
			t.Fatal(err)
		}
		do(t, s, c, at)
		if got := all(t, s, apart); got != step.want {
			t.Errorf("after %+v they are %s persons, want %s", step.d, got, step.want)
		}
		linked := all(t, s, "select count(distinct weir_id) from user_ids where value in ('a9', 'ann@home.org')") == "1"
		if want := step.d.Kind == "link" && !step.d.Undo; linked != want {
			t.Errorf("after %+v they are linked: %v", step.d, linked)
		}
	}
	for _, b := range []string{"user_id:u1", "email:ann@home.org", "phone:+49170123"} {
		if err := answers.Decide(ctx, s, c, "", answers.Decision{Kind: "unlink", A: "anonymous_id:a1", B: b}, at); err != nil {
			t.Fatal(err)
		}
	}
	do(t, s, c, at)
	if got := all(t, s, apart); got != "2" {
		t.Errorf("unlinked they are %s persons", got)
	}
	v, err := c.Preview(ctx, s, "revenue", profile.Draft{}, at)
	if err != nil || v.Persons == 0 || len(v.Rows) == 0 || !slices.Contains(v.Lineage, "events.order_completed.total") {
		t.Errorf("the preview is %+v, %v", v, err)
	}
	if v, err = c.Preview(ctx, s, "buyers", profile.Draft{}, at); err != nil || v.Known != 1 {
		t.Errorf("the preview of an audience is %+v, %v", v, err)
	}
	draft := profile.Draft{
		Features:   append(slices.Clone(c.Plan.Features), profiles.Feature{Name: "dear", Count: "orders", Where: raw(`{"total":{"over":5}}`)}),
		Audiences:  []profiles.Audience{{Name: "new", Where: raw(`{"dear":{"atLeast":1},"did":"events"}`)}},
		Conditions: []json.RawMessage{raw(`{"dear":{"atLeast":1}}`), raw(`{"did":"events"}`), raw(`{"dear":{"over":99}}`)},
	}
	if v, err = c.Preview(ctx, s, "dear", draft, at); err != nil || v.Numbers == nil || v.Numbers.Max != 2 || v.Numbers.Step != 1 || len(v.Numbers.Persons) != int(2-v.Numbers.Min)+1 || v.Numbers.Persons[0]+v.Numbers.Persons[len(v.Numbers.Persons)-1] != v.Persons {
		t.Errorf("the preview of a feature that is not saved is %+v, %+v, %v", v, v.Numbers, err)
	}
	if v, err = c.Preview(ctx, s, "new", draft, at); err != nil || v.Known != 1 || len(v.Parts) != 3 || v.Parts[0] != 1 || v.Parts[1] < 1 || v.Parts[2] != 0 || !slices.Contains(v.Lineage, "events.order_completed.total") {
		t.Errorf("the preview of an audience that is not saved is %+v, %v", v, err)
	}
	draft.Audiences[0].Where = raw(`{"nothing":1}`)
	if _, err = c.Preview(ctx, s, "new", draft, at); fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) != 1 {
		t.Errorf("a draft that names what is not there: %v", err)
	}
	others := all(t, s, "select value, weir_id from user_ids where value in ('a9', 'u2', 'u3') order by value")
	if _, err := s.Exec(ctx, "create table "+c.SQL.Quote(c.Home)+".aliases (id varchar, user_id varchar, received_at timestamptz)"); err != nil { // no anonymous_id
		t.Fatal(err)
	}
	if _, n, err := profile.Erase(ctx, s, c, "", "email:ann@home.org", at); err != nil || n != 3 {
		t.Errorf("erased %d identifiers, %v", n, err)
	}
	if _, err := profile.Do(ctx, s, c, at, profile.Options{Full: true}); err != nil {
		t.Fatal(err)
	}
	if got := all(t, s, "select value, weir_id from user_ids where value in ('a9', 'u2', 'u3') order by value"); got != others {
		t.Errorf("others were %s, and are %s", others, got)
	}
	traces(t, s, "ann@home.org")
}

// traces looks for a text in every table.
func traces(t *testing.T, s tables.Session, text string) {
	t.Helper()
	var found [][2]string
	err := s.Rows(t.Context(), "select table_schema, table_name from information_schema.tables where table_schema in ('events', 'desk', 'profiles', 'unit', 'main')", func(v []any) error {
		found = append(found, [2]string{fmt.Sprint(v[0]), fmt.Sprint(v[1])})
		return nil
	})
	if err != nil || len(found) < 10 {
		t.Fatalf("there are %d tables, %v", len(found), err)
	}
	for _, table := range found {
		err := s.Rows(t.Context(), fmt.Sprintf(`select * from "%s"."%s"`, table[0], table[1]), func(v []any) error {
			if strings.Contains(strings.ToLower(fmt.Sprint(v...)), text) {
				t.Errorf("%s.%s still has %v", table[0], table[1], v)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestClosedForm: cells that are known by arithmetic, over customers whose rows come late,
// early and on the edges of windows.
func TestClosedForm(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		r := rand.New(rand.NewPCG(3, 4))
		type cell struct {
			logins, days int
			revenue      float64
		}
		want := map[string]cell{}
		var tracks, orders [][]any
		for i := range 200 {
			user, c, days := fmt.Sprintf("u%d", i), cell{}, map[string]bool{}
			for k := range i % 9 {
				at := now.Add(-time.Duration(r.IntN(60*24*3600)) * time.Second)
				switch r.IntN(5) {
				case 0:
					at = now.Add(-30 * day)
				case 1:
					at = now.Add(time.Duration(r.IntN(3)-1) * time.Second)
				}
				name := []string{"login", "view"}[r.IntN(2)]
				tracks = append(tracks, []any{fmt.Sprintf("t%d-%d", i, k), nil, user, name, at, now})
				if at.Before(now) {
					days[at.Format(time.DateOnly)] = true
					if name == "login" && !at.Before(now.Add(-30*day)) {
						c.logins++
					}
				}
			}
			for k := range i % 4 {
				orders = append(orders, []any{fmt.Sprintf("o%d-%d", i, k), user, float64(i) / 4, "tea", now.Add(-time.Hour), now})
				c.revenue += float64(i) / 4
			}
			if c.days = len(days); i%9 > 0 || i%4 > 0 {
				want[user] = c
			}
		}
		rows(t, s, w.Dialect(), "events.tracks", tracks...)
		rows(t, s, w.Dialect(), "events.order_completed", orders...)
		do(t, s, shop(w), now)
		got := map[string]cell{}
		err := s.Rows(t.Context(), "select i.value, g.logins_30d, g.active_days, g.revenue from user_golden g join user_ids i on i.weir_id = g.weir_id where i.id_type = 'user_id'", func(v []any) error {
			got[fmt.Sprint(v[0])] = cell{int(v[1].(int64)), int(v[2].(int64)), v[3].(float64)}
			return nil
		})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%d customers, want %d, %v", len(got), len(want), err)
			for k, x := range want {
				if got[k] != x {
					t.Errorf("%s has %+v, want %+v", k, got[k], x)
				}
			}
		}
	})
}

// TestFeaturesComeAndGo: columns of golden records follow the plan.
func TestFeaturesComeAndGo(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		rows(t, s, w.Dialect(), "events.order_completed", []any{"o1", "u1", 10.5, "tea", now.Add(-9 * day), now})
		c := shop(w)
		c.Plan.Audiences = nil
		c.Plan.Features = []profiles.Feature{{Name: "a", Count: "orders"}, {Name: "b", Max: "orders.total"}}
		do(t, s, c, now)
		c.Plan.Features = []profiles.Feature{{Name: "b", Max: "orders.product"}, {Name: "c", Sum: "orders.total"}}
		do(t, s, c, now)
		if got := all(t, s, "select b, c from user_golden"); got != "tea 10.5" {
			t.Errorf("the record is %s", got)
		}
		columns, err := tables.Columns(t.Context(), s, w.Dialect(), profile.Schema, "user_golden")
		if _, there := columns["a"]; err != nil || there {
			t.Errorf("the columns are %v, %v", columns, err)
		}
	})
}
