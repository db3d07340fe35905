package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// TestScores: scores stand in golden records as what their models say, are of use to
// audiences, and have a lineage and a preview.
func TestScores(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		r := rand.New(rand.NewPCG(5, 6))
		var orders [][]any
		for i := range 60 {
			for k := range r.IntN(4) {
				orders = append(orders, []any{fmt.Sprintf("o%d-%d", i, k), fmt.Sprintf("u%d", i), []any{r.NormFloat64() * 100, 0, 1e200, -1e-200, nil}[r.IntN(5)], []any{"tea", "7.5", "0.25"}[r.IntN(3)], now.Add(-day), now})
			}
		}
		rows(t, s, w.Dialect(), "events.order_completed", orders...)
		c := shop(w)
		c.Plan.Scores = []scores.Score{
			{Name: "churn", Model: scores.Logistic, Intercept: -0.3, Weights: raw(`{"least":0.01,"buyer":-1,"last_product":2,"products":0.7,"mail":5,"most":1e-12}`)},
			{Name: "ready", Model: scores.SQL, SQL: "products / 2"}, {Name: "given", Model: scores.Table, Table: "orders.product"},
		}
		c.Plan.Audiences = []profiles.Audience{{Name: "leaving", Where: raw(`{"churn":{"atLeast":0.5}}`)}}
		if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
			t.Fatal(problems)
		}
		do(t, s, c, now)
		persons, leaving := 0, int64(0)
		err := s.Rows(t.Context(), "select least, most, last_product, products, churn, ready, given from user_golden", func(v []any) error {
			persons++
			x := map[string]float64{"buyer": 1, "products": float64(v[3].(int64)), "least": number(v[0]), "most": number(v[1]), "last_product": number(v[2])}
			if got, want := v[4].(float64), c.Plan.Scores[0].Weigh(x); !(math.Abs(got-want) < 1e-9) {
				t.Errorf("churn of %v is %v, want %v", x, got, want)
			}
			if v[4].(float64) >= 0.5 {
				leaving++
			}
			if given := number(v[6]); v[5] == nil || v[6] == nil && v[2] != "tea" && v[2] != nil || v[6] != nil && given != number(v[2]) {
				t.Errorf("the scores of %v are %v and %v", v[2], v[5], v[6])
			}
			return nil
		})
		if err != nil || persons < 30 {
			t.Errorf("%d persons, %v", persons, err)
		}
		if n, err := tables.Int(t.Context(), s, "select count(*) from user_audiences"); err != nil || n != leaving || n == 0 {
			t.Errorf("%d leave, want %d, %v", n, leaving, err)
		}
		if r := do(t, s, c, now); r.Built["user"].Changed != 0 {
			t.Errorf("the same again changed %+v", r)
		}
		v, err := c.Preview(t.Context(), s, "churn", profile.Draft{}, now)
		if err != nil || v.Known != int64(persons) || !slices.Contains(v.Lineage, "events.order_completed.total") {
			t.Errorf("the preview is %+v, %v", v, err)
		}
		columns, err := tables.Columns(t.Context(), s, w.Dialect(), profile.Schema, "user_golden")
		for name := range columns {
			if strings.HasPrefix(name, "_") || len(name) == 2 && (name[0] == 'x' || name[0] == 'r') {
				t.Errorf("the record has the column %s, %v", name, err)
			}
		}
	})
}

// number is a feature's value as models take it.
func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		var f float64
		if _, err := fmt.Sscan(v, &f); err == nil {
			return f
		}
	}
	return 0
}
