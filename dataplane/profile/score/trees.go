package score

import (
	"fmt"
	"strings"

	"weir/shared/workspace/profiles/scores"
)

// Boosted is the formula of a model without problems, over features in the model's order.
func Boosted(m scores.Model, features []string) *Formula {
	f := &Formula{Uses: features}
	trees := make([]string, len(m.Trees))
	for i, t := range m.Trees {
		trees[i] = tree(t, 0, m.Single)
	}
	f.SQL = "(" + Literal(m.Base) + " + " + sum(trees) + ")"
	if m.Probability != 0 {
		f.SQL = probability(Literal(m.Probability) + " * " + f.SQL)
	}
	return f
}

// sum adds expressions pairwise, so that they do not lie deep in each other.
func sum(all []string) string {
	if len(all) == 1 {
		return all[0]
	}
	half := len(all) / 2
	return "(" + sum(all[:half]) + " + " + sum(all[half:]) + ")"
}

// tree is a node with all below it. One of two leaves has its type written out, which the
// whole takes on.
func tree(t scores.Tree, at int, single bool) string {
	n := t[at]
	if n.Feature < 0 {
		return Literal(n.Value)
	}
	x := column(n.Feature)
	if single { // where the value is known it is one of single precision
		x = "cast(" + x + " as real)"
	}
	sign := "<="
	if n.Below {
		sign = "<"
	}
	when := fmt.Sprintf("%s %s %s", x, sign, plain(n.Value))
	switch {
	case n.Unknown && n.Zero:
		when += fmt.Sprintf(" or %s is null or %[1]s = 0", column(n.Feature))
	case n.Unknown:
		when += " or " + column(n.Feature) + " is null"
	case n.Zero:
		when += " and " + column(n.Feature) + " <> 0"
	}
	right := tree(t, n.Right, single)
	if t[n.Left].Feature >= 0 && t[n.Right].Feature < 0 {
		right = plain(t[n.Right].Value)
	}
	return "case when " + when + " then " + tree(t, n.Left, single) + " else " + right + " end"
}

// plain is a number without a type.
func plain(x float64) string {
	s := Literal(x)
	return "(" + strings.TrimSuffix(strings.TrimPrefix(s, "cast("), " as double precision)") + ")"
}
