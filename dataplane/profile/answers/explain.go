package answers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile"
	"weir/dataplane/tables"
)

// Hop is one link on the way between two identifiers.
type Hop struct {
	From   string    `json:"from"`
	To     string    `json:"to"`
	First  time.Time `json:"firstSeen"`
	Last   time.Time `json:"lastSeen"`
	Events []Made    `json:"events,omitempty"` // that made the link, the oldest first; none where their rows are gone, or somebody made it
	More   bool      `json:"more,omitempty"`   // there are further ones
	Rule   *Rule     `json:"rule,omitempty"`   // of a link that somebody made
}

// Made is a row in which both identifiers of a link stand.
type Made struct {
	Table    string     `json:"table"` // schema.table
	Event    string     `json:"event,omitempty"`
	ID       string     `json:"id,omitempty"` // of a message, or of the input's row
	At       time.Time  `json:"at"`
	Received *time.Time `json:"receivedAt,omitempty"` // when the plane or the table got it
}

// Rule says when somebody made a link.
type Rule struct {
	At time.Time `json:"at"`
}

// Explained is why identifiers belong together, or that they do not.
type Explained struct {
	Person string   `json:"person,omitempty"` // of the first identifier
	IDs    []string `json:"ids,omitempty"`    // of that person, at most 100
	Other  string   `json:"other,omitempty"`  // the person of the second one
	Path   []Hop    `json:"path,omitempty"`
	// Unfinished says that the inputs' rows could not be read in time: events of links are missing.
	Unfinished bool `json:"unfinished,omitempty"`
}

// maxPath is how many links explain looks at.
const maxPath = 100_000

// Explain says who has an identifier, and with b the shortest way of links between both, with the events that made them.
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
	if err := ruled(ctx, s, g, x.Path); err != nil {
		return x, err
	}
	return x, made(ctx, s, g, &x)
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

// How much of links is answered, and how long inputs are read for it.
const (
	mostHops = 50 // of which events are looked for
	mostMade = 3  // of a link
	readTime = 20 * time.Second
)

// ruled says which links somebody made.
func ruled(ctx context.Context, s tables.Session, g *identity.Graph, path []Hop) error {
	for i := range path {
		h := &path[i]
		if !h.First.IsZero() {
			continue
		}
		a, b := g.SQL.Text(h.From), g.SQL.Text(h.To)
		v, err := tables.One(ctx, s, fmt.Sprintf("select max(at_time) from %s where kind = 'link' and (a = %[2]s and b = %[3]s or a = %[3]s and b = %[2]s)", g.Table("rules"), a, b))
		if err != nil {
			return err
		}
		if at, ok := v.(time.Time); ok {
			h.Rule = &Rule{at}
		}
	}
	return nil
}

// made looks in the inputs for the oldest rows of each link. It is the last that is done in the session: rows that are not
// read in time end it.
func made(ctx context.Context, s tables.Session, g *identity.Graph, x *Explained) error {
	within, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	for _, in := range g.Inputs {
		q := rowsOf(g, in, x.Path[:min(len(x.Path), mostHops)])
		if q == "" {
			continue
		}
		err := s.Rows(within, q, func(v []any) error {
			hop, _ := v[0].(int64) // one of those that were asked for
			one := Made{Table: text(v[1]), Event: text(v[2]), ID: text(v[3])}
			one.At, _ = v[4].(time.Time)
			if at, ok := v[5].(time.Time); ok {
				one.Received = &at
			}
			x.Path[hop].Events = append(x.Path[hop].Events, one)
			return nil
		})
		if err != nil && within.Err() != nil && ctx.Err() == nil {
			x.Unfinished = true
			break
		}
		if err != nil {
			return err
		}
	}
	for i := range x.Path {
		h := &x.Path[i]
		slices.SortStableFunc(h.Events, func(a, b Made) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Table, b.Table), cmp.Compare(a.ID, b.ID))
		})
		// Several inputs may read a table.
		h.Events = slices.CompactFunc(h.Events, func(a, b Made) bool {
			return a.At.Equal(b.At) && a.Table == b.Table && a.ID == b.ID && a.ID != ""
		})
		if len(h.Events) > mostMade {
			h.Events, h.More = h.Events[:mostMade], true
		}
	}
	return nil
}

// rowsOf is the query of the oldest rows of an input in which both ends of a link stand, one more than are answered: number of the
// link, table, event, row, and two times. The input is read once. It is empty when the input has none of the links' types.
func rowsOf(g *identity.Graph, in identity.Input, path []Hop) string {
	columns := map[string]string{} // by type
	cols := []string{in.Table + " as table_", in.Event + " as event_", in.Row + " as row_", "cast(" + in.At + " as timestamptz) as at_", "cast(" + in.Received + " as timestamptz) as received_"}
	for i, t := range g.Types {
		if column, ok := in.IDs[t.Name]; ok {
			columns[t.Name] = fmt.Sprintf("i%d", i)
			cols = append(cols, g.Value(t, column)+" as "+columns[t.Name])
		}
	}
	var some, parts []string
	for i, h := range path {
		from, fromValue, _ := strings.Cut(h.From, ":")
		to, toValue, _ := strings.Cut(h.To, ":")
		if h.First.IsZero() || columns[from] == "" || columns[to] == "" {
			continue
		}
		both := fmt.Sprintf("%s = %s and %s = %s", columns[from], g.SQL.Text(fromValue), columns[to], g.SQL.Text(toValue))
		some = append(some, both)
		parts = append(parts, fmt.Sprintf("select * from (select cast(%d as bigint) as hop, table_, event_, row_, at_, received_ from r where %s order by at_, row_ limit %d) s%[1]d", i, both, mostMade+1))
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("with r as materialized (select * from (select %s from %s) x where at_ is not null and (%s)) %s", strings.Join(cols, ", "), in.From, strings.Join(some, " or "), strings.Join(parts, " union all "))
}
