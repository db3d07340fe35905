package answers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
)

// How much of a person is answered.
const (
	mostIDs    = 200
	mostLinks  = 1000
	mostEvents = 100
	mostPast   = 100
)

// Person is what the warehouse knows of one person.
type Person struct {
	ID        string         `json:"weirId"`
	Traits    map[string]any `json:"traits"`
	AsOf      *time.Time     `json:"asOf"` // of the traits; null before they are built
	IDs       []ID           `json:"identifiers"`
	Links     []Hop          `json:"links"`     // between them
	Truncated bool           `json:"truncated"` // there are more identifiers or links
	Audiences []Membership   `json:"audiences"`
	Events    []Event        `json:"events"` // newest first
	Past      []Past         `json:"past"`   // oldest first
	Decisions []Decision     `json:"decisions"`
}

// ID is an identifier of a person.
type ID struct {
	Type  string    `json:"type"`
	Value string    `json:"value"`
	First time.Time `json:"firstSeen"`
	Last  time.Time `json:"lastSeen"`
}

// Membership is that a person is in an audience.
type Membership struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

// Event is a row of an input.
type Event struct {
	Input string    `json:"input"`
	Event string    `json:"event"` // its name, of inputs of events
	At    time.Time `json:"at"`
}

// Past is something that became of a person.
type Past struct {
	Kind   string     `json:"kind"` // minted merged split apart
	Person string     `json:"weirId"`
	Other  string     `json:"other,omitempty"` // whom it became part of, or what came out of it
	IDs    int64      `json:"ids"`             // how many identifiers moved
	At     *time.Time `json:"at"`              // null: before its records were built
}

// Find says what is known of who has an identifier, type:value, or weir_id:value.
// fault.Missing: nobody has it.
func Find(ctx context.Context, s tables.Session, c profile.Config, entity, id string) (one Person, err error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return one, err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return one, err
	}
	if err := p.Prepare(ctx, s); err != nil {
		return one, err
	}
	if name, ok := strings.CutPrefix(id, profiles.KeyColumn+":"); ok {
		id, err = first(ctx, s, g, name)
	} else {
		id, err = cleaned(ctx, s, g, id)
	}
	if err != nil {
		return one, err
	}
	if one.ID, err = g.Person(ctx, s, id); err != nil {
		return one, err
	}
	f := finder{ctx, s, c, g, &one}
	for _, part := range []func() error{f.ids, f.links, f.traits, f.audiences, f.events, f.past, f.decisions} {
		if err := part(); err != nil {
			return one, err
		}
	}
	return one, nil
}

// first is an identifier of a person by the public identifier; "" when there is none.
func first(ctx context.Context, s tables.Session, g *identity.Graph, person string) (string, error) {
	v, err := tables.One(ctx, s, fmt.Sprintf("select id_type || ':' || value from %s where weir_id = %s order by first_seen, value limit 1", g.Table("ids"), g.SQL.Text(person)))
	id, _ := v.(string)
	return id, err
}

// cleaned is an identifier as its type's values are written.
func cleaned(ctx context.Context, s tables.Session, g *identity.Graph, id string) (string, error) {
	typ, value, _ := strings.Cut(id, ":")
	for _, t := range g.Types {
		if t.Name != typ {
			continue
		}
		v, err := tables.One(ctx, s, "select "+g.Value(t, "v")+" from (select "+g.SQL.Text(strings.ReplaceAll(value, "\x00", ""))+" as v) x")
		if err != nil {
			return id, err
		}
		if clean, ok := v.(string); ok {
			return typ + ":" + clean, nil
		}
	}
	return id, nil
}

// finder reads the parts of a person.
type finder struct {
	ctx context.Context
	s   tables.Session
	c   profile.Config
	g   *identity.Graph
	one *Person
}

func (f finder) mine() string { return f.c.SQL.Text(f.one.ID) }

func (f finder) table(name string) string { return f.c.SQL.Quote(f.g.Entity + "_" + name) }

func (f finder) ids() error {
	q := fmt.Sprintf("select id_type, value, first_seen, last_seen from %s where weir_id = %s order by first_seen, id_type, value limit %d", f.g.Table("ids"), f.mine(), mostIDs+1)
	f.one.IDs = []ID{}
	err := f.s.Rows(f.ctx, q, func(v []any) error {
		id := ID{Type: text(v[0]), Value: text(v[1])}
		id.First, _ = v[2].(time.Time)
		id.Last, _ = v[3].(time.Time)
		f.one.IDs = append(f.one.IDs, id)
		return nil
	})
	if len(f.one.IDs) > mostIDs {
		f.one.IDs, f.one.Truncated = f.one.IDs[:mostIDs], true
	}
	return err
}

// links are those between identifiers of the person: others of the same hull are somebody else's.
func (f finder) links() error {
	own := map[string]bool{}
	for _, id := range f.one.IDs {
		own[id.Type+":"+id.Value] = true
	}
	f.one.Links = []Hop{}
	if len(f.one.IDs) == 0 {
		return nil
	}
	all, err := f.g.Links(f.ctx, f.s, f.one.IDs[0].Type+":"+f.one.IDs[0].Value, maxPath)
	for _, l := range all {
		if !own[l.A] || !own[l.B] {
			continue
		}
		if len(f.one.Links) == mostLinks {
			f.one.Truncated = true
			break
		}
		f.one.Links = append(f.one.Links, Hop{From: l.A, To: l.B, First: l.First, Last: l.Last})
	}
	return err
}

func (f finder) traits() error {
	f.one.Traits = map[string]any{}
	columns, err := tables.Columns(f.ctx, f.s, f.c.SQL, profile.Schema, f.g.Entity+"_golden")
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(columns)), func(n string) bool {
		return n == profiles.KeyColumn || n == "as_of" || n == "changed_at" || n == "changed_run"
	})
	list := "(select max(as_of) from runs where state = 'published')"
	for _, n := range names {
		list += ", " + f.c.SQL.Quote(n)
	}
	return f.s.Rows(f.ctx, fmt.Sprintf("select %s from %s where weir_id = %s", list, f.table("golden"), f.mine()), func(v []any) error {
		if at, ok := v[0].(time.Time); ok {
			f.one.AsOf = &at
		}
		for i, n := range names {
			f.one.Traits[n] = v[i+1]
		}
		return nil
	})
}

func (f finder) audiences() error {
	f.one.Audiences = []Membership{}
	return f.s.Rows(f.ctx, fmt.Sprintf("select audience, since from %s where weir_id = %s order by audience", f.table("audiences"), f.mine()), func(v []any) error {
		m := Membership{Name: text(v[0])}
		m.Since, _ = v[1].(time.Time)
		f.one.Audiences = append(f.one.Audiences, m)
		return nil
	})
}

// events are the newest rows that belong to the person: those that name an identifier of
// the person, and no stronger one of somebody else. Inputs of single events are left out
// where one is of all events.
func (f finder) events() error {
	f.one.Events = []Event{}
	all := slices.ContainsFunc(f.c.Plan.Inputs, func(in profiles.Input) bool { return in.Events == "*" })
	values := map[string][]string{} // by type
	for _, id := range f.one.IDs {
		values[id.Type] = append(values[id.Type], f.c.SQL.Text(id.Value))
	}
	for _, in := range f.c.Plan.Inputs {
		at := slices.IndexFunc(f.g.Inputs, func(x identity.Input) bool { return x.Name == in.Name })
		if at < 0 || all && in.Events != "" && in.Events != "*" {
			continue
		}
		q := f.rows(in, f.g.Inputs[at], values)
		if q == "" {
			continue
		}
		err := f.s.Rows(f.ctx, q, func(v []any) error {
			e := Event{Input: in.Name, Event: text(v[0])}
			e.At, _ = v[1].(time.Time)
			f.one.Events = append(f.one.Events, e)
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(f.one.Events, func(a, b Event) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Event, b.Event)) })
	f.one.Events = f.one.Events[:min(len(f.one.Events), mostEvents)]
	return nil
}

// rows is the query of an input's newest rows of the person: name, time.
func (f finder) rows(in profiles.Input, g identity.Input, values map[string][]string) string {
	name := f.c.SQL.Text(in.Events)
	if in.Events == "*" {
		name = "coalesce(" + f.c.SQL.Quote("event") + ", " + f.c.SQL.Quote("call") + ")"
	}
	var cols, joins, who, some []string
	for i, t := range f.g.Types {
		column, ok := g.IDs[t.Name]
		if !ok {
			continue
		}
		cols = append(cols, fmt.Sprintf("%s as i%d", f.g.Value(t, column), i))
		joins = append(joins, fmt.Sprintf("left join %s l%d on l%[2]d.id_type = %s and l%[2]d.value = r.i%[2]d", f.g.Table("ids"), i, f.c.SQL.Text(t.Name)))
		who = append(who, fmt.Sprintf("l%d.weir_id", i))
		if len(values[t.Name]) > 0 {
			some = append(some, fmt.Sprintf("i%d in (%s)", i, strings.Join(values[t.Name], ", ")))
		}
	}
	if len(some) == 0 {
		return ""
	}
	return fmt.Sprintf("select r.name_, r.at_ from (select * from (select %s as name_, cast(%s as timestamptz) as at_, %s from %s) x where %s) r %s where coalesce(%s) = %s and r.at_ is not null order by r.at_ desc limit %d",
		name, g.At, strings.Join(cols, ", "), g.From, strings.Join(some, " or "), strings.Join(joins, " "), strings.Join(who, ", "), f.mine(), mostEvents)
}

// past reads the ledger; when it was, the changes of records say.
func (f finder) past() error {
	f.one.Past = []Past{}
	q := fmt.Sprintf(`select l.kind, l.weir_id, l.other, l.ids, max(c.changed_at) from %s l left join %s c on c.weir_id = case l.kind when 'split' then l.other else l.weir_id end
		and c.change = case l.kind when 'merged' then 'gone' else 'new' end where l.weir_id = %s or l.other = %[3]s group by l.run, l.kind, l.weir_id, l.other, l.ids order by l.run, l.kind limit %d`,
		f.g.Table("ledger"), f.table("changes"), f.mine(), mostPast)
	return f.s.Rows(f.ctx, q, func(v []any) error {
		one := Past{Kind: text(v[0]), Person: text(v[1]), Other: text(v[2])}
		one.IDs, _ = v[3].(int64)
		if at, ok := v[4].(time.Time); ok {
			one.At = &at
		}
		f.one.Past = append(f.one.Past, one)
		return nil
	})
}

// decisions are those about an identifier of the person.
func (f finder) decisions() error {
	f.one.Decisions = []Decision{}
	own := make([]string, len(f.one.IDs))
	for i, id := range f.one.IDs {
		own[i] = f.c.SQL.Text(id.Type + ":" + id.Value)
	}
	if len(own) == 0 {
		return nil
	}
	list := strings.Join(own, ", ")
	return f.s.Rows(f.ctx, fmt.Sprintf("select kind, a, b from %s where kind in ('block', 'link', 'unlink') and (a in (%s) or b in (%[2]s)) order by at_time, a, b limit %d", f.g.Table("rules"), list, mostPast), func(v []any) error {
		f.one.Decisions = append(f.one.Decisions, Decision{Kind: text(v[0]), A: text(v[1]), B: text(v[2])})
		return nil
	})
}

// text is a text of a row, "" for null.
func text(v any) string {
	s, _ := v.(string)
	return s
}
