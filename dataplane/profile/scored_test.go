package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
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

// TestImportedModels: models of trees, in SQL, are what they are in Go.
func TestImportedModels(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		makeTables(t, s)
		r := rand.New(rand.NewPCG(7, 8))
		var orders [][]any
		for i := range 80 {
			for k := range 1 + r.IntN(3) {
				orders = append(orders, []any{fmt.Sprintf("o%d-%d", i, k), fmt.Sprintf("u%d", i), []any{r.NormFloat64() * 5, float64(r.IntN(8)), 0.1, nil}[r.IntN(4)], []any{"tea", "30.5", "31"}[r.IntN(3)], now.Add(-day), now})
			}
		}
		rows(t, s, w.Dialect(), "events.order_completed", orders...)
		c := shop(w)
		c.Plan.Audiences = nil
		text := func(name string) string {
			b, err := os.ReadFile("../../shared/workspace/profiles/scores/testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		c.Plan.Scores = []scores.Score{
			{Name: "light", Model: scores.Boosted, LightGBM: text("light.txt"), Features: []string{"last_product", "least", "buyer"}},
			{Name: "xg", Model: scores.Boosted, XGBoost: text("xg.json"), Features: []string{"most", "least"}},
			{Name: "many", Model: scores.Boosted, LightGBM: forest(r, 60), Features: []string{"least", "most", "products", "mail"}},
		}
		if problems := profiles.Check(c.Plan, "p"); len(problems) > 0 {
			t.Fatal(problems)
		}
		do(t, s, c, now)
		persons := 0
		value := func(v any) float64 {
			switch v := v.(type) {
			case float64:
				return v
			case int64:
				return float64(v)
			case string:
				if f, err := strconv.ParseFloat(v, 64); err == nil {
					return f
				}
			}
			return math.NaN()
		}
		err := s.Rows(t.Context(), "select last_product, least, most, products, light, xg, many from user_golden", func(v []any) error {
			persons++
			least, most := value(v[1]), value(v[2])
			for i, x := range [][]float64{{value(v[0]), least, 1}, {most, least}, {least, most, value(v[3]), math.NaN()}} {
				m, _, err := c.Plan.Scores[i].Imported()
				if got, want := value(v[4+i]), m.Score(x); err != nil || !(math.Abs(got-want) < 1e-9) {
					t.Errorf("%s of %v is %v, want %v, %v", c.Plan.Scores[i].Name, x, got, want, err)
				}
			}
			return nil
		})
		if err != nil || persons != 80 {
			t.Errorf("%d persons, %v", persons, err)
		}
	})
}

// forest is a model of LightGBM with random trees of seven leaves over four features.
func forest(r *rand.Rand, trees int) string {
	var b strings.Builder
	b.WriteString("tree\nversion=v3\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=3\nobjective=regression\nfeature_names=a b c d\n")
	for i := range trees {
		var features, thresholds, kinds, values []string
		for range 6 {
			features = append(features, strconv.Itoa(r.IntN(4)))
			thresholds = append(thresholds, strconv.FormatFloat([]float64{r.NormFloat64() * 4, 0, 1.0000000180025095e-35, 0.1}[r.IntN(4)], 'g', -1, 64))
			kinds = append(kinds, strconv.Itoa([]int{0, 2, 4, 6, 8, 10}[r.IntN(6)]))
		}
		for range 7 {
			values = append(values, strconv.FormatFloat(r.NormFloat64(), 'g', -1, 64))
		}
		fmt.Fprintf(&b, "\nTree=%d\nnum_leaves=7\nnum_cat=0\nsplit_feature=%s\nthreshold=%s\ndecision_type=%s\nleft_child=1 3 -1 -3 -4 -6\nright_child=2 4 5 -2 -5 -7\nleaf_value=%s\n",
			i, strings.Join(features, " "), strings.Join(thresholds, " "), strings.Join(kinds, " "), strings.Join(values, " "))
	}
	return b.String() + "\n\nend of trees\n"
}
