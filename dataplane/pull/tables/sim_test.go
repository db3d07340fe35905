package tables_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
)

// overlap is how long transactions of the simulation last at most.
const overlap = 40 * time.Second

// row is a row of the simulated table. rose and commits are seconds; at "" is none.
type row struct {
	id      int
	at      string
	n       int // its content
	commits int // from when on it is seen
	former  *row
}

// server is a table of a simulated server, and a session with it.
type server struct {
	typ  string // time, integer or "", which has no cursor
	now  int
	rows map[int]*row
	n    int
}

func (s *server) time() time.Time { return time.Unix(int64(s.now), 0).UTC() }

func (s *server) Close() {}

func (s *server) Now(context.Context) (time.Time, error) { return s.time(), nil }

func (s *server) Table(context.Context, string) (*tables.Table, error) {
	return &tables.Table{Name: "t", Key: []string{"id"}, Columns: []tables.Column{
		{Name: "id", Type: "int", Integer: true}, {Name: "at", Type: s.typ, Null: true, Time: s.typ == "time", Integer: s.typ == "integer"}, {Name: "n", Type: "int"},
	}}, nil
}

// seen is the newest state of each row that a statement sees now.
func (s *server) seen() []*row {
	var all []*row
	for _, r := range s.rows {
		for ; r != nil && r.commits > s.now; r = r.former {
		}
		if r != nil {
			all = append(all, r)
		}
	}
	return all
}

// number is a value of a column; both types are compared as numbers.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func (r *row) value(c tables.Column) string {
	switch c.Name {
	case "id":
		return strconv.Itoa(r.id)
	case "at":
		return r.at
	}
	return strconv.Itoa(r.n)
}

func (s *server) Rows(_ context.Context, q tables.Query, each func([][]byte) error) error {
	compare := func(r *row, values []string) int {
		for i, c := range q.By {
			if d := cmp.Compare(number(r.value(c)), number(values[i])); d != 0 {
				return d
			}
		}
		return 0
	}
	var all []*row
	for _, r := range s.seen() {
		ok := true
		for _, b := range q.Where {
			v := r.value(b.Column)
			switch b.Is {
			case "is null":
				ok = ok && v == ""
			case ">=":
				ok = ok && v != "" && number(v) >= number(b.Value)
			case "<=":
				ok = ok && v != "" && number(v) <= number(b.Value)
			default:
				panic(b.Is)
			}
		}
		if ok && (len(q.After) == 0 || compare(r, q.After) > 0) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *row) int {
		var values []string
		for _, c := range q.By {
			values = append(values, b.value(c))
		}
		return compare(a, values)
	})
	for _, r := range all[:min(len(all), q.Limit)] {
		cells := [][]byte{[]byte(r.value(tables.Column{Name: "id"})), nil, []byte(r.value(tables.Column{Name: "n"}))}
		if r.at != "" {
			cells[1] = []byte(r.at)
		}
		if err := each(cells); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) Greatest(context.Context, *tables.Table, tables.Column) (string, error) {
	most := ""
	for _, r := range s.seen() {
		if r.at != "" && (most == "" || number(r.at) > number(most)) {
			most = r.at
		}
	}
	return most, nil
}

func (s *server) Append(dst []byte, _ tables.Column, v []byte) []byte { return append(dst, v...) }

func (s *server) Moment(_ tables.Column, position string) (time.Time, bool) {
	return time.Unix(int64(number(position)), 0).UTC(), true
}

func (s *server) Position(_ tables.Column, at time.Time) string {
	return strconv.FormatInt(at.Unix(), 10)
}

// change writes some rows, in transactions that end up to overlap later.
func (s *server) change(r *rand.Rand) {
	commits := s.now + r.IntN(int(overlap.Seconds()))
	at := strconv.Itoa(s.now)
	for range 1 + r.IntN(12) { // one value for all of them
		s.n++
		id := s.n
		switch {
		case s.typ == "integer":
			at = strconv.Itoa(s.n)
		case len(s.rows) > 0 && r.IntN(2) == 0:
			id = 1 + r.IntN(s.n)
		}
		x := &row{id: id, at: at, n: s.n, commits: commits, former: s.rows[id]}
		if s.typ == "time" && r.IntN(20) == 0 {
			x.at = strconv.Itoa(s.now + r.IntN(600)) // a clock that is ahead
		}
		if r.IntN(40) == 0 && s.typ == "time" {
			x.at = ""
		}
		if x.former != nil && x.former.commits > commits {
			x.commits = x.former.commits // it waits for the row's lock
			if s.typ == "time" && x.at != "" && x.commits-s.now > int(overlap.Seconds()) {
				continue
			}
		}
		s.rows[id] = x
	}
}

// TestNothingIsLost pulls a table that changes while it is read, whose transactions end
// late and whose values tie, with a death at many of its steps.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"time", "integer", ""} {
		for seed := range uint64(8) {
			t.Run(fmt.Sprintf("%s/%d", typ, seed), func(t *testing.T) { simulate(t, typ, seed) })
		}
	}
}

func simulate(t *testing.T, typ string, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &server{typ: typ, now: 1_000_000, rows: map[int]*row{}}
	cursor := ""
	if typ != "" {
		cursor = "at"
	}
	died := errors.New("died")
	steps := 0
	got := map[string]string{}
	cfg := tables.Config{Tables: map[string]string{"t": cursor}, Overlap: overlap}
	p := tables.New(cfg, pull.Deps{Now: func() time.Time { steps++; return time.Unix(int64(steps), 0) }}, func(context.Context) (tables.Session, error) { return s, nil })
	tables.Small(p, 7, 19)
	var kept pull.Cursor
	calm := false
	pullOnce := func() {
		for {
			next, err := p.Pull(t.Context(), "t", kept, pull.Budget{Until: time.Unix(int64(steps+1+r.IntN(6)), 0)}, func(all []pull.Record, c pull.Cursor) error {
				if !calm && r.IntN(6) == 0 {
					return died // before they are durable
				}
				for _, x := range all {
					got[x.Key] = string(x.Row)
				}
				if !calm && r.IntN(6) == 0 {
					return died // before the cursor is kept
				}
				kept = slices.Clone(c)
				if !calm && r.IntN(8) == 0 {
					s.now++
					s.change(r)
				}
				return nil
			})
			switch {
			case errors.Is(err, died):
			case err != nil:
				t.Fatal(err)
			case !next.More:
				return
			}
		}
	}
	for range 25 {
		for range r.IntN(5) {
			s.now += r.IntN(5)
			s.change(r)
		}
		s.now += r.IntN(30)
		pullOnce()
	}
	calm = true
	s.now += int(overlap.Seconds()) + 1
	pullOnce()
	pullOnce() // what a whole scan has behind it
	want := s.seen()
	for _, x := range want {
		if text := got[strconv.Itoa(x.id)]; text != fmt.Sprintf(`{"id":%d,"at":%s,"n":%d}`, x.id, cmp.Or(x.at, "null"), x.n) {
			t.Fatalf("row %d (%+v) is %q", x.id, x, text)
		}
	}
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d rows came, there are %d", len(got), len(want))
	}
}
