package scores

import (
	"errors"
	"fmt"
	"math"
)

// Model is a sum of trees over features.
type Model struct {
	Features    []string // the model's own names of them, "" where it has none
	Trees       []Tree
	Base        float64 // is added to the trees' sum
	Probability float64 // not 0: the logistic function of the sum times this is the score
	Single      bool    // features are rounded to single precision
}

// Tree is the nodes of a tree, the root first. Each other one is below one that stands before it
// or behind it, and is reached in one way.
type Tree []Node

// Node is a leaf, or divides persons by a feature.
type Node struct {
	Feature     int     // index in Features; -1 for a leaf
	Value       float64 // of a leaf; else the threshold
	Below       bool    // left is below the threshold; else at most it
	Unknown     bool    // who has no value goes left
	Zero        bool    // 0 is no value
	Left, Right int     // indices in the tree
}

// Limits of models.
const (
	// MaxModel is the longest text of a model, in bytes.
	MaxModel    = 1 << 20
	maxTrees    = 500
	maxNodes    = 20_000 // of all trees
	maxDepth    = 24
	maxFeatures = 200
)

// left says where a value goes.
func (n Node) left(x float64, known bool) bool {
	switch {
	case !known, n.Zero && x == 0:
		return n.Unknown
	case n.Below:
		return x < n.Value
	}
	return x <= n.Value
}

// Score computes the score of a person whose features are given in the model's order, NaN where one
// is not known. The model has no problems.
func (m Model) Score(features []float64) float64 {
	x, known := make([]float64, len(features)), make([]bool, len(features))
	for i, f := range features {
		if x[i], known[i] = Clean(f); m.Single {
			x[i] = float64(float32(x[i]))
		}
	}
	sum := m.Base
	for _, t := range m.Trees {
		n := t[0]
		for n.Feature >= 0 {
			if n.left(x[n.Feature], known[n.Feature]) {
				n = t[n.Left]
			} else {
				n = t[n.Right]
			}
		}
		sum += n.Value
	}
	if m.Probability != 0 {
		return Probability(m.Probability * sum)
	}
	return sum
}

// check says what is wrong with a model that was read.
func (m Model) check() error {
	nodes := 0
	for _, t := range m.Trees {
		nodes += len(t)
	}
	switch {
	case len(m.Features) == 0 || len(m.Features) > maxFeatures:
		return fmt.Errorf("a model has 1 to %d features", maxFeatures)
	case len(m.Trees) == 0 || len(m.Trees) > maxTrees:
		return fmt.Errorf("a model has 1 to %d trees", maxTrees)
	case nodes > maxNodes:
		return fmt.Errorf("the trees of a model have at most %d nodes", maxNodes)
	case !finite(m.Base) || !finite(m.Probability):
		return errors.New("the model's base score is no number of use")
	}
	for _, name := range m.Features {
		if len(name) > 100 {
			return errors.New("the name of a feature has at most 100 bytes")
		}
	}
	for i, t := range m.Trees {
		if err := t.check(len(m.Features)); err != nil {
			return fmt.Errorf("in tree %d %w", i, err)
		}
	}
	return nil
}

// finite reports whether a sum of such values stays within a warehouse's numbers.
func finite(x float64) bool { return math.Abs(x) <= Most && (x == 0 || math.Abs(x) > 1e-100) }

// check walks a tree from its root: each node has to be reached once.
func (t Tree) check(features int) error {
	seen := make([]bool, len(t))
	var walk func(i, depth int) error
	walk = func(i, depth int) error {
		switch {
		case i < 0 || i >= len(t):
			return errors.New("a node names one that is not there")
		case seen[i]:
			return errors.New("a node is reached in two ways")
		case depth > maxDepth:
			return fmt.Errorf("nodes lie deeper than %d", maxDepth)
		}
		seen[i] = true
		n := t[i]
		switch {
		case n.Feature >= features:
			return errors.New("a node has a feature that is not there")
		case n.Feature < 0 && !finite(n.Value), n.Value != 0 && !(math.Abs(n.Value) <= 1e300 && math.Abs(n.Value) > 1e-100): // NaN is neither
			return errors.New("a node has a value that is no number of use")
		case n.Feature < 0:
			return nil
		}
		if err := walk(n.Left, depth+1); err != nil {
			return err
		}
		return walk(n.Right, depth+1)
	}
	if err := walk(0, 0); err != nil {
		return err
	}
	for _, s := range seen {
		if !s {
			return errors.New("a node is never reached")
		}
	}
	return nil
}
