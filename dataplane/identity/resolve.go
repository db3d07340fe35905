package identity

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/tables"
)

// Guard makes the work tables of the nodes that are apart, in no person, because
// somebody blocked them, they have more neighbours of a type than its limit, or the rules by
// now exclude their value or have not their type any more; and of
// those for which that differs from the last published run.
func (g *Graph) Guard(ctx context.Context, s tables.Session) error {
	r := g.run(ctx, s)
	r.make("_w_rules", "select distinct r.kind, x.node as a, y.node as b, r.a as a_text, r.b as b_text from %s r join %s x on x.value = %s and %s = %s left join %[2]s y on y.value = %[6]s and %[7]s = %[8]s",
		g.Table("rules"), g.t("nodes"), after("r.a"), g.typeName("x.node"), before("r.a"), after("r.b"), g.typeName("y.node"), before("r.b"))
	parts := []string{"select a as node, 'blocked' as why from _w_rules where kind = 'block'"}
	types := make([]string, len(g.Types))
	for i, t := range g.Types {
		types[i] = strconv.Itoa(g.numbers[t.Name])
		if len(t.Blocks) > 0 { // which may be younger than the node
			parts = append(parts, fmt.Sprintf("select node, 'excluded' as why from %s where type = %s and (%s)", g.t("nodes"), types[i], strings.Join(excluded(t, "value"), " or ")))
		}
		if t.Alive != "" {
			parts = append(parts, fmt.Sprintf("select node, 'gone' as why from %s where type = %d and value not in (%s)", g.t("nodes"), g.numbers[t.Name], t.Alive))
		}
		for of, most := range t.Limits {
			n, known := g.numbers[of]
			if !known {
				continue
			}
			parts = append(parts, fmt.Sprintf(`select node, %s as why from (select a as node from %s where a %% 32 = %d and b %% 32 = %d
				union all select b from %[2]s where b %% 32 = %[3]d and a %% 32 = %[4]d) s group by node having count(*) > %d`,
				g.SQL.Text(fmt.Sprintf("more than %d %s", most, of)), g.t("links"), g.numbers[t.Name], n, most))
		}
	}
	parts = append(parts, fmt.Sprintf("select node, 'untyped' as why from %s where type not in (%s)", g.t("nodes"), strings.Join(types, ", ")))
	r.make("_w_apart", "select node, min(why) as why from (%s) s group by node", strings.Join(parts, " union all "))
	r.make("_w_flipped", "select coalesce(n.node, o.node) as node from _w_apart n full join %s o on o.node = n.node where n.node is null or o.node is null", g.t("apart"))
	return r.err
}

// before and after are the parts of a text "type:value".
func before(text string) string { return "split_part(" + text + ", ':', 1)" }
func after(text string) string {
	return "substr(" + text + ", length(" + before(text) + ") + 2)"
}

// counts is the links e that count: among nodes that are not apart, not expired, and not
// unlinked by somebody; and those that somebody made.
func (g *Graph) counts(now time.Time, among string) string {
	q := `select e.a, e.b, min(e.first_seen) as first_seen from (select l.a, l.b, l.first_seen, l.last_seen from %[1]s l union all
			select least(a, b), greatest(a, b), cast(null as timestamptz), cast(null as timestamptz) from _w_rules where kind = 'link' and b is not null and a <> b) e
		%[2]s left join _w_apart x on x.node = e.a left join _w_apart y on y.node = e.b
		left join (select distinct least(a, b) as a, greatest(a, b) as b from _w_rules where kind = 'unlink' and b is not null) u on u.a = e.a and u.b = e.b
		where x.node is null and y.node is null and u.a is null and (e.last_seen is null or not %[3]s) group by e.a, e.b`
	return fmt.Sprintf(q, g.t("links"), among, g.stale(now))
}

// Resolve makes the work table _w_delta(node, hull, person, was) of every hull that
// changed since the last published run, or of all with full. person is null for a node
// that is apart, was for one that had none.
func (g *Graph) Resolve(ctx context.Context, s tables.Session, now time.Time, full bool) error {
	r := g.run(ctx, s)
	if full {
		r.make("_w_nodes", "select i.node, g.person as was from %s i left join %s g on g.node = i.node", g.t("nodes"), g.t("graph"))
		r.make("_w_edges", "%s", g.counts(now, ""))
	} else {
		g.touched(r, now)
		r.make("_w_edges", "%s", g.counts(now, "join _w_nodes n on n.node = e.a"))
	}
	components(r, "_w_edges", "_w_label")
	r.make("_w_hull", "select n.node, coalesce(l.p, n.node) as hull, n.was from _w_nodes n left join _w_label l on l.v = n.node left join _w_apart s on s.node = n.node where s.node is null")
	g.divide(r)
	g.claim(r)
	r.drop("_w_seed", "_w_hulls", "_w_edges", "_w_label", "_w_hull", "_w_group")
	return r.err
}

// touched makes the work table of all nodes of the hulls whose links changed.
func (g *Graph) touched(r *run, now time.Time) {
	published, then := g.published(r), g.then(r)
	q := []string{
		fmt.Sprintf("select a as node from %s where run > %d union select b from %[1]s where run > %[2]d union select node from %s where run > %[2]d", g.t("links"), published, g.t("nodes")),
		"select node from _w_flipped",
		fmt.Sprintf("select e.b from %s e join _w_flipped s on s.node = e.a union select e.a from %[1]s e join _w_flipped s on s.node = e.b", g.t("links")),
	}
	if expiring := g.stale(now); expiring != "(false)" && !then.IsZero() {
		q = append(q, fmt.Sprintf("select e.a from %s e where %s and not %s union select e.b from %[1]s e where %[2]s and not %[3]s", g.t("links"), expiring, g.stale(then)))
	}
	// Decisions that came or went.
	r.make("_w_ruled", "select kind, a, b from %s where kind in ('link', 'unlink') group by kind, a, b", g.Table("rules"))
	r.make("_w_ruling", "select coalesce(n.a, o.a) as a, coalesce(n.b, o.b) as b from _w_ruled n full join %s o on o.kind = n.kind and o.a = n.a and o.b = n.b where n.a is null or o.a is null", g.t("ruled"))
	for _, end := range []string{"a", "b"} {
		q = append(q, fmt.Sprintf("select x.node from _w_ruling r join %s x on x.value = %s and %s = %s", g.t("nodes"), after("r."+end), g.typeName("x.node"), before("r."+end)))
	}
	r.make("_w_seed", "%s", strings.Join(q, " union "))
	r.make("_w_hulls", "select distinct g.hull from %s g join _w_seed s on s.node = g.node where g.hull is not null", g.t("graph"))
	r.make("_w_nodes", "select g.node, g.person as was from %[1]s g join _w_hulls h on h.hull = g.hull union select s.node, g.person from _w_seed s left join %[1]s g on g.node = s.node", g.t("graph"))
}

// components labels the nodes of edges(a, b), where a < b, with the least node of their
// component, in out(v, p). Nodes that are their own label are not in it. Each round hooks
// every node to its least smaller neighbour, has pointers jump until trees are stars, and
// contracts the edges. There are at most 2 log2 n rounds: only local minima stay roots, and
// one that nobody hooked to sees a smaller root in the next round.
func components(r *run, edges, out string) {
	rounds, e := 0, edges
	for r.err == nil {
		rounds++
		h := fmt.Sprintf("_w_h%d", rounds)
		r.make(h, "select b as v, min(a) as p from %s group by b", e)
		if r.int("select count(*) from %s", h) == 0 {
			r.drop(h)
			rounds--
			break
		}
		for r.err == nil { // a pointer that points at a pointer takes its target
			r.make("_w_j", "select h.v, coalesce(g.p, h.p) as p, g.v is not null as moved from %[1]s h left join %[1]s g on g.v = h.p", h)
			if r.int("select count(*) from _w_j where moved") == 0 {
				break
			}
			r.drop(h)
			r.exec("alter table _w_j rename to %s", h)
		}
		next := fmt.Sprintf("_w_e%d", rounds)
		r.make(next, `select distinct least(x, y) as a, greatest(x, y) as b from (select coalesce(ha.p, e.a) as x, hb.p as y
			from %s e join %s hb on hb.v = e.b left join %[2]s ha on ha.v = e.a) s where x <> y`, e, h)
		if rounds > 1 {
			r.drop(e)
		}
		e = next
	}
	if e != edges {
		r.drop(e)
	}
	if rounds == 0 {
		r.make(out, "select cast(null as bigint) as v, cast(null as bigint) as p where false")
		return
	}
	last := fmt.Sprintf("_w_h%d", rounds)
	for i := rounds - 1; i >= 1; i-- { // labels of later rounds reach back into earlier ones
		h := fmt.Sprintf("_w_h%d", i)
		r.make("_w_l", "select h.v, coalesce(l.p, h.p) as p from %s h left join %s l on l.v = h.p union all select v, p from %[2]s", h, last)
		r.drop(h, last)
		last = fmt.Sprintf("_w_l%d", i)
		r.drop(last)
		r.exec("alter table _w_l rename to %s", last)
	}
	r.drop("_w_j", out)
	r.exec("alter table %s rename to %s", last, out)
	r.analyze(out)
}

// divide makes _w_group(node, hull, grp, was). A hull with several unique identifiers is
// divided: each node goes to the one that is fewest links away, then over the oldest link,
// then the least by value, as numbers depend on the order of arrival. What is further
// away than hops keeps to itself, by component.
func (g *Graph) divide(r *run) {
	unique := -1
	for _, t := range g.Types {
		if t.Unique {
			unique = g.numbers[t.Name]
			break
		}
	}
	if unique >= 0 {
		r.make("_w_parts", "select hull from _w_hull where node %% 32 = %d group by hull having count(*) > 1", unique)
	}
	if unique < 0 || r.int("select count(*) from _w_parts") == 0 {
		r.make("_w_group", "select node, hull, hull as grp, was from _w_hull")
		r.drop("_w_parts")
		return
	}
	r.make("_w_divided", "select l.node from _w_hull l join _w_parts h on h.hull = l.hull")
	r.make("_w_sides", "select e.a as x, e.b as y, e.first_seen as f from _w_edges e join _w_divided n on n.node = e.a union all select e.b, e.a, e.first_seen from _w_edges e join _w_divided n on n.node = e.a")
	r.make("_w_own", "select u.node, u.node as owner, i.value, 0 as dist from _w_divided u join %s i on i.node = u.node where u.node %% 32 = %d", g.t("nodes"), unique)
	for k := 1; k <= hops && r.err == nil; k++ {
		r.make("_w_next", `select node, owner, value, dist from (select e.y as node, o.owner, o.value, %d as dist, row_number() over (partition by e.y order by e.f nulls first, %s) as rn
			from _w_own o join _w_sides e on e.x = o.node left join _w_own z on z.node = e.y where o.dist = %d and z.node is null) s where rn = 1`, k, g.SQL.Binary("o.value"), k-1)
		if r.exec("insert into _w_own select node, owner, value, dist from _w_next") == 0 {
			break
		}
		r.analyze("_w_own")
	}
	r.make("_w_rest", "select e.x as a, e.y as b from _w_sides e left join _w_own p on p.node = e.x left join _w_own q on q.node = e.y where e.x < e.y and p.node is null and q.node is null")
	components(r, "_w_rest", "_w_alone")
	r.make("_w_raw", "select n.node, coalesce(o.owner, l.p, n.node) as own from _w_divided n left join _w_own o on o.node = n.node left join _w_alone l on l.v = n.node")
	r.make("_w_grp", "select node, min(node) over (partition by own) as grp from _w_raw")
	r.make("_w_group", "select l.node, l.hull, coalesce(u.grp, l.hull) as grp, l.was from _w_hull l left join _w_grp u on u.node = l.node")
	r.drop("_w_parts", "_w_divided", "_w_sides", "_w_own", "_w_next", "_w_rest", "_w_alone", "_w_raw", "_w_grp")
}

// claim makes _w_delta. A former person goes to the group with its first node, else to the
// one with most of its nodes; of those that a group won the oldest stays. A group that won
// none takes back a former person of its nodes whom nobody has now, else its first node
// becomes one, else a new number does.
func (g *Graph) claim(r *run) {
	r.make("_w_votes", "select was as person, grp, count(*) as n, max(case when node = was then 1 else 0 end) as anchor from _w_group where was is not null group by was, grp")
	r.make("_w_won", "select person, grp from (select person, grp, row_number() over (partition by person order by anchor desc, n desc, grp) as rn from _w_votes) s where rn = 1")
	r.make("_w_have", "select grp, min(person) as person from _w_won group by grp")
	r.make("_w_none", "select g.grp, g.node from _w_group g left join _w_have h on h.grp = g.grp where h.grp is null")
	r.make("_w_past", `select grp, person from (
		select grp, person, row_number() over (partition by person order by n desc, grp) as pn, row_number() over (partition by grp order by n desc, person) as rn from (
			select c.grp, h.person, count(*) as n from _w_none c join %s h on h.node = c.node and h.to_run is not null
			left join %s g on g.person = h.person left join _w_have w on w.person = h.person where g.person is null and w.person is null group by c.grp, h.person) s) t where pn = 1 and rn = 1`, g.t("past"), g.t("graph"))
	base := r.int("select next from _entities where entity = %s", g.SQL.Text(g.Entity))
	r.make("_w_new", `select c.grp, case when g.person is null and w.person is null and p2.person is null then c.grp else (%d + row_number() over (order by c.grp)) * 32 + %d end as person
		from (select distinct grp from _w_none) c left join _w_past p on p.grp = c.grp
		left join (select distinct person from %s) g on g.person = c.grp left join _w_have w on w.person = c.grp left join _w_past p2 on p2.person = c.grp where p.grp is null`, base, maxTypes, g.t("graph"))
	// Numbers are used up before anybody has them: row_number counts all rows.
	r.exec("update _entities set next = next + (select count(*) from _w_new) where entity = %s and exists (select 1 from _w_new where person %% 32 = %d)", g.SQL.Text(g.Entity), maxTypes)
	r.make("_w_all", "select grp, person from _w_have union all select grp, person from _w_past union all select grp, person from _w_new")
	r.make("_w_delta", `select g.node, g.hull, c.person, g.was from _w_group g join _w_all c on c.grp = g.grp
		union all select n.node, null, null, n.was from _w_nodes n join _w_apart s on s.node = n.node`)
	r.drop("_w_none", "_w_votes", "_w_won", "_w_have", "_w_past", "_w_new", "_w_all")
}
