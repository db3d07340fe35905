// Package profile makes golden records and audiences: features of persons, from the rows
// that belong to them, in the customer's warehouse beside the tables of identity.
//
// A row belongs to its strongest identifier that has a person. Windows roll and are half
// open, [asOf - last, asOf). A run computes every feature from rows, so late rows and
// persons that moved need no rule of their own, and writes the records that differ. What
// a feature names and the warehouse does not have yet is null.
package profile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile/features"
	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// Schema is where all tables of profiles are.
const Schema = "profiles"

// Config is what a Profile is made of.
type Config struct {
	Name  string
	Plan  profiles.Plan
	SQL   tables.Dialect
	Home  string                    // the schema of events
	Table func(event string) string // the table of an event's name
}

// Profile is a plan in a warehouse.
type Profile struct {
	Config
	inputs map[string]*features.Input
	models map[string]score.Learned
}

// overlap is how far a cursor steps back.
const overlap = time.Hour

// calls are the tables of calls, by what an input of events says.
var calls = map[string]string{"track": "tracks", "identify": "identifies", "page": "pages", "screen": "screens", "group": "groups", "alias": "aliases"}

// every are the columns that an input of all events has, beside call: what kind of call it was.
var every = []string{"id", "user_id", "anonymous_id", "event", "timestamp", "received_at", "uuid_ts"}

// Open looks at the warehouse's tables.
func Open(ctx context.Context, s tables.Session, c Config) (*Profile, error) {
	p := &Profile{Config: c, inputs: map[string]*features.Input{}}
	for _, in := range c.Plan.Inputs {
		one, err := p.open(ctx, s, in)
		if err != nil {
			return nil, fmt.Errorf("look at input %s: %w", in.Name, err)
		}
		p.inputs[in.Name] = one
	}
	if slices.ContainsFunc(c.Plan.Scores, scores.Score.Learned) {
		var err error
		if p.models, _, err = score.Models(ctx, s, c.SQL, Schema); err != nil {
			return nil, fmt.Errorf("read what was learned: %w", err)
		}
	}
	return p, nil
}

func (p *Profile) open(ctx context.Context, s tables.Session, in profiles.Input) (*features.Input, error) {
	one := &features.Input{Input: in}
	var err error
	switch {
	case in.Events == "*":
		err = p.all(ctx, s, one)
	case in.Events != "":
		table, ok := calls[strings.ToLower(in.Events)]
		if !ok {
			table = p.Table(in.Events)
		}
		err = p.table(ctx, s, one, p.Home, table)
	default:
		schema, table, ok := strings.Cut(in.From, ".")
		if !ok {
			schema, table = p.Home, in.From
		}
		err = p.table(ctx, s, one, schema, table)
	}
	if err != nil {
		return nil, err
	}
	one.At, one.Row, one.Changed = one.Column(p.SQL, in.At), one.Column(p.SQL, "id"), ""
	if in.Row != "" {
		one.Row = one.Column(p.SQL, in.Row)
	}
	if in.Changed != "" && one.Columns[in.Changed] == tables.Moment {
		one.Changed = p.SQL.Quote(in.Changed)
	}
	if in.Events != "" {
		one.At = "coalesce(" + one.Moment(p.SQL, "timestamp") + ", " + one.Moment(p.SQL, "received_at") + ", " + one.Moment(p.SQL, "uuid_ts") + ")"
		if one.Columns["uuid_ts"] == tables.Moment {
			one.Changed = p.SQL.Quote("uuid_ts")
		}
	}
	switch {
	case in.Known == "at":
		one.Known = one.At
	case one.Columns[in.Known] == tables.Moment:
		one.Known = p.SQL.Quote(in.Known)
	case in.Known != "":
	case in.Events != "":
		one.Known = "coalesce(" + one.Moment(p.SQL, "received_at") + ", " + one.Moment(p.SQL, "uuid_ts") + ")"
	default:
		one.Known = one.Changed
	}
	named, _ := in.Columns() // it was checked
	one.IDs = map[string]string{}
	for _, e := range p.Plan.Entities {
		for _, t := range e.IDs {
			if t.Of != "" {
				continue
			}
			column, given := named[t.Name]
			if !given && len(named) > 0 {
				continue
			}
			if !given {
				column = t.Name
			}
			if _, there := one.Columns[column]; there {
				one.IDs[t.Name] = p.SQL.Quote(column)
			}
		}
	}
	return one, nil
}

// table makes an input of one table.
func (p *Profile) table(ctx context.Context, s tables.Session, in *features.Input, schema, table string) (err error) {
	in.Columns, err = tables.Columns(ctx, s, p.SQL, schema, table)
	in.From = "(select 1 as nothing where false) " + p.SQL.Quote(in.Name)
	if len(in.Columns) > 0 {
		name := p.SQL.Quote(schema) + "." + p.SQL.Quote(table)
		in.From, in.Tables = name+" "+p.SQL.Quote(in.Name), []string{name}
	}
	return err
}

// all makes an input of the tables of all calls.
func (p *Profile) all(ctx context.Context, s tables.Session, in *features.Input) error {
	var parts []string
	in.Columns, in.Has = map[string]tables.Type{}, map[string][]string{}
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		one, table := &features.Input{}, calls[call]
		var err error
		if one.Columns, err = tables.Columns(ctx, s, p.SQL, p.Home, table); err != nil {
			return err
		}
		if len(one.Columns) == 0 {
			continue
		}
		cols := make([]string, len(every))
		for i, c := range every {
			switch c {
			case "timestamp", "received_at", "uuid_ts":
				cols[i] = one.Moment(p.SQL, c)
				in.Columns[c] = tables.Moment
			default:
				cols[i] = "cast(" + one.Column(p.SQL, c) + " as varchar)"
				in.Columns[c] = tables.Text
			}
			cols[i] += " as " + p.SQL.Quote(c)
		}
		cols = append(cols, "cast("+p.SQL.Text(call)+" as varchar) as call")
		in.Columns["call"] = tables.Text
		name := p.SQL.Quote(p.Home) + "." + p.SQL.Quote(table)
		in.Tables = append(in.Tables, name)
		for column := range one.Columns {
			in.Has[name] = append(in.Has[name], p.SQL.Quote(column))
		}
		parts = append(parts, "select "+strings.Join(cols, ", ")+" from "+name)
	}
	in.From = "(select 1 as nothing where false) " + p.SQL.Quote(in.Name)
	if len(parts) > 0 {
		in.From = "(" + strings.Join(parts, " union all ") + ") " + p.SQL.Quote(in.Name)
	}
	return nil
}

// entity returns an entity by name, the first one for "".
func (p *Profile) entity(name string) profiles.Entity {
	for _, e := range p.Plan.Entities {
		if e.Name == name {
			return e
		}
	}
	return p.Plan.Entities[0]
}

// Before is the profile as far as anybody could know the warehouse before a moment, with entities, and so
// tables, of its own: their names have a prefix.
func (p *Profile) Before(at time.Time, prefix string) *Profile {
	past := *p
	past.inputs = map[string]*features.Input{}
	for name, in := range p.inputs {
		past.inputs[name] = in.Before(p.SQL, at)
	}
	past.Plan = prefixed(p.Plan, prefix)
	return &past
}

// prefixed is a plan whose entities have a prefix before their names.
func prefixed(plan profiles.Plan, prefix string) profiles.Plan {
	of := func(entity string) string {
		if entity == "" {
			return ""
		}
		return prefix + entity
	}
	plan.Entities, plan.Features, plan.Scores, plan.Audiences = slices.Clone(plan.Entities), slices.Clone(plan.Features), slices.Clone(plan.Scores), slices.Clone(plan.Audiences)
	for i := range plan.Entities {
		e := &plan.Entities[i]
		e.Name, e.IDs = prefix+e.Name, slices.Clone(e.IDs)
		for j := range e.IDs {
			e.IDs[j].Of = of(e.IDs[j].Of)
		}
	}
	for i := range plan.Features {
		plan.Features[i].Entity = of(plan.Features[i].Entity)
	}
	for i := range plan.Scores {
		plan.Scores[i].Entity = of(plan.Scores[i].Entity)
	}
	for i := range plan.Audiences {
		plan.Audiences[i].Entity = of(plan.Audiences[i].Entity)
	}
	return plan
}

// inputsOf are the inputs as an entity has them: with a column for each of its identifiers that are
// persons of another entity, who is whoever a row belongs to there as it was published last.
func (p *Profile) inputsOf(e profiles.Entity) map[string]*features.Input {
	if len(e.Others()) == 0 {
		return p.inputs
	}
	all := map[string]*features.Input{}
	for name, in := range p.inputs {
		one := *in
		one.IDs = maps.Clone(in.IDs)
		for _, t := range e.IDs {
			if t.Of == "" {
				continue
			}
			delete(one.IDs, t.Name)
			if joins, who := p.owner(p.entity(t.Of), in); who != "" {
				column := p.SQL.Quote("_of_" + t.Name)
				one.From = fmt.Sprintf("(select %s.*, %s as %s from %s %s) %[1]s", p.SQL.Quote(in.Name), who, column, one.From, joins)
				one.IDs[t.Name] = column
			}
		}
		all[name] = &one
	}
	return all
}

// owner is the public identifier of the person of an entity to whom a row of an input belongs, and the joins
// that it is made over.
func (p *Profile) owner(e profiles.Entity, in *features.Input) (joins, who string) {
	var persons []string
	for i, t := range e.IDs {
		column, there := in.IDs[t.Name]
		if !there || t.Of != "" {
			continue
		}
		as := fmt.Sprintf("o%d_%s", i, e.Name)
		joins += fmt.Sprintf(" left join (select n.value, g.person from %s n join %s g on g.node = n.node join _types t on t.entity = %s and t.number = n.type where t.name = %s and g.person is not null) %s on %[5]s.value = %s",
			p.SQL.Quote("_"+e.Name+"_nodes"), p.SQL.Quote("_"+e.Name+"_graph"), p.SQL.Text(e.Name), p.SQL.Text(t.Name), as, p.Graph(e.Name).Value(features.Type(p.SQL, t), p.SQL.Quote(in.Name)+"."+column))
		persons = append(persons, as+".person")
	}
	if len(persons) == 0 {
		return "", ""
	}
	return joins, fmt.Sprintf("%s || cast(coalesce(%s) >> 5 as varchar)", p.SQL.Text(e.Name+"_"), strings.Join(persons, ", "))
}

// Compiler compiles an entity's features at a moment.
func (p *Profile) Compiler(e profiles.Entity, asOf time.Time) *features.Compiler {
	return features.New(features.Config{Plan: p.Plan, Entity: e, SQL: p.SQL, Graph: p.Graph(e.Name), Inputs: p.inputsOf(e), Models: p.models, AsOf: asOf})
}

// Graph is the identity of an entity, by name; "" is the first one's.
func (p *Profile) Graph(name string) *identity.Graph {
	e := p.entity(name)
	g := &identity.Graph{Entity: e.Name, SQL: p.SQL, Overlap: overlap}
	for _, t := range e.IDs {
		g.Types = append(g.Types, features.Type(p.SQL, t))
	}
	if e.Gate != nil {
		g.Gate.Largest = int64(e.Gate.Largest)
		g.Gate.Moved, g.Gate.Gone, g.Gate.Precision, g.Gate.Recall = e.Gate.Shares()
	}
	inputs := p.inputsOf(e)
	for _, in := range p.Plan.Inputs {
		one := inputs[in.Name]
		own := map[string]string{}
		for _, t := range e.IDs {
			if column, ok := one.IDs[t.Name]; ok {
				own[t.Name] = column
			}
		}
		if len(own) > 0 {
			row := identity.Input{Name: in.Name, From: one.From, At: one.At, Changed: one.Changed, IDs: own}
			row.Row, row.Received = "cast("+one.Row+" as varchar)", cmp.Or(one.Known, "null")
			row.Event, row.Table = p.told(one)
			g.Inputs = append(g.Inputs, row)
		}
	}
	return g
}

// told is the expressions of the name of an input's event, null of rows of other tables, and of the table that has the row.
func (p *Profile) told(in *features.Input) (event, table string) {
	plain := func(table string) string { return p.SQL.Text(strings.ReplaceAll(table, `"`, "")) }
	switch {
	case len(in.Tables) == 0:
		return "cast(null as varchar)", "cast(null as varchar)"
	case in.Input.Events == "*":
		table = "case call"
		for _, call := range slices.Sorted(maps.Keys(calls)) {
			table += fmt.Sprintf(" when %s then %s", p.SQL.Text(call), plain(p.Home+"."+calls[call]))
		}
		return "coalesce(" + p.SQL.Quote("event") + ", call)", table + " end"
	case in.Input.Events != "":
		return p.SQL.Text(in.Input.Events), plain(in.Tables[0])
	}
	return "cast(null as varchar)", plain(in.Tables[0])
}

// Rows is the relation of an input's rows, with its columns; none when its table is not there.
func (p *Profile) Rows(input string) (relation string, columns map[string]tables.Type) {
	if in := p.inputs[input]; in != nil {
		return in.From, in.Columns
	}
	return "", nil
}
