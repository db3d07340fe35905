package profile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile/score"
	"weir/dataplane/tables"
)

// States of a run.
const (
	Published = "published"
	Held      = "held"
	Failed    = "failed"
)

// Run is what a run did: counts and codes, and but for Detail nothing of persons.
type Run struct {
	Number   int64                        `json:"run"`
	Started  time.Time                    `json:"startedAt"`
	Took     float64                      `json:"seconds"`
	State    string                       `json:"state"`
	Code     string                       `json:"code,omitempty"`
	Step     string                       `json:"step,omitempty"`   // at which it ended early
	Detail   string                       `json:"detail,omitempty"` // what the warehouse says; it may quote values, and stays in the plane
	Identity map[string]identity.Measures `json:"identity"`
	Built    map[string]Built             `json:"built"`
}

// Options of a run.
type Options struct {
	Full  bool // read all rows again, and recompute every hull
	Force bool // whatever the gate forbids
	Learn bool // scores' models anew, which is not Do's
}

// Do does a whole run: identity, features and audiences of every entity. A run that died is
// made good by the next.
func Do(ctx context.Context, s tables.Session, c Config, now time.Time, o Options) (r Run, err error) {
	r = Run{Started: now, State: Failed, Identity: map[string]identity.Measures{}, Built: map[string]Built{}}
	step := func(name string) { r.Step = name }
	step("open")
	p, err := Open(ctx, s, c)
	if err != nil {
		return r, err
	}
	if err := p.Prepare(ctx, s); err != nil {
		return r, err
	}
	if r.Number, err = tables.Int(ctx, s, "select coalesce(max(run), 0) + 1 from runs"); err != nil {
		return r, err
	}
	_, err = exec(ctx, s, fmt.Sprintf("insert into runs values (%d, %s, %[2]s, 'running', null, null, null, null)", r.Number, tables.Time(now)))
	if err != nil {
		return r, err
	}
	var held []string
	for _, e := range c.Plan.Entities {
		step("identity " + e.Name)
		m, by, err := p.Graph(e.Name).Run(ctx, s, now, o.Full, o.Force)
		if err != nil {
			return r, err
		}
		if r.Identity[e.Name] = m; len(by) > 0 {
			held = append(held, by...)
			continue
		}
		step("features " + e.Name)
		b, err := p.Build(ctx, s, e.Name, r.Number, now, o.Full)
		if err != nil {
			return r, err
		}
		r.Built[e.Name] = b
	}
	r.Step, r.State = "", Published
	if len(held) > 0 {
		r.State, r.Code = Held, strings.Join(held, " ")
	}
	measures, _ := json.Marshal(map[string]any{"identity": r.Identity, "built": r.Built}) // numbers always encode
	_, err = exec(ctx, s, fmt.Sprintf("update runs set state = %s, code = nullif(%s, ''), measures = %s, published_at = case when %[1]s = 'published' then %[4]s end where run = %[5]d",
		p.SQL.Text(r.State), p.SQL.Text(r.Code), p.SQL.Text(string(measures)), tables.Time(now), r.Number))
	return r, err
}

// Erase removes a person: the rows of inputs that name an identifier of theirs, what
// identity and profiles keep of them, and decisions about them. Numbers stay used. It says
// who that was and how many identifiers they had. fault.Missing: nobody has the identifier.
func Erase(ctx context.Context, s tables.Session, c Config, entity, id string, now time.Time) (person string, ids int64, err error) {
	p, err := Open(ctx, s, c)
	if err != nil {
		return "", 0, err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return "", 0, err
	}
	if person, err = g.Person(ctx, s, id); err != nil {
		return "", 0, err
	}
	if err := p.Prepare(ctx, s); err != nil {
		return "", 0, err
	}
	e := p.entity(entity)
	err = s.Tx(ctx, func(in tables.Session) error {
		if ids, err = g.Forget(ctx, in, person, func(one identity.Input) []string { return p.inputs[one.Name].Tables }); err != nil {
			return err
		}
		who := " where weir_id = " + c.SQL.Text(person)
		_, err := exec(ctx, in, "delete from _built where entity = "+c.SQL.Text(e.Name), "delete from "+c.SQL.Quote("_"+e.Name+"_base")+who, // rows of others may have named the person
			fmt.Sprintf("insert into %s select coalesce(max(run), 0), %s, 'gone', null, %s from runs", c.SQL.Quote(e.Name+"_changes"), c.SQL.Text(person), tables.Time(now)),
			"delete from "+c.SQL.Quote(e.Name+"_golden")+who, "delete from "+c.SQL.Quote(e.Name+"_audiences")+who, "delete from "+c.SQL.Quote(e.Name+"_moves")+who)
		if err != nil {
			return err
		}
		return score.Forget(ctx, in, c.SQL, Schema, e.Name, p.scores(e))
	})
	return person, ids, err
}
