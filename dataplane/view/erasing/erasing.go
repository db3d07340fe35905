// Package erasing is the calls among those of a plane's view that remove what the plane keeps
// of persons, and rows that are too old:
//
//	POST /v1/erase                   {"ids":["user_id:u1"],"dryRun"}   profiles:decide
//	GET  /v1/erasures                                                  profiles:decide
//	POST /v1/erasures/{erasure}/stop                                   profiles:decide
//	POST /v1/warehouse/expire        {"destination","dryRun"}          loads:start
//
// ids are identifiers, type:value; events and rows have those of the types user_id and
// anonymous_id, and others are looked for in the profiles, which also say what further
// identifiers the person has. The plane keeps that it is to erase the person before the first
// line of the answer, {"erasure":NAME}, and goes on when the call ends. The answer then has a
// line for each place where something was, with how much went or, with dryRun, would go:
//
//	{"place","name","table","count"}
//
// place is quarantine, dead, parked, warehouse or profiles; name that of the profile or
// destination. What is left out, for now or for good, says a line {"place","name","code",
// "never"}. The last line is {"done":true,"ids","count"}; done is false when something is left
// out for good, or somebody stopped the erasure.
package erasing

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/erasures"
	"weir/dataplane/jobs"
	"weir/dataplane/jobs/record"
	"weir/dataplane/load"
	"weir/dataplane/plan"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/view/profiles"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/delay"
	"weir/shared/fault"
)

// Config is what the calls work with. All fields are required; Elsewhere is empty where the
// plane is one process.
type Config struct {
	Board     *erasures.Board
	Plans     *plan.Holder
	Loads     *load.Engine
	Expirer   *erase.Expirer
	Elsewhere profiles.Elsewhere
}

type calls struct{ Config }

// Register adds the calls to a mux.
func Register(m *endpoint.Mux, c Config) {
	v := calls{c}
	m.Stream("POST /v1/erase", capability.DecideProfiles, v.here(v.erase))
	m.Handle("GET /v1/erasures", capability.DecideProfiles, v.list)
	m.Handle("POST /v1/erasures/{erasure}/stop", capability.DecideProfiles, v.stop)
	m.Stream("POST /v1/warehouse/expire", capability.StartLoads, v.here(v.expire))
}

// here answers a call that counts in the process that removes, which has the files of
// warehouses and asks profiles; a call that removes is kept for that process by any.
func (v calls) here(f func(*endpoint.Call, *endpoint.Lines) error) func(*endpoint.Call, *endpoint.Lines) error {
	return func(c *endpoint.Call, out *endpoint.Lines) error {
		body, err := io.ReadAll(io.LimitReader(c.Body, endpoint.MaxBody+1))
		if err != nil {
			return fault.New(fault.Invalid, "The body cannot be read.")
		}
		c.Body = io.NopCloser(bytes.NewReader(body))
		var in struct {
			DryRun bool `json:"dryRun"`
		}
		if json.Unmarshal(body, &in) == nil && in.DryRun && !v.Elsewhere.Here(c) {
			return v.Elsewhere.Lines(c, out)
		}
		return f(c, out)
	}
}

const (
	longest = 2 * time.Hour // that a call may take
	look    = 200 * time.Millisecond
)

// line is what went from a place, or why nothing did yet.
type line struct {
	Place string `json:"place"`
	Name  string `json:"name,omitempty"`
	Table string `json:"table,omitempty"`
	Count int64  `json:"count"`
	Code  string `json:"code,omitempty"`
	Never bool   `json:"never,omitempty"`
}

type done struct {
	Done  bool  `json:"done"`
	IDs   int   `json:"ids"`
	Count int64 `json:"count"`
}

// answer is one call's lines.
type answer struct {
	out    *endpoint.Lines
	told   map[line]int64 // without their counts
	sum    int64
	failed bool
}

func (a *answer) line(v any) error {
	if err := a.out.Line(v); err != nil {
		return err
	}
	return a.out.Flush()
}

// place tells how much has gone from a place, once for each further part of it.
func (a *answer) place(p erasures.Place) error {
	key := line{Place: p.Place, Name: p.Name, Table: p.Table}
	more := p.Count - a.told[key]
	if more <= 0 {
		return nil
	}
	a.told[key], a.sum = p.Count, a.sum+more
	key.Count = more
	return a.line(key)
}

func (a *answer) lack(l erasures.Lack) error {
	key := line{Place: l.Place, Name: l.Name, Code: l.Code, Never: l.Never}
	if _, told := a.told[key]; told {
		return nil
	}
	a.told[key] = 0
	return a.line(key)
}

func (v calls) erase(c *endpoint.Call, out *endpoint.Lines) error {
	var in struct {
		IDs    []string `json:"ids"`
		DryRun bool     `json:"dryRun"`
	}
	if err := c.Whole(); err != nil {
		return err
	}
	if err := c.Decode(&in, endpoint.MaxBody); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), longest)
	defer cancel()
	a := answer{out: out, told: map[line]int64{}}
	if in.DryRun {
		ids, err := v.Board.Count(ctx, c.Grant.Workspace, in.IDs, a.place, func(l erasures.Lack) error {
			a.failed = true
			return a.lack(l)
		})
		if err != nil {
			return err
		}
		return a.line(done{!a.failed, ids, a.sum})
	}
	e, err := v.Board.Create(ctx, c.Grant.Workspace, in.IDs)
	if err != nil {
		return err
	}
	if err := a.line(map[string]string{"erasure": e.ID}); err != nil {
		return err
	}
	for {
		e, err := v.Board.Erasure(c.Grant.Workspace, e.ID)
		if err != nil {
			return err
		}
		for _, p := range e.Found {
			if err := a.place(p); err != nil {
				return err
			}
		}
		for _, l := range e.Lacks {
			if err := a.lack(l); err != nil {
				return err
			}
		}
		if e.State != erasures.Running {
			whole := e.State == erasures.Done && !slices.ContainsFunc(e.Lacks, func(l erasures.Lack) bool { return l.Never })
			return a.line(done{whole, e.IDs, a.sum})
		}
		if !delay.For(ctx, look) {
			return nil // it goes on, and says how far it is when asked
		}
	}
}

// shown is an erasure as it is shown. It holds nothing of the person.
type shown struct {
	ID      string           `json:"id"`
	State   erasures.State   `json:"state"`
	Stage   erasures.Stage   `json:"stage"`
	Pass    int              `json:"pass"`
	Created time.Time        `json:"created"`
	Ended   *time.Time       `json:"ended"`
	IDs     int              `json:"ids"`
	Places  []erasures.Place `json:"places"`
	Lacks   []erasures.Lack  `json:"lacks"`
}

func show(e erasures.Erasure) shown {
	s := shown{ID: e.ID, State: e.State, Stage: e.Stage, Pass: e.Pass, Created: e.Created, IDs: e.IDs, Places: append([]erasures.Place{}, e.Found...), Lacks: append([]erasures.Lack{}, e.Lacks...)}
	if !e.Ended.IsZero() {
		s.Ended = &e.Ended
	}
	return s
}

func (v calls) list(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	all, err := v.Board.Erasures(c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	out := make([]shown, len(all))
	for i, e := range all {
		out[i] = show(e)
	}
	return map[string]any{"erasures": out}, nil
}

func (v calls) stop(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	e, err := v.Board.Stop(c.Context(), c.Grant.Workspace, c.PathValue("erasure"))
	return show(e), err
}

func (v calls) expire(c *endpoint.Call, out *endpoint.Lines) error {
	var in struct {
		Destination string `json:"destination"`
		DryRun      bool   `json:"dryRun"`
	}
	if err := c.Whole(); err != nil {
		return err
	}
	if err := c.Decode(&in, endpoint.MaxBody); err != nil {
		return err
	}
	for _, w := range v.Plans.Warehouses() {
		if w.Workspace == c.Grant.Workspace && (string(w.ID) == in.Destination || w.Name == in.Destination) {
			return v.old(c, out, w, in.DryRun)
		}
	}
	return fault.New(fault.Missing, "There is no warehouse of this name or identifier in the workspace that this plane loads.")
}

// old removes the rows of a warehouse that are too old, as a job that goes on when the call
// ends.
func (v calls) old(c *endpoint.Call, out *endpoint.Lines, w plan.Warehouse, dry bool) error {
	rule, is := Rule(w, v.Loads)
	switch {
	case !c.CoversDestination(w.ID):
		return fault.New(fault.Denied, "The capability is not for this destination.")
	case !is:
		return fault.New(fault.Invalid, "Its settings have no retention, so its rows do not expire: set retention, such as 400d, or retentionOf.")
	}
	ctx, cancel := context.WithTimeout(c.Context(), longest)
	defer cancel()
	a := answer{out: out, told: map[line]int64{}}
	tell := func(table string, n int64) error {
		return a.place(erasures.Place{Place: "warehouse", Name: w.Name, Table: table, Count: n})
	}
	if dry {
		if err := v.Expirer.Count(ctx, rule, func(t erase.Table) error { return tell(t.Name, t.Rows) }); err != nil {
			a.failed = true
			if err := a.lack(erasures.Lack{Place: "warehouse", Name: w.Name, Code: warehouse.CodeOf(err)}); err != nil {
				return err
			}
		}
		return a.line(done{!a.failed, 0, a.sum})
	}
	asked, err := v.Expirer.Ask(ctx, rule)
	if err != nil {
		return err
	}
	for {
		x, err := v.Expirer.Last(ctx, w.ID)
		if err != nil {
			x = erase.Expired{} // while the event store does not answer
		}
		if x.Asked == asked {
			for _, t := range x.Tables {
				if err := tell(t.Name, t.Rows); err != nil {
					return err
				}
			}
			if x.Code != "" {
				if err := a.lack(erasures.Lack{Place: "warehouse", Name: w.Name, Code: x.Code, Never: x.Code == warehouse.CodeUnsupported}); err != nil {
					return err
				}
			}
			if !x.Due {
				return a.line(done{x.Code == "", 0, a.sum})
			}
		} else if x.Asked > asked {
			return a.line(done{false, 0, a.sum}) // somebody asked once more
		}
		if !delay.For(ctx, look) {
			return nil // it goes on
		}
	}
}

// Rule returns that of a warehouse by which its rows expire; false: they do not.
func Rule(w plan.Warehouse, loads *load.Engine) (erase.Rule, bool) {
	known, open, err := loads.Tables(w.ID)
	if err != nil || !w.Retention.Any() {
		return erase.Rule{}, false
	}
	return erase.Rule{Workspace: w.Workspace, Destination: w.ID, Name: w.Name, Retention: w.Retention, Known: known.Names, Open: open}, true
}

// Rules returns what lists those of all warehouses.
func Rules(plans *plan.Holder, loads *load.Engine) func() []erase.Rule {
	return func() (all []erase.Rule) {
		for _, w := range plans.Warehouses() {
			if rule, is := Rule(w, loads); is {
				all = append(all, rule)
			}
		}
		return all
	}
}

// NewExpirer returns what removes rows of warehouses that are too old, as jobs of a
// book; it keeps what it did in a table. Of one plane's processes the owner does it.
func NewExpirer(kept erase.Documents, plans *plan.Holder, loads *load.Engine, owner func() bool, book *record.Book, log *slog.Logger) *erase.Expirer {
	open := book.Runner(func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) })
	return &erase.Expirer{Table: kept, Owner: owner, Rules: Rules(plans, loads), Runner: open, Now: time.Now, Log: log}
}
