// Package profile makes golden records and audiences: features of persons, from the rows
// that belong to them, in the customer's warehouse beside the tables of identity.
//
// A row belongs to its strongest identifier that has a person. Windows roll and are half
// open, [asOf - last, asOf). A run computes every feature from rows, so late rows and
// persons that moved need no rule of their own, and writes the records that differ. What
// a feature names and the warehouse does not have yet is null.
package profile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
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
	inputs map[string]*input
}

// input is an input as the warehouse has it.
type input struct {
	profiles.Input
	from    string                 // a relation
	tables  []string               // those that it reads, quoted
	columns map[string]tables.Type // empty: the table is not there
	at, row string                 // expressions
	changed string                 // empty: there is none
	ids     map[string]string      // the column by the name of the type
}

// overlap is how far a cursor steps back.
const overlap = time.Hour

// calls are the tables of calls, by what an input of events says.
var calls = map[string]string{"track": "tracks", "identify": "identifies", "page": "pages", "screen": "screens", "group": "groups", "alias": "aliases"}

// every are the columns that an input of all events has, beside call: what kind of call it was.
var every = []string{"id", "user_id", "anonymous_id", "event", "timestamp", "received_at", "uuid_ts"}

// Open looks at the warehouse's tables.
func Open(ctx context.Context, s tables.Session, c Config) (*Profile, error) {
	p := &Profile{Config: c, inputs: map[string]*input{}}
	for _, in := range c.Plan.Inputs {
		one, err := p.open(ctx, s, in)
		if err != nil {
			return nil, fmt.Errorf("look at input %s: %w", in.Name, err)
		}
		p.inputs[in.Name] = one
	}
	return p, nil
}

func (p *Profile) open(ctx context.Context, s tables.Session, in profiles.Input) (*input, error) {
	one := &input{Input: in}
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
	one.at, one.row, one.changed = one.column(p.SQL, in.At), one.column(p.SQL, "id"), ""
	if in.Row != "" {
		one.row = one.column(p.SQL, in.Row)
	}
	if in.Changed != "" && one.columns[in.Changed] == tables.Moment {
		one.changed = p.SQL.Quote(in.Changed)
	}
	if in.Events != "" {
		one.at = "coalesce(" + one.moment(p.SQL, "timestamp") + ", " + one.moment(p.SQL, "received_at") + ", " + one.moment(p.SQL, "uuid_ts") + ")"
		if one.columns["uuid_ts"] == tables.Moment {
			one.changed = p.SQL.Quote("uuid_ts")
		}
	}
	named, _ := in.Columns() // it was checked
	one.ids = map[string]string{}
	for _, e := range p.Plan.Entities {
		for _, t := range e.IDs {
			column, given := named[t.Name]
			if !given && len(named) > 0 {
				continue
			}
			if !given {
				column = t.Name
			}
			if _, there := one.columns[column]; there {
				one.ids[t.Name] = p.SQL.Quote(column)
			}
		}
	}
	return one, nil
}

// column is the expression of a column, null when it is not there.
func (in *input) column(d tables.Dialect, name string) string {
	if _, ok := in.columns[name]; !ok {
		return "cast(null as varchar)"
	}
	return d.Quote(name)
}

// moment is the expression of a time, null when it is none.
func (in *input) moment(d tables.Dialect, name string) string {
	if in.columns[name] != tables.Moment {
		return "cast(null as timestamptz)"
	}
	return "cast(" + d.Quote(name) + " as timestamptz)"
}

// table makes an input of one table.
func (p *Profile) table(ctx context.Context, s tables.Session, in *input, schema, table string) (err error) {
	in.columns, err = tables.Columns(ctx, s, p.SQL, schema, table)
	in.from = "(select 1 as nothing where false) " + p.SQL.Quote(in.Name)
	if len(in.columns) > 0 {
		name := p.SQL.Quote(schema) + "." + p.SQL.Quote(table)
		in.from, in.tables = name+" "+p.SQL.Quote(in.Name), []string{name}
	}
	return err
}

// all makes an input of the tables of all calls.
func (p *Profile) all(ctx context.Context, s tables.Session, in *input) error {
	var parts []string
	in.columns = map[string]tables.Type{}
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		one, table := &input{}, calls[call]
		var err error
		if one.columns, err = tables.Columns(ctx, s, p.SQL, p.Home, table); err != nil {
			return err
		}
		if len(one.columns) == 0 {
			continue
		}
		cols := make([]string, len(every))
		for i, c := range every {
			switch c {
			case "timestamp", "received_at", "uuid_ts":
				cols[i] = one.moment(p.SQL, c)
				in.columns[c] = tables.Moment
			default:
				cols[i] = "cast(" + one.column(p.SQL, c) + " as varchar)"
				in.columns[c] = tables.Text
			}
			cols[i] += " as " + p.SQL.Quote(c)
		}
		cols = append(cols, "cast("+p.SQL.Text(call)+" as varchar) as call")
		in.columns["call"] = tables.Text
		name := p.SQL.Quote(p.Home) + "." + p.SQL.Quote(table)
		in.tables = append(in.tables, name)
		parts = append(parts, "select "+strings.Join(cols, ", ")+" from "+name)
	}
	in.from = "(select 1 as nothing where false) " + p.SQL.Quote(in.Name)
	if len(parts) > 0 {
		in.from = "(" + strings.Join(parts, " union all ") + ") " + p.SQL.Quote(in.Name)
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

// Graph is the identity of an entity, by name; "" is the first one's.
func (p *Profile) Graph(name string) *identity.Graph {
	e := p.entity(name)
	g := &identity.Graph{Entity: e.Name, SQL: p.SQL, Overlap: overlap}
	for _, t := range e.IDs {
		g.Types = append(g.Types, p.typeOf(t))
	}
	if e.Gate != nil {
		g.Gate.Largest = int64(e.Gate.Largest)
		g.Gate.Moved, _ = profiles.Share(e.Gate.Moved) // they were checked
		g.Gate.Gone, _ = profiles.Share(e.Gate.Gone)
	}
	for _, in := range p.Plan.Inputs {
		one := p.inputs[in.Name]
		own := map[string]string{}
		for _, t := range e.IDs {
			if column, ok := one.ids[t.Name]; ok {
				own[t.Name] = column
			}
		}
		if len(own) > 0 {
			g.Inputs = append(g.Inputs, identity.Input{Name: in.Name, From: one.from, At: one.at, Changed: one.changed, IDs: own})
		}
	}
	return g
}

// typeOf is a type of identifiers as identity takes it.
func (p *Profile) typeOf(t profiles.Identifier) identity.Type {
	one := identity.Type{Name: t.Name, Unique: t.Unique}
	one.Limits, _ = t.Limits() // they were checked
	one.Expire, _ = profiles.Duration(t.Expire)
	switch t.Clean {
	case "email", "text":
		one.Clean = func(x string) string { return "lower(trim(" + x + "))" }
	case "domain":
		one.Clean = func(x string) string {
			return "regexp_replace(lower(trim(" + x + ")), '^.*@|^https?://|^www[.]|/.*$', '', 'g')"
		}
	case "phone":
		one.Clean = func(x string) string { return p.phone(x, t.Country) }
	}
	for _, b := range t.Block {
		one.Blocks = append(one.Blocks, func(x string) string { return "lower(" + x + ") like " + p.like(strings.ToLower(b)) })
	}
	if t.Match != "" {
		one.Blocks = append(one.Blocks, func(x string) string { return x + " not like " + p.like(t.Match) })
	}
	return one
}

// phone is the expression of a number as +digits: 00 before it is +, and one zero before
// it is country's, where that is given.
func (p *Profile) phone(x, country string) string {
	digits := p.digits(x)
	q := "case when trim(" + x + ") like '+%' then '+' || " + digits + " when " + digits + " like '00%' then '+' || substr(" + digits + ", 3)"
	if country != "" {
		q += " when " + digits + " like '0%' then '+" + country + "' || substr(" + digits + ", 2)"
	}
	return q + " else " + digits + " end"
}

// digits is the expression of the digits of a text.
func (p *Profile) digits(x string) string { return "regexp_replace(" + x + ", '[^0-9]', '', 'g')" }

// like is the pattern of a text with * for any text.
func (p *Profile) like(pattern string) string {
	pattern = strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`, `*`, `%`).Replace(pattern)
	return p.SQL.Text(pattern) + " escape '!'"
}

// Rows is the relation of an input's rows, with its columns; none when its table is not there.
func (p *Profile) Rows(input string) (relation string, columns map[string]tables.Type) {
	if in := p.inputs[input]; in != nil {
		return in.from, in.columns
	}
	return "", nil
}
