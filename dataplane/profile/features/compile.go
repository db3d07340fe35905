// Package features compiles features of persons, and scores over them, to SQL over rows that
// belong to persons. It runs nothing.
package features

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
)

// Input is an input as the warehouse has it.
type Input struct {
	profiles.Input
	From    string                 // a relation
	Tables  []string               // those that it reads, quoted
	Has     map[string][]string    // the columns, quoted, of one of several tables
	Columns map[string]tables.Type // empty: the table is not there
	At, Row string                 // expressions
	Changed string                 // when the row came or changed; empty: there is none
	Known   string                 // when somebody could know the row; empty: At
	IDs     map[string]string      // the column by the name of the type
}

// With returns those of the tables that have a column, quoted.
func (in *Input) With(column string) (all []string) {
	for _, t := range in.Tables {
		if has, several := in.Has[t]; !several || slices.Contains(has, column) {
			all = append(all, t)
		}
	}
	return all
}

// Column is the expression of a column, null when it is not there.
func (in *Input) Column(d tables.Dialect, name string) string {
	if _, ok := in.Columns[name]; !ok {
		return "cast(null as varchar)"
	}
	return d.Quote(name)
}

// Moment is the expression of a time, null when it is none.
func (in *Input) Moment(d tables.Dialect, name string) string {
	if in.Columns[name] != tables.Moment {
		return "cast(null as timestamptz)"
	}
	return "cast(" + d.Quote(name) + " as timestamptz)"
}

// Before is the input as far as anybody could know it before a moment.
func (in *Input) Before(d tables.Dialect, at time.Time) *Input {
	past := *in
	known := in.Known
	if known == "" {
		known = in.At
	}
	past.From = fmt.Sprintf("(select * from %s where cast(%s as timestamptz) < %s) %s", in.From, known, tables.Time(at), d.Quote(in.Name))
	return &past
}

// feature is a feature to compute, or the hidden one of a did.
type feature struct {
	profiles.Feature
	agg   profiles.Aggregate
	where profiles.Condition
	last  time.Duration
	next  time.Duration  // of a did that looks ahead
	score *score.Formula // of a score that is one
}

// Statement makes a work table.
type Statement struct{ Name, Query string }

// Config is what a Compiler is made of.
type Config struct {
	Plan   profiles.Plan
	Entity profiles.Entity
	SQL    tables.Dialect
	Graph  *identity.Graph
	Inputs map[string]*Input
	Models map[string]score.Learned // of scores that are learned
	AsOf   time.Time
}

// Compiler writes the SQL of an entity's features at one moment. The rows' persons are those of
// the work tables _w_persons(person, weir_id) and _w_map(id_type, value, person).
type Compiler struct {
	Config
	Lineage map[string][]string // table.column by feature, after Compile
	// Some limits rows to those that name an identifier of the work table _w_some(id_type, value).
	Some     bool
	features []feature
}

// New gathers an entity's features, in an order in which each stands behind those
// that it uses, and the hidden ones of dids in its audiences.
func New(config Config) *Compiler {
	c := &Compiler{Config: config, Lineage: map[string][]string{}}
	for _, f := range c.Plan.Order() {
		if all := f.Aggregates(); c.Of(f.Entity) && len(all) == 1 {
			one := feature{Feature: f, agg: all[0]}
			one.where, _ = profiles.ParseCondition(f.Where) // they were checked
			one.last, _ = profiles.Duration(f.Last)
			c.features = append(c.features, one)
		}
	}
	for _, s := range c.Plan.Scores {
		if c.Of(s.Entity) {
			c.features = append(c.features, c.scored(s)...)
		}
	}
	for _, a := range c.Plan.Audiences {
		if c.Of(a.Entity) {
			cond, _ := profiles.ParseCondition(a.Where) // it was checked
			c.Add(cond)
		}
	}
	return c
}

// Of reports whether something is of the compiler's entity by what it says of that.
func (c *Compiler) Of(entity string) bool {
	return entity == c.Entity.Name || entity == "" && c.Entity.Name == c.Plan.Entities[0].Name
}

// Add adds the hidden features of a condition's dids.
func (c *Compiler) Add(cond profiles.Condition) {
	cond.Walk(func(x profiles.Condition) {
		if x.Did != nil {
			c.features = append(c.features, hidden(x.Did))
		}
	})
}

// Names lists the features that are not hidden.
func (c *Compiler) Names() (names []string) {
	for _, f := range c.features {
		if !strings.HasPrefix(f.Name, "_") {
			names = append(names, f.Name)
		}
	}
	return names
}

// Work lists the work tables that Compile's statements make beside the last.
func (c *Compiler) Work() (names []string) {
	names = []string{"_w_base"}
	for _, in := range c.Plan.Inputs {
		names = append(names, "_w_f_"+in.Name, "_w_s_"+in.Name)
	}
	for _, f := range c.features {
		if f.agg.Kind == "mostFrequent" {
			names = append(names, "_w_m_"+f.Name)
		}
	}
	return names
}

// Inputs lists the inputs of whose rows features are made, and that have identifiers.
func (c *Compiler) Inputs() (names []string) {
	for _, f := range c.features {
		for _, column := range f.agg.Columns {
			if c.Attributed(c.Config.Inputs[column.Input], nil, "true") != "" {
				names = append(names, column.Input)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Windows are how far back rows of an input count for features that have an end.
func (c *Compiler) Windows(input string) map[time.Duration]bool {
	all := map[time.Duration]bool{}
	for _, f := range c.features {
		if f.last > 0 && slices.ContainsFunc(f.agg.Columns, func(x profiles.Column) bool { return x.Input == input }) {
			all[f.last] = true
		}
	}
	return all
}

// Aged is the condition over aggregates that a feature has become another one by time alone since a moment.
func (c *Compiler) Aged(since time.Time) string {
	aged := []string{"false"}
	for _, f := range c.features {
		if f.agg.Kind == "since" {
			aged = append(aged, c.age(f.Name, since)+" <> "+c.age(f.Name, c.AsOf))
		}
	}
	return strings.Join(aged, " or ")
}

// age is how many whole days a moment lies before another one: it changes once a day, and not in every build.
func (c *Compiler) age(column string, at time.Time) string {
	return fmt.Sprintf("cast(floor(extract(epoch from (%s - cast(%s as timestamptz))) / 86400.0) as double precision)", tables.Time(at), c.quote(column))
}

// Only leaves the features that a feature or conditions need.
func (c *Compiler) Only(names []string, conditions []profiles.Condition) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	for _, one := range conditions {
		one.Walk(func(x profiles.Condition) {
			wanted[x.Name] = true
			if x.Did != nil {
				wanted[x.Did.Key()] = true
			}
		})
	}
	for _, f := range slices.Backward(c.features) { // each stands behind those that it uses
		if !wanted[f.Name] {
			continue
		}
		used := slices.Clone(f.Ratio)
		if f.score != nil {
			used = f.score.Uses
		}
		if e, err := profiles.ParseExpression(f.SQL); err == nil {
			used = append(used, e.Uses...)
		}
		for _, name := range used {
			wanted[name] = true
		}
	}
	c.features = slices.DeleteFunc(c.features, func(f feature) bool { return !wanted[f.Name] })
}

// hidden is the feature that counts the rows of a did.
func hidden(d *profiles.Did) feature {
	return feature{Feature: profiles.Feature{Name: d.Key(), Count: d.Input}, agg: profiles.Aggregate{Kind: "count", Columns: []profiles.Column{{Input: d.Input}}}, where: d.Where, last: d.Last, next: d.Next}
}

func (c *Compiler) quote(name string) string { return c.SQL.Quote(name) }

// Attributed is an input's rows with their person, from the work table _w_map.
func (c *Compiler) Attributed(in *Input, columns []string, where string) string {
	var joins, who, some []string
	k := 0
	for _, t := range c.Graph.Types {
		column, ok := in.IDs[t.Name]
		if !ok {
			continue
		}
		joins = append(joins, fmt.Sprintf("left join _w_map l%d on l%[1]d.id_type = %s and l%[1]d.value = r.i%[1]d", k, c.SQL.Text(t.Name)))
		who = append(who, fmt.Sprintf("l%d.person", k))
		columns = append(columns, fmt.Sprintf("%s as i%d", c.Graph.Text(t, column), k)) // the map has no others
		some = append(some, fmt.Sprintf("%s in (select value from _w_some where id_type = %s)", c.Graph.Text(t, column), c.SQL.Text(t.Name)))
		k++
	}
	if k == 0 {
		return ""
	}
	inner := fmt.Sprintf("select cast(%s as timestamptz) as at_, cast(%s as varchar) as row_, %s from %s", in.At, in.Row, strings.Join(columns, ", "), in.From)
	if c.Some {
		inner += " where " + strings.Join(some, " or ")
	}
	return fmt.Sprintf("select * from (select coalesce(%s) as person, r.* from (%s) r %s where %s) s where person is not null", strings.Join(who, ", "), inner, strings.Join(joins, " "), where)
}

// value is a column of an input as a value of its type, and what that is in SQL.
func (c *Compiler) value(in *Input, name string) (expr, native string) {
	q := in.Column(c.SQL, name)
	switch in.Columns[name] {
	case tables.Number:
		return "cast(" + q + " as double precision)", "double precision"
	case tables.Moment:
		return "cast(" + q + " as timestamptz)", "timestamptz"
	case tables.Boolean:
		return q, "boolean"
	}
	return "cast(" + q + " as varchar)", "varchar"
}

// number is a column as a number.
func (c *Compiler) number(in *Input, name string) string {
	q := in.Column(c.SQL, name)
	if in.Columns[name] == tables.Number {
		return "cast(" + q + " as double precision)"
	}
	return c.SQL.Number(q)
}

// condition is a condition over columns, each by the expression that x gives it with its
// type. It is never null.
func (c *Compiler) condition(cond profiles.Condition, x func(name string) (expr string, typ tables.Type)) string {
	join := func(list []profiles.Condition, by string) string {
		parts := make([]string, len(list))
		for i, one := range list {
			parts[i] = c.condition(one, x)
		}
		return "(" + strings.Join(parts, by) + ")"
	}
	switch {
	case cond.Not != nil:
		return "(not " + c.condition(*cond.Not, x) + ")"
	case len(cond.Any) > 0:
		return join(cond.Any, " or ")
	case len(cond.All) > 0:
		return join(cond.All, " and ")
	case cond.Did != nil:
		return fmt.Sprintf("(coalesce(%s, 0) >= %d)", c.quote(cond.Did.Key()), cond.Did.Times)
	case cond.Name == "":
		return "true"
	}
	return "coalesce(" + c.comparison(cond, x) + ", false)"
}

func (c *Compiler) comparison(cond profiles.Condition, x func(string) (string, tables.Type)) string {
	q, typ := x(cond.Name)
	text := "cast(" + q + " as varchar)"
	number := c.SQL.Number(q)
	if typ == tables.Number {
		number = q
	}
	switch cond.Op {
	case profiles.OpKnown:
		return "(" + q + " is not null)"
	case profiles.OpOver, profiles.OpAtLeast, profiles.OpUnder, profiles.OpAtMost:
		sign := map[profiles.Op]string{profiles.OpOver: ">", profiles.OpAtLeast: ">=", profiles.OpUnder: "<", profiles.OpAtMost: "<="}[cond.Op]
		return fmt.Sprintf("(%s %s %s)", number, sign, literal(cond.Values[0]))
	case profiles.OpContains:
		return fmt.Sprintf("(strpos(%s, %s) > 0)", text, c.SQL.Text(fmt.Sprint(cond.Values[0])))
	case profiles.OpStartsWith:
		return fmt.Sprintf("(strpos(%s, %s) = 1)", text, c.SQL.Text(fmt.Sprint(cond.Values[0])))
	}
	var parts, texts []string
	for _, v := range cond.Values {
		switch v := v.(type) {
		case float64:
			parts = append(parts, number+" = "+literal(v))
		case bool:
			if typ == tables.Boolean {
				parts = append(parts, q+" = "+strconv.FormatBool(v))
			} else {
				parts = append(parts, "lower("+text+") = '"+strconv.FormatBool(v)+"'")
			}
		case string:
			texts = append(texts, c.SQL.Text(strings.ReplaceAll(v, "\x00", "")))
		}
	}
	if len(texts) > 0 {
		parts = append(parts, text+" in ("+strings.Join(texts, ", ")+")")
	}
	return "(" + strings.Join(parts, " or ") + ")"
}

// literal is a number's.
func literal(v any) string {
	f, _ := v.(float64) // it was checked
	return "cast(" + strconv.FormatFloat(f, 'f', -1, 64) + " as double precision)"
}

// cond is when a row counts for a feature: by its time, its conditions, and value, where
// that is not empty, which may not be null.
func (c *Compiler) cond(f feature, in *Input, value string) string {
	parts := []string{"at_ < " + tables.Time(c.AsOf.Add(f.next))}
	if f.next > 0 {
		parts = append(parts, "at_ >= "+tables.Time(c.AsOf))
	}
	if f.last > 0 {
		parts = append(parts, "at_ >= "+tables.Time(c.AsOf.Add(-f.last)))
	}
	if f.where.Says() {
		parts = append(parts, c.condition(f.where, func(name string) (string, tables.Type) {
			if _, there := in.Columns[name]; !there {
				return "cast(null as varchar)", tables.Text
			}
			return c.inner(name), in.Columns[name]
		}))
	}
	if value != "" {
		parts = append(parts, value+" is not null")
	}
	return strings.Join(parts, " and ")
}

// inner is a column in attributed rows.
func (c *Compiler) inner(name string) string { return c.quote("c_" + name) }

// exact is the condition under which a number has a place in decimals, whose sums do not
// depend on their order.
const exact = "abs(%[1]s) < 1e20"

// aggregate is a feature's aggregate over attributed rows of an input.
func (c *Compiler) aggregate(f feature, in *Input, column string) string {
	at := c.cond(f, in, "")
	var value, native string
	if column != "" {
		value, native = c.value(&Input{Columns: map[string]tables.Type{"c_" + column: in.Columns[column]}}, "c_"+column)
		if _, there := in.Columns[column]; !there {
			return "cast(null as varchar)"
		}
	}
	number := ""
	if column != "" {
		number = c.number(&Input{Columns: map[string]tables.Type{"c_" + column: in.Columns[column]}}, "c_"+column)
	}
	with := c.cond(f, in, value)
	switch f.agg.Kind {
	case "count":
		return "cast(sum(case when " + at + " then 1 else 0 end) as bigint)"
	case "exists":
		return "(sum(case when " + at + " then 1 else 0 end) > 0)"
	case "days":
		return "cast(count(distinct case when " + at + " then cast(at_ as date) end) as bigint)"
	case "since":
		return fmt.Sprintf("max(case when %s then at_ end)", at)
	case "sum":
		return fmt.Sprintf("cast(sum(case when %s and "+fmt.Sprintf(exact, number)+" then cast(%s as decimal(38, 9)) end) as double precision)", c.cond(f, in, number), number)
	case "average":
		return fmt.Sprintf("cast(avg(case when %s and "+fmt.Sprintf(exact, number)+" then cast(%s as decimal(38, 9)) end) as double precision)", c.cond(f, in, number), number)
	case "min", "max":
		if native == "boolean" {
			value = "cast(" + value + " as varchar)"
		}
		return fmt.Sprintf("%s(case when %s then %s end)", f.agg.Kind, with, value)
	case "distinct":
		return "cast(count(distinct case when " + with + " then " + value + " end) as bigint)"
	case "list":
		text := c.SQL.Binary("case when " + with + " then cast(" + value + " as text) end") // a varchar is cast once more by Postgres, and is not what it is ordered by then
		return "left(string_agg(distinct " + text + ", ', ' order by " + text + "), 1000)"
	case "first":
		return c.SQL.Earliest(value, "at_", "row_", with)
	}
	return c.SQL.Latest(value, "at_", "row_", with)
}

// Compile writes the statements that make the work table out(person, weir_id, features),
// one row for each person of _w_persons.
func (c *Compiler) Compile(out string) []Statement {
	return append(c.Base("_w_base"), Statement{out, c.Derive("_w_base")})
}

// Base writes the statements that make the work table out(person, weir_id, aggregates), one row for each
// person of _w_persons: the features that are made of rows, which Derive makes the others of. An
// aggregate changes with its rows, with who they belong to, and as they come into windows and leave them.
func (c *Compiler) Base(out string) (all []Statement) {
	type piece struct{ aggs []string }
	scans, order := map[string]*piece{}, []string{}
	columns := map[string][]string{}
	selects, joins := []string{}, []string{}
	scan := func(name string) *piece {
		if scans[name] == nil {
			scans[name] = &piece{}
			order = append(order, name)
		}
		return scans[name]
	}
	need := func(in, column string) {
		if _, there := c.Config.Inputs[in].Columns[column]; there && !slices.Contains(columns[in], column) {
			columns[in] = append(columns[in], column)
		}
	}
	seen, ahead := map[string]bool{}, time.Duration(0)
	for _, f := range c.features {
		ahead = max(ahead, f.next)
		if seen[f.Name] || len(f.agg.Columns) == 0 {
			continue
		}
		seen[f.Name] = true
		var parts []string
		for i, col := range f.agg.Columns {
			in := c.Config.Inputs[col.Input]
			f.where.Walk(func(x profiles.Condition) {
				if x.Name != "" {
					need(col.Input, x.Name)
					c.note(f.Name, in, x.Name)
				}
			})
			if col.Name != "" {
				need(col.Input, col.Name)
			}
			c.note(f.Name, in, col.Name)
			if len(in.IDs) == 0 || c.Attributed(in, nil, "true") == "" {
				continue
			}
			name := c.quote(fmt.Sprintf("%s_%d", f.Name, i))
			if f.agg.Kind == "mostFrequent" {
				all = append(all, Statement{"_w_m_" + f.Name, "%%" + col.Input + "%%" + c.most(f, in, col.Name)})
				joins = append(joins, fmt.Sprintf("left join %s on %[1]s.person = p.person", c.quote("_w_m_"+f.Name)))
				parts = append(parts, c.quote("_w_m_"+f.Name)+".v")
				continue
			}
			s := scan(col.Input)
			s.aggs = append(s.aggs, c.aggregate(f, in, col.Name)+" as "+name)
			parts = append(parts, c.quote("_w_f_"+col.Input)+"."+name)
		}
		selects = append(selects, c.whole(f, parts)+" as "+c.quote(f.Name))
	}
	rows := func(in string) string {
		cols := make([]string, len(columns[in]))
		for i, x := range columns[in] {
			cols[i] = c.quote(x) + " as " + c.inner(x)
		}
		return c.Attributed(c.Config.Inputs[in], cols, "at_ < "+tables.Time(c.AsOf.Add(ahead)))
	}
	for i := range all { // of mostFrequent: columns are known now
		parts := strings.SplitN(all[i].Query, "%%", 3)
		all[i].Query = strings.ReplaceAll(parts[2], "{rows}", rows(parts[1]))
	}
	for _, in := range order {
		all = append(all, Statement{"_w_f_" + in, "select person, " + strings.Join(scans[in].aggs, ", ") + " from (" + rows(in) + ") s group by person"})
		joins = append(joins, fmt.Sprintf("left join %s on %[1]s.person = p.person", c.quote("_w_f_"+in)))
	}
	return append(all, Statement{out, "select " + strings.Join(append([]string{"p.person", "p.weir_id"}, selects...), ", ") + " from _w_persons p " + strings.Join(joins, " ")})
}

// whole is a feature's value from those of its columns: the first one that has any.
func (c *Compiler) whole(f feature, parts []string) string {
	switch f.agg.Kind {
	case "count", "distinct", "days":
		return "coalesce(" + strings.Join(append(parts, "cast(0 as bigint)"), ", ") + ")"
	case "exists":
		return "coalesce(" + strings.Join(append(parts, "false"), ", ") + ")"
	case "sum":
		return "coalesce(" + strings.Join(append(parts, "cast(0 as double precision)"), ", ") + ")"
	}
	switch len(parts) {
	case 0:
		return "cast(null as varchar)"
	case 1:
		return parts[0]
	}
	for i := range parts {
		parts[i] = "cast(" + parts[i] + " as varchar)"
	}
	return "coalesce(" + strings.Join(parts, ", ") + ")"
}

// most is the query of the most frequent value: the newest among equals, then the least.
func (c *Compiler) most(f feature, in *Input, column string) string {
	value := "cast(null as varchar)"
	if _, there := in.Columns[column]; there {
		value, _ = c.value(&Input{Columns: map[string]tables.Type{"c_" + column: in.Columns[column]}}, "c_"+column)
	}
	return fmt.Sprintf("select person, v from (select person, v, row_number() over (partition by person order by n desc, l desc, v) as rn from (select person, %s as v, count(*) as n, max(at_) as l from ({rows}) s where %s group by person, %[1]s) q) r where rn = 1",
		value, c.cond(f, in, value))
}

// Columns lists the columns that Base makes, quoted.
func (c *Compiler) Columns() []string {
	columns, has := []string{"person", "weir_id"}, map[string]bool{}
	for _, f := range c.features {
		if len(f.agg.Columns) > 0 && !has[f.Name] {
			columns, has[f.Name] = append(columns, c.quote(f.Name)), true
		}
	}
	return columns
}

// Derive is the query of all features from a relation of aggregates: features of features each one level
// above what they use.
func (c *Compiler) Derive(from string) string {
	columns := c.Columns()
	first := slices.Clone(columns)
	for _, f := range c.features {
		if f.agg.Kind == "since" {
			first[slices.Index(columns, c.quote(f.Name))] = c.age(f.Name, c.AsOf) + " as " + c.quote(f.Name)
		}
	}
	q := "select " + strings.Join(first, ", ") + " from " + from
	for _, f := range c.features {
		expr := ""
		if f.score != nil {
			q = f.score.Around(c.SQL, q, columns, f.Name)
			columns = append(columns, c.quote(f.Name))
			for _, u := range f.score.Uses {
				c.Lineage[f.Name] = append(c.Lineage[f.Name], c.Lineage[u]...)
			}
			continue
		}
		switch f.agg.Kind {
		case "ratio":
			expr = fmt.Sprintf("cast(%s as double precision) / nullif(cast(%s as double precision), 0)", c.quote(f.Ratio[0]), c.quote(f.Ratio[1]))
			c.Lineage[f.Name] = slices.Concat(c.Lineage[f.Ratio[0]], c.Lineage[f.Ratio[1]])
		case "sql":
			e, err := profiles.ParseExpression(f.SQL)
			if err != nil {
				continue // it was checked
			}
			expr = e.SQL
			for _, u := range e.Uses {
				expr = strings.ReplaceAll(expr, "{{"+u+"}}", c.quote(u))
				c.Lineage[f.Name] = append(c.Lineage[f.Name], c.Lineage[u]...)
			}
		default:
			continue
		}
		q = fmt.Sprintf("select s.*, %s as %s from (%s) s", expr, c.quote(f.Name), q)
		columns = append(columns, c.quote(f.Name))
	}
	return q
}

// note says that a feature reads a column of an input; "" is its rows.
func (c *Compiler) note(name string, in *Input, column string) {
	for _, t := range in.Tables {
		at := strings.ReplaceAll(t, `"`, "")
		if column != "" {
			at += "." + column
		}
		if !slices.Contains(c.Lineage[name], at) {
			c.Lineage[name] = append(c.Lineage[name], at)
		}
	}
}

// Audience is a condition over features of the table that Compile makes.
func (c *Compiler) Audience(cond profiles.Condition) string {
	return c.condition(cond, func(name string) (string, tables.Type) { return c.quote(name), tables.Other })
}
