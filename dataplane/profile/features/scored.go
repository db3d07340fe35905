package features

import (
	"slices"

	"weir/dataplane/profile/score"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// scored is a score as features: hidden ones that it is made of, and itself.
func (c *Compiler) scored(s scores.Score) (all []feature) {
	one := feature{Feature: profiles.Feature{Name: s.Name}, agg: profiles.Aggregate{Kind: s.Model}}
	if s.Learned() {
		one.score = score.Unlearned()
		if l, there := c.Models[s.Name]; there && c.has(l.Model.Uses()) {
			one.score = l.Model.Formula()
		}
		return append(all, one)
	}
	switch s.Model {
	case scores.SQL:
		one.SQL = s.SQL
	case scores.Table:
		of := profiles.Feature{Name: "_of_" + s.Name, Latest: []string{s.Table}}
		all = append(all, feature{Feature: of, agg: of.Aggregates()[0]})
		one.score = &score.Formula{SQL: "x0", Uses: []string{of.Name}}
	case scores.Boosted:
		m, features, _ := s.Imported() // it was checked
		one.score = score.Boosted(m, features)
	default:
		one.score = score.Logistic(s)
	}
	return append(all, one)
}

// has reports whether the compiler has all of some features: a model that was learned stays
// when they go.
func (c *Compiler) has(names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(c.features, func(f feature) bool { return f.Name == name }) {
			return false
		}
	}
	return true
}
