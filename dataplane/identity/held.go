package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/dataplane/tables"
)

// Held is what a run that the gate holds would have changed, in identifiers that people know. It is kept until a run is
// published, or somebody of whom it may tell is erased.
type Held struct {
	At      time.Time `json:"at"`
	By      []string  `json:"by"`      // codes of what the gate forbids
	Pairs   []Broken  `json:"pairs"`   // that were reviewed, which it breaks and what is published does not
	Movers  []Mover   `json:"movers"`  // some of the identifiers that would leave their person
	Joins   []Set     `json:"joins"`   // persons, each of several that there are, the largest first
	Largest []Set     `json:"largest"` // persons whom the run touches, the largest first
}

// Broken is a reviewed pair, of identifiers as type:value, of which somebody said otherwise: Same or Different.
type Broken struct {
	A    string `json:"a"`
	B    string `json:"b"`
	Said string `json:"said"`
}

// mostBroken is how many broken pairs are kept of a run that is held.
const mostBroken = 50

// hold keeps what Resolve found for people who decide about it.
func (g *Graph) hold(ctx context.Context, s tables.Session, now time.Time, by []string) error {
	r := g.run(ctx, s)
	h := Held{At: now, By: by, Pairs: g.broken(r), Movers: g.movers(r), Joins: g.sets(r, joined, "where parts > 1", "person"), Largest: g.sets(r, joined, "", "person")}
	if r.err != nil {
		return r.err
	}
	what, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("write down what is held: %w", err)
	}
	return s.Tx(ctx, func(in tables.Session) error {
		t := g.run(ctx, in)
		t.exec("delete from %s", g.t("held"))
		t.exec("insert into %s values (%s, %s)", g.t("held"), tables.Time(now), g.SQL.Text(string(what)))
		return t.err
	})
}

// broken lists the reviewed pairs that a run breaks and what is published does not.
func (g *Graph) broken(r *run) []Broken {
	found := []Broken{}
	r.rows(g.sided(fmt.Sprintf(`select kind, a_text, b_text from (%%s) s where (kind = '%s') <> (coalesce(a = b, false)) and (kind = '%[1]s') = (coalesce(was_a = was_b, false)) order by a_text, b_text limit %d`, Same, mostBroken)), func(v []any) {
		found = append(found, Broken{A: text(v[1]), B: text(v[2]), Said: text(v[0])})
	})
	return found
}

// Held returns what the last run would have changed, where it is held; nil where nothing is.
func (g *Graph) Held(ctx context.Context, s tables.Session) (*Held, error) {
	v, err := tables.One(ctx, s, "select what from "+g.t("held"))
	if err != nil || v == nil {
		return nil, err
	}
	h := &Held{}
	if err := json.Unmarshal([]byte(text(v)), h); err != nil {
		return nil, fmt.Errorf("read what is held: %w", err)
	}
	return h, nil
}
