package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/profile/features"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
)

// built is what the last build of an entity was made of.
type built struct {
	asOf     time.Time
	identity int64                // the published number
	others   int64                // the sum of those of entities whose persons are identifiers
	rows     map[string]time.Time // when the last row that was read had changed, by input
	base     string               // what the table of aggregates was compiled from
	derived  string               // the same of golden records and audiences
}

// How much of an entity a build computes.
type extent int

const (
	everything extent = iota // aggregates of everybody
	derive                   // aggregates of those whose rows or identifiers changed, and everybody's records from them
	touched                  // records of those alone
)

// prior reads what the last build was made of.
func (p *Profile) prior(ctx context.Context, s tables.Session, e profiles.Entity) (b built, err error) {
	err = s.Rows(ctx, "select as_of, identity, upto, base, derived from _built where entity = "+p.SQL.Text(e.Name), func(v []any) error {
		b = built{base: fmt.Sprint(v[3]), derived: fmt.Sprint(v[4])}
		b.asOf, _ = v[0].(time.Time)
		b.identity, _ = v[1].(int64)
		if json.Unmarshal([]byte(fmt.Sprint(v[2])), &b.rows) != nil {
			b = built{} // everything is computed
		}
		return nil
	})
	return b, err
}

// now is what a build that begins is made of. It is read before the rows: what comes between
// is read again.
func (p *Profile) now(ctx context.Context, s tables.Session, e profiles.Entity, asOf time.Time) (b built, err error) {
	b = built{asOf: asOf, rows: map[string]time.Time{}}
	for name, in := range p.inputs {
		if in.Changed == "" {
			continue
		}
		v, err := tables.One(ctx, s, fmt.Sprintf("select max(cast(%s as timestamptz)) from %s", in.Changed, in.From))
		if err != nil {
			return b, err
		}
		if at, ok := v.(time.Time); ok {
			b.rows[name] = at
		}
	}
	if b.identity, err = tables.Int(ctx, s, "select published from _entities where entity = "+p.SQL.Text(e.Name)); err != nil {
		return b, err
	}
	for _, name := range e.Others() {
		n, err := tables.Int(ctx, s, "select published from _entities where entity = "+p.SQL.Text(name))
		if err != nil {
			return b, err
		}
		b.others += n
	}
	c := p.Compiler(e, time.Time{}) // at no moment of its own
	var base, derived []string
	for _, one := range c.Base("_w_base") {
		base = append(base, one.Query)
	}
	derived = append(derived, c.Derive("_w_base"), p.members(c, e))
	b.base, b.derived = digest(base), digest(derived)
	return b, nil
}

// digest is short for texts.
func digest(texts []string) string {
	h := fnv.New128a()
	for _, t := range texts {
		_, _ = h.Write([]byte(t + "\x00")) // it never fails
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// keep is the statements that keep what a build was made of.
func (p *Profile) keep(e profiles.Entity, b built) []string {
	rows, _ := json.Marshal(b.rows) // times always encode
	return []string{
		"delete from _built where entity = " + p.SQL.Text(e.Name),
		fmt.Sprintf("insert into _built (entity, as_of, identity, upto, base, derived, others) values (%s, %s, %s, %s, %s, %s, %d)", p.SQL.Text(e.Name), tables.Time(b.asOf), strconv.FormatInt(b.identity, 10), p.SQL.Text(string(rows)), p.SQL.Text(b.base), p.SQL.Text(b.derived), b.others),
	}
}

// extent says how much a build has to compute. Rows of an input that does not say when they
// changed may be anybody's, so everything is.
func (p *Profile) extent(c *features.Compiler, before, now built) extent {
	switch {
	case len(c.Entity.Others()) > 0: // rows are of others when persons are
		return everything
	case before.asOf.IsZero() || now.asOf.Before(before.asOf) || before.base != now.base:
		return everything
	case slices.ContainsFunc(c.Inputs(), func(name string) bool { return p.inputs[name].Changed == "" && len(p.inputs[name].Columns) > 0 }):
		return everything
	case before.derived != now.derived:
		return derive
	}
	return touched
}

// dirty makes the work tables _w_dirty of persons, of now and before, whose aggregates may differ
// from those of the last build, and _w_some of their identifiers: those of whose rows some came or
// changed, were in the future then, or left a window, by any identifier that a row names; those whose last row is
// a day older; and those whose identifiers moved, with whoever is named in rows beside such an identifier, as a row may
// have become theirs.
func (p *Profile) dirty(ctx context.Context, s tables.Session, c *features.Compiler, e profiles.Entity, before, now built) error {
	nodes, links, graph, past := p.SQL.Quote("_"+e.Name+"_nodes"), p.SQL.Quote("_"+e.Name+"_links"), p.SQL.Quote("_"+e.Name+"_graph"), p.SQL.Quote("_"+e.Name+"_past")
	parts := []string{"select cast(null as varchar) as id_type, cast(null as varchar) as value where false"}
	var work []string
	for _, name := range c.Inputs() {
		rows, one := p.slice(c, name, before, now)
		work, parts = append(work, rows...), append(parts, one...)
	}
	work = append(work, slices.Concat(
		p.SQL.Work("_w_slice", "select distinct id_type, value from ("+strings.Join(parts, " union all ")+") s where value is not null"),
		p.SQL.Work("_w_shifted", fmt.Sprintf("select distinct node from %s where from_run > %d or to_run > %[2]d", past, before.identity)),
		p.SQL.Work("_w_dirty", fmt.Sprintf(`select distinct person from (
			select g.person from _w_slice s join _types t on t.entity = %[1]s and t.name = s.id_type join %[2]s n on n.type = t.number and n.value = s.value join %[4]s g on g.node = n.node
			union all select person from %[5]s where from_run > %[6]d or to_run > %[6]d
			union all select person from %[7]s where %[8]s
			union all select g.person from _w_shifted m join %[4]s g on g.node = m.node
			union all select g.person from _w_shifted m join %[3]s l on l.a = m.node join %[4]s g on g.node = l.b
			union all select g.person from _w_shifted m join %[3]s l on l.b = m.node join %[4]s g on g.node = l.a) s where person is not null`,
			p.SQL.Text(e.Name), nodes, links, graph, past, before.identity, p.SQL.Quote("_"+e.Name+"_base"), c.Aged(before.asOf))),
		// A row that names one of them may belong to somebody who is named beside: with whom
		// those are linked is enough of the map.
		p.SQL.Work("_w_own", fmt.Sprintf("select g.node from %s g join _w_dirty d on d.person = g.person", graph)),
		p.SQL.Work("_w_near", fmt.Sprintf("select node from _w_own union select l.b from _w_own o join %s l on l.a = o.node union select l.a from _w_own o join %[1]s l on l.b = o.node", links)),
		p.SQL.Work("_w_some", fmt.Sprintf("select t.name as id_type, n.value from _w_own o join %s n on n.node = o.node join _types t on t.entity = %s and t.number = n.type", nodes, p.SQL.Text(e.Name))),
		p.SQL.Work("_w_persons", fmt.Sprintf("select distinct d.person, %s || cast(d.person >> 5 as varchar) as weir_id from _w_dirty d join %s g on g.person = d.person", p.SQL.Text(e.Name+"_"), graph)),
		p.SQL.Work("_w_map", fmt.Sprintf("select t.name as id_type, n.value, g.person from _w_near m join %s g on g.node = m.node join %s n on n.node = m.node join _types t on t.entity = %s and t.number = n.type where g.person is not null and %s",
			graph, nodes, p.SQL.Text(e.Name), c.Graph.Somebodys("t.name", "n.value"))))...)
	_, err := exec(ctx, s, work...)
	return err
}

// slice makes the work table of the identifiers in an input's rows for which time or a change made a difference since
// the last build, and returns the queries of them by type. The rows are read once.
func (p *Profile) slice(c *features.Compiler, name string, before, now built) (work, parts []string) {
	in := p.inputs[name]
	at := "cast(" + in.At + " as timestamptz)"
	within := func(shift time.Duration) string {
		return fmt.Sprintf("%s >= %s and %[1]s < %[3]s", at, tables.Time(before.asOf.Add(-shift)), tables.Time(now.asOf.Add(-shift)))
	}
	when := []string{within(0)}
	for _, w := range slices.Sorted(maps.Keys(c.Windows(name))) {
		when = append(when, within(w))
	}
	changed := "true" // there were no rows
	if upto, read := before.rows[name]; read {
		changed = fmt.Sprintf("cast(%s as timestamptz) > %s", in.Changed, tables.Time(upto.Add(-overlap)))
	}
	when = append(when, changed)
	var columns []string
	table := p.SQL.Quote("_w_s_" + name)
	for _, t := range c.Graph.Types {
		if column, ok := in.IDs[t.Name]; ok {
			value := fmt.Sprintf("i%d", len(columns))
			columns = append(columns, c.Graph.Text(t, column)+" as "+value)
			parts = append(parts, fmt.Sprintf("select %s as id_type, %s as value from %s", p.SQL.Text(t.Name), value, table))
		}
	}
	return p.SQL.Work("_w_s_"+name, fmt.Sprintf("select distinct %s from %s where %s", strings.Join(columns, ", "), in.From, strings.Join(when, " or "))), parts
}
