package score

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"weir/dataplane/tables"
	"weir/shared/workspace/profiles/scores"
)

// Codes of scores whose model the plane learns.
const (
	CodeUnlearned = "score_unlearned" // there were never enough examples for a model
	CodeHeld      = "score_held"      // the last model that was learned is under its gate; the former one, if any, stays
)

// Learned is a model that was learned from a workspace's rows, with how good it is for persons
// that it was not learned from. It has nothing of single persons.
type Learned struct {
	At          time.Time `json:"at"`
	AUC         float64   `json:"auc"`
	Calibration float64   `json:"calibration"`
	Persons     int64     `json:"persons"` // that it was learned from, once for each cut
	Came        int64     `json:"came"`    // of these
	Measured    int64     `json:"measured"`
	Live        bool      `json:"live"`           // it is the score's
	Code        string    `json:"code,omitempty"` // why it is not
	Lack        *Lack     `json:"lack,omitempty"` // of what there were too few examples
	Declared    string    `json:"-"`
	Model       Model     `json:"-"`
}

// How many examples a model is learned from at least.
const (
	Fewest     = 200
	FewestKind = 20 // for whom it came, and for whom it did not, to learn from and to measure with
)

// Lack is of what there were too few examples for a model: N of M needed.
type Lack struct {
	Of string `json:"of"` // all, came, stayed (for whom it did not come), measured
	N  int64  `json:"n"`
	M  int64  `json:"m"`
}

// lack is of what there were too few examples; nil where that is not why there is no model, or it is not known.
func (l Learned) lack() *Lack {
	if l.Code != CodeUnlearned {
		return nil
	}
	for _, one := range []Lack{{"all", l.Persons, Fewest}, {"came", l.Came, FewestKind}, {"stayed", l.Persons - l.Came, FewestKind}, {"measured", l.Measured, 2 * FewestKind}} {
		if one.N < one.M {
			return &one
		}
	}
	return nil
}

// Model is what was learned, by the kind of the score.
type Model struct {
	Features  []string           `json:"features,omitempty"` // of Trees, in their order
	Trees     *scores.Model      `json:"trees,omitempty"`
	Intercept float64            `json:"intercept,omitempty"`
	Weights   map[string]float64 `json:"weights,omitempty"`
}

// Formula is the model as SQL.
func (m Model) Formula() *Formula {
	if m.Trees != nil {
		return Boosted(*m.Trees, m.Features)
	}
	return weighed(m.Intercept, m.Weights)
}

// Unlearned is the formula of a score that has no model yet: nobody has it.
func Unlearned() *Formula { return &Formula{SQL: "cast(null as double precision)"} }

// Uses lists the features that the model takes.
func (m Model) Uses() []string { return m.Formula().Uses }

// models keeps what was learned: the live model of each score, and the last one.
const models = "_models"

// Keep keeps a model that was learned in place of the last one, and of the live one where it is live.
func Keep(ctx context.Context, s tables.Session, d tables.Dialect, name string, l Learned) error {
	text, err := json.Marshal(l.Model)
	if err != nil {
		return fmt.Errorf("write down the model of %s: %w", name, err)
	}
	if _, err := s.Exec(ctx, "create table if not exists "+models+" (score text, declared text, learned_at timestamptz, live boolean, auc double precision, calibration double precision, persons bigint, came bigint, measured bigint, code text, model text)"); err != nil {
		return fmt.Errorf("keep what was learned: %w", err)
	}
	return s.Tx(ctx, func(in tables.Session) error {
		which := ""
		if !l.Live {
			which = " and not live"
		}
		_, err := tables.Run(ctx, in, "delete from "+models+" where score = "+d.Text(name)+which,
			fmt.Sprintf("insert into %s values (%s, %s, %s, %t, %s, %s, %d, %d, %d, %s, %s)", models, d.Text(name), d.Text(l.Declared), tables.Time(l.At), l.Live, Literal(l.AUC), Literal(l.Calibration), l.Persons, l.Came, l.Measured, d.Text(l.Code), d.Text(string(text))))
		return err
	})
}

// Models reads the live model of each score, and what was learned last. schema is where tables are.
func Models(ctx context.Context, s tables.Session, d tables.Dialect, schema string) (live, last map[string]Learned, err error) {
	live, last = map[string]Learned{}, map[string]Learned{}
	there, err := tables.Columns(ctx, s, d, schema, models)
	if err != nil || len(there) == 0 {
		return live, last, err
	}
	err = s.Rows(ctx, "select score, declared, learned_at, live, auc, calibration, persons, came, measured, code, model from "+models+" order by learned_at, live", func(v []any) error {
		l := Learned{Declared: fmt.Sprint(v[1]), Code: fmt.Sprint(v[9])}
		l.At, _ = v[2].(time.Time)
		l.Live, _ = v[3].(bool)
		l.AUC, _ = v[4].(float64)
		l.Calibration, _ = v[5].(float64)
		l.Persons, _ = v[6].(int64)
		l.Came, _ = v[7].(int64)
		l.Measured, _ = v[8].(int64)
		if err := json.Unmarshal([]byte(fmt.Sprint(v[10])), &l.Model); err != nil {
			return nil // it is learned anew
		}
		name := fmt.Sprint(v[0])
		if last[name] = l; l.Live {
			live[name] = l
		}
		return nil
	})
	return live, last, err
}

// Table is the name of the table with the examples of a score that is learned, which each
// training makes anew: weir_id, cut, came and features. It fits what Postgres keeps of a name.
func Table(entity, name string) string {
	table := entity + "_training_" + name
	if len(table) <= 60 {
		return table
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(table)) // it never fails
	return table[:46] + "_" + strconv.FormatUint(h.Sum64(), 36)
}

// Forget removes from the examples of an entity's scores a person, and who has no golden record: persons who became
// part of another one, of whom that could be one.
func Forget(ctx context.Context, s tables.Session, d tables.Dialect, schema, entity, person string, list []scores.Score) error {
	for _, one := range list {
		if !one.Learned() {
			continue
		}
		table := Table(entity, one.Name)
		there, err := tables.Columns(ctx, s, d, schema, table)
		if err == nil && len(there) > 0 {
			_, err = s.Exec(ctx, fmt.Sprintf("delete from %s where weir_id = %s or weir_id not in (select weir_id from %s)", d.Quote(table), d.Text(person), d.Quote(entity+"_golden")))
		}
		if err != nil {
			return fmt.Errorf("remove a person from the examples of %s: %w", one.Name, err)
		}
	}
	return nil
}
