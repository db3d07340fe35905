package profile

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

// feature is a feature to compute, or the hidden one of a did.
type feature struct {
	profiles.Feature
	agg   profiles.Aggregate
	where profiles.Condition
	last  time.Duration
	score *score.Formula // of a score that is one
}

// statement makes a work table.
type statement struct{ name, query string }

// compiler writes the SQL of an entity's features at one moment.
type compiler struct {
	p        *Profile
	g        *identity.Graph
	asOf     time.Time
	features []feature
	lineage  map[string][]string // table.column by feature
}

// compiler gathers an entity's features, in an order in which each stands behind those
// that it uses, and the hidden ones of dids in its audiences.
func (p *Profile) compiler(e profiles.Entity, asOf time.Time) *compiler {
	c := &compiler{p: p, g: p.Graph(e.Name), asOf: asOf, lineage: map[string][]string{}}
	first := p.Plan.Entities[0].Name
	of := func(name string) bool { return name == e.Name || name == "" && e.Name == first }
	for _, f := range p.Plan.Order() {
		if all := f.Aggregates(); of(f.Entity) && len(all) == 1 {
			one := feature{Feature: f, agg: all[0]}
			one.where, _ = profiles.ParseCondition(f.Where) // they were checked
			one.last, _ = profiles.Duration(f.Last)
			c.features = append(c.features, one)
		}
	}
	for _, s := range p.Plan.Scores {
		if of(s.Entity) {
			c.features = append(c.features, scored(s)...)
		}
	}
	for _, a := range p.Plan.Audiences {
		if of(a.Entity) {
			cond, _ := profiles.ParseCondition(a.Where) // it was checked
			cond.Walk(func(x profiles.Condition) {
				if x.Did != nil {
					c.features = append(c.features, hidden(x.Did))
				}
			})
		}
	}
	return c
}

// hidden is the feature that counts the rows of a did.
func hidden(d *profiles.Did) feature {
	return feature{Feature: profiles.Feature{Name: d.Key(), Count: d.Input}, agg: profiles.Aggregate{Kind: "count", Columns: []profiles.Column{{Input: d.Input}}}, where: d.Where, last: d.Last}
}

func (c *compiler) quote(name string) string { return c.p.SQL.Quote(name) }

// attributed is an input's rows with their person, from the work table _w_map.
func (c *compiler) attributed(in *input, columns []string, where string) string {
	var joins, who []string
	k := 0
	for _, t := range c.g.Types {
		column, ok := in.ids[t.Name]
		if !ok {
			continue
		}
		joins = append(joins, fmt.Sprintf("left join _w_map l%d on l%[1]d.id_type = %s and l%[1]d.value = r.i%[1]d", k, c.p.SQL.Text(t.Name)))
		who = append(who, fmt.Sprintf("l%d.person", k))
		columns = append(columns, fmt.Sprintf("%s as i%d", c.g.Value(t, column), k))
		k++
	}
	if k == 0 {
		return ""
	}
	inner := fmt.Sprintf("select cast(%s as timestamptz) as at_, cast(%s as varchar) as row_, %s from %s", in.at, in.row, strings.Join(columns, ", "), in.from)
	return fmt.Sprintf("select * from (select coalesce(%s) as person, r.* from (%s) r %s where %s) s where person is not null", strings.Join(who, ", "), inner, strings.Join(joins, " "), where)
}

// value is a column of an input as a value of its type, and what that is in SQL.
func (c *compiler) value(in *input, name string) (expr, native string) {
	q := in.column(c.p.SQL, name)
	switch in.columns[name] {
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
func (c *compiler) number(in *input, name string) string {
	q := in.column(c.p.SQL, name)
	if in.columns[name] == tables.Number {
		return "cast(" + q + " as double precision)"
	}
	return c.p.SQL.Number(q)
}

// condition is a condition over columns, each by the expression that x gives it with its
// type. It is never null.
func (c *compiler) condition(cond profiles.Condition, x func(name string) (expr string, typ tables.Type)) string {
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

func (c *compiler) comparison(cond profiles.Condition, x func(string) (string, tables.Type)) string {
	q, typ := x(cond.Name)
	text := "cast(" + q + " as varchar)"
	number := c.p.SQL.Number(q)
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
		return fmt.Sprintf("(strpos(%s, %s) > 0)", text, c.p.SQL.Text(fmt.Sprint(cond.Values[0])))
	case profiles.OpStartsWith:
		return fmt.Sprintf("(strpos(%s, %s) = 1)", text, c.p.SQL.Text(fmt.Sprint(cond.Values[0])))
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
			texts = append(texts, c.p.SQL.Text(strings.ReplaceAll(v, "\x00", "")))
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
func (c *compiler) cond(f feature, in *input, value string) string {
	parts := []string{"at_ < " + tables.Time(c.asOf)}
	if f.last > 0 {
		parts = append(parts, "at_ >= "+tables.Time(c.asOf.Add(-f.last)))
	}
	if f.where.Says() {
		parts = append(parts, c.condition(f.where, func(name string) (string, tables.Type) {
			if _, there := in.columns[name]; !there {
				return "cast(null as varchar)", tables.Text
			}
			return c.inner(name), in.columns[name]
		}))
	}
	if value != "" {
		parts = append(parts, value+" is not null")
	}
	return strings.Join(parts, " and ")
}

// inner is a column in attributed rows.
func (c *compiler) inner(name string) string { return c.quote("c_" + name) }

// exact is the condition under which a number has a place in decimals, whose sums do not
// depend on their order.
const exact = "abs(%[1]s) < 1e20"

// aggregate is a feature's aggregate over attributed rows of an input.
func (c *compiler) aggregate(f feature, in *input, column string) string {
	at := c.cond(f, in, "")
	var value, native string
	if column != "" {
		value, native = c.value(&input{columns: map[string]tables.Type{"c_" + column: in.columns[column]}}, "c_"+column)
		if _, there := in.columns[column]; !there {
			return "cast(null as varchar)"
		}
	}
	number := ""
	if column != "" {
		number = c.number(&input{columns: map[string]tables.Type{"c_" + column: in.columns[column]}}, "c_"+column)
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
		return fmt.Sprintf("cast(extract(epoch from (%s - max(case when %s then at_ end))) / 86400.0 as double precision)", tables.Time(c.asOf), at)
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
	case "first":
		return c.p.SQL.Earliest(value, "at_", "row_", with)
	}
	return c.p.SQL.Latest(value, "at_", "row_", with)
}

// compile writes the statements that make the work table out(person, weir_id, features),
// one row for each person of _w_persons.
func (c *compiler) compile(out string) (all []statement) {
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
		if _, there := c.p.inputs[in].columns[column]; there && !slices.Contains(columns[in], column) {
			columns[in] = append(columns[in], column)
		}
	}
	seen := map[string]bool{}
	for _, f := range c.features {
		if seen[f.Name] || len(f.agg.Columns) == 0 {
			continue
		}
		seen[f.Name] = true
		var parts []string
		for i, col := range f.agg.Columns {
			in := c.p.inputs[col.Input]
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
			if len(in.ids) == 0 || c.attributed(in, nil, "true") == "" {
				continue
			}
			name := c.quote(fmt.Sprintf("%s_%d", f.Name, i))
			if f.agg.Kind == "mostFrequent" {
				all = append(all, statement{"_w_m_" + f.Name, "%%" + col.Input + "%%" + c.most(f, in, col.Name)})
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
		return c.attributed(c.p.inputs[in], cols, "at_ < "+tables.Time(c.asOf))
	}
	for i := range all { // of mostFrequent: columns are known now
		parts := strings.SplitN(all[i].query, "%%", 3)
		all[i].query = strings.ReplaceAll(parts[2], "{rows}", rows(parts[1]))
	}
	for _, in := range order {
		all = append(all, statement{"_w_f_" + in, "select person, " + strings.Join(scans[in].aggs, ", ") + " from (" + rows(in) + ") s group by person"})
		joins = append(joins, fmt.Sprintf("left join %s on %[1]s.person = p.person", c.quote("_w_f_"+in)))
	}
	return append(all, statement{out, c.derive("select " + strings.Join(append([]string{"p.person", "p.weir_id"}, selects...), ", ") + " from _w_persons p " + strings.Join(joins, " "))})
}

// whole is a feature's value from those of its columns: the first one that has any.
func (c *compiler) whole(f feature, parts []string) string {
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
func (c *compiler) most(f feature, in *input, column string) string {
	value := "cast(null as varchar)"
	if _, there := in.columns[column]; there {
		value, _ = c.value(&input{columns: map[string]tables.Type{"c_" + column: in.columns[column]}}, "c_"+column)
	}
	return fmt.Sprintf("select person, v from (select person, v, row_number() over (partition by person order by n desc, l desc, v) as rn from (select person, %s as v, count(*) as n, max(at_) as l from ({rows}) s where %s group by person, %[1]s) q) r where rn = 1",
		value, c.cond(f, in, value))
}

// derive puts features of features around a query, each one level above what it uses.
func (c *compiler) derive(q string) string {
	columns, has := []string{"person", "weir_id"}, map[string]bool{}
	for _, f := range c.features {
		if len(f.agg.Columns) > 0 && !has[f.Name] {
			columns, has[f.Name] = append(columns, c.quote(f.Name)), true
		}
	}
	for _, f := range c.features {
		expr := ""
		if f.score != nil {
			q = f.score.Around(c.p.SQL, q, columns, f.Name)
			columns = append(columns, c.quote(f.Name))
			for _, u := range f.score.Uses {
				c.lineage[f.Name] = append(c.lineage[f.Name], c.lineage[u]...)
			}
			continue
		}
		switch f.agg.Kind {
		case "ratio":
			expr = fmt.Sprintf("cast(%s as double precision) / nullif(cast(%s as double precision), 0)", c.quote(f.Ratio[0]), c.quote(f.Ratio[1]))
			c.lineage[f.Name] = slices.Concat(c.lineage[f.Ratio[0]], c.lineage[f.Ratio[1]])
		case "sql":
			e, err := profiles.ParseExpression(f.SQL)
			if err != nil {
				continue // it was checked
			}
			expr = e.SQL
			for _, u := range e.Uses {
				expr = strings.ReplaceAll(expr, "{{"+u+"}}", c.quote(u))
				c.lineage[f.Name] = append(c.lineage[f.Name], c.lineage[u]...)
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
func (c *compiler) note(name string, in *input, column string) {
	for _, t := range in.tables {
		at := strings.ReplaceAll(t, `"`, "")
		if column != "" {
			at += "." + column
		}
		if !slices.Contains(c.lineage[name], at) {
			c.lineage[name] = append(c.lineage[name], at)
		}
	}
}
