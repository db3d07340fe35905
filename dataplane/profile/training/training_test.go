package training_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/profile"
	"weir/dataplane/profile/model"
	"weir/dataplane/profile/score"
	"weir/dataplane/profile/training"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

var engines enginetest.Engines

func TestMain(m *testing.M) { engines.Main(m) }

func raw(s string) json.RawMessage { return json.RawMessage(s) }

const day = 24 * time.Hour

var now = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func shop(w tables.Warehouse) profile.Config {
	return profile.Config{
		Name: "customers", SQL: w.Dialect(), Home: "events", Table: func(event string) string { return strings.ReplaceAll(strings.ToLower(event), " ", "_") },
		Plan: profiles.Plan{
			Entities: []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{
				{Name: "user_id", Unique: true}, {Name: "email", Clean: "email", Limit: raw(`{"user_id":3}`)}, {Name: "anonymous_id", Limit: raw(`{"user_id":3}`), Expire: "45d"},
			}}},
			Inputs: []profiles.Input{{Name: "events", Events: "*"}, {Name: "traits", Events: "identify"}, {Name: "orders", Events: "Order Completed"}, {Name: "tickets", From: "desk.tickets", At: "created_at", Changed: "seen_at", IDs: raw(`{"email":"requester"}`)}},
			Features: []profiles.Feature{
				{Name: "orders_90d", Count: "orders", Last: "90d"}, {Name: "away", Since: "orders"}, {Name: "revenue", Sum: "orders.total"}, {Name: "tickets_30d", Count: "tickets", Last: "30d"},
				{Name: "seen", Days: "events"}, {Name: "least", Min: "orders.total"}, {Name: "buyer", Exists: "orders"}, {Name: "mail", Latest: []string{"tickets.requester"}}, {Name: "mean", SQL: "revenue / orders_90d"},
			},
			Scores: []scores.Score{{Name: "churn", Model: scores.Boosted, Among: raw(`{"did":"orders"}`), Predict: raw(`{"not":{"did":"orders","next":"30d"}}`), Cuts: &scores.Cuts{Every: "30d", Count: 3}}},
		},
	}
}

func makeTables(t testing.TB, s tables.Session) {
	t.Helper()
	if _, err := tables.Run(t.Context(), s, "create schema if not exists events", "create schema if not exists desk",
		`create table events.tracks (id text, anonymous_id text, user_id text, event text, "timestamp" timestamptz, received_at timestamptz, uuid_ts timestamptz)`,
		`create table events.identifies (id text, anonymous_id text, user_id text, email text, "timestamp" timestamptz, received_at timestamptz, uuid_ts timestamptz)`,
		`create table events.order_completed (id text, user_id text, anonymous_id text, total double precision, "timestamp" timestamptz, received_at timestamptz, uuid_ts timestamptz)`,
		`create table desk.tickets (id text, requester text, created_at timestamptz, seen_at timestamptz)`); err != nil {
		t.Fatal(err)
	}
}

// lines reads rows as texts, in order.
func lines(t testing.TB, s tables.Session, sql string) (all []string) {
	t.Helper()
	err := s.Rows(t.Context(), sql, func(v []any) error {
		cells := make([]string, len(v))
		for i, x := range v {
			cells[i] = fmt.Sprint(x)
			if f, ok := x.(float64); ok {
				cells[i] = fmt.Sprintf("%.6g", f)
			}
		}
		all = append(all, strings.Join(cells, " "))
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	slices.Sort(all)
	return all
}

// TestNoRowOfTheFuture: examples of a cut are what a run at the cut made of it, though rows came
// late, were of the future, were of others by then, and though identifiers moved since; and what
// came is what today's rows say.
func TestNoRowOfTheFuture(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		d, c := w.Dialect(), shop(w)
		r := rand.New(rand.NewPCG(11, 12))
		names := []string{"orders_90d", "away", "revenue", "tickets_30d", "seen", "least", "case when buyer then 1 else 0 end", "mean"}
		var cells []string
		for _, name := range names {
			cells = append(cells, "cast("+name+" as double precision)")
		}
		cuts := training.Cuts(c.Plan.Scores[0], now)
		slices.Reverse(cuts)
		then := map[string]map[string]string{} // features by identifier, by cut
		text := func(v string) string {
			if v == "" {
				return "null"
			}
			return d.Text(v)
		}
		n := 0
		for i, until := range append(slices.Clone(cuts), now) {
			from := until.Add(-60 * day)
			if i > 0 {
				from = cuts[i-1]
			}
			var tracks, identifies, orders, tickets []string
			for range 90 {
				n++
				known := from.Add(time.Duration(r.Int64N(int64(until.Sub(from)))))
				at := known
				switch r.IntN(6) {
				case 0: // late
					at = known.Add(-time.Duration(r.IntN(100)) * day)
				case 1: // of the future: a clock that goes wrong
					at = known.Add(time.Duration(r.IntN(40)) * day)
				case 2:
					at = until.Add(-time.Duration(r.IntN(2)) * time.Microsecond) // at the edge
				}
				user, anon, mail := fmt.Sprintf("u%d", r.IntN(25)), fmt.Sprintf("a%d", r.IntN(40)), fmt.Sprintf("m%d@home.org", r.IntN(25))
				times := tables.Time(at) + ", " + tables.Time(known) + ", " + tables.Time(known)
				switch r.IntN(5) {
				case 0:
					identifies = append(identifies, fmt.Sprintf("'i%d', %s, %s, %s, %s", n, text(anon), text(user), text(mail), times))
				case 1:
					tickets = append(tickets, fmt.Sprintf("'k%d', %s, %s, %s", n, text(mail), tables.Time(at), tables.Time(known)))
				case 2:
					tracks = append(tracks, fmt.Sprintf("'t%d', %s, null, 'login', %s", n, text(anon), times))
				default:
					if r.IntN(2) == 0 {
						anon = ""
					} else {
						user = ""
					}
					orders = append(orders, fmt.Sprintf("'o%d', %s, %s, %d.25, %s", n, text(user), text(anon), r.IntN(50), times))
				}
			}
			enginetest.Insert(t, s, "events.tracks", tracks)
			enginetest.Insert(t, s, "events.identifies", identifies)
			enginetest.Insert(t, s, "events.order_completed", orders)
			enginetest.Insert(t, s, "desk.tickets", tickets)
			if run, err := profile.Do(t.Context(), s, c, until, profile.Options{}); err != nil || run.State != profile.Published {
				t.Fatalf("%+v, %v", run, err)
			}
			// Among are those who ordered.
			then[until.Format(time.DateOnly)] = map[string]string{}
			for _, line := range lines(t, s, "select i.id_type || ':' || i.value || ' ' || i.weir_id, "+strings.Join(cells, ", ")+" from user_golden g join user_ids i on i.weir_id = g.weir_id where buyer") {
				id, rest, _ := strings.Cut(line, " ")
				then[until.Format(time.DateOnly)][id] = rest
			}
		}
		if _, err := training.Learn(t.Context(), s, c, c.Plan.Scores[0], now); err != nil {
			t.Fatal(err)
		}
		for _, cut := range cuts {
			name := cut.Format(time.DateOnly)
			columns := "orders_90d, away, revenue, tickets_30d, seen, least, buyer, mean"
			got := lines(t, s, "select "+columns+" from user_training_churn where cut = "+tables.Time(cut))
			persons := map[string]string{} // that are somebody today
			for _, id := range lines(t, s, "select id_type || ':' || value from user_ids where weir_id is not null") {
				if line, there := then[name][id]; there {
					who, rest, _ := strings.Cut(line, " ")
					persons[who] = rest
				}
			}
			want := slices.Sorted(maps.Values(persons))
			if !cmp.Equal(got, want) || len(want) < 5 {
				t.Errorf("the examples of %s are not what the run at it made: %s", name, cmp.Diff(want, got))
			}
			// What came, from today's map: an order belongs to its user, else to its device.
			wrong := lines(t, s, fmt.Sprintf(`select e.weir_id, e.came from user_training_churn e left join (select distinct coalesce(u.weir_id, a.weir_id) as weir_id from events.order_completed o
				left join user_ids u on u.id_type = 'user_id' and u.value = o.user_id left join user_ids a on a.id_type = 'anonymous_id' and a.value = o.anonymous_id
				where o."timestamp" >= %s and o."timestamp" < %s) x on x.weir_id = e.weir_id where e.cut = %[1]s and e.came <> (x.weir_id is null)`, tables.Time(cut), tables.Time(cut.Add(30*day))))
			if len(wrong) > 0 {
				t.Errorf("what came after %s is not so for %v", name, wrong)
			}
		}
		left := lines(t, s, "select table_name from information_schema.tables where table_name like '%cut%' or table_name like '!_w!_%' escape '!'")
		if len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		who := strings.Fields(lines(t, s, "select e.weir_id, i.value from user_training_churn e join user_ids i on i.weir_id = e.weir_id where i.id_type = 'user_id'")[0])
		if _, _, err := profile.Erase(t.Context(), s, c, "", "user_id:"+who[1], now); err != nil {
			t.Fatal(err)
		}
		if got := lines(t, s, "select weir_id from user_training_churn where weir_id = "+d.Text(who[0])); len(got) > 0 {
			t.Errorf("the erased person is still an example: %v", got)
		}
	})
}

// customers writes months of customers who order in a month with a probability that depends on
// what their features say at its begin, and returns that probability for the month that follows now.
func customers(t *testing.T, s tables.Session, persons int, months int, odds func(away float64, orders, tickets int) float64) map[string]float64 {
	t.Helper()
	r := rand.New(rand.NewPCG(21, 22))
	var orders, identifies, tickets []string
	next := map[string]float64{}
	for i := range persons {
		user, mail := fmt.Sprintf("u%d", i), fmt.Sprintf("m%d@home.org", i)
		begin := now.Add(-time.Duration(months) * 30 * day)
		times := func(at time.Time) string {
			return tables.Time(at) + ", " + tables.Time(at) + ", " + tables.Time(at)
		}
		identifies = append(identifies, fmt.Sprintf("'i%d', null, '%s', '%s', %s", i, user, mail, times(begin)))
		var ordered, asked []time.Time
		order := func(at time.Time) {
			ordered = append(ordered, at)
			orders = append(orders, fmt.Sprintf("'o%d', '%s', null, 10, %s", len(orders), user, times(at)))
		}
		order(begin.Add(time.Hour))
		for m := 1; m <= months; m++ {
			at := begin.Add(time.Duration(m) * 30 * day)
			away, recent, angry := at.Sub(ordered[len(ordered)-1]).Hours()/24, 0, 0
			for _, x := range ordered {
				if !x.Before(at.Add(-90 * day)) {
					recent++
				}
			}
			for _, x := range asked {
				if !x.Before(at.Add(-30 * day)) {
					angry++
				}
			}
			p := scores.Probability(odds(away, recent, angry))
			if m == months {
				next[user] = p
				break
			}
			if r.Float64() < p {
				var when []time.Duration
				for range 1 + r.IntN(3) {
					when = append(when, time.Duration(r.Int64N(int64(30*day))))
				}
				slices.Sort(when)
				for _, x := range when {
					order(at.Add(x))
				}
			}
			for range max(0, r.IntN(5)-2) {
				x := at.Add(time.Duration(r.Int64N(int64(30 * day))))
				asked = append(asked, x)
				tickets = append(tickets, fmt.Sprintf("'k%d', '%s', %s, %s", len(tickets), mail, tables.Time(x), tables.Time(x)))
			}
		}
	}
	enginetest.Insert(t, s, "events.order_completed", orders)
	enginetest.Insert(t, s, "events.identifies", identifies)
	enginetest.Insert(t, s, "desk.tickets", tickets)
	return next
}

// TestChurnIsNearlyAsGoodAsCanBe: of generated customers of whom the probability is known, the AUC
// of the score in golden records is within 0.02 of the best possible, in a future that was
// not learned from; logistic is within 0.02 where the truth is linear.
func TestChurnIsNearlyAsGoodAsCanBe(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	s, err := w.Session(t.Context(), "profiles")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	makeTables(t, s)
	c := shop(w)
	churn := c.Plan.Scores[0]
	churn.Features = []string{"away", "orders_90d", "tickets_30d"}
	linear := churn
	linear.Name, linear.Model = "linear", scores.Logistic
	c.Plan.Scores = []scores.Score{churn, linear}
	truth := customers(t, s, 4000, 6, func(away float64, orders, tickets int) float64 {
		return 1.2 - away/25 + 0.25*float64(orders) - 1.5*float64(tickets)
	})
	if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := profile.Do(t.Context(), s, c, now, profile.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, one := range c.Plan.Scores {
		l, err := training.Learn(t.Context(), s, c, one, now)
		if err != nil || !l.Live || l.Measured < 3000 {
			t.Fatalf("learned %+v, %v", l, err)
		}
		t.Logf("%s: AUC %.3f, calibration %.3f of %d", one.Name, l.AUC, l.Calibration, l.Measured)
	}
	run, err := profile.Do(t.Context(), s, c, now, profile.Options{})
	if err != nil || len(run.Built["user"].Scores) != 2 || run.Built["user"].Scores[0].Live == nil || run.Built["user"].Scores[0].Code != "" {
		t.Fatalf("%+v, %v", run, err)
	}
	r := rand.New(rand.NewPCG(31, 32))
	var best, boosted, logistic []float64
	var came []bool
	err = s.Rows(t.Context(), "select i.value, g.churn, g.linear from user_golden g join user_ids i on i.weir_id = g.weir_id where i.id_type = 'user_id' order by i.value", func(v []any) error {
		p := 1 - truth[fmt.Sprint(v[0])] // churn is that they do not order
		for range 5 {                    // futures
			best, boosted, logistic, came = append(best, p), append(boosted, v[1].(float64)), append(logistic, v[2].(float64)), append(came, r.Float64() < p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	bayes := model.AUC(best, came)
	t.Logf("%d customers: best possible AUC %.3f, boosted %.3f, logistic %.3f", len(came)/5, bayes, model.AUC(boosted, came), model.AUC(logistic, came))
	for name, said := range map[string][]float64{"boosted": boosted, "logistic": logistic} {
		if auc := model.AUC(said, came); !(math.Abs(bayes-auc) <= 0.02) {
			t.Errorf("the AUC of %s is %.3f and the best possible %.3f", name, auc, bayes)
		}
	}
}

// TestGate: what is not good enough goes live neither at first nor in place of a model that was.
func TestGate(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		c := shop(w)
		churn := &c.Plan.Scores[0]
		churn.Features, churn.Model = []string{"away", "orders_90d"}, scores.Logistic
		churn.Gate = &scores.ModelGate{AUC: 0.99}
		due := func(at time.Time, want int) {
			t.Helper()
			if got, err := training.Due(t.Context(), s, c, at); err != nil || len(got) != want {
				t.Errorf("%d are due, want %d, %v", len(got), want, err)
			}
		}
		learn := func(at time.Time) score.Learned {
			t.Helper()
			l, err := training.Learn(t.Context(), s, c, *churn, at)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		standing := func() score.Standing {
			t.Helper()
			run, err := profile.Do(t.Context(), s, c, now, profile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return run.Built["user"].Scores[0]
		}
		due(now, 1)
		if l := learn(now); l.Code != score.CodeUnlearned {
			t.Errorf("learned from nobody: %+v", l)
		}
		if st := standing(); st.Code != score.CodeUnlearned || st.Persons != 0 || st.Mean != nil || st.Last == nil || st.Last.Lack == nil || *st.Last.Lack != (score.Lack{Of: "all", N: st.Last.Persons, M: score.Fewest}) {
			t.Errorf("without a model: %+v, %+v", st, st.Last)
		}
		customers(t, s, 400, 5, func(away float64, _, _ int) float64 { return 2 - away/12 })
		standing()
		if l := learn(now); l.Code != score.CodeHeld || l.Live || l.AUC < 0.6 {
			t.Errorf("under the gate: %+v", l)
		}
		due(now.Add(time.Hour), 0)
		due(now.Add(25*time.Hour), 1)
		if st := standing(); st.Code != score.CodeHeld || st.Persons != 0 || st.Live != nil || st.Mean != nil || st.Last.Lack != nil {
			t.Errorf("a model under the gate is the score's: %+v", st)
		}
		churn.Gate.AUC = 0.6
		due(now, 1)
		good := learn(now)
		if !good.Live || good.Code != "" {
			t.Errorf("above the gate: %+v", good)
		}
		due(now.Add(29*day), 0)
		due(now.Add(30*day), 1)
		if st := standing(); st.Persons == 0 || st.Live == nil || st.Live.AUC != good.AUC || st.Drift == nil || *st.Drift != 0 {
			t.Errorf("with a model: %+v", st)
		}
		churn.Gate.Calibration = 1e-9
		due(now, 1)
		if l := learn(now.Add(time.Hour)); l.Code != score.CodeHeld {
			t.Errorf("not calibrated: %+v", l)
		}
		if st := standing(); st.Persons == 0 || !st.Live.At.Equal(good.At) || st.Code != score.CodeHeld {
			t.Errorf("the former model did not stay: %+v", st)
		}
		c.Plan.Features = slices.DeleteFunc(c.Plan.Features, func(f profiles.Feature) bool { return f.Name == "away" })
		churn.Features = []string{"orders_90d"}
		if st := standing(); st.Persons != 0 {
			t.Errorf("a model whose feature went is still in use: %+v", st)
		}
	})
}
