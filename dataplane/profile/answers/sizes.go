package answers

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
)

// Size is how large an audience is, and how it became so.
type Size struct {
	Name    string `json:"name"`
	Persons int64  `json:"persons"`
	Moves   []Move `json:"moves"` // the newest mostMoves, oldest first
}

// Move is who came into an audience and left it in one run, and how large it was then.
type Move struct {
	At      time.Time `json:"at"`
	Entered int64     `json:"entered"`
	Left    int64     `json:"left"`
	Persons int64     `json:"persons"`
}

// mostMoves is how many runs of an audience are answered.
const mostMoves = 100

// Sizes lists the audiences of all entities, as the last run that was published left them.
func Sizes(ctx context.Context, s tables.Session, c profile.Config) ([]Size, error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return nil, err
	}
	if err := p.Prepare(ctx, s); err != nil {
		return nil, err
	}
	all := []Size{}
	at := map[string]int{}
	for _, a := range c.Plan.Audiences {
		at[a.Name] = len(all)
		all = append(all, Size{Name: a.Name, Moves: []Move{}})
	}
	for _, e := range c.Plan.Entities {
		err := s.Rows(ctx, fmt.Sprintf("select audience, count(*) from %s group by 1", c.SQL.Quote(e.Name+"_audiences")), func(v []any) error {
			if i, ok := at[text(v[0])]; ok {
				all[i].Persons, _ = v[1].(int64)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		q := fmt.Sprintf(`select audience, moved_at, entered, gone from (select audience, moved_at, sum(case when move = 'enter' then 1 else 0 end) as entered, sum(case when move = 'exit' then 1 else 0 end) as gone,
			row_number() over (partition by audience order by moved_at desc) as n from %s group by audience, moved_at) s where n <= %d order by moved_at desc`, c.SQL.Quote(e.Name+"_moves"), mostMoves)
		err = s.Rows(ctx, q, func(v []any) error {
			i, ok := at[text(v[0])]
			if !ok {
				return nil
			}
			m := Move{Entered: whole(v[2]), Left: whole(v[3]), Persons: all[i].Persons}
			m.At, _ = v[1].(time.Time)
			if n := len(all[i].Moves); n > 0 { // the one that followed
				next := all[i].Moves[0]
				m.Persons = next.Persons - next.Entered + next.Left
			}
			all[i].Moves = append([]Move{m}, all[i].Moves...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// whole is a whole number of a row, of whatever type its sum has.
func whole(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}
