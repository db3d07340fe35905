package identity

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/tables"
)

// Measures are what a run would change.
type Measures struct {
	Nodes   int64 `json:"ids"`     // that are in a person now
	Persons int64 `json:"persons"` // that there are now
	Largest int64 `json:"largest"` // nodes of the largest person whom the run touches
	Moved   int64 `json:"moved"`   // nodes that leave their person
	Gone    int64 `json:"gone"`    // persons who are no more
	Touched int64 `json:"touched"` // nodes that were looked at

	Reviewed *Reviewed `json:"reviewed,omitempty"` // how it agrees with reviewed pairs; nil when there are none
}

// Judge measures what Resolve found. held are the codes of what the gate forbids.
func (g *Graph) Judge(ctx context.Context, s tables.Session) (m Measures, held []string, err error) {
	r := g.run(ctx, s)
	m.Nodes = r.int("select count(*) from %s where person is not null", g.t("graph"))
	m.Persons = r.int("select count(distinct person) from %s where person is not null", g.t("graph"))
	m.Touched = r.int("select count(*) from _w_delta")
	m.Moved = r.int("select count(*) from _w_delta where was is not null and (person is null or person <> was)")
	m.Gone = r.int("select count(*) from (select distinct was from _w_delta where was is not null) d left join (select distinct person from _w_delta where person is not null) n on n.person = d.was where n.person is null")
	m.Largest = r.int("select max(n) from (select count(*) as n from _w_delta where person is not null group by person) s")
	next, last := g.reviewed(r)
	if r.err != nil {
		return m, nil, r.err
	}
	m.Reviewed = next
	if g.Gate.breaks(next, last) {
		held = append(held, "reviewed")
	}
	if g.Gate.Largest > 0 && m.Largest > g.Gate.Largest {
		held = append(held, "largest")
	}
	if g.Gate.Moved > 0 && m.Nodes > 0 && float64(m.Moved) > g.Gate.Moved*float64(m.Nodes) {
		held = append(held, "moved")
	}
	if g.Gate.Gone > 0 && m.Persons > 0 && float64(m.Gone) > g.Gate.Gone*float64(m.Persons) {
		held = append(held, "gone")
	}
	return m, held, nil
}

// Publish brings what Resolve found into graph, history and ledger, and moves cursors, in
// one transaction. now is the moment that Resolve was given. The nodes that moved are in the
// work table _w_moved(node, person, was) afterwards.
func (g *Graph) Publish(ctx context.Context, s tables.Session, now time.Time) error {
	r := g.run(ctx, s)
	number := g.published(r) + 1
	r.make("_w_moved", "select node, hull, person, was from _w_delta where (person is null and was is not null) or (person is not null and was is null) or person <> was")
	r.make("_w_rows", "select d.node, d.hull, d.person from _w_delta d left join %s g on g.node = d.node where g.node is null or g.person is null or d.person is null or g.person <> d.person or g.hull <> d.hull", g.t("graph"))
	if r.err != nil {
		return r.err
	}
	err := s.Tx(ctx, func(in tables.Session) error {
		t := g.run(ctx, in)
		g.ledger(t, number)
		t.exec("update %[1]s set to_run = %[2]d from _w_moved p where %[1]s.node = p.node and %[1]s.to_run is null", g.t("past"), number)
		t.exec("insert into %s select node, person, %d, null from _w_moved where person is not null", g.t("past"), number)
		t.exec("delete from %[1]s using _w_rows p where %[1]s.node = p.node", g.t("graph"))
		t.exec("insert into %s select node, hull, person from _w_rows", g.t("graph"))
		t.exec("delete from %s", g.t("apart"))
		t.exec("insert into %s select node, why from _w_apart", g.t("apart"))
		t.exec("delete from %s", g.t("held"))
		t.exec("delete from %s", g.t("ruled"))
		t.exec("insert into %s select distinct kind, a, b from %s where kind in ('link', 'unlink')", g.t("ruled"), g.Table("rules"))
		t.exec("delete from _cursors where entity = %s and input in (select input from _w_upto where upto is not null)", g.SQL.Text(g.Entity))
		t.exec("insert into _cursors select %s, input, upto from _w_upto where upto is not null", g.SQL.Text(g.Entity))
		t.exec("update _entities set published = %d, as_of = %s where entity = %s", number, tables.Time(now), g.SQL.Text(g.Entity))
		return t.err
	})
	if err != nil {
		return err
	}
	r.analyze(g.t("graph"))
	r.drop("_w_rows", "_w_nodes", "_w_upto", "_w_apart", "_w_flipped", "_w_rules", "_w_ruled", "_w_ruling", "_w_delta")
	return r.err
}

// ledger notes what becomes of persons.
func (g *Graph) ledger(t *run, number int64) {
	table := g.Table("ledger")
	t.exec(`insert into %s select %d, 'merged', %s, %s, count(*) from _w_moved d where was is not null and person is not null
		and not exists (select 1 from _w_delta x where x.person = d.was) group by was, person`, table, number, g.id("was"), g.id("person"))
	t.exec(`insert into %s select %d, 'split', %s, %s, count(*) from _w_moved d where was is not null and person is not null
		and exists (select 1 from _w_delta x where x.person = d.was) group by was, person`, table, number, g.id("was"), g.id("person"))
	t.exec(`insert into %s select %d, 'minted', %s, null, count(*) from _w_moved d where was is null and person is not null
		and not exists (select 1 from %s g where g.person = d.person) group by person`, table, number, g.id("person"), g.t("graph"))
	t.exec("insert into %s select %d, 'apart', %s, null, count(*) from _w_moved where was is not null and person is null group by was", table, number, g.id("was"))
}

// Run does all steps. With full all rows are read and every hull is recomputed; with force the gate forbids
// nothing. held are the codes of what the gate forbids: nothing was published then.
func (g *Graph) Run(ctx context.Context, s tables.Session, now time.Time, full, force bool) (m Measures, held []string, err error) {
	if err := g.Prepare(ctx, s); err != nil {
		return m, nil, fmt.Errorf("prepare %s: %w", g.Entity, err)
	}
	if err := g.Collect(ctx, s, full); err != nil {
		return m, nil, fmt.Errorf("collect %s: %w", g.Entity, err)
	}
	if err := g.Guard(ctx, s); err != nil {
		return m, nil, fmt.Errorf("guard %s: %w", g.Entity, err)
	}
	if err := g.Resolve(ctx, s, now, full); err != nil {
		return m, nil, fmt.Errorf("resolve %s: %w", g.Entity, err)
	}
	if m, held, err = g.Judge(ctx, s); err != nil {
		return m, nil, fmt.Errorf("judge %s: %w", g.Entity, err)
	}
	if len(held) > 0 && !force {
		if err := g.hold(ctx, s, now, held); err != nil {
			return m, held, fmt.Errorf("hold %s: %w", g.Entity, err)
		}
		return m, held, nil
	}
	if err := g.Publish(ctx, s, now); err != nil {
		return m, nil, fmt.Errorf("publish %s: %w", g.Entity, err)
	}
	r := g.run(ctx, s)
	m.Nodes = r.int("select count(*) from %s where person is not null", g.t("graph"))
	m.Persons = r.int("select count(distinct person) from %s where person is not null", g.t("graph"))
	return m, nil, r.err
}
