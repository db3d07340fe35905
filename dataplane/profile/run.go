package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/tables"
	"weir/shared/fault"
)

// States of a run.
const (
	Published = "published"
	Held      = "held"
	Failed    = "failed"
)

// Run is what a run did: counts and codes, and but for Detail nothing of persons.
type Run struct {
	Number   int64                        `json:"run"`
	Started  time.Time                    `json:"startedAt"`
	Took     float64                      `json:"seconds"`
	State    string                       `json:"state"`
	Code     string                       `json:"code,omitempty"`
	Step     string                       `json:"step,omitempty"`   // at which it ended early
	Detail   string                       `json:"detail,omitempty"` // what the warehouse says; it may quote values, and stays in the plane
	Identity map[string]identity.Measures `json:"identity"`
	Built    map[string]Built             `json:"built"`
}

// Options of a run.
type Options struct {
	Full  bool // read all rows again, and recompute every hull
	Force bool // whatever the gate forbids
}

// Do does a whole run: identity, features and audiences of every entity. A run that died is
// made good by the next.
func Do(ctx context.Context, s tables.Session, c Config, now time.Time, o Options) (r Run, err error) {
	r = Run{Started: now, State: Failed, Identity: map[string]identity.Measures{}, Built: map[string]Built{}}
	step := func(name string) { r.Step = name }
	step("open")
	p, err := Open(ctx, s, c)
	if err != nil {
		return r, err
	}
	if err := p.Prepare(ctx, s); err != nil {
		return r, err
	}
	if r.Number, err = tables.Int(ctx, s, "select coalesce(max(run), 0) + 1 from runs"); err != nil {
		return r, err
	}
	_, err = exec(ctx, s, fmt.Sprintf("insert into runs values (%d, %s, %[2]s, 'running', null, null, null, null)", r.Number, tables.Time(now)))
	if err != nil {
		return r, err
	}
	var held []string
	for _, e := range c.Plan.Entities {
		step("identity " + e.Name)
		m, by, err := p.Graph(e.Name).Run(ctx, s, now, o.Full, o.Force)
		if err != nil {
			return r, err
		}
		if r.Identity[e.Name] = m; len(by) > 0 {
			held = append(held, by...)
			continue
		}
		step("features " + e.Name)
		b, err := p.Build(ctx, s, e.Name, r.Number, now)
		if err != nil {
			return r, err
		}
		r.Built[e.Name] = b
	}
	r.Step, r.State = "", Published
	if len(held) > 0 {
		r.State, r.Code = Held, strings.Join(held, " ")
	}
	measures, _ := json.Marshal(map[string]any{"identity": r.Identity, "built": r.Built}) // numbers always encode
	_, err = exec(ctx, s, fmt.Sprintf("update runs set state = %s, code = nullif(%s, ''), measures = %s, published_at = case when %[1]s = 'published' then %[4]s end where run = %[5]d",
		p.SQL.Text(r.State), p.SQL.Text(r.Code), p.SQL.Text(string(measures)), tables.Time(now), r.Number))
	return r, err
}

// Kinds of decisions about identifiers.
var kinds = []string{"block", "link", "unlink"}

// Decision is what somebody decided of identifiers, each as type:value. b is empty for a
// block.
type Decision struct {
	Kind string `json:"kind"`
	A    string `json:"a"`
	B    string `json:"b,omitempty"`
	Undo bool   `json:"undo,omitempty"` // take the decision back
	By   string `json:"-"`
}

// Decide keeps a decision, or takes it back. It counts from the next run on. fault.Invalid:
// it is none. fault.Missing: there is no such identifier.
func Decide(ctx context.Context, s tables.Session, c Config, entity string, d Decision, now time.Time) error {
	p, err := Open(ctx, s, c)
	if err != nil {
		return err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return err
	}
	ends := []string{d.A, d.B}
	if d.Kind == "block" {
		ends = ends[:1]
	} else if d.Kind != "link" && d.Kind != "unlink" {
		return fault.New(fault.Invalid, "A decision is one of %s.", strings.Join(kinds, ", "))
	}
	for _, end := range ends {
		typ, value, ok := strings.Cut(end, ":")
		if !ok {
			return fault.New(fault.Invalid, "Give identifiers as type:value, such as email:ann@example.org.")
		}
		n, err := tables.Int(ctx, s, fmt.Sprintf("select count(*) from %s where id_type = %s and value = %s", g.Table("ids"), c.SQL.Text(typ), c.SQL.Text(value)))
		if err != nil {
			return err
		}
		if n == 0 && !d.Undo {
			return fault.New(fault.Missing, "No identifier of the type %s has this value, as it is written when it is cleaned.", typ)
		}
	}
	second := "null"
	if len(ends) > 1 {
		second = c.SQL.Text(d.B)
	}
	return s.Tx(ctx, func(in tables.Session) error {
		statements := []string{fmt.Sprintf("delete from %s where kind = %s and a = %s and coalesce(b, '') = %s", g.Table("rules"), c.SQL.Text(d.Kind), c.SQL.Text(d.A), c.SQL.Text(d.B))}
		if !d.Undo {
			statements = append(statements, fmt.Sprintf("insert into %s values (%s, %s, %s, %s, %s)", g.Table("rules"), c.SQL.Text(d.Kind), c.SQL.Text(d.A), second, c.SQL.Text(d.By), tables.Time(now)))
		}
		_, err := exec(ctx, in, statements...)
		return err
	})
}

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
// fault.Missing: nobody has it.
func Explain(ctx context.Context, s tables.Session, c Config, entity, a, b string) (x Explained, err error) {
	p, err := Open(ctx, s, c)
	if err != nil {
		return x, err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return x, err
	}
	person := func(id string) (string, error) {
		typ, value, _ := strings.Cut(id, ":")
		v, err := tables.One(ctx, s, fmt.Sprintf("select weir_id from %s where id_type = %s and value = %s", g.Table("ids"), c.SQL.Text(typ), c.SQL.Text(value)))
		if err == nil && v == nil {
			err = fault.New(fault.Missing, "Nobody has this identifier of the type %s.", typ)
		}
		s, _ := v.(string)
		return s, err
	}
	if x.Person, err = person(a); err != nil {
		return x, err
	}
	err = s.Rows(ctx, fmt.Sprintf("select id_type, value from %s where weir_id = %s order by first_seen, value limit 100", g.Table("ids"), c.SQL.Text(x.Person)), func(v []any) error {
		x.IDs = append(x.IDs, fmt.Sprint(v[0], ":", v[1]))
		return nil
	})
	if err != nil || b == "" {
		return x, err
	}
	if x.Other, err = person(b); err != nil {
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

// Erase removes a person: the rows of inputs that name an identifier of theirs, what
// identity and profiles keep of them, and decisions about them. Numbers stay used. It says
// who that was and how many identifiers they had. fault.Missing: nobody has the identifier.
func Erase(ctx context.Context, s tables.Session, c Config, entity, id string, now time.Time) (person string, ids int64, err error) {
	p, err := Open(ctx, s, c)
	if err != nil {
		return "", 0, err
	}
	x, err := Explain(ctx, s, c, entity, id, "")
	if err != nil {
		return "", 0, err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return "", 0, err
	}
	if err := p.Prepare(ctx, s); err != nil {
		return "", 0, err
	}
	e := p.entity(entity)
	err = s.Tx(ctx, func(in tables.Session) error {
		if ids, err = g.Forget(ctx, in, x.Person, func(one identity.Input) []string { return p.inputs[one.Name].tables }); err != nil {
			return err
		}
		who := " where weir_id = " + c.SQL.Text(x.Person)
		_, err := exec(ctx, in,
			fmt.Sprintf("insert into %s select coalesce(max(run), 0), %s, 'gone', null, %s from runs", c.SQL.Quote(e.Name+"_changes"), c.SQL.Text(x.Person), tables.Time(now)),
			"delete from "+c.SQL.Quote(e.Name+"_golden")+who, "delete from "+c.SQL.Quote(e.Name+"_audiences")+who, "delete from "+c.SQL.Quote(e.Name+"_moves")+who)
		return err
	})
	return x.Person, ids, err
}
