package answers

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile"
	"weir/dataplane/tables"
)

// Hop is one link on the way between two identifiers.
type Hop struct {
	From  string    `json:"from"`
	To    string    `json:"to"`
	First time.Time `json:"firstSeen"`
	Last  time.Time `json:"lastSeen"`
}

// Explained is why identifiers belong together, or that they do not.
type Explained struct {
	Person string   `json:"person,omitempty"` // of the first identifier
	IDs    []string `json:"ids,omitempty"`    // of that person, at most 100
	Other  string   `json:"other,omitempty"`  // the person of the second one
	Path   []Hop    `json:"path,omitempty"`
}

// maxPath is how many links explain looks at.
const maxPath = 100_000

// Explain says who has an identifier, and with b the shortest way of links between both.
// fault.Missing: nobody has it; the text says why where it is known.
func Explain(ctx context.Context, s tables.Session, c profile.Config, entity, a, b string) (x Explained, err error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return x, err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return x, err
	}
	if a, err = cleaned(ctx, s, g, a); err != nil {
		return x, err
	}
	if x.Person, err = g.Person(ctx, s, a); err != nil {
		return x, err
	}
	err = s.Rows(ctx, fmt.Sprintf("select id_type, value from %s where weir_id = %s order by first_seen, value limit 100", g.Table("ids"), c.SQL.Text(x.Person)), func(v []any) error {
		x.IDs = append(x.IDs, fmt.Sprint(v[0], ":", v[1]))
		return nil
	})
	if err != nil || b == "" {
		return x, err
	}
	if b, err = cleaned(ctx, s, g, b); err != nil {
		return x, err
	}
	if x.Other, err = g.Person(ctx, s, b); err != nil {
		return x, err
	}
	links, err := g.Links(ctx, s, a, maxPath)
	if err != nil {
		return x, err
	}
	x.Path = way(links, a, b)
	return x, nil
}

// way is the shortest way over links, breadth first; nil when there is none.
func way(links []identity.Link, a, b string) []Hop {
	beside := map[string][]identity.Link{}
	for _, l := range links {
		beside[l.A] = append(beside[l.A], l)
		beside[l.B] = append(beside[l.B], identity.Link{A: l.B, B: l.A, First: l.First, Last: l.Last})
	}
	from := map[string]identity.Link{a: {}}
	for queue := []string{a}; len(queue) > 0; queue = queue[1:] {
		for _, l := range beside[queue[0]] {
			if _, seen := from[l.B]; !seen {
				from[l.B] = l
				queue = append(queue, l.B)
			}
		}
	}
	if _, reached := from[b]; !reached {
		return nil
	}
	var path []Hop
	for at := b; at != a; at = from[at].A {
		l := from[at]
		path = append([]Hop{{From: l.A, To: l.B, First: l.First, Last: l.Last}}, path...)
	}
	return path
}
