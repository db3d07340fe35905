package profile_test

import (
	"fmt"
	"math"
	"testing"

	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// TestDrift: a score that lies as it lay has none, one that moved is told by code and number,
// and one that is declared otherwise begins anew.
func TestDrift(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		c := shop(w)
		c.Plan.Audiences, c.Plan.Features = nil, []profiles.Feature{{Name: "revenue", Sum: "orders.total"}, {Name: "most", Max: "orders.total"}}
		c.Plan.Scores = []scores.Score{{Name: "worth", Model: scores.SQL, SQL: "revenue / 2"}, {Name: "churn", Model: scores.Logistic, Weights: raw(`{"most":-0.1}`)}}
		add := func(from, to int, total func(i int) float64) {
			var orders [][]any
			for i := from; i < to; i++ {
				orders = append(orders, []any{fmt.Sprintf("o%d", i), fmt.Sprintf("u%d", i), total(i), "tea", now.Add(-day), now})
			}
			rows(t, s, w.Dialect(), "events.order_completed", orders...)
		}
		stand := func() [2]score.Standing {
			t.Helper()
			r, err := profile.Do(t.Context(), s, c, now, profile.Options{Full: true})
			if err != nil || len(r.Built["user"].Scores) != 2 {
				t.Fatalf("%+v, %v", r, err)
			}
			return [2]score.Standing(r.Built["user"].Scores)
		}
		add(0, 99, func(i int) float64 { return float64(i) })
		if got := stand(); got[0].Persons != 99 || got[0].Drift != nil || *got[0].Mean != 24.5 {
			t.Errorf("of too few persons: %+v", got)
		}
		add(99, 200, func(i int) float64 { return float64(i) })
		for range 2 {
			if got := stand(); got[0].Persons != 200 || got[0].Drift == nil || *got[0].Drift != 0 || got[0].Code != "" || got[0].From == nil || got[1].Name != "churn" || *got[1].Drift != 0 {
				t.Errorf("at first: %+v", got)
			}
		}
		spread, err := answers.Scores(t.Context(), s, c)
		if err != nil || len(spread) != 2 || spread[0].Name != "worth" || spread[0].Persons != 200 || spread[0].Known != 200 || spread[0].Numbers.Max != 99.5 || spread[0].Numbers.Persons[11] != 17 {
			t.Errorf("they lie as %+v, %v", spread, err)
		}
		draft := profile.Draft{Scores: []scores.Score{{Name: "value", Model: scores.SQL, SQL: "revenue * 2"}}}
		if v, err := c.Preview(t.Context(), s, "value", draft, now); err != nil || v.Known != 200 || v.Numbers.Max != 398 {
			t.Errorf("one that is not saved is %+v, %v", v, err)
		}
		add(200, 400, func(i int) float64 { return float64(i - 200) })
		if got := stand(); math.Abs(*got[0].Drift) > 1e-9 || got[0].Code != "" {
			t.Errorf("twice as many alike: %+v, %v", got, *got[0].Drift)
		}
		add(400, 600, func(int) float64 { return 199 }) // a third of the persons is in the last tenth
		got := stand()
		want := 0.0
		for _, pq := range [][2]float64{{240.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}, {40.0 / 600, 0.1}} {
			want += (pq[0] - pq[1]) * math.Log(pq[0]/pq[1])
		}
		if math.Abs(*got[0].Drift-want) > 1e-9 || got[0].Code != score.CodeDrifted || got[1].Code != score.CodeDrifted {
			t.Errorf("moved: %+v, %v, want %v", got, *got[0].Drift, want)
		}
		c.Plan.Scores[0].SQL = "revenue / 4"
		if got := stand(); *got[0].Drift != 0 || got[0].Code != "" || got[1].Code != score.CodeDrifted {
			t.Errorf("declared otherwise: %+v", got)
		}
	})
}
