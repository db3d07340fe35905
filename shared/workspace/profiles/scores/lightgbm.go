package scores

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// LightGBM reads a model that LightGBM saved as text: trees of numbers for a probability or a
// number. The form is that of GBDT::SaveModelToString and Tree::ToString in its sources. Its
// errors say what is wrong.
func LightGBM(text string) (m Model, err error) {
	if len(text) > MaxModel {
		return m, fmt.Errorf("the model is longer than %d bytes", MaxModel)
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	head, rest, found := strings.Cut(text, "\nTree=")
	body, _, ended := strings.Cut(rest, "\nend of trees")
	switch {
	case !strings.HasPrefix(head, "tree\n"):
		return m, errors.New("this is no model that LightGBM saved as text: its first line is tree")
	case !found:
		return m, errors.New("the model has no trees")
	case !ended:
		return m, errors.New("the model ends too early")
	}
	keys, err := pairs(head[len("tree\n"):])
	if err != nil {
		return m, err
	}
	if v := keys["version"]; v != "v3" && v != "v4" {
		return m, fmt.Errorf("the version is %s, and v3 and v4 can be read", word(v))
	}
	if keys["num_class"] != "1" || keys["num_tree_per_iteration"] != "1" {
		return m, errors.New("the model has several classes; a score is one number")
	}
	if _, rf := keys["average_output"]; rf {
		return m, errors.New("the model is a random forest (average_output), which cannot be read")
	}
	if err := m.objective(keys["objective"]); err != nil {
		return m, err
	}
	m.Features = strings.Fields(keys["feature_names"])
	if most, err := strconv.Atoi(keys["max_feature_idx"]); err != nil || most+1 != len(m.Features) {
		return m, errors.New("feature_names and max_feature_idx do not fit")
	}
	all := strings.Split(body, "\nTree=")
	if len(all) > maxTrees {
		return m, fmt.Errorf("a model has 1 to %d trees", maxTrees)
	}
	for i, one := range all {
		number, lines, _ := strings.Cut(one, "\n")
		if number != strconv.Itoa(i) {
			return m, fmt.Errorf("the trees are not in their order: Tree=%d is missing", i)
		}
		t, err := lightTree(lines)
		if err != nil {
			return m, fmt.Errorf("in tree %d %w", i, err)
		}
		m.Trees = append(m.Trees, t)
	}
	return m, m.check()
}

// objective reads what the sum of the trees means.
func (m *Model) objective(text string) error {
	name, options, _ := strings.Cut(text, " ")
	switch name {
	case "binary":
		m.Probability = 1
		for _, o := range strings.Fields(options) {
			if v, ok := strings.CutPrefix(o, "sigmoid:"); ok {
				s, err := strconv.ParseFloat(v, 64)
				if err != nil || !(s > 0 && s < 1e6) {
					return errors.New("the objective's sigmoid is no number above 0")
				}
				m.Probability = s
			}
		}
	case "cross_entropy":
		m.Probability = 1
	case "regression", "regression_l1", "huber", "fair", "quantile", "mape":
		if strings.Contains(options, "sqrt") {
			return errors.New("the objective takes a root (reg_sqrt), which cannot be read")
		}
	default:
		return fmt.Errorf("the objective %s is not known; known are binary, cross_entropy, regression, regression_l1, huber, fair, quantile and mape", word(name))
	}
	return nil
}

// pairs reads lines of key=value; a key alone has no value, and none stands twice.
func pairs(text string) (map[string]string, error) {
	all := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, "=")
		if _, twice := all[key]; key == "" {
			continue
		} else if twice {
			return nil, fmt.Errorf("the key %s stands there twice", word(key))
		}
		all[key] = value
	}
	return all, nil
}

// numbers reads a list of n numbers.
func numbers[T int | float64](keys map[string]string, key string, n int) ([]T, error) {
	fields := strings.Fields(keys[key])
	if len(fields) != n {
		return nil, fmt.Errorf("%s has %d numbers and not %d", key, len(fields), n)
	}
	all := make([]T, n)
	for i, s := range fields {
		var err error
		switch p := any(&all[i]).(type) {
		case *int:
			*p, err = strconv.Atoi(s)
		case *float64:
			*p, err = strconv.ParseFloat(s, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("%s has a value that is no number", key)
		}
	}
	return all, nil
}

// Bits of a decision_type.
const (
	categories  = 1
	defaultLeft = 2
	missingZero = 1 << 2
	missingNaN  = 2 << 2
	missing     = 3 << 2
)

// lightTree reads a tree. Its inner nodes are numbered from 0, and its leaves are -1, -2 and
// on; here the leaves stand behind the inner nodes.
func lightTree(text string) (Tree, error) {
	keys, err := pairs(text)
	if err != nil {
		return nil, err
	}
	leaves, err := strconv.Atoi(keys["num_leaves"])
	switch {
	case err != nil || leaves < 1 || leaves > maxNodes:
		return nil, errors.New("num_leaves is no number from 1")
	case keys["num_cat"] != "" && keys["num_cat"] != "0":
		return nil, errors.New("a node divides by categories, which cannot be read: encode them as numbers")
	case keys["is_linear"] != "" && keys["is_linear"] != "0":
		return nil, errors.New("leaves are linear, which cannot be read")
	}
	values, err := numbers[float64](keys, "leaf_value", leaves)
	if err != nil {
		return nil, err
	}
	inner := leaves - 1
	var lists [4][]int
	var thresholds []float64
	if inner > 0 {
		for i, key := range []string{"split_feature", "decision_type", "left_child", "right_child"} {
			if lists[i], err = numbers[int](keys, key, inner); err != nil {
				return nil, err
			}
		}
		if thresholds, err = numbers[float64](keys, "threshold", inner); err != nil {
			return nil, err
		}
	}
	at := func(child int) int {
		if child < 0 {
			return inner - 1 - child
		}
		return child
	}
	var tree Tree
	for i := range inner {
		kind := lists[1][i]
		n := Node{Feature: lists[0][i], Value: thresholds[i], Left: at(lists[2][i]), Right: at(lists[3][i])}
		switch {
		case n.Feature < 0 || kind < 0 || kind > 15 || kind&missing == missing || n.Left >= leaves+inner || n.Right >= leaves+inner:
			return nil, errors.New("a node cannot be read")
		case kind&categories != 0:
			return nil, errors.New("a node divides by categories, which cannot be read: encode them as numbers")
		}
		switch kind & missing {
		case missingNaN:
			n.Unknown = kind&defaultLeft != 0
		case missingZero:
			n.Unknown, n.Zero = kind&defaultLeft != 0, true
		default: // what is not known is 0
			n.Unknown = n.Value >= 0
		}
		tree = append(tree, n)
	}
	for _, v := range values {
		tree = append(tree, Node{Feature: -1, Value: v})
	}
	return tree, nil
}
