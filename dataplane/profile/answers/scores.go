package answers

import (
	"cmp"
	"context"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
)

// Score is how a score lies over the persons, as the last run that was published left them.
type Score struct {
	Name    string           `json:"name"`
	Persons int64            `json:"persons"` // that there are
	Known   int64            `json:"known"`   // that have it
	Numbers *profile.Numbers `json:"numbers"` // nil before a run computed it
}

// Scores lists the scores that are configured.
func Scores(ctx context.Context, s tables.Session, c profile.Config) ([]Score, error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return nil, err
	}
	all := []Score{}
	for _, one := range c.Plan.Scores {
		score := Score{Name: one.Name}
		score.Persons, score.Known, score.Numbers, err = p.Spread(ctx, s, cmp.Or(one.Entity, c.Plan.Entities[0].Name), one.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, score)
	}
	return all, nil
}
