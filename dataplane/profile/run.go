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
	"weir/shared/fault"
	"weir/shared/workspace/profiles"
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
		full, err := p.moved(ctx, s, e)
		if err != nil {
			return r, err
		}
		m, by, err := p.Graph(e.Name).Run(ctx, s, now, o.Full || full, o.Force)
		if err != nil {
			return r, err
		}
		if r.Identity[e.Name] = m; len(by) > 0 {
			held = append(held, by...)
			if err := p.amend(ctx, s, e, r.Number, now); err != nil {
				return r, err
			}
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

// moved reports whether persons of others, who are identifiers of an entity, moved since its last build. Then what
// joins them is found anew: links of persons who are no more do not count.
func (p *Profile) moved(ctx context.Context, s tables.Session, e profiles.Entity) (bool, error) {
	others := e.Others()
	if len(others) == 0 {
		return false, nil
	}
	names := make([]string, len(others))
	for i, name := range others {
		names[i] = p.SQL.Text(name)
	}
	now, err := tables.Int(ctx, s, "select sum(published) from _entities where entity in ("+strings.Join(names, ", ")+")")
	if err != nil {
		return false, err
	}
	was, err := tables.Int(ctx, s, "select max(others) from _built where entity = "+p.SQL.Text(e.Name))
	if err != nil || was == now && now > 0 {
		return false, err
	}
	g := p.Graph(e.Name)
	if err := g.Prepare(ctx, s); err != nil {
		return false, err
	}
	return true, g.Unlink(ctx, s)
}

// amend computes the records of an entity whose run is held, for the identity that is published, when somebody was
// erased since the last build: records of others may tell of them, and a gate is no reason to keep that.
func (p *Profile) amend(ctx context.Context, s tables.Session, e profiles.Entity, run int64, now time.Time) error {
	n, err := tables.Int(ctx, s, fmt.Sprintf("select (select count(*) from _built where entity = %s) * 2 + (select count(*) from (select 1 from %s limit 1) x)", p.SQL.Text(e.Name), p.SQL.Quote(e.Name+"_golden")))
	if err != nil || n != 1 { // built since, or there are no records
		return err
	}
	if _, err := p.Build(ctx, s, e.Name, run, now, true); err != nil {
		return err
	}
	_, err = exec(ctx, s, "update _built set as_of = null, others = null, upto = '' where entity = "+p.SQL.Text(e.Name)) // the next build that is published computes everything
	return err
}

// Erase removes a person: the rows of inputs that name an identifier of theirs, what
// identity and profiles keep of them, and decisions about them. Numbers stay used. It says
// who that was and how many identifiers they had. What records of others, and of households, tell of them
// goes with the next run, which is to be without delay. fault.Missing: nobody has the identifier.
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
	if len(e.Others()) > 0 {
		return "", 0, fault.New(fault.Invalid, "A %s is no person; erase the persons that it has.", e.Name)
	}
	err = s.Tx(ctx, func(in tables.Session) error {
		if err := p.leave(ctx, in, e, person); err != nil {
			return err
		}
		if ids, err = g.Forget(ctx, in, person, func(one identity.Input, column string) []string { return p.inputs[one.Name].With(column) }); err != nil {
			return err
		}
		who := " where weir_id = " + c.SQL.Text(person)
		_, err := exec(ctx, in, "delete from _built where entity = "+c.SQL.Text(e.Name), "delete from "+c.SQL.Quote("_"+e.Name+"_base")+who, // rows of others may have named the person
			fmt.Sprintf("insert into %s select coalesce(max(run), 0), %s, 'gone', null, %s from runs", c.SQL.Quote(e.Name+"_changes"), c.SQL.Text(person), tables.Time(now)),
			"delete from "+c.SQL.Quote(e.Name+"_golden")+who, "delete from "+c.SQL.Quote(e.Name+"_audiences")+who, "delete from "+c.SQL.Quote(e.Name+"_moves")+who)
		if err != nil {
			return err
		}
		return score.Forget(ctx, in, c.SQL, Schema, e.Name, person, p.scores(e))
	})
	return person, ids, err
}

// leave removes a person from the entities whose identifier the person is.
func (p *Profile) leave(ctx context.Context, s tables.Session, e profiles.Entity, person string) error {
	for _, other := range p.Plan.Entities {
		for _, t := range other.IDs {
			if t.Of != e.Name {
				continue
			}
			g := p.Graph(other.Name)
			if err := g.Prepare(ctx, s); err != nil {
				return err
			}
			in, err := g.Person(ctx, s, t.Name+":"+person)
			if err != nil && fault.KindOf(err) != fault.Missing {
				return err
			}
			if err := g.Leave(ctx, s, t.Name, person); err != nil {
				return err
			}
			if err := score.Forget(ctx, s, p.SQL, Schema, other.Name, in, p.scores(other)); err != nil { // what it was then tells of the person
				return err
			}
			if _, err := exec(ctx, s, "delete from _built where entity = "+p.SQL.Text(other.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}
