package profile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/profile/features"
	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// Built is what a build of golden records did.
type Built struct {
	Persons int64            `json:"persons"` // that there are
	Changed int64            `json:"changed"` // records that are new or differ
	Moves   int64            `json:"moves"`   // persons who came into an audience, or left one
	Scores  []score.Standing `json:"scores,omitempty"`
}

// exec runs statements, and says in its error which one failed. The text stays in the plane.
func exec(ctx context.Context, s tables.Session, statements ...string) (rows int64, err error) {
	for _, q := range statements {
		if rows, err = s.Exec(ctx, q); err != nil {
			return 0, fmt.Errorf("%w\nin %s", err, q[:min(len(q), 600)])
		}
	}
	return rows, nil
}

// People makes the work tables of persons and of the map from identifiers to them; few of
// them, chosen by their number, when one in every is over 1.
func (p *Profile) People(ctx context.Context, s tables.Session, entity string, every int64) error {
	d, graph, nodes := p.SQL, p.SQL.Quote("_"+entity+"_graph"), p.SQL.Quote("_"+entity+"_nodes")
	somebodys := p.Graph(entity).Somebodys("t.name", "n.value")
	some := ""
	if every > 1 {
		some = fmt.Sprintf(" and ((person >> 5) * 40503) %% %d = 0", every)
	}
	all := d.Work("_w_persons", fmt.Sprintf("select person, %s || cast(person >> 5 as varchar) as weir_id from %s where person is not null%s group by person", d.Text(entity+"_"), graph, some))
	all = append(all, d.Work("_w_map", fmt.Sprintf("select t.name as id_type, n.value, g.person from %s g join %s n on n.node = g.node join _types t on t.entity = %s and t.number = n.node %% 32 join _w_persons p on p.person = g.person where %s",
		graph, nodes, d.Text(entity), somebodys))...)
	if every > 1 { // rows of others have to find their person too
		all = append(all, d.Work("_w_map", fmt.Sprintf("select t.name as id_type, n.value, g.person from %s g join %s n on n.node = g.node join _types t on t.entity = %s and t.number = n.node %% 32 where g.person is not null and %s",
			graph, nodes, d.Text(entity), somebodys))...)
	}
	_, err := exec(ctx, s, all...)
	return err
}

// Compute makes the work table _w_fresh of an entity's features, hidden ones too.
func (p *Profile) Compute(ctx context.Context, s tables.Session, c *features.Compiler) error {
	for _, one := range c.Compile("_w_fresh") {
		if _, err := exec(ctx, s, p.SQL.Work(one.Name, one.Query)...); err != nil {
			return err
		}
	}
	return nil
}

// Build makes an entity's golden records and audiences of the moment asOf, and writes what differs, in
// one transaction: of those alone for whom something may have changed since the last build where that can be
// told, and of everybody with full.
func (p *Profile) Build(ctx context.Context, s tables.Session, entity string, run int64, asOf time.Time, full bool) (b Built, err error) {
	e := p.entity(entity)
	c := p.Compiler(e, asOf)
	before, err := p.prior(ctx, s, e)
	if err != nil {
		return b, err
	}
	now, err := p.now(ctx, s, e, asOf)
	if err != nil {
		return b, err
	}
	of := everything
	if !full {
		of = p.extent(c, before, now)
	}
	if c.Some = of != everything; c.Some {
		err = p.dirty(ctx, s, c, e, before, now)
	} else {
		err = p.People(ctx, s, e.Name, 1)
	}
	if err != nil {
		return b, err
	}
	for _, one := range c.Base("_w_base") {
		if _, err := exec(ctx, s, p.SQL.Work(one.Name, one.Query)...); err != nil {
			return b, err
		}
	}
	golden, base := p.SQL.Quote(e.Name+"_golden"), p.SQL.Quote("_"+e.Name+"_base")
	from, list := "_w_base", strings.Join(c.Columns(), ", ")
	if of == derive {
		from = fmt.Sprintf("(select %s from %s where person not in (select person from _w_dirty) union all select %[1]s from _w_base) b", list, base)
	}
	if _, err := exec(ctx, s, p.SQL.Work("_w_fresh", c.Derive(from))...); err != nil {
		return b, err
	}
	if err := p.shape(ctx, s, e.Name+"_golden", c.Names()); err != nil {
		return b, err
	}
	cols := []string{"weir_id"}
	for _, n := range c.Names() {
		cols = append(cols, p.SQL.Quote(n))
	}
	record := strings.Join(cols, ", ")
	// Of golden records and memberships those that this build is about.
	had, member, gone := "", "", "select g.weir_id from "+golden+" g left join _w_fresh f on f.weir_id = g.weir_id where f.weir_id is null"
	if of == touched {
		had = " where weir_id in (select weir_id from _w_fresh)"
		member = " where weir_id in (select weir_id from _w_fresh union select weir_id from _w_gone)"
		gone = fmt.Sprintf("select g.weir_id from _w_dirty d left join _w_persons p on p.person = d.person join %s g on g.weir_id = %s || cast(d.person >> 5 as varchar) where p.person is null", golden, p.SQL.Text(e.Name+"_"))
	}
	work := slices.Concat(
		p.SQL.Work("_w_differ", "select "+record+" from _w_fresh except select "+record+" from "+golden+had),
		p.SQL.Work("_w_gone", gone),
		p.SQL.Work("_w_members", p.members(c, e)),
		p.SQL.Work("_w_moves", fmt.Sprintf(`select coalesce(n.audience, o.audience) as audience, coalesce(n.weir_id, o.weir_id) as weir_id, case when n.weir_id is null then 'exit' else 'enter' end as move
			from _w_members n full join (select audience, weir_id from %s%s) o on o.audience = n.audience and o.weir_id = n.weir_id where n.weir_id is null or o.weir_id is null`, p.SQL.Quote(e.Name+"_audiences"), member)))
	if _, err := exec(ctx, s, work...); err != nil {
		return b, err
	}
	aggregates := []string{"drop table if exists " + base, "create table " + base + " as select " + list + " from _w_base"}
	if of != everything {
		aggregates = []string{"delete from " + base + " where person in (select person from _w_dirty)", "insert into " + base + " (" + list + ") select " + list + " from _w_base"}
	}
	err = s.Tx(ctx, func(in tables.Session) error {
		if err := p.publish(ctx, in, e, golden, record, had, run, asOf, &b); err != nil {
			return err
		}
		_, err := exec(ctx, in, append(aggregates, p.keep(e, now)...)...)
		return err
	})
	if err != nil {
		return b, err
	}
	if b.Persons, err = tables.Int(ctx, s, "select count(*) from "+golden); err != nil {
		return b, err
	}
	if b.Scores, err = score.Stand(ctx, s, p.SQL, Schema, golden, p.scores(e), asOf); err != nil {
		return b, err
	}
	return b, p.clean(ctx, s, c)
}

// scores are those of an entity.
func (p *Profile) scores(e profiles.Entity) []scores.Score {
	return slices.DeleteFunc(slices.Clone(p.Plan.Scores), func(x scores.Score) bool { return p.entity(x.Entity).Name != e.Name })
}

// publish writes what differs.
func (p *Profile) publish(ctx context.Context, in tables.Session, e profiles.Entity, golden, list, had string, run int64, asOf time.Time, b *Built) (err error) {
	changes, audiences, moves := p.SQL.Quote(e.Name+"_changes"), p.SQL.Quote(e.Name+"_audiences"), p.SQL.Quote(e.Name+"_moves")
	at := tables.Time(asOf)
	if _, err = exec(ctx, in,
		fmt.Sprintf("insert into %s select %d, d.weir_id, case when g.weir_id is null then 'new' else 'changed' end, null, %s from _w_differ d left join %s g on g.weir_id = d.weir_id", changes, run, at, golden),
		fmt.Sprintf("insert into %s select %d, g.weir_id, 'gone', (select max(l.other) from %s l where l.kind = 'merged' and l.weir_id = g.weir_id), %s from _w_gone g", changes, run, p.SQL.Quote(e.Name+"_ledger"), at),
		fmt.Sprintf("delete from %s where weir_id in (select weir_id from _w_differ union select weir_id from _w_gone)", golden),
	); err != nil {
		return err
	}
	if b.Changed, err = exec(ctx, in, fmt.Sprintf("insert into %s (%s, as_of, changed_at, changed_run) select %[2]s, %s, %[3]s, %d from _w_differ", golden, list, at, run)); err != nil {
		return err
	}
	if b.Moves, err = exec(ctx, in, fmt.Sprintf("insert into %s select %d, audience, weir_id, move, %s from _w_moves", moves, run, at)); err != nil {
		return err
	}
	_, err = exec(ctx, in,
		fmt.Sprintf("update %s set as_of = %s%s", golden, at, had),
		fmt.Sprintf("delete from %[1]s using _w_moves m where m.move = 'exit' and m.audience = %[1]s.audience and m.weir_id = %[1]s.weir_id", audiences),
		fmt.Sprintf("insert into %s select audience, weir_id, %s from _w_moves where move = 'enter'", audiences, at))
	return err
}

// members is the query of who is in which audience.
func (p *Profile) members(c *features.Compiler, e profiles.Entity) string {
	parts := []string{"select cast(null as varchar) as audience, cast(null as varchar) as weir_id where false"}
	for _, a := range p.Plan.Audiences {
		if a.Entity == e.Name || a.Entity == "" && e.Name == p.Plan.Entities[0].Name {
			cond, _ := profiles.ParseCondition(a.Where) // it was checked
			parts = append(parts, fmt.Sprintf("select %s, weir_id from _w_fresh where %s", p.SQL.Text(a.Name), c.Audience(cond)))
		}
	}
	return strings.Join(parts, " union all ")
}

// Prepare makes the tables of an entity's golden records and audiences.
func (p *Profile) Prepare(ctx context.Context, s tables.Session) error {
	all := []string{"create table if not exists runs (run bigint, started_at timestamptz, as_of timestamptz, state text, code text, step text, measures text, published_at timestamptz)"}
	all = append(all, "create table if not exists _built (entity text, as_of timestamptz, identity bigint, upto text, base text, derived text)", "alter table _built add column if not exists others bigint")
	for _, e := range p.Plan.Entities {
		all = append(all, fmt.Sprintf("create table if not exists %s (person bigint, weir_id text)", p.SQL.Quote("_"+e.Name+"_base")),
			fmt.Sprintf("create table if not exists %s (weir_id text, as_of timestamptz, changed_at timestamptz, changed_run bigint)", p.SQL.Quote(e.Name+"_golden")),
			fmt.Sprintf("create table if not exists %s (audience text, weir_id text, since timestamptz)", p.SQL.Quote(e.Name+"_audiences")),
			fmt.Sprintf("create table if not exists %s (run bigint, audience text, weir_id text, move text, moved_at timestamptz)", p.SQL.Quote(e.Name+"_moves")),
			fmt.Sprintf("create table if not exists %s (run bigint, weir_id text, change text, into_id text, changed_at timestamptz)", p.SQL.Quote(e.Name+"_changes")))
	}
	_, err := exec(ctx, s, all...)
	return err
}

// shape gives golden records the columns of features: new ones are added, those of other
// types made anew, and those that are no feature any more dropped.
func (p *Profile) shape(ctx context.Context, s tables.Session, table string, names []string) error {
	want, err := p.Types(ctx, s, "_w_fresh")
	if err != nil {
		return err
	}
	have, err := p.Types(ctx, s, table)
	if err != nil {
		return err
	}
	own := []string{"weir_id", "as_of", "changed_at", "changed_run"}
	for _, column := range slices.Sorted(maps.Keys(have)) {
		if slices.Contains(own, column) || slices.Contains(names, column) && have[column] == want[column] {
			continue
		}
		if _, err := exec(ctx, s, "alter table "+p.SQL.Quote(table)+" drop column "+p.SQL.Quote(column)); err != nil {
			return err
		}
		delete(have, column)
	}
	for _, n := range names {
		if _, there := have[n]; !there {
			if _, err := exec(ctx, s, "alter table "+p.SQL.Quote(table)+" add column "+p.SQL.Quote(n)+" "+want[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Types are the native types of a table's columns.
func (p *Profile) Types(ctx context.Context, s tables.Session, table string) (map[string]string, error) {
	all := map[string]string{}
	err := s.Rows(ctx, "select column_name, data_type from information_schema.columns where table_name = "+p.SQL.Text(table)+" and table_schema in ('main', "+p.SQL.Text(Schema)+")", func(v []any) error {
		all[fmt.Sprint(v[0])] = fmt.Sprint(v[1])
		return nil
	})
	return all, err
}

// clean drops the work tables of a build.
func (p *Profile) clean(ctx context.Context, s tables.Session, c *features.Compiler) error {
	names := []string{"_w_persons", "_w_map", "_w_fresh", "_w_differ", "_w_gone", "_w_members", "_w_moves", "_w_slice", "_w_shifted", "_w_dirty", "_w_own", "_w_near", "_w_some"}
	names = append(names, c.Work()...)
	for _, n := range names {
		if _, err := exec(ctx, s, "drop table if exists "+p.SQL.Quote(n)); err != nil {
			return err
		}
	}
	return nil
}

// Preview is what a feature or an audience would be.
type Preview struct {
	Persons int64            `json:"persons"` // that were looked at
	Known   int64            `json:"known"`   // that have a value, or are in the audience
	Values  []map[string]any `json:"values"`  // the most frequent values, and how many have them
	Rows    []map[string]any `json:"rows"`    // ten persons
	Lineage []string         `json:"lineage"` // table.column that it reads
	Sampled bool             `json:"sampled"` // not everybody was looked at
	Numbers *Numbers         `json:"numbers,omitempty"`
	Parts   []int64          `json:"parts,omitempty"` // how many persons fulfil each of the draft's conditions
}

// sampled is how many persons a preview looks at, about.
const sampled = 50_000

// preview computes a feature, or an audience, of the plan without writing anything.
func (p *Profile) preview(ctx context.Context, s tables.Session, name string, parts int, asOf time.Time) (v Preview, err error) {
	entity, isAudience := "", false
	conditions := make([]profiles.Condition, parts+1) // those of the draft behind the audience's
	for _, f := range p.Plan.Features {
		if f.Name == name {
			entity = p.entity(f.Entity).Name
		}
	}
	for _, x := range p.Plan.Scores {
		if x.Name == name {
			entity = p.entity(x.Entity).Name
		}
	}
	for _, a := range p.Plan.Audiences {
		if a.Name == name && entity == "" {
			entity, isAudience = p.entity(a.Entity).Name, true
			conditions[0], _ = profiles.ParseCondition(a.Where) // it was checked
		}
		for i := range parts {
			if a.Name == part(i) {
				conditions[i+1], _ = profiles.ParseCondition(a.Where) // it was checked
			}
		}
	}
	persons, err := tables.Int(ctx, s, "select count(distinct person) from "+p.SQL.Quote("_"+entity+"_graph"))
	if err != nil {
		return v, err
	}
	every := max(1, persons/sampled)
	c := p.Compiler(p.entity(entity), asOf)
	c.Only([]string{name}, conditions)
	if err := p.People(ctx, s, entity, every); err != nil {
		return v, err
	}
	if err := p.Compute(ctx, s, c); err != nil {
		return v, err
	}
	v.Sampled, v.Lineage = every > 1, c.Lineage[name]
	value := "cast(" + p.SQL.Quote(name) + " as varchar)"
	if isAudience {
		value = "case when " + c.Audience(conditions[0]) + " then 'true' end"
		for _, of := range c.Lineage {
			v.Lineage = append(v.Lineage, of...)
		}
		slices.Sort(v.Lineage)
		v.Lineage = slices.Compact(v.Lineage)
	} else if v.Numbers, err = p.numbers(ctx, s, "_w_fresh", name); err != nil {
		return v, err
	}
	counts := "select count(*), count(" + value + ")"
	for _, one := range conditions[1:] {
		counts += ", count(case when " + c.Audience(one) + " then 1 end)"
	}
	err = s.Rows(ctx, counts+" from _w_fresh", func(x []any) error {
		v.Persons, _ = x[0].(int64)
		v.Known, _ = x[1].(int64)
		for _, n := range x[2:] {
			n, _ := n.(int64)
			v.Parts = append(v.Parts, n)
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	err = s.Rows(ctx, "select "+value+" as v, count(*) as n from _w_fresh group by 1 order by 2 desc, 1 limit 20", func(x []any) error {
		v.Values = append(v.Values, map[string]any{"value": x[0], "persons": x[1]})
		return nil
	})
	if err != nil {
		return v, err
	}
	err = s.Rows(ctx, "select weir_id, "+value+" from _w_fresh where "+value+" is not null order by weir_id limit 10", func(x []any) error {
		v.Rows = append(v.Rows, map[string]any{"weir_id": x[0], "value": x[1]})
		return nil
	})
	if err != nil {
		return v, err
	}
	return v, p.clean(ctx, s, c)
}

// Preview computes a feature or an audience of a configuration, or of a draft, without
// writing anything. fault.Missing: there is none of this name. fault.Invalid: the draft has problems.
func (c Config) Preview(ctx context.Context, s tables.Session, name string, d Draft, asOf time.Time) (Preview, error) {
	c, err := c.drafted(name, d)
	if err != nil {
		return Preview{}, err
	}
	known := slices.ContainsFunc(c.Plan.Features, func(f profiles.Feature) bool { return f.Name == name }) ||
		slices.ContainsFunc(c.Plan.Scores, func(s scores.Score) bool { return s.Name == name }) ||
		slices.ContainsFunc(c.Plan.Audiences, func(a profiles.Audience) bool { return a.Name == name })
	if !known {
		return Preview{}, fault.New(fault.Missing, "There is no feature, no score and no audience %s.", name)
	}
	p, err := Open(ctx, s, c)
	if err != nil {
		return Preview{}, err
	}
	for _, e := range c.Plan.Entities {
		if err := p.Graph(e.Name).Prepare(ctx, s); err != nil {
			return Preview{}, err
		}
	}
	return p.preview(ctx, s, name, len(d.Conditions), asOf)
}
