package profiles

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
		k.name(path, s.Name, 50, k.has(s.Name))
		k.features[s.Name] = cmp.Or(s.Entity, k.first)
	}
}

// score checks one.
func (k *check) score(path string, s scores.Score) {
	k.entity(path, s.Entity)
	given := []struct {
		key, model string
		there      bool
	}{{"lightgbm", scores.Boosted, s.LightGBM != ""}, {"xgboost", scores.Boosted, s.XGBoost != ""}, {"intercept", scores.Logistic, s.Intercept != 0}, {"weights", scores.Logistic, len(s.Weights) > 0}, {"sql", scores.SQL, s.SQL != ""}, {"table", scores.Table, s.Table != ""}}
	for _, g := range given {
		if g.there && g.model != s.Model {
			k.add(path+"."+g.key, "not_allowed", "%s is for scores of the model %s.", g.key, g.model)
		}
	}
	if k.learned(path, s) {
		return
	}
	if s.Model != scores.Boosted && len(s.Features) > 0 {
		k.add(path+".features", "not_allowed", "features is for scores of the model boosted, and for those with predict.")
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
	k.uses(path+"."+key, s.Entity, uses...)
}

// maxLearned is from how many features a score is learned.
const maxLearned = 100

// learned checks what a score says of learning its model, and reports whether it is to be learned.
func (k *check) learned(path string, s scores.Score) bool {
	if !s.Learned() {
		for _, x := range []struct {
			key   string
			there bool
		}{{"among", len(s.Among) > 0}, {"cuts", s.Cuts != nil}, {"gate", s.Gate != nil}} {
			if x.there {
				k.add(path+"."+x.key, "not_allowed", "%s is for scores with predict.", x.key)
			}
		}
		return false
	}
	switch {
	case s.Model != scores.Boosted && s.Model != scores.Logistic:
		k.add(path+".predict", "not_allowed", "A score with predict has the model boosted or logistic.")
	case s.LightGBM != "" || s.XGBoost != "" || len(s.Weights) > 0 || s.Intercept != 0:
		k.add(path+".predict", "not_allowed", "A score is learned, with predict, or has a model or weights that are given.")
	}
	k.count(path+".features", len(s.Features), 0, maxLearned)
	k.uses(path+".features", s.Entity, s.Features...)
	if c, err := ParseCondition(s.Among); err != nil {
		k.add(path+".among", "bad_condition", "%s.", sentence(err))
	} else {
		k.condition(path+".among", c, true, s.Entity)
	}
	if c, err := ParseCondition(s.Predict); err != nil {
		k.add(path+".predict", "bad_condition", "%s.", sentence(err))
	} else {
		k.predict(path+".predict", c)
	}
	if s.Cuts != nil && s.Cuts.Every != "" {
		k.time(path+".cuts.every", s.Cuts.Every)
	}
	if n := s.Times(); n < 1 || n > 24 {
		k.add(path+".cuts.count", "too_many", "There are 1 to 24 cuts.")
	}
	if g := s.Gated(); !(g.AUC > 0.5 && g.AUC < 1) || !(g.Calibration > 0 && g.Calibration <= 1) {
		k.add(path+".gate", "bad_share", "auc is a number above 0.5 and below 1, and calibration one above 0 and at most 1.")
	}
	return true
}

// predict checks that a condition is one of what comes.
func (k *check) predict(path string, c Condition) {
	says := false
	c.Walk(func(x Condition) {
		switch {
		case x.Name != "" || x.Did != nil && x.Did.Next == 0:
			k.add(path, "bad_condition", "What a score predicts is did with next, such as { did: orders, next: 30d }; not, any and all may stand around it.")
		case x.Did != nil && !k.inputs[x.Did.Input]:
			k.add(path, "unknown_input", "There is no input %s.", x.Did.Input)
		case x.Did != nil:
			says = true
			k.condition(path, x.Did.Where, false, "")
		}
	})
	if !says {
		k.add(path, "required", "Say what the score predicts, such as { did: orders, next: 30d }.")
	}
}

// Ahead is how far what a score predicts looks ahead at most.
func (c Condition) Ahead() (most time.Duration) {
	c.Walk(func(x Condition) {
		if x.Did != nil {
			most = max(most, x.Did.Next)
		}
	})
	return most
}
