package identity

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/tables"
)

// What somebody who looked at a pair of identifiers said of it, as kinds of rules. It joins and parts nobody: runs
// are judged by it.
const (
	Same      = "same"
	Different = "different"
)

// Reviewed is how persons agree with the pairs of identifiers that people reviewed.
type Reviewed struct {
	Pairs     int64   `json:"pairs"`     // whose identifiers are there
	Broken    int64   `json:"broken"`    // of which somebody said otherwise
	Precision float64 `json:"precision"` // of the pairs that are one person, the share that are said to be; 1 when there are none
	Recall    float64 `json:"recall"`    // of the pairs that are said to be one person, the share that are; 1 when there are none
}

// Pair is two identifiers, each as type:value.
type Pair struct {
	A, B    string
	One     bool      // the last published run has them as one person
	Said    string    // Same or Different; empty: nobody said
	At      time.Time // when somebody said so
	Alike   int64     // of a pair in doubt that is one person: how many identifiers of this type the person has
	Seen    time.Time // of a pair in doubt that is two: when they were last seen together
	Missing bool      // one of the identifiers is not there any more
}

// reviewed measures what a run would publish, and what is published, by the pairs that were reviewed. Both are nil
// when there are none.
func (g *Graph) reviewed(r *run) (next, last *Reviewed) {
	if r.int("select count(*) from _w_rules where kind in ('%s', '%s') and b is not null", Same, Different) == 0 {
		return nil, nil
	}
	r.make("_w_review", "%s", g.sided("select kind = '"+Same+"' as same, a, b, was_a, was_b from (%s) s"))
	pairs, same := r.int("select count(*) from _w_review"), r.int("select count(*) from _w_review where same")
	if r.err != nil || pairs == 0 {
		return nil, nil
	}
	count := func(joined string) *Reviewed {
		right := r.int("select count(*) from _w_review where same and %s", joined)
		wrong := r.int("select count(*) from _w_review where not same and %s", joined)
		return &Reviewed{Pairs: pairs, Broken: wrong + same - right, Precision: share(right, right+wrong), Recall: share(right, same)}
	}
	next, last = count("a = b"), count("was_a = was_b")
	r.drop("_w_review")
	return next, last
}

// sided is a query over the pairs that were reviewed, with the persons of both sides as a run would have them, a and b, and
// as they are published, was_a and was_b.
func (g *Graph) sided(query string) string {
	return fmt.Sprintf(query, fmt.Sprintf(`select r.kind, r.a_text, r.b_text, case when da.node is null then ga.person else da.person end as a, case when db.node is null then gb.person else db.person end as b, ga.person as was_a, gb.person as was_b
		from (select distinct kind, a, b, a_text, b_text from _w_rules where kind in ('`+Same+`', '`+Different+`') and b is not null) r
		left join _w_delta da on da.node = r.a left join _w_delta db on db.node = r.b left join %[1]s ga on ga.node = r.a left join %[1]s gb on gb.node = r.b`, g.t("graph")))
}

func share(part, of int64) float64 {
	if of == 0 {
		return 1
	}
	return float64(part) / float64(of)
}

// breaks reports whether a run agrees less with reviewed pairs than the gate asks and than what is published does:
// holding a run does not mend what is published.
func (g Gate) breaks(next, last *Reviewed) bool {
	return next != nil && (next.Precision < g.Precision && next.Precision < last.Precision || next.Recall < g.Recall && next.Recall < last.Recall)
}

// done is the query of the pairs of nodes that were reviewed.
func (g *Graph) done() string {
	return fmt.Sprintf(`select distinct least(x.node, y.node) as a, greatest(x.node, y.node) as b from %s r join %s x on x.value = %s and %s = %s join %[2]s y on y.value = %[6]s and %[7]s = %[8]s where r.kind in ('%[9]s', '%[10]s')`,
		g.Table("rules"), g.t("nodes"), after("r.a"), g.typeName("x.node"), before("r.a"), after("r.b"), g.typeName("y.node"), before("r.b"), Same, Different)
}

// Doubtful lists pairs that are worth a look and that nobody reviewed, at most most of each kind in turn: two
// identifiers of a type whom a run has as one person, strongest types and largest persons first, and two that were
// seen together and are two persons' all the same, the newest first.
func (g *Graph) Doubtful(ctx context.Context, s tables.Session, most int) ([]Pair, error) {
	rank := "case node % 32"
	for i, t := range g.Types[:max(1, len(g.Types)-1)] { // of the weakest, devices mostly, nobody knows whose they are
		rank += fmt.Sprintf(" when %d then %d", g.numbers[t.Name], i)
	}
	named := g.typeName("c.a") + " || ':' || x.value, " + g.typeName("c.b") + " || ':' || y.value"
	var one, two []Pair
	err := s.Rows(ctx, fmt.Sprintf(`with done as (%s), alike as (select person, %s end as strength, min(node) as a, max(node) as b, count(*) as n from %s where person is not null group by person, %[2]s end having count(*) > 1),
		open as (select l.*, row_number() over (partition by l.person order by l.strength, l.n desc) as rn from alike l left join done d on d.a = l.a and d.b = l.b where d.a is null and l.strength is not null)
		select %[4]s, c.n from (select * from open where rn = 1 order by strength, n desc, person limit %[5]d) c join %[6]s x on x.node = c.a join %[6]s y on y.node = c.b order by c.strength, c.n desc, c.person`,
		g.done(), rank, g.t("graph"), named, most, g.t("nodes")), func(v []any) error {
		p := Pair{A: fmt.Sprint(v[0]), B: fmt.Sprint(v[1]), One: true}
		p.Alike, _ = v[2].(int64)
		one = append(one, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.Rows(ctx, fmt.Sprintf(`with done as (%s), open as (select l.a, l.b, l.last_seen from %s l join %s ga on ga.node = l.a join %[3]s gb on gb.node = l.b left join done d on d.a = l.a and d.b = l.b where ga.person <> gb.person and d.a is null)
		select %[4]s, c.last_seen from (select * from open order by last_seen desc, a, b limit %[5]d) c join %[6]s x on x.node = c.a join %[6]s y on y.node = c.b order by c.last_seen desc, c.a, c.b`,
		g.done(), g.t("links"), g.t("graph"), named, most, g.t("nodes")), func(v []any) error {
		p := Pair{A: fmt.Sprint(v[0]), B: fmt.Sprint(v[1])}
		p.Seen, _ = v[2].(time.Time)
		two = append(two, p)
		return nil
	})
	all := []Pair{}
	for i := range max(len(one), len(two)) {
		if i < len(two) {
			all = append(all, two[i])
		}
		if i < len(one) {
			all = append(all, one[i])
		}
	}
	return all, err
}

// Reviews lists the pairs that were reviewed, those of which somebody said otherwise first and then the newest, at most most, and
// measures all of them by what is published.
func (g *Graph) Reviews(ctx context.Context, s tables.Session, most int) (pairs []Pair, all Reviewed, err error) {
	pairs = []Pair{}
	var right, wrong, same int64
	q := fmt.Sprintf(`select r.kind, r.a, r.b, max(r.at_time), max(x.weir_id), max(y.weir_id), count(x.value), count(y.value) from %s r
		left join %s x on x.id_type = %s and x.value = %s left join %[2]s y on y.id_type = %[5]s and y.value = %[6]s where r.kind in ('%[7]s', '%[8]s') group by r.kind, r.a, r.b
		order by case when (max(x.weir_id) = max(y.weir_id)) is true and r.kind = '%[7]s' or (max(x.weir_id) = max(y.weir_id)) is not true and r.kind = '%[8]s' then 1 else 0 end, 4 desc, 2, 3`,
		g.Table("rules"), g.Table("ids"), before("r.a"), after("r.a"), before("r.b"), after("r.b"), Same, Different)
	err = s.Rows(ctx, q, func(v []any) error {
		p := Pair{Said: fmt.Sprint(v[0]), A: fmt.Sprint(v[1]), B: fmt.Sprint(v[2])}
		p.At, _ = v[3].(time.Time)
		p.One = v[4] != nil && v[4] == v[5]
		x, _ := v[6].(int64)
		y, _ := v[7].(int64)
		p.Missing = x == 0 || y == 0
		if len(pairs) < most {
			pairs = append(pairs, p)
		}
		if p.Missing {
			return nil
		}
		all.Pairs++
		if p.Said == Same {
			same++
		}
		switch {
		case p.One && p.Said == Same:
			right++
		case p.One:
			wrong++
		}
		return nil
	})
	all.Broken, all.Precision, all.Recall = wrong+same-right, share(right, right+wrong), share(right, same)
	return pairs, all, err
}
