package profile

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
)

// mostRows is how many of the newest rows of each input a comparison of rules looks at.
const mostRows = 200_000

// Compare says what other rules, which somebody has not saved, would make of an entity's
// persons, from the newest rows of its inputs, and leaves the warehouse as it is. Inputs are
// those that the rules would read; none stands for those that are published. fault.Invalid
// lists what is wrong with the rules. fault.Missing: the entity is not one of the rules before
// or after.
func (c Config) Compare(ctx context.Context, s tables.Session, entity string, entities []profiles.Entity, inputs []profiles.Input, now time.Time) (identity.Comparison, error) {
	next := c
	next.Plan.Entities, next.Plan.Lookup = entities, nil // what that names may be gone
	if len(inputs) > 0 {
		next.Plan.Inputs, next.Plan.Features, next.Plan.Scores, next.Plan.Audiences = inputs, nil, nil, nil // so may what these name
	}
	if err := fault.Problems("These rules cannot be tried.", profiles.Check(next.Plan, "profiles")); err != nil {
		return identity.Comparison{}, err
	}
	if entity == "" {
		entity = c.Plan.Entities[0].Name
	}
	for _, plan := range []profiles.Plan{c.Plan, next.Plan} {
		there := false
		for _, e := range plan.Entities {
			there = there || e.Name == entity
		}
		if !there {
			return identity.Comparison{}, fault.New(fault.Missing, "There is no entity %s to compare: it has to be there before and after.", entity)
		}
	}
	before, err := Open(ctx, s, c)
	if err != nil {
		return identity.Comparison{}, err
	}
	after, err := Open(ctx, s, next)
	if err != nil {
		return identity.Comparison{}, err
	}
	decisions := entity + "_rules"
	columns, err := tables.Columns(ctx, s, c.SQL, Schema, decisions)
	if err != nil {
		return identity.Comparison{}, fmt.Errorf("look for decisions about identifiers: %w", err)
	}
	if decisions = c.SQL.Quote(decisions); len(columns) == 0 {
		decisions = ""
	}
	return identity.Compare(ctx, s, before.Graph(entity), after.Graph(entity), decisions, now, mostRows)
}
