package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/dataplane/tables"
)

// Comparison is what other rules would make of the rows that there are.
type Comparison struct {
	Sampled []string `json:"sampled"` // inputs of which only the newest rows were looked at
	Before  Totals   `json:"before"`
	After   Totals   `json:"after"`
	Moved   int64    `json:"moved"`  // identifiers that would leave their person
	Gone    int64    `json:"gone"`   // persons who would be no more
	Joined  int64    `json:"joined"` // persons after, each of several before
	Parted  int64    `json:"parted"` // persons before, of whom several or nobody would be
	Held    []string `json:"held"`   // codes of what the gate would forbid

	Largest []Set   `json:"largest"` // persons after, the largest first
	Joins   []Set   `json:"joins"`   // of Joined, the largest first
	Parts   []Set   `json:"parts"`   // of Parted: as they are, the largest first
	Movers  []Mover `json:"movers"`  // some of Moved
}

// Totals are counts under one set of rules.
type Totals struct {
	IDs     int64            `json:"ids"` // that are in a person
	Persons int64            `json:"persons"`
	Largest int64            `json:"largest"` // identifiers of the largest person
	Apart   map[string]int64 `json:"apart"`   // identifiers that are nobody's, by why
}

// Set is the identifiers of one person.
type Set struct {
	IDs      int64    `json:"ids"`
	Of       int64    `json:"of"`       // persons on the other side who have them
	Examples []string `json:"examples"` // some, each as type:value, the oldest first
}

// Mover is an identifier that would leave its person.
type Mover struct {
	ID   string `json:"id"`   // type:value
	With string `json:"with"` // the oldest identifier of whose it would be; empty: nobody's
	From string `json:"from"` // the oldest identifier of whose it is
}

// How much a Comparison shows.
const (
	mostSets     = 10
	mostExamples = 5
	mostMovers   = 20
)

// compared is the entity of the tables that a comparison makes and takes back. No entity of a
// configuration begins so.
const compared = "_compared"

// errUndo ends a transaction that was only for looking.
var errUndo = errors.New("undo")

// within is a session within a transaction, in which what asks for one of its own goes on.
type within struct{ tables.Session }

func (w within) Tx(_ context.Context, do func(tables.Session) error) error { return do(w) }

// Compare builds persons by the rules of g, and then by those of next, from the same rows and
// decisions, and says what differs. It looks at the newest rows of each input alone, at most
// most of them. All of it is in one transaction that is taken back: nothing stays in the
// warehouse, and nobody else sees or waits for anything. decisions is the table of what people
// decided about identifiers, quoted; empty: nobody did.
func Compare(ctx context.Context, s tables.Session, g, next *Graph, decisions string, now time.Time, most int) (c Comparison, err error) {
	c = Comparison{Sampled: []string{}, Held: []string{}}
	before, after := g.limited(most), next.limited(most)
	r := g.run(ctx, s)
	for _, in := range next.Inputs {
		if r.int("select count(*) from (select 1 as one from %s limit %d) s", in.From, most+1) > int64(most) {
			c.Sampled = append(c.Sampled, in.Name)
		}
	}
	if r.err != nil {
		return c, r.err
	}
	err = s.Tx(ctx, func(tx tables.Session) error {
		if err := before.against(ctx, within{tx}, after, decisions, now, &c); err != nil {
			return err
		}
		return errUndo
	})
	if errors.Is(err, errUndo) {
		err = nil
	}
	return c, err
}

// limited is g over the newest rows of its inputs, in tables of their own.
func (g *Graph) limited(most int) *Graph {
	one := *g
	one.Entity, one.numbers, one.Inputs = compared, nil, nil
	for _, in := range g.Inputs {
		in.From = fmt.Sprintf("(select * from %s order by %s desc limit %d) %s", in.From, in.At, most, g.SQL.Quote(in.Name))
		in.Changed = "" // all of them
		one.Inputs = append(one.Inputs, in)
	}
	return &one
}

// Queries of persons for sets, from the work table of Resolve: as they would be, and as they are published.
const (
	joined = "select person, count(*) as n, count(distinct was) as parts from _w_delta where person is not null group by person"
	// A person whose identifiers go to nobody, to whom 0 stands for, comes apart too.
	parted = "select was as person, count(*) as n, count(distinct coalesce(person, 0)) as parts from _w_delta where was is not null group by was"
)

func (g *Graph) against(ctx context.Context, s tables.Session, next *Graph, decisions string, now time.Time, c *Comparison) error {
	if err := g.Prepare(ctx, s); err != nil {
		return err
	}
	r := g.run(ctx, s)
	if decisions != "" {
		r.exec("insert into %s (kind, a, b, by_whom, at_time) select kind, a, b, by_whom, at_time from %s", g.Table("rules"), decisions)
	}
	if r.err != nil {
		return r.err
	}
	gate := g.Gate
	g.Gate = Gate{}
	m, _, err := g.Run(ctx, s, now, true, true)
	g.Gate = gate
	if err != nil {
		return fmt.Errorf("build by the rules as they are: %w", err)
	}
	c.Before = Totals{IDs: m.Nodes, Persons: m.Persons, Largest: m.Largest, Apart: g.apart(r, g.t("apart"))}
	for _, step := range []func() error{
		func() error { return next.Prepare(ctx, s) },
		func() error { return next.Collect(ctx, s, true) },
		func() error { return next.Guard(ctx, s) },
		func() error { return next.Resolve(ctx, s, now, true) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("build by the other rules: %w", err)
		}
	}
	m, held, err := next.Judge(ctx, s)
	if err != nil {
		return fmt.Errorf("compare the builds: %w", err)
	}
	if c.Moved, c.Gone = m.Moved, m.Gone; held != nil {
		c.Held = held
	}
	r = next.run(ctx, s)
	c.After = Totals{
		IDs:     r.int("select count(*) from _w_delta where person is not null"),
		Persons: r.int("select count(distinct person) from _w_delta where person is not null"),
		Largest: m.Largest, Apart: next.apart(r, "_w_apart"),
	}
	c.Joined = r.int("select count(*) from (%s) s where parts > 1", joined)
	c.Parted = r.int("select count(*) from (%s) s where parts > 1", parted)
	c.Largest = next.sets(r, joined, "", "person")
	c.Joins = next.sets(r, joined, "where parts > 1", "person")
	c.Parts = next.sets(r, parted, "where parts > 1", "was")
	c.Movers = next.movers(r)
	return r.err
}

// apart counts the nodes of a table that are in nobody, by why.
func (g *Graph) apart(r *run, table string) map[string]int64 {
	out := map[string]int64{}
	r.rows("select why, count(*) from "+table+" group by why", func(v []any) {
		out[text(v[0])] = whole(v[1])
	})
	return out
}

// sets are the largest of persons(person, n, parts), with some of their nodes; of says in which
// column of _w_delta they are.
func (g *Graph) sets(r *run, persons, where, of string) []Set {
	r.make("_w_sets", "select person, n, parts from (%s) s %s order by n desc, person limit %d", persons, where, mostSets)
	found := []Set{}
	at := map[int64]int{}
	r.rows("select person, n, parts from _w_sets order by n desc, person", func(v []any) {
		at[whole(v[0])] = len(found)
		found = append(found, Set{IDs: whole(v[1]), Of: whole(v[2]), Examples: []string{}})
	})
	r.rows(fmt.Sprintf(`select person, id from (select d.%[1]s as person, %[2]s as id, row_number() over (partition by d.%[1]s order by d.node) as k
		from _w_delta d join _w_sets w on w.person = d.%[1]s join %[3]s n on n.node = d.node) s where k <= %[4]d order by person, k`, of, g.called("n"), g.t("nodes"), mostExamples), func(v []any) {
		if i, ok := at[whole(v[0])]; ok {
			found[i].Examples = append(found[i].Examples, text(v[1]))
		}
	})
	r.drop("_w_sets")
	return found
}

// movers are some of the nodes that leave their person.
func (g *Graph) movers(r *run) []Mover {
	found := []Mover{}
	r.make("_w_movers", "select node, person, was from _w_delta where was is not null and (person is null or person <> was) order by node limit %d", mostMovers)
	oldest := func(column string) string {
		return fmt.Sprintf("(select x.%[1]s, min(x.node) as node from _w_delta x join _w_movers w on w.%[1]s = x.%[1]s group by x.%[1]s)", column)
	}
	r.rows(fmt.Sprintf(`select %[1]s, %[2]s, %[3]s from _w_movers m join %[4]s n on n.node = m.node
		left join %[5]s p on p.person = m.person left join %[4]s np on np.node = p.node
		left join %[6]s q on q.was = m.was left join %[4]s nq on nq.node = q.node order by m.node`,
		g.called("n"), g.called("np"), g.called("nq"), g.t("nodes"), oldest("person"), oldest("was")), func(v []any) {
		found = append(found, Mover{text(v[0]), text(v[1]), text(v[2])})
	})
	r.drop("_w_movers")
	return found
}

// called is the expression of type:value of a row of nodes.
func (g *Graph) called(nodes string) string {
	return "(" + g.typeName(nodes+".node") + " || ':' || " + nodes + ".value)"
}

// rows calls row for each row of a query.
func (r *run) rows(q string, row func(v []any)) {
	if r.err != nil {
		return
	}
	if r.err = r.s.Rows(r.ctx, q, func(v []any) error { row(v); return nil }); r.err != nil {
		r.err = fmt.Errorf("%w\nin %s", r.err, brief(q))
	}
}

func text(v any) string {
	s, _ := v.(string) // null is empty
	return s
}

func whole(v any) int64 {
	n, _ := v.(int64) // counts and numbers of nodes are
	return n
}
