package score

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

	"weir/dataplane/tables"
	"weir/shared/workspace/profiles/scores"
)

// CodeDrifted says that a score is spread over persons otherwise than when it began.
const CodeDrifted = "score_drifted"

// Standing is how a score stands after a run: counts and a mean, and nothing of single persons.
type Standing struct {
	Name    string     `json:"name"`
	Persons int64      `json:"persons"`         // that have it
	Mean    *float64   `json:"mean,omitempty"`  // of theirs; nil where nobody has it
	Drift   *float64   `json:"drift,omitempty"` // since From, as a population stability index; nil before there were enough persons
	From    *time.Time `json:"from,omitempty"`  // when it began as it is declared now
	Live    *Learned   `json:"live,omitempty"`  // the learned model that it has
	Last    *Learned   `json:"last,omitempty"`  // that was learned last
	Code    string     `json:"code,omitempty"`
}

// Measures of drift. The population stability index sums (p - q) ln(p / q) over parts of the
// persons that were a tenth each: below 0.1 nothing has moved, and above 0.25 the score says
// something else than it did (Siddiqi, Credit Risk Scorecards, chapter 9).
const (
	parts     = 10
	fewest    = 100 // persons; fewer move by chance
	drifted   = 0.25
	leastPart = 1e-4 // a part without persons counts as this share
)

// spread is how a score lay when it began.
type spread struct {
	Edges  []float64 `json:"edges"`  // a part ends with each; the last one has no end
	Shares []float64 `json:"shares"` // of each part, and of who has no score
}

// Stand measures scores in golden records, and how far each is from where it began. That is
// kept in the table _scores, and begins anew when the score is declared otherwise.
func Stand(ctx context.Context, s tables.Session, d tables.Dialect, schema, golden string, list []scores.Score, now time.Time) (all []Standing, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	if _, err := s.Exec(ctx, "create table if not exists _scores (score text, declared text, began_at timestamptz, spread text)"); err != nil {
		return nil, fmt.Errorf("keep where scores began: %w", err)
	}
	live, last, err := Models(ctx, s, d, schema)
	if err != nil {
		return nil, fmt.Errorf("read what was learned: %w", err)
	}
	for _, one := range list {
		var model *Learned
		if l, there := live[one.Name]; there && one.Learned() {
			model = &l
		}
		st, err := stand(ctx, s, d, golden, one, model, now)
		if err != nil {
			return nil, fmt.Errorf("measure the score %s: %w", one.Name, err)
		}
		if one.Learned() {
			st.Live = model
			if l, there := last[one.Name]; there {
				l.Lack = l.lack()
				st.Last = &l
			}
			switch {
			case st.Last != nil && st.Last.Code != "":
				st.Code = st.Last.Code
			case model == nil:
				st.Code = CodeUnlearned
			}
		}
		all = append(all, st)
	}
	return all, nil
}

// stand is Stand of one.
func stand(ctx context.Context, s tables.Session, d tables.Dialect, golden string, one scores.Score, model *Learned, now time.Time) (Standing, error) {
	st := Standing{Name: one.Name}
	text, _ := json.Marshal(one) // texts and numbers always encode
	h := fnv.New64a()
	_, _ = h.Write(text) // it never fails
	if model != nil {
		_, _ = h.Write([]byte(model.At.String()))
	}
	declared := strconv.FormatUint(h.Sum64(), 36)
	where := fmt.Sprintf(" where score = %s", d.Text(golden+"."+one.Name))
	var was spread
	err := s.Rows(ctx, "select began_at, spread from _scores"+where+" and declared = "+d.Text(declared), func(v []any) error {
		if at, ok := v[0].(time.Time); ok && json.Unmarshal([]byte(fmt.Sprint(v[1])), &was) == nil {
			st.From = &at
		}
		return nil
	})
	if err != nil {
		return st, err
	}
	values := fmt.Sprintf("(select %s as x from (select %s as x from %s) s) s", Clean("x"), Number(d, d.Quote(one.Name)), golden)
	if st.From == nil {
		if was.Edges, err = edges(ctx, s, values); err != nil {
			return st, err
		}
	}
	counts, err := st.count(ctx, s, values, was.Edges)
	if err != nil || st.Persons < fewest {
		return st, err
	}
	if st.From == nil {
		st.From, was.Shares = &now, shares(counts)
		text, _ := json.Marshal(was) // the same
		err = s.Tx(ctx, func(in tables.Session) error {
			_, err := tables.Run(ctx, in, "delete from _scores"+where,
				fmt.Sprintf("insert into _scores values (%s, %s, %s, %s)", d.Text(golden+"."+one.Name), d.Text(declared), tables.Time(now), d.Text(string(text))))
			return err
		})
		if err != nil {
			return st, err
		}
	}
	moved := was.moved(shares(counts))
	if st.Drift = &moved; moved > drifted {
		st.Code = CodeDrifted
	}
	return st, nil
}

// edges are where the parts of a score end.
func edges(ctx context.Context, s tables.Session, values string) (all []float64, err error) {
	q := fmt.Sprintf("select max(x) from (select x, ntile(%d) over (order by x) as part from %s where x is not null) t group by part order by part", parts, values)
	err = s.Rows(ctx, q, func(v []any) error {
		if x, ok := v[0].(float64); ok && (len(all) == 0 || x > all[len(all)-1]) {
			all = append(all, x)
		}
		return nil
	})
	if len(all) > 0 {
		all = all[:len(all)-1]
	}
	return all, err
}

// count counts the persons of each part, and last those who have no score.
func (st *Standing) count(ctx context.Context, s tables.Session, values string, edges []float64) (counts []int64, err error) {
	below := make([]string, len(edges))
	for i, e := range edges {
		below[i] = fmt.Sprintf(", count(case when x <= %s then 1 end)", Literal(e))
	}
	err = s.Rows(ctx, "select count(*), count(x), avg(x)"+strings.Join(below, "")+" from "+values, func(v []any) error {
		all, _ := v[0].(int64)
		st.Persons, _ = v[1].(int64)
		if mean, some := v[2].(float64); some && st.Persons > 0 {
			st.Mean = &mean
		}
		before := int64(0)
		for _, x := range append(slices.Clone(v[3:]), st.Persons) {
			n, _ := x.(int64)
			counts = append(counts, n-before)
			before = n
		}
		counts = append(counts, all-st.Persons)
		return nil
	})
	return counts, err
}

// shares are counts by their sum.
func shares(counts []int64) []float64 {
	sum := int64(0)
	for _, n := range counts {
		sum += n
	}
	all := make([]float64, len(counts))
	for i, n := range counts {
		all[i] = float64(n) / float64(max(sum, 1))
	}
	return all
}

// moved is the population stability index of shares.
func (was spread) moved(now []float64) (psi float64) {
	for i := range min(len(now), len(was.Shares)) {
		p, q := max(now[i], leastPart), max(was.Shares[i], leastPart)
		psi += (p - q) * math.Log(p/q)
	}
	return psi
}
