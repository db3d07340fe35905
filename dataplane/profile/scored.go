package profile

import (
	"weir/dataplane/profile/score"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// scored is a score as features: hidden ones that it is made of, and itself.
func scored(s scores.Score) (all []feature) {
	one := feature{Feature: profiles.Feature{Name: s.Name}, agg: profiles.Aggregate{Kind: s.Model}}
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
