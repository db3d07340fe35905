package identity

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/tables"
	"weir/shared/fault"
)

// Link is a link between two identifiers, each as type:value.
type Link struct {
	A, B        string
	First, Last time.Time
}

// Person returns the public identifier of who has an identifier, type:value. fault.Missing:
// nobody has it, as it was not seen, or, with the reason in the text, as it is set apart.
func (g *Graph) Person(ctx context.Context, s tables.Session, id string) (string, error) {
	typ, value, _ := strings.Cut(id, ":")
	v, err := tables.One(ctx, s, fmt.Sprintf("select weir_id from %s where id_type = %s and value = %s", g.Table("ids"), g.SQL.Text(typ), g.SQL.Text(value)))
	if person, ok := v.(string); err != nil || ok {
		return person, err
	}
	why, err := tables.One(ctx, s, fmt.Sprintf("select min(why) from %s where id_type = %s and value = %s", g.Table("apart"), g.SQL.Text(typ), g.SQL.Text(value)))
	if err != nil {
		return "", err
	}
	switch why {
	case nil:
		return "", fault.New(fault.Missing, "Nobody has this identifier of the type %s.", typ)
	case "blocked":
		return "", fault.New(fault.Missing, "This identifier of the type %s is nobody's: somebody blocked it.", typ)
	case "excluded":
		return "", fault.New(fault.Missing, "This identifier of the type %s is nobody's: the rules exclude its value, by block or match.", typ)
	case "untyped":
		return "", fault.New(fault.Missing, "This identifier of the type %s is nobody's: the rules have no such type any more.", typ)
	case "gone":
		return "", fault.New(fault.Missing, "This identifier of the type %s is nobody's: whoever it names is gone.", typ)
	}
	return "", fault.New(fault.Missing, "This identifier of the type %s is nobody's: it was seen with %v, its limit.", typ, why)
}

// Links returns the links among the nodes of the hull of an identifier, at most most of
// them, and those that somebody made.
func (g *Graph) Links(ctx context.Context, s tables.Session, id string, most int) (links []Link, err error) {
	typ, value, _ := strings.Cut(id, ":")
	q := `select %s || ':' || x.value, %s || ':' || y.value, l.first_seen, l.last_seen from %s l join %s ga on ga.node = l.a join %[4]s gb on gb.node = l.b and gb.hull = ga.hull
		join %[5]s x on x.node = l.a join %[5]s y on y.node = l.b where ga.hull in (select g.hull from %[4]s g join %[5]s n on n.node = g.node where n.value = %[6]s and %[7]s = %[8]s) limit %[9]d`
	err = s.Rows(ctx, fmt.Sprintf(q, g.typeName("l.a"), g.typeName("l.b"), g.t("links"), g.t("graph"), g.t("nodes"), g.SQL.Text(value), g.typeName("n.node"), g.SQL.Text(typ), most), func(v []any) error {
		l := Link{A: fmt.Sprint(v[0]), B: fmt.Sprint(v[1])}
		l.First, _ = v[2].(time.Time)
		l.Last, _ = v[3].(time.Time)
		links = append(links, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.Rows(ctx, "select a, b from "+g.Table("rules")+" where kind = 'link'", func(v []any) error {
		links = append(links, Link{A: fmt.Sprint(v[0]), B: fmt.Sprint(v[1])})
		return nil
	})
	return links, err
}

// Forget removes a person by the public identifier, and the rows of inputs that name one of
// the person's identifiers; tables are those that an input reads and that have a column. It returns how many
// identifiers there were.
func (g *Graph) Forget(ctx context.Context, s tables.Session, person string, tables func(in Input, column string) []string) (ids int64, err error) {
	r := g.run(ctx, s)
	r.sweep()
	r.make("_w_gone_ids", "select n.node, n.type, n.value from %s n join %s g on g.node = n.node where %s = %s", g.t("nodes"), g.t("graph"), g.id("g.person"), g.SQL.Text(person))
	ids = r.int("select count(*) from _w_gone_ids")
	for _, in := range g.Inputs {
		for _, t := range g.Types {
			column, ok := in.IDs[t.Name]
			if !ok {
				continue
			}
			for _, table := range tables(in, column) {
				r.exec("delete from %s where %s in (select value from _w_gone_ids where type = %d)", table, g.Value(t, column), g.numbers[t.Name])
			}
		}
	}
	r.exec("delete from %s where a in (select node from _w_gone_ids) or b in (select node from _w_gone_ids)", g.t("links"))
	for _, table := range []string{"graph", "apart", "past"} {
		r.exec("delete from %s where node in (select node from _w_gone_ids)", g.t(table))
	}
	named := g.typeName("node") + " || ':' || value"
	r.exec("delete from %s where a in (select %s from _w_gone_ids) or b in (select %[2]s from _w_gone_ids)", g.Table("rules"), named)
	r.exec("delete from %s where a in (select %s from _w_gone_ids) or b in (select %[2]s from _w_gone_ids)", g.t("ruled"), named)
	r.exec("delete from %s where node in (select node from _w_gone_ids)", g.t("nodes"))
	r.exec("delete from %s", g.t("held")) // it may tell of the person; the next run says it again
	r.exec("insert into %s select coalesce(max(published), 0), 'erased', %s, null, %d from _entities where entity = %s", g.Table("ledger"), g.SQL.Text(person), ids, g.SQL.Text(g.Entity))
	r.drop("_w_gone_ids")
	return ids, r.err
}

// sweep drops the work tables that a run left which died: they may hold anybody. Whatever an entity is called, its own
// tables stay.
func (r *run) sweep() {
	var left []string
	r.rows(`select table_name from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE' and starts_with(table_name, '_w_')
		and not exists (select 1 from _entities e where starts_with(table_name, '_' || e.entity || '_'))`, func(v []any) {
		left = append(left, r.d.Quote(fmt.Sprint(v[0])))
	})
	r.drop(left...)
}

// Drop removes all that the graph's entity has, decisions too.
func (g *Graph) Drop(ctx context.Context, s tables.Session) error {
	r := g.run(ctx, s)
	for _, view := range []string{"ids", "history", "apart"} {
		r.exec("drop view if exists %s", g.Table(view))
	}
	for _, table := range []string{"nodes", "links", "graph", "apart", "ruled", "past", "held"} {
		r.drop(g.t(table))
	}
	r.drop(g.Table("rules"), g.Table("ledger"))
	for _, table := range []string{"_types", "_entities", "_cursors"} {
		r.exec("delete from %s where entity = %s", table, g.SQL.Text(g.Entity))
	}
	return r.err
}

// Unlink takes all links away, for a run that reads all rows. Nodes and persons stay as they are until
// it is published.
func (g *Graph) Unlink(ctx context.Context, s tables.Session) error {
	r := g.run(ctx, s)
	r.exec("delete from %s", g.t("links"))
	return r.err
}

// Leave removes one identifier with every trace of it, and those that were seen with it alone; what it
// joined comes apart with the next run of all.
func (g *Graph) Leave(ctx context.Context, s tables.Session, typ, value string) error {
	r := g.run(ctx, s)
	r.make("_w_gone_ids", "select node from %s where type = %d and value = %s", g.t("nodes"), g.numbers[typ], g.SQL.Text(value))
	var alive []string
	for _, t := range g.Types {
		if t.Alive == "" {
			alive = append(alive, strconv.Itoa(g.numbers[t.Name]))
		}
	}
	r.make("_w_beside", "select case when l.a = n.node then l.b else l.a end as node from %s l join _w_gone_ids n on n.node = l.a or n.node = l.b", g.t("links"))
	r.exec("delete from %s where a in (select node from _w_gone_ids) or b in (select node from _w_gone_ids)", g.t("links"))
	if len(alive) > 0 {
		r.exec("insert into _w_gone_ids select distinct b.node from _w_beside b where b.node %% 32 in (%s) and not exists (select 1 from %s l where l.a = b.node or l.b = b.node)", strings.Join(alive, ", "), g.t("links"))
	}
	r.drop("_w_beside")
	for _, table := range []string{"graph", "apart", "past", "nodes"} {
		r.exec("delete from %s where node in (select node from _w_gone_ids)", g.t(table))
	}
	r.exec("delete from %s", g.t("held"))
	for _, table := range []string{g.Table("rules"), g.t("ruled")} {
		r.exec("delete from %s where a = %[2]s or b = %[2]s", table, g.SQL.Text(typ+":"+value))
	}
	r.drop("_w_gone_ids")
	return r.err
}
