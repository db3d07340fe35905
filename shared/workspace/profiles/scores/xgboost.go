package scores

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// xgboost is what a model of XGBoost, saved as JSON, has of trees; the schema is
// doc/model.schema of its documentation ("Introduction to Model IO").
type xgboost struct {
	Learner *struct {
		FeatureNames    []string `json:"feature_names"`
		GradientBooster struct {
			Name  string `json:"name"`
			Model struct {
				TreeInfo []int         `json:"tree_info"`
				Trees    []xgboostTree `json:"trees"`
			} `json:"model"`
		} `json:"gradient_booster"`
		ModelParam struct {
			BaseScore  string `json:"base_score"`
			NumClass   string `json:"num_class"`
			NumFeature string `json:"num_feature"`
			NumTarget  string `json:"num_target"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
	} `json:"learner"`
}

type xgboostTree struct {
	Left        []int     `json:"left_children"`
	Right       []int     `json:"right_children"`
	Feature     []int     `json:"split_indices"`
	Threshold   []float64 `json:"split_conditions"`
	DefaultLeft []flag    `json:"default_left"`
	SplitType   []int     `json:"split_type"`
}

// flag is written as true and false, or as 1 and 0.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true", "1":
		*f = true
	case "false", "0":
		*f = false
	default:
		return errors.New("default_left is neither true nor false")
	}
	return nil
}

// XGBoost reads a model that XGBoost saved as JSON: trees of numbers (gbtree) for a
// probability or a number. Its errors say what is wrong.
func XGBoost(text string) (m Model, err error) {
	if len(text) > MaxModel {
		return m, fmt.Errorf("the model is longer than %d bytes", MaxModel)
	}
	var doc xgboost
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return m, errors.New("this is no model that XGBoost saved as JSON")
	}
	if doc.Learner == nil {
		return m, errors.New("the model has no learner: save it as JSON with save_model")
	}
	l := doc.Learner
	switch l.Objective.Name {
	case "binary:logistic", "reg:logistic":
		m.Probability = 1
	case "reg:squarederror", "reg:linear", "reg:pseudohubererror", "reg:absoluteerror", "binary:logitraw":
	default:
		return m, fmt.Errorf("the objective %s is not known; known are binary:logistic, reg:logistic, binary:logitraw, reg:squarederror, reg:absoluteerror and reg:pseudohubererror", word(l.Objective.Name))
	}
	if l.GradientBooster.Name != "gbtree" {
		return m, fmt.Errorf("the booster is %s, and only gbtree can be read", word(l.GradientBooster.Name))
	}
	if c := l.ModelParam.NumClass; c != "" && c != "0" && c != "1" || l.ModelParam.NumTarget != "" && l.ModelParam.NumTarget != "1" {
		return m, errors.New("the model has several classes or targets; a score is one number")
	}
	n, err := strconv.Atoi(l.ModelParam.NumFeature)
	if err != nil || n < 1 || n > maxFeatures {
		return m, fmt.Errorf("num_feature is no number from 1 to %d", maxFeatures)
	}
	m.Features, m.Single = make([]string, n), true
	if len(l.FeatureNames) > 0 {
		if len(l.FeatureNames) != n {
			return m, fmt.Errorf("there are %d feature_names for %d features", len(l.FeatureNames), n)
		}
		copy(m.Features, l.FeatureNames)
	}
	base, err := strconv.ParseFloat(strings.Trim(l.ModelParam.BaseScore, "[]"), 64)
	if err != nil || m.Probability != 0 && !(base > 0 && base < 1) {
		return m, errors.New("base_score cannot be read")
	}
	if m.Base = base; m.Probability != 0 { // it is a probability, of which trees add to the logit
		m.Base = math.Log(base / (1 - base))
	}
	for i, t := range l.GradientBooster.Model.Trees {
		one, err := t.tree()
		if err != nil {
			return m, fmt.Errorf("in tree %d %w", i, err)
		}
		m.Trees = append(m.Trees, one)
	}
	return m, m.check()
}

// tree is a tree as models have it.
func (t xgboostTree) tree() (Tree, error) {
	n := len(t.Left)
	if n == 0 || len(t.Right) != n || len(t.Feature) != n || len(t.Threshold) != n || len(t.DefaultLeft) != n || len(t.SplitType) != 0 && len(t.SplitType) != n {
		return nil, errors.New("the lists of nodes are not equally long")
	}
	tree := make(Tree, n)
	for i := range tree {
		if len(t.SplitType) > 0 && t.SplitType[i] != 0 {
			return nil, errors.New("a node divides by categories, which cannot be read: encode them as numbers")
		}
		one := Node{Feature: t.Feature[i], Value: float64(float32(t.Threshold[i])), Below: true, Unknown: bool(t.DefaultLeft[i]), Left: t.Left[i], Right: t.Right[i]}
		switch {
		case one.Left == -1 && one.Right == -1:
			one = Node{Feature: -1, Value: one.Value}
		case one.Feature < 0:
			return nil, errors.New("a node has a feature that is not there")
		}
		tree[i] = one
	}
	return tree, nil
}

// word is a text of a model as errors repeat it.
func word(s string) string {
	if s == "" {
		return "missing"
	}
	return strconv.Quote(s[:min(len(s), 40)])
}
