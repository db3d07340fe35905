package profile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/profile/features"
	"weir/dataplane/tables"
)

// Mark is up to where somebody knows the records of a warehouse. The zero Mark knows nothing.
type Mark struct {
	Run      int64                `json:"run"`
	AsOf     time.Time            `json:"asOf"`
	Identity map[string]int64     `json:"identity"` // the published number by entity
	Rows     map[string]time.Time `json:"rows"`     // when the last row changed, by input
}

// Parts of a record.
const (
	Traits      = "traits"      // one row: the features
	Identifiers = "identifiers" // type, value, first seen
	Audiences   = "audiences"   // name, since
	Events      = "events"      // identifier, event, time; newest first
)

// Row is a row of a part of a person's record. Rows of one person and part follow each other.
// A person without rows of a part has one with nil values, and one who is no more has nil traits.
type Row struct {
	Part, Entity, Person string
	Columns              []string
	Values               []any // as of tables.Session
}

// Changes gives the records, whole, of all persons of whom anything may have changed since a
// mark, and returns the new mark; and how many persons were erased since. features are those of Traits,
// all without any; events is how many of the last ones are given.
func (c Config) Changes(ctx context.Context, s tables.Session, since Mark, features []string, events int, each func(Row) error) (now Mark, erased int64, err error) {
	now = Mark{Identity: map[string]int64{}, Rows: map[string]time.Time{}}
	p, err := Open(ctx, s, c)
	if err != nil {
		return now, 0, err
	}
	err = s.Rows(ctx, "select run, as_of from runs where state in ('published', 'held') order by run desc limit 1", func(v []any) error {
		now.Run, _ = v[0].(int64)
		now.AsOf, _ = v[1].(time.Time)
		return nil
	})
	if err != nil {
		return now, 0, err
	}
	if now.Run < since.Run { // the warehouse began anew
		since = Mark{}
	}
	for _, in := range p.inputs {
		if in.Changed == "" || in.Input.Events == "" {
			continue
		}
		v, err := tables.One(ctx, s, fmt.Sprintf("select max(cast(%s as timestamptz)) from %s", in.Changed, in.From))
		if err != nil {
			return now, 0, err
		}
		if at, ok := v.(time.Time); ok {
			now.Rows[in.Name] = at
		}
	}
	for _, e := range p.Plan.Entities {
		if now.Identity[e.Name], err = tables.Int(ctx, s, "select published from _entities where entity = "+p.SQL.Text(e.Name)); err != nil {
			return now, 0, err
		}
		n, err := tables.Int(ctx, s, fmt.Sprintf("select count(*) from %s where kind = 'erased' and run >= %d", p.SQL.Quote(e.Name+"_ledger"), since.Identity[e.Name]))
		if err != nil {
			return now, 0, err
		}
		erased += n
		if err := p.changes(ctx, s, e.Name, since, features, events, each); err != nil {
			return now, 0, fmt.Errorf("read what changed of %s: %w", e.Name, err)
		}
	}
	return now, erased, nil
}

// changes gives what changed of one entity's persons.
func (p *Profile) changes(ctx context.Context, s tables.Session, entity string, since Mark, features []string, events int, each func(Row) error) error {
	c := p.Compiler(p.entity(entity), since.AsOf)
	if err := p.People(ctx, s, entity, 1); err != nil {
		return err
	}
	golden := p.SQL.Quote(entity + "_golden")
	q := "select weir_id from " + golden
	if since.Run > 0 {
		number := since.Identity[entity]
		parts := []string{
			fmt.Sprintf("select weir_id from %s where run >= %d", p.SQL.Quote(entity+"_changes"), since.Run),
			fmt.Sprintf("select weir_id from %s where run >= %d", p.SQL.Quote(entity+"_moves"), since.Run),
			fmt.Sprintf("select weir_id from %s where from_run >= %d or to_run >= %[2]d", p.SQL.Quote(entity+"_history"), number),
		}
		for _, name := range slices.Sorted(maps.Keys(since.Rows)) {
			in := p.inputs[name]
			if in == nil || in.Changed == "" {
				continue
			}
			if rows := c.Attributed(in, []string{"cast(" + in.Changed + " as timestamptz) as changed_"}, "changed_ > "+tables.Time(since.Rows[name].Add(-overlap))); rows != "" {
				parts = append(parts, "select p.weir_id from ("+rows+") r join _w_persons p on p.person = r.person")
			}
		}
		q = strings.Join(parts, " union ")
	}
	if _, err := exec(ctx, s, p.SQL.Work("_w_copy", "select distinct weir_id from ("+q+") s where weir_id is not null")...); err != nil {
		return err
	}
	types, err := p.Types(ctx, s, entity+"_golden")
	if err != nil {
		return err
	}
	var cols []string
	for _, column := range slices.Sorted(maps.Keys(types)) {
		if !slices.Contains([]string{"weir_id", "as_of", "changed_at", "changed_run"}, column) && (len(features) == 0 || slices.Contains(features, column)) {
			cols = append(cols, column)
		}
	}
	quoted := []string{"w.weir_id", "g.weir_id is not null"}
	for _, column := range cols {
		quoted = append(quoted, "g."+p.SQL.Quote(column))
	}
	parts := []struct {
		part, q string
		columns []string
	}{
		{Traits, fmt.Sprintf("select %s from _w_copy w left join %s g on g.weir_id = w.weir_id", strings.Join(quoted, ", "), golden), cols},
		{Identifiers, fmt.Sprintf("select w.weir_id, i.weir_id is not null, i.id_type, i.value, i.first_seen from _w_copy w left join %s i on i.weir_id = w.weir_id order by w.weir_id, i.first_seen, i.id_type, i.value", p.SQL.Quote(entity+"_ids")), []string{"type", "value", "firstSeen"}},
		{Audiences, fmt.Sprintf("select w.weir_id, a.weir_id is not null, a.audience, a.since from _w_copy w left join %s a on a.weir_id = w.weir_id order by w.weir_id, a.audience", p.SQL.Quote(entity+"_audiences")), []string{"name", "since"}},
	}
	if events > 0 {
		parts = append(parts, struct {
			part, q string
			columns []string
		}{Events, p.recent(c, events), []string{"id", "event", "at"}})
	}
	for _, one := range parts {
		err := s.Rows(ctx, one.q, func(v []any) error {
			row := Row{Part: one.part, Entity: entity, Columns: one.columns}
			row.Person, _ = v[0].(string)
			if there, _ := v[1].(bool); there {
				row.Values = v[2:]
			}
			return each(row)
		})
		if err != nil {
			return err
		}
	}
	_, err = exec(ctx, s, "drop table if exists _w_copy", "drop table if exists _w_persons", "drop table if exists _w_map")
	return err
}

// recent is the query of the last events of the persons in the work table _w_copy, from the
// inputs of all events, else from those of single ones.
func (p *Profile) recent(c *features.Compiler, most int) string {
	var names []string
	for _, in := range p.Plan.Inputs {
		if in.Events == "*" {
			names = []string{in.Name}
			break
		}
		if in.Events != "" {
			names = append(names, in.Name)
		}
	}
	parts := []string{"select cast(null as bigint) as person, cast(null as timestamptz) as at_, cast(null as varchar) as row_, cast(null as varchar) as event where false"}
	for _, name := range names {
		in := p.inputs[name]
		event := "coalesce(cast(" + in.Column(p.SQL, "event") + " as varchar), " + in.Column(p.SQL, "call") + ", " + p.SQL.Text(in.Input.Events) + ") as event_"
		if rows := c.Attributed(in, []string{event}, "true"); rows != "" {
			parts = append(parts, "select person, at_, row_, event_ as event from ("+rows+") r")
		}
	}
	return fmt.Sprintf(`select w.weir_id, r.row_ is not null, r.row_, r.event, r.at_ from _w_copy w left join (select p.weir_id, e.row_, e.event, e.at_, row_number() over (partition by e.person order by e.at_ desc, e.row_) as n
		from (%s) e join _w_persons p on p.person = e.person join _w_copy x on x.weir_id = p.weir_id) r on r.weir_id = w.weir_id and r.n <= %d order by w.weir_id, r.at_ desc, r.row_`, strings.Join(parts, " union all "), most)
}
