package profiles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/shared/workspace/profiles/scores"
)

// maxScores is how many scores a plan has.
const maxScores = 20

// scores checks scores, which are above all features: they use no score. Audiences and the
// lookup find them among the features.
func (k *check) scores(list []scores.Score) {
	k.count(".scores", len(list), 0, maxScores)
	for i, s := range list {
		k.score(fmt.Sprintf(".scores[%d]", i), s)
	}
	for i, s := range list {
		path := fmt.Sprintf(".scores[%d].name", i)
		k.name(path, s.Name, 50, k.features[s.Name] > 0)
		k.features[s.Name] = i + 1
	}
}

// score checks one.
func (k *check) score(path string, s scores.Score) {
	k.entity(path, s.Entity)
	given := []struct {
		key, model string
		there      bool
	}{{"lightgbm", scores.Boosted, s.LightGBM != ""}, {"xgboost", scores.Boosted, s.XGBoost != ""}, {"features", scores.Boosted, len(s.Features) > 0}, {"intercept", scores.Logistic, s.Intercept != 0}, {"weights", scores.Logistic, len(s.Weights) > 0}, {"sql", scores.SQL, s.SQL != ""}, {"table", scores.Table, s.Table != ""}}
	for _, g := range given {
		if g.there && g.model != s.Model {
			k.add(path+"."+g.key, "not_allowed", "%s is for scores of the model %s.", g.key, g.model)
		}
	}
	var uses []string
	var err error
	key := s.Model
	switch s.Model {
	case scores.Logistic:
		key = "weights"
		var weights map[string]float64
		weights, err = s.Weighed()
		uses = slices.Sorted(maps.Keys(weights))
	case scores.Boosted:
		if key = "lightgbm"; s.XGBoost != "" {
			key = "xgboost"
		}
		if _, uses, err = s.Imported(); err != nil {
			uses = s.Features
		}
	case scores.SQL:
		var e Expression
		e, err = ParseExpression(s.SQL)
		uses = e.Uses
	case scores.Table:
		if input, column, _ := strings.Cut(s.Table, "."); column == "" || !k.inputs[input] {
			k.add(path+".table", "unknown_input", "Say of which input and column, as input.column; there is no input %s.", input)
		}
		return
	default:
		k.add(path+".model", "not_in_enum", "model is boosted, logistic, sql or table.")
		return
	}
	if err != nil {
		k.add(path+"."+key, map[bool]string{true: "bad_model", false: "bad_expression"}[s.Model == scores.Boosted], "%s.", sentence(err))
	}
	for _, u := range uses {
		if k.features[u] == 0 {
			k.add(path+"."+key, "unknown_feature", "There is no feature %s.", u)
		}
	}
}
