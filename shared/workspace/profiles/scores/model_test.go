package scores_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"weir/shared/workspace/profiles/scores"
)

func file(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var nan = math.NaN()

// TestLightGBM: what the trees of testdata/light.txt say, worked out by hand.
func TestLightGBM(t *testing.T) {
	t.Parallel()
	m, err := scores.LightGBM(file(t, "light.txt"))
	if err != nil || fmt.Sprint(m.Features) != "[days tickets paid]" || len(m.Trees) != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, one := range []struct {
		x   []float64
		sum float64
	}{
		{[]float64{10, 0, 1}, -0.5 + 0.1 + 0.05}, {[]float64{30.5, 3, 1}, -0.5 + 0.3 + 0.05}, {[]float64{30.50001, 3, 0}, 0.75 + 0.3 + 0.05},
		{[]float64{nan, nan, nan}, 0.75 + 0.1 + 0.05},  // days: NaN is unknown and goes right; tickets: 0 and unknown go left
		{[]float64{31, 0, nan}, 0.75 + 0.1 + 0.05},     // paid: unknown is 0, which is at most 0.5
		{[]float64{31, -1, 1}, 0.25 + 0.1 + 0.05},      // below
		{[]float64{31, 1e-40, 0.5}, 0.75 + 0.1 + 0.05}, // so near to 0 it is 0
	} {
		if got, want := m.Score(one.x), 1/(1+math.Exp(-one.sum)); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v has %v, want %v", one.x, got, want)
		}
	}
}

// TestXGBoost: the same of testdata/xg.json.
func TestXGBoost(t *testing.T) {
	t.Parallel()
	m, err := scores.XGBoost(file(t, "xg.json"))
	if err != nil || fmt.Sprint(m.Features) != "[days tickets]" || len(m.Trees) != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	leaf := func(f float32) float64 { return float64(f) }
	for _, one := range []struct {
		x   []float64
		sum float64
	}{
		{[]float64{0.1, 0}, leaf(0.4) + leaf(0.01)}, // 0.1 is not below the float next to 0.1, in single precision
		{[]float64{0.09, 0}, leaf(-0.6) + leaf(0.01)}, {[]float64{5, 3}, leaf(0.4) + leaf(0.01)}, {[]float64{5, 7}, leaf(0.9) + leaf(0.01)},
		{[]float64{nan, nan}, leaf(-0.6) + leaf(0.01)}, {[]float64{5, nan}, leaf(0.9) + leaf(0.01)},
	} {
		want := 1 / (1 + math.Exp(-(math.Log(0.25/0.75) + one.sum)))
		if got := m.Score(one.x); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v has %v, want %v", one.x, got, want)
		}
	}
	newer := strings.Replace(file(t, "xg.json"), `"2.5E-1"`, `"[2.5E-1]"`, 1)
	if again, err := scores.XGBoost(newer); err != nil || again.Base != m.Base {
		t.Errorf("a base score in brackets: %v, %v", again.Base, err)
	}
}

// TestModelsThatCannotBeRead: each has a reason.
func TestModelsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	light, xg := file(t, "light.txt"), file(t, "xg.json")
	for _, one := range [][3]string{
		{"version=v4", "version=v9", "version"}, {"num_class=1", "num_class=3", "classes"}, {"objective=binary sigmoid:1", "objective=poisson", "objective"}, {"sigmoid:1", "sigmoid:0", "sigmoid"},
		{"max_feature_idx=2", "max_feature_idx=9", "fit"}, {"Tree=1", "Tree=7", "order"}, {"num_cat=0", "num_cat=1", "categories"}, {"is_linear=0", "is_linear=1", "linear"},
		{"left_child=1 -1", "left_child=0 -1", "two ways"}, {"left_child=1 -1", "left_child=1 -9", "cannot be read"}, {"left_child=1 -1", "left_child=-3 -1", "never reached"}, {"threshold=30.5 0.5", "threshold=30.5", "1 numbers"},
		{"threshold=30.5 0.5", "threshold=NaN 0.5", "no number of use"}, {"threshold=30.5 0.5", "threshold=Inf 0.5", "no number of use"}, {"leaf_value=-0.5", "leaf_value=1e31", "no number of use"}, {"split_feature=0", "split_feature=5", "feature"},
		{"decision_type=8", "decision_type=1", "categories"}, {"end of trees", "", "early"}, {"tree\n", "forest\n", "first line"}, {"num_leaves=3", "num_leaves=3\nnum_leaves=3", "twice"},
	} {
		if _, err := scores.LightGBM(strings.Replace(light, one[0], one[1], 1)); err == nil || !strings.Contains(err.Error(), one[2]) {
			t.Errorf("%s: %v", one[1], err)
		}
	}
	for _, one := range [][3]string{
		{"binary:logistic", "multi:softprob", "objective"}, {`"gbtree"`, `"dart"`, "booster"}, {`"num_class":"0"`, `"num_class":"3"`, "classes"}, {`"2.5E-1"`, `"1"`, "base_score"}, {`"2.5E-1"`, `"NaN"`, "base_score"},
		{`"num_class":"0","num_feature":"2"`, `"num_class":"0","num_feature":"3"`, "feature_names"}, {`"split_type":[0,`, `"split_type":[1,`, "categories"}, {`"left_children":[1,`, `"left_children":[0,`, "two ways"}, {`"left_children":[1,`, `"left_children":[77,`, "not there"},
		{`"default_left":[1,`, `"default_left":[2,`, "no model"}, {`"split_indices":[0,`, `"split_indices":[9,`, "feature"}, {`"split_indices":[0,`, `"split_indices":[`, "equally long"}, {`"learner"`, `"teacher"`, "learner"}, {`{`, `[`, "no model"}, {"1e-1", "1e60", "no number"},
	} {
		if _, err := scores.XGBoost(strings.Replace(xg, one[0], one[1], 1)); err == nil || !strings.Contains(err.Error(), one[2]) {
			t.Errorf("%s: %v", one[1], err)
		}
	}
	if _, err := scores.LightGBM(strings.Repeat("x", scores.MaxModel+1)); err == nil {
		t.Error("a model is too long")
	}
	// a chain that is too deep
	var left, right, feature, threshold, flags []string
	for i := range 60 {
		left, right = append(left, fmt.Sprint(2*i+1), "-1"), append(right, fmt.Sprint(2*i+2), "-1")
		feature, threshold, flags = append(feature, "0", "0"), append(threshold, "1", "1"), append(flags, "0", "0")
	}
	left[118], right[118] = "-1", "-1"
	// nodes 0, 2, 4 and on divide; 1, 3, 5 and on are leaves
	deep := fmt.Sprintf(`{"learner":{"gradient_booster":{"name":"gbtree","model":{"trees":[{"left_children":[%s],"right_children":[%s],"split_indices":[%s],"split_conditions":[%s],"default_left":[%s]}]}},"learner_model_param":{"base_score":"0","num_feature":"1"},"objective":{"name":"reg:squarederror"}}}`,
		strings.Join(left[:119], ","), strings.Join(right[:119], ","), strings.Join(feature[:119], ","), strings.Join(threshold[:119], ","), strings.Join(flags[:119], ","))
	if _, err := scores.XGBoost(deep); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("a deep tree: %v", err)
	}
}

// FuzzModels: whatever is read scores every person with a number.
func FuzzModels(f *testing.F) {
	f.Add(file(f, "light.txt"))
	f.Add(file(f, "xg.json"))
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func(string) (scores.Model, error){scores.LightGBM, scores.XGBoost} {
			m, err := read(text)
			if err != nil {
				continue
			}
			for _, x := range []float64{nan, 0, 1e300, -1e300, 0.5, math.Inf(1)} {
				all := make([]float64, len(m.Features))
				for i := range all {
					all[i] = x
				}
				if got := m.Score(all); math.IsNaN(got) || math.IsInf(got, 0) {
					t.Errorf("all %v give %v", x, got)
				}
			}
		}
	})
}
