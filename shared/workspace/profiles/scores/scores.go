// Package scores is the declaration of scores, numbers that say of a person what is likely,
// and the models behind them, which it also computes: the measure of what a warehouse makes
// of them.
package scores

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Score is a number for each person, computed from features. Audiences and syncs use it
// like a feature.
type Score struct {
	Name      string          `json:"name" doc:"1 to 50 of a-z, 0-9 and '_', a letter first; no feature has it"`
	Entity    string          `json:"entity,omitempty" doc:"Whose score it is; the first entity's when absent"`
	Model     string          `json:"model" one:"boosted,logistic,sql,table" doc:"How it is computed: boosted by the trees of a model that LightGBM or XGBoost saved or that the plane learned, logistic from weights of features that are given or learned, sql by an expression of them, table is read from an input in which something else writes it"`
	Intercept float64         `json:"intercept,omitempty" doc:"Of logistic: what is added to the weighed features; 0 when absent"`
	Weights   json.RawMessage `json:"weights,omitempty" doc:"Of logistic: a number by the name of a feature; true counts as 1, what is no number or not known as 0"`
	LightGBM  string          `json:"lightgbm,omitempty" doc:"Of boosted: the model, as LightGBM saves it as text"`
	XGBoost   string          `json:"xgboost,omitempty" doc:"Of boosted: the model, as XGBoost saves it as JSON"`
	Features  []string        `json:"features,omitempty" doc:"Of boosted: the features in the model's order; when absent those that the model names. Of predict: the features from which it is learned; when absent all that are numbers"`
	Predict   json.RawMessage `json:"predict,omitempty" doc:"Of boosted and logistic, in place of a model or weights: what the score is the probability of, which the plane learns from your rows; did with next, as { not: { did: orders, next: 30d } }"`
	Among     json.RawMessage `json:"among,omitempty" doc:"Of predict: conditions on features and did that persons fulfil from whom it is learned; everybody when absent"`
	Cuts      *Cuts           `json:"cuts,omitempty" doc:"Of predict: the moments at which persons are looked at"`
	Gate      *ModelGate      `json:"gate,omitempty" doc:"Of predict: how good a model has to be before the score is its"`
	SQL       string          `json:"sql,omitempty" doc:"Of sql: an expression of features, as features have it"`
	Table     string          `json:"table,omitempty" doc:"Of table: the input.column whose last value that is known is the score"`
}

// Cuts are the moments at which persons are looked at to learn what came of them.
type Cuts struct {
	Every string `json:"every,omitempty" doc:"From one cut to the next, and how often a model is learned anew; 30d when absent"`
	Count int    `json:"count,omitempty" least:"1" most:"24" doc:"How many; 6 when absent. The newest one, whose future has just come, is what a model is measured with"`
}

// ModelGate is how good a model has to be before a score is its.
type ModelGate struct {
	AUC         float64 `json:"auc,omitempty" doc:"How likely somebody for whom it came has a higher score than somebody for whom it did not, at least; above 0.5, 0.6 when absent"`
	Calibration float64 `json:"calibration,omitempty" doc:"How far the score may be from how often it came, at most, over ten groups of persons in the mean; 0.1 when absent"`
}

// Learned reports whether the plane learns the score's model.
func (s Score) Learned() bool { return len(s.Predict) > 0 && string(s.Predict) != "null" }

// Gated is the gate with what it has when nothing is said.
func (s Score) Gated() ModelGate {
	g := ModelGate{AUC: 0.6, Calibration: 0.1}
	if s.Gate != nil && s.Gate.AUC != 0 {
		g.AUC = s.Gate.AUC
	}
	if s.Gate != nil && s.Gate.Calibration != 0 {
		g.Calibration = s.Gate.Calibration
	}
	return g
}

// Times is how many cuts there are.
func (s Score) Times() int {
	if s.Cuts == nil || s.Cuts.Count == 0 {
		return 6
	}
	return s.Cuts.Count
}

// Models that a score can have.
const (
	Boosted  = "boosted"
	Logistic = "logistic"
	SQL      = "sql"
	Table    = "table"
)

// Most is the greatest value, of either sign, that models take: greater ones count as this
// one, and those nearer to 0 than Least as 0. So no product leaves a warehouse's numbers.
// Numbers from Beyond, and those that are not 0 and nearer to it than Within, are not known:
// not every warehouse reads their exponents of three digits.
const (
	Most   = 1e30
	Least  = 1e-30
	Beyond = 1e100
	Within = 1e-99
)

// maxWeights is how many features a logistic score weighs.
const maxWeights = 100

// Weighed reads the weights. Its errors say what is wrong.
func (s Score) Weighed() (weights map[string]float64, err error) {
	if err := json.Unmarshal(s.Weights, &weights); err != nil {
		return nil, fmt.Errorf("weights are numbers by the name of a feature, as { revenue: -0.02 }")
	}
	if len(weights) == 0 || len(weights) > maxWeights {
		return nil, fmt.Errorf("a logistic score has 1 to %d weights", maxWeights)
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if w := math.Abs(weights[name]); w != 0 && (w < 1e-15 || w > 1e15) {
			return nil, fmt.Errorf("the weight of %s is neither 0 nor, without its sign, from 1e-15 to 1e15", name)
		}
	}
	return weights, nil
}

// Clean is a value as models take it.
func Clean(x float64) (value float64, known bool) {
	size := math.Abs(x)
	switch {
	case !(size < Beyond) || size < Within && size > 0: // NaN is neither
		return 0, false
	case size < Least:
		return 0, true
	}
	return min(max(x, -Most), Most), true
}

// Probability is the logistic function of x, which counts as at most 700 of either sign.
func Probability(x float64) float64 { return 1 / (1 + math.Exp(-min(max(x, -700), 700))) }

// Weigh computes a logistic score from a person's features, by name; one that is missing
// counts as 0. The score has no problems.
func (s Score) Weigh(features map[string]float64) float64 {
	weights, _ := s.Weighed() // it was checked
	z := s.Intercept
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if x, known := Clean(features[name]); known {
			z += weights[name] * x
		}
	}
	return Probability(z)
}

// Imported reads the model of a boosted score, and the features that it takes in the model's
// order. Its errors say what is wrong.
func (s Score) Imported() (m Model, features []string, err error) {
	switch {
	case (s.LightGBM == "") == (s.XGBoost == ""):
		return m, nil, fmt.Errorf("a boosted score has a model, in lightgbm or in xgboost")
	case s.LightGBM != "":
		m, err = LightGBM(s.LightGBM)
	default:
		m, err = XGBoost(s.XGBoost)
	}
	features = s.Features
	if len(features) == 0 {
		features = m.Features
	}
	switch {
	case err != nil:
	case len(features) != len(m.Features):
		err = fmt.Errorf("the model takes %d features, and features names %d", len(m.Features), len(features))
	case slices.Contains(features, ""):
		err = fmt.Errorf("the model does not name its features; say in features which ones they are, in its order")
	}
	return m, features, err
}
