// Package training learns the models of scores from a workspace's own rows, in the plane.
//
// The examples of a score are persons as they were known at each of several cuts: identity and
// features are built anew from the rows that somebody could know before the
// cut, with the decisions of that time. So no row of a cut's future is in its features, and an
// example is what a run at the cut would have made. What came of a person is read from
// today's rows and today's identity. A model is measured with the newest cut, from which it was
// not learned, and is the score's when it passes the gate; else the former one stays.
package training

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/profile/model"
	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
	"weir/shared/workspace/profiles"
	"weir/shared/workspace/profiles/scores"
)

// Limits.
const (
	mostExamples = 200_000 // of one score; persons are chosen by their identifier where there are more
	again        = 24 * time.Hour
	monthly      = 30 * 24 * time.Hour
)

// Due lists the scores of a plan whose model is to be learned: those that have none, that are
// declared otherwise than when it was, or with a new cut since.
func Due(ctx context.Context, s tables.Session, c profile.Config, now time.Time) (due []scores.Score, err error) {
	if !slices.ContainsFunc(c.Plan.Scores, scores.Score.Learned) {
		return nil, nil
	}
	_, last, err := score.Models(ctx, s, c.SQL, profile.Schema)
	if err != nil {
		return nil, fmt.Errorf("read what was learned: %w", err)
	}
	for _, one := range c.Plan.Scores {
		if !one.Learned() {
			continue
		}
		l, there := last[one.Name]
		wait := every(one)
		if there && l.Code != "" {
			wait = min(wait, again)
		}
		if !there || l.Declared != declared(c.Plan, one) || !now.Before(l.At.Add(wait)) {
			due = append(due, one)
		}
	}
	return due, nil
}

// every is the time from one cut to the next.
func every(one scores.Score) time.Duration {
	if one.Cuts != nil {
		if d, err := profiles.Duration(one.Cuts.Every); err == nil {
			return d
		}
	}
	return monthly
}

// declared says what a model depends on.
func declared(p profiles.Plan, one scores.Score) string {
	text, _ := json.Marshal([]any{one, p.Entities, p.Inputs, needed(p, one)}) // texts and numbers always encode
	h := fnv.New64a()
	_, _ = h.Write(text) // it never fails
	return strconv.FormatUint(h.Sum64(), 36)
}

// needed are the features that a score is learned from with those that they use; all when it names none.
func needed(p profiles.Plan, one scores.Score) []profiles.Feature {
	if len(one.Features) == 0 {
		return p.Features
	}
	wanted := map[string]bool{}
	for _, name := range one.Features {
		wanted[name] = true
	}
	order := p.Order()
	for _, f := range slices.Backward(order) {
		if wanted[f.Name] {
			for _, name := range uses(f) {
				wanted[name] = true
			}
		}
	}
	return slices.DeleteFunc(order, func(f profiles.Feature) bool { return !wanted[f.Name] })
}

// uses are the features that a feature is made of.
func uses(f profiles.Feature) []string {
	if e, err := profiles.ParseExpression(f.SQL); err == nil && f.SQL != "" {
		return e.Uses
	}
	return f.Ratio
}

// Cuts are the moments at which the examples of a score are, the newest first: its future has
// come by now.
func Cuts(one scores.Score, now time.Time) (all []time.Time) {
	ahead, _ := profiles.ParseCondition(one.Predict) // it was checked
	at := now.Add(-ahead.Ahead()).UTC().Truncate(24 * time.Hour)
	for range one.Times() {
		all = append(all, at)
		at = at.Add(-every(one))
	}
	return all
}

// Learn makes the examples of a score, learns a model from them, and keeps it. What is not good
// enough has a code, and the score keeps the model that it has. Persons are those of the last run.
func Learn(ctx context.Context, s tables.Session, c profile.Config, one scores.Score, now time.Time) (l score.Learned, err error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return l, err
	}
	v := view{p, c, one, entity(c.Plan, one.Entity)}
	cuts := Cuts(one, now)
	names, err := v.build(ctx, s, cuts)
	if err != nil {
		return l, fmt.Errorf("make the examples of %s: %w", one.Name, err)
	}
	learn, measure, err := v.read(ctx, s, names, cuts[0])
	if err != nil {
		return l, fmt.Errorf("read the examples of %s: %w", one.Name, err)
	}
	l = fit(one, names, learn, measure)
	l.At, l.Declared = now, declared(c.Plan, one)
	return l, score.Keep(ctx, s, c.SQL, one.Name, l)
}

// entity is an entity by name, the first one for "".
func entity(p profiles.Plan, name string) profiles.Entity {
	for _, e := range p.Entities {
		if e.Name == name {
			return e
		}
	}
	return p.Entities[0]
}

// fit learns a model from examples, and measures it with others.
func fit(one scores.Score, names []string, learn, measure model.Examples) (l score.Learned) {
	came, all := learn.Count()
	seen, measured := measure.Count()
	l.Persons, l.Came, l.Measured = int64(all), int64(came), int64(measured)
	if len(names) == 0 || all < score.Fewest || min(came, all-came, seen, measured-seen) < score.FewestKind {
		l.Code = score.CodeUnlearned
		return l
	}
	said, row := make([]float64, measured), make([]float64, len(names))
	if one.Model == scores.Boosted {
		m := model.Boosted(learn)
		l.Model = score.Model{Features: names, Trees: &m}
		for i := range said {
			measure.Row(i, row)
			said[i] = m.Score(row)
		}
	} else {
		intercept, weights := model.Logistic(learn)
		l.Model = score.Model{Intercept: intercept, Weights: map[string]float64{}}
		for f, name := range names {
			l.Model.Weights[name] = weights[f]
		}
		for i := range said {
			measure.Row(i, row)
			z := intercept
			for f, x := range row {
				if !math.IsNaN(x) {
					z += weights[f] * x
				}
			}
			said[i] = scores.Probability(z)
		}
	}
	l.AUC, l.Calibration = model.AUC(said, measure.Came), model.Calibration(said, measure.Came)
	gate := one.Gated()
	if l.Live = l.AUC >= gate.AUC && l.Calibration <= gate.Calibration; !l.Live {
		l.Code = score.CodeHeld
	}
	return l
}

// view is the examples of a score.
type view struct {
	p   *profile.Profile
	c   profile.Config
	one scores.Score
	e   profiles.Entity
}

// past stands before the names of entities as which identity is built at a cut.
const past = "_cut_"

func (v view) exec(ctx context.Context, s tables.Session, statements ...string) error {
	for _, q := range statements {
		if _, err := s.Exec(ctx, q); err != nil {
			return fmt.Errorf("%w\nin %s", err, q[:min(len(q), 600)])
		}
	}
	return nil
}

// build makes the table of examples, and returns its features.
func (v view) build(ctx context.Context, s tables.Session, cuts []time.Time) (names []string, err error) {
	if err := v.p.Graph(v.e.Name).Prepare(ctx, s); err != nil {
		return nil, err
	}
	table := v.c.SQL.Quote(score.Table(v.e.Name, v.one.Name))
	if err := v.exec(ctx, s, "drop table if exists "+table); err != nil {
		return nil, err
	}
	for i, at := range cuts {
		found, err := v.cut(ctx, s, at, names)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			names = found
			columns := []string{"weir_id text", "cut timestamptz", "came boolean"}
			for _, name := range names {
				columns = append(columns, v.c.SQL.Quote(name)+" double precision")
			}
			if err := v.exec(ctx, s, "create table "+table+" ("+strings.Join(columns, ", ")+")"); err != nil {
				return nil, err
			}
		}
		list := "weir_id, cut, came"
		for _, name := range names {
			list += ", " + v.c.SQL.Quote(name)
		}
		if err := v.exec(ctx, s, fmt.Sprintf("insert into %s (%s) select weir_id, %s, came%s from _w_examples", table, list, tables.Time(at), strings.TrimPrefix(list, "weir_id, cut, came"))); err != nil {
			return nil, err
		}
	}
	return names, v.exec(ctx, s, "drop table if exists _w_examples")
}

// cut makes the work table _w_examples of one cut: today's identifier of a person, what came, and
// features as numbers; and returns their names, which are those given when there are any.
func (v view) cut(ctx context.Context, s tables.Session, at time.Time, names []string) ([]string, error) {
	d := v.c.SQL
	among, _ := profiles.ParseCondition(v.one.Among)     // they were checked
	predict, _ := profiles.ParseCondition(v.one.Predict) //
	then := v.p.Before(at, past)
	// Who was who, of others first whose persons are identifiers.
	if err := v.exec(ctx, s, d.Work("_w_was", "select cast(null as varchar) as typ, cast(null as varchar) as was, cast(null as varchar) as today where false")...); err != nil {
		return nil, err
	}
	others := v.e.Others()
	slices.Sort(others)
	for _, name := range append(slices.Compact(others), v.e.Name) {
		defer func() { _ = then.Graph(past+name).Drop(context.WithoutCancel(ctx), s) }() // the next training does it else
		if err := v.recall(ctx, s, then, name, at); err != nil {
			return nil, err
		}
		for _, t := range v.e.IDs {
			if t.Of != name {
				continue
			}
			if err := v.exec(ctx, s, fmt.Sprintf("insert into _w_was select %s, %s || cast(person >> 5 as varchar), %s || cast(today >> 5 as varchar) from (%s) s", d.Text(t.Name), d.Text(past+name+"_"), d.Text(name+"_"), v.today(name))); err != nil {
				return nil, err
			}
		}
	}
	// Features as they were.
	if err := then.People(ctx, s, past+v.e.Name, 1); err != nil {
		return nil, err
	}
	c := then.Compiler(entity(then.Plan, past+v.e.Name), at)
	c.Add(among)
	wanted := names
	if len(wanted) == 0 {
		for _, f := range needed(v.c.Plan, v.one) {
			if entity(v.c.Plan, f.Entity).Name == v.e.Name && (len(v.one.Features) == 0 || slices.Contains(v.one.Features, f.Name)) {
				wanted = append(wanted, f.Name)
			}
		}
	}
	c.Only(wanted, []profiles.Condition{among})
	if err := then.Compute(ctx, s, c); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		types, err := v.p.Types(ctx, s, "_w_fresh")
		if err != nil {
			return nil, err
		}
		names = slices.DeleteFunc(wanted, func(name string) bool { return len(v.one.Features) == 0 && !numeric(types[name]) })
		slices.Sort(names)
	}
	columns := "person"
	for _, name := range names {
		columns += ", " + score.Clean("r_"+name) + " as " + d.Quote(name)
	}
	raw := "person"
	for _, name := range names {
		raw += ", " + score.Number(d, d.Quote(name)) + " as r_" + name
	}
	work := slices.Concat(
		d.Work("_w_then", "select "+columns+" from (select "+raw+" from _w_fresh where "+c.Audience(among)+" offset 0) s"),
		d.Work("_w_today", v.today(v.e.Name)))
	if err := v.exec(ctx, s, work...); err != nil {
		return nil, err
	}
	// What came, as it is known today.
	if err := v.p.People(ctx, s, v.e.Name, 1); err != nil {
		return nil, err
	}
	now := v.p.Compiler(v.e, at)
	now.Add(predict)
	now.Only(nil, []profiles.Condition{predict})
	if err := v.p.Compute(ctx, s, now); err != nil {
		return nil, err
	}
	list := ""
	for _, name := range names {
		list += ", t." + d.Quote(name)
	}
	if err := v.exec(ctx, s, d.Work("_w_examples", "select f.weir_id, "+now.Audience(predict)+" as came"+list+" from _w_then t join _w_today y on y.person = t.person join _w_fresh f on f.person = y.today")...); err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(c.Work(), now.Work(), []string{"_w_then", "_w_today", "_w_was", "_w_fresh", "_w_persons", "_w_map", "_w_moved"}) {
		if err := v.exec(ctx, s, "drop table if exists "+d.Quote(name)); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// recall builds the identity of an entity, by name, as it was at a cut: from the rows that were known and the decisions that were made.
func (v view) recall(ctx context.Context, s tables.Session, then *profile.Profile, name string, at time.Time) error {
	g := then.Graph(past + name)
	if err := g.Prepare(ctx, s); err != nil {
		return err
	}
	if err := g.Drop(ctx, s); err != nil { // of one that died
		return err
	}
	if err := g.Prepare(ctx, s); err != nil {
		return err
	}
	end := func(of string) string { // a decision names persons of others as they are called today
		return fmt.Sprintf("coalesce((select min(w.typ || ':' || w.was) from _w_was w where w.typ || ':' || w.today = r.%s), r.%[1]s)", of)
	}
	decisions := fmt.Sprintf("insert into %s (kind, a, b, by_whom, at_time) select r.kind, %s, %s, r.by_whom, r.at_time from %s r where r.at_time < %s", g.Table("rules"), end("a"), end("b"), v.c.SQL.Quote(name+"_rules"), tables.Time(at))
	if err := v.exec(ctx, s, decisions); err != nil {
		return err
	}
	_, _, err := g.Run(ctx, s, at, true, true)
	return err
}

// today is the query of the persons of an entity at a cut, and who each is today: the one who has the oldest of the identifiers.
func (v view) today(name string) string {
	d := v.c.SQL
	was := func(table string) string { return d.Quote("_" + past + name + "_" + table) }
	return fmt.Sprintf(`select person, today from (select g.person, t.person as today, row_number() over (partition by g.person order by g.node) as rn from %s g join %s n on n.node = g.node
		join _types k on k.entity = %s and k.number = n.type join _types m on m.entity = %s and m.name = k.name left join _w_was w on w.typ = k.name and w.was = n.value
		join %s x on x.type = m.number and x.value = coalesce(w.today, n.value)
		join %s t on t.node = x.node where g.person is not null and t.person is not null) s where rn = 1`,
		was("graph"), was("nodes"), d.Text(past+name), d.Text(name), d.Quote("_"+name+"_nodes"), d.Quote("_"+name+"_graph"))
}

// numeric reports whether a native type is one of numbers, or of true and false.
func numeric(native string) bool {
	native, _, _ = strings.Cut(strings.ToLower(native), "(")
	return slices.Contains([]string{"bigint", "integer", "double", "double precision", "boolean", "numeric", "decimal", "hugeint", "real", "smallint"}, native)
}

// read reads the examples: those of the newest cut are to measure with, and with one cut alone
// every fourth person.
func (v view) read(ctx context.Context, s tables.Session, names []string, newest time.Time) (learn, measure model.Examples, err error) {
	table := v.c.SQL.Quote(score.Table(v.e.Name, v.one.Name))
	n, err := tables.Int(ctx, s, "select count(*) from "+table)
	if err != nil {
		return learn, measure, err
	}
	cuts, err := tables.Int(ctx, s, "select count(distinct cut) from "+table)
	if err != nil {
		return learn, measure, err
	}
	step := uint64(n/mostExamples + 1)
	learn.Columns, measure.Columns = make([][]float64, len(names)), make([][]float64, len(names))
	list := ""
	for _, name := range names {
		list += ", " + v.c.SQL.Quote(name)
	}
	order := "cut, " + v.c.SQL.Binary("weir_id") + list
	err = s.Rows(ctx, "select weir_id, cut, came"+list+" from "+table+" order by "+order, func(row []any) error {
		h := fnv.New64a()
		_, _ = h.Write([]byte(fmt.Sprint(row[0]))) // it never fails
		who := h.Sum64()
		if who%step != 0 {
			return nil
		}
		into := &learn
		at, _ := row[1].(time.Time)
		if cuts > 1 && at.Equal(newest) || cuts <= 1 && who/step%4 == 0 {
			into = &measure
		}
		came, _ := row[2].(bool)
		into.Came = append(into.Came, came)
		for f, x := range row[3:] {
			value, known := x.(float64)
			if !known {
				value = math.NaN()
			}
			into.Columns[f] = append(into.Columns[f], value)
		}
		return nil
	})
	return learn, measure, err
}
