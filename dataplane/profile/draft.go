package profile

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// Draft is what a preview is of in place of what is configured: features, scores and audiences
// that somebody has not saved. Identifiers and inputs are those that are configured.
type Draft struct {
	Features   []profiles.Feature  `json:"features,omitempty"`   // nil: those that are configured
	Scores     []scores.Score      `json:"scores,omitempty"`     // the same
	Audiences  []profiles.Audience `json:"audiences,omitempty"`  // the same
	Conditions []json.RawMessage   `json:"conditions,omitempty"` // on persons, each counted by itself; at most maxConditions
}

// maxConditions is how many conditions a preview counts beside its audience.
const maxConditions = 30

// part names the audience that stands for a condition of a draft.
func part(i int) string { return fmt.Sprintf("preview_part_%d", i) }

// drafted is the configuration with a draft in it. fault.Invalid lists what is wrong with it.
func (c Config) drafted(name string, d Draft) (Config, error) {
	if len(d.Conditions) > maxConditions {
		return c, fault.New(fault.Invalid, "A preview counts at most %d conditions.", maxConditions)
	}
	if d.Features != nil {
		c.Plan.Features = d.Features
	}
	if d.Scores != nil {
		c.Plan.Scores = d.Scores
	}
	if d.Audiences != nil {
		c.Plan.Audiences = d.Audiences
	}
	entity := ""
	for _, a := range c.Plan.Audiences {
		if a.Name == name {
			entity = a.Entity
		}
	}
	c.Plan.Audiences = slices.Clone(c.Plan.Audiences)
	for i, where := range d.Conditions {
		c.Plan.Audiences = append(c.Plan.Audiences, profiles.Audience{Name: part(i), Entity: entity, Where: where})
	}
	c.Plan.Lookup = nil // what it names may be gone
	return c, fault.Problems("This cannot be previewed.", profiles.Check(c.Plan, "profiles"))
}

// Numbers is how a feature's numbers are spread.
type Numbers struct {
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Mean    float64 `json:"mean"`
	Step    float64 `json:"step,omitempty"` // of whole numbers alone: how many of them a step has
	Persons []int64 `json:"persons"`        // in each of equally wide steps from Min to Max, which the last one includes
}

// steps is into how many steps numbers are divided, whole ones at most.
const steps = 12

// Spread is how a feature or a score lies in the golden records as the last run left them: how
// many persons there are and have it, and its numbers, nil when it has none yet.
func (p *Profile) Spread(ctx context.Context, s tables.Session, entity, name string) (persons, known int64, n *Numbers, err error) {
	golden := entity + "_golden"
	if n, err = p.numbers(ctx, s, golden, name); err != nil || n == nil {
		return 0, 0, nil, err
	}
	err = s.Rows(ctx, "select count(*), count("+p.SQL.Quote(name)+") from "+p.SQL.Quote(golden), func(v []any) error {
		persons, _ = v[0].(int64)
		known, _ = v[1].(int64)
		return nil
	})
	return persons, known, n, err
}

// numbers is how the numbers of a feature in a table, of golden records or a work table, are
// spread; nil when it has none.
func (p *Profile) numbers(ctx context.Context, s tables.Session, table, name string) (n *Numbers, err error) {
	types, err := tables.Columns(ctx, s, p.SQL, Schema, table)
	if err == nil && len(types) == 0 { // work tables of a session
		types, err = tables.Columns(ctx, s, p.SQL, "main", table)
	}
	if err != nil || types[name] != tables.Number {
		return nil, err
	}
	x := "cast(" + p.SQL.Quote(name) + " as double precision)"
	err = s.Rows(ctx, fmt.Sprintf("select min(%[1]s), max(%[1]s), avg(%[1]s), count(case when %[1]s <> floor(%[1]s) then 1 end) from %[2]s", x, p.SQL.Quote(table)), func(v []any) error {
		low, known := v[0].(float64)
		high, _ := v[1].(float64)
		mean, _ := v[2].(float64)
		if broken, _ := v[3].(int64); known {
			n = &Numbers{Min: low, Max: high, Mean: mean, Persons: make([]int64, steps)}
			if broken == 0 && high-low < 1<<53 {
				n.Step = math.Ceil((high - low + 1) / steps)
				n.Persons = n.Persons[:int((high-low)/n.Step)+1]
			}
		}
		return nil
	})
	if err != nil || n == nil {
		return n, err
	}
	wide := cmp.Or(n.Step, (n.Max-n.Min)/steps, 1)
	at := fmt.Sprintf("least(%d, cast(floor((%s - %s) / %s) as bigint))", steps, x, score.Literal(n.Min), score.Literal(wide))
	err = s.Rows(ctx, fmt.Sprintf("select %s as step, count(*) from %s where %s is not null group by 1", at, p.SQL.Quote(table), x), func(v []any) error {
		i, _ := v[0].(int64)
		count, _ := v[1].(int64)
		n.Persons[min(max(i, 0), int64(len(n.Persons)-1))] += count
		return nil
	})
	return n, err
}
