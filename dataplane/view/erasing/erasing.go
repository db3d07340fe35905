// Package erasing is the calls among those of a plane's view that remove what the plane keeps
// of persons, and rows that are too old:
//
//	POST /v1/erase             {"ids":["user_id:u1"],"dryRun"}   profiles:decide
//	POST /v1/warehouse/expire  {"destination","dryRun"}          loads:start
//
// ids are identifiers, type:value; events and rows have those of the types user_id and
// anonymous_id, and others are looked for in the profiles, which also say what further
// identifiers the person has. Both answer a line for each place where something was, with how
// much went or, with dryRun, would go:
//
//	{"place","name","table","count"}
//
// place is profiles, quarantine, dead, warehouse or lookup; name that of the profile or
// destination. The last line is {"done":true,"ids","count"}; what a call left out says a line
// {"place","name","code","message"} with a code, and done is false then: the call can be
// repeated. What is on its way to destinations and in the event log is not held up.
package erasing

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/ledger"
	"weir/dataplane/load"
	"weir/dataplane/parked"
	"weir/dataplane/plan"
	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/quarantine"
	"weir/dataplane/tables"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// Dead is the dead letters of a partition; *parked.Store is one.
type Dead interface {
	Count(ctx context.Context, f parked.Filter) (int, error)
	Discard(ctx context.Context, f parked.Filter) (int, error)
}

// Quarantine is the quarantined events of a partition.
type Quarantine interface {
	Count(ctx context.Context, f quarantine.Filter) (int, error)
	Discard(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error)
}

// Config is where the plane keeps something. All fields are required.
type Config struct {
	Plans      *plan.Holder
	Loads      *load.Engine
	Expirer    *erase.Expirer
	Rows       func() []ledger.Row    // the books
	Quarantine []Quarantine           // by partition
	Dead       []func() (Dead, error) // by partition
	Profiles   *runs.Board
	Copies     *lookup.Store
}

type calls struct{ Config }

// Register adds the calls to a mux.
func Register(m *endpoint.Mux, c Config) {
	v := calls{c}
	m.Stream("POST /v1/erase", capability.DecideProfiles, v.erase)
	m.Stream("POST /v1/warehouse/expire", capability.StartLoads, v.expire)
}

// longest is how long a call may take.
const longest = 2 * time.Hour

type line struct {
	Place   string `json:"place"`
	Name    string `json:"name,omitempty"`
	Table   string `json:"table,omitempty"`
	Count   int64  `json:"count"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

type done struct {
	Done  bool  `json:"done"`
	IDs   int   `json:"ids"`
	Count int64 `json:"count"`
}

// run is one call.
type run struct {
	calls
	ctx    context.Context
	ws     id.Workspace
	dry    bool
	out    *endpoint.Lines
	person erase.Person
	sum    int64
	failed bool
}

func (r *run) tell(place, name, table string, n int64) error {
	if r.sum += n; n == 0 {
		return nil
	}
	if err := r.out.Line(line{Place: place, Name: name, Table: table, Count: n}); err != nil {
		return err
	}
	return r.out.Flush()
}

// lacks says that something of a place was left out.
func (r *run) lacks(place, name string, err error) error {
	if err == nil {
		return nil
	}
	r.failed = true
	code, message := "unavailable", "It cannot be reached now."
	var failure *warehouse.Failure
	var known *fault.Error
	switch {
	case errors.As(err, &failure):
		code, message = failure.Code, failure.Err.Error()
	case errors.As(err, &known) && known.Kind != fault.Internal:
		message = known.Error()
	}
	return errors.Join(r.out.Line(line{Place: place, Name: name, Code: code, Message: message}), r.out.Flush())
}

func (v calls) erase(c *endpoint.Call, out *endpoint.Lines) error {
	var in struct {
		IDs    []string `json:"ids"`
		DryRun bool     `json:"dryRun"`
	}
	if err := errors.Join(c.Whole(), c.Decode(&in, endpoint.MaxBody)); err != nil {
		return err
	}
	if len(in.IDs) == 0 || len(in.IDs) > 100 {
		return fault.New(fault.Invalid, "Name 1 to 100 identifiers of the person, as type:value, such as user_id:u1.")
	}
	ctx, cancel := context.WithTimeout(c.Context(), longest)
	defer cancel()
	r := &run{calls: v, ctx: ctx, ws: c.Grant.Workspace, dry: in.DryRun, out: out}
	ids := slices.Clone(in.IDs)
	for _, one := range in.IDs {
		r.person.Add(one)
	}
	people, err := r.people(&ids)
	if err != nil {
		return err
	}
	if len(r.person.Users)+len(r.person.Anonymous) == 0 {
		return fault.New(fault.Invalid, "No profile knows these identifiers. Events and rows are known by those of the types user_id and anonymous_id: name one.")
	}
	for _, step := range []func() error{r.quarantined, r.dead, r.rows, func() error { return r.forget(people) }} {
		if err := step(); err != nil {
			return err
		}
	}
	return errors.Join(out.Line(done{!r.failed, len(ids), r.sum}), out.Flush())
}

// known is a person of a profile.
type known struct{ profile, entity, id string }

// people finds who has the identifiers in the profiles, and adds what further ones they have.
func (r *run) people(ids *[]string) (all []known, err error) {
	for _, p := range r.Profiles.Statuses(r.ws) {
		err := r.Profiles.With(r.ctx, r.ws, p.Name, func(ctx context.Context, s tables.Session, config profile.Config) error {
			for _, e := range config.Plan.Entities {
				if len(e.Others()) > 0 {
					continue
				}
				for _, one := range slices.Clone(*ids) {
					x, err := answers.Explain(ctx, s, config, e.Name, one, "")
					if fault.KindOf(err) == fault.Missing {
						continue
					}
					if err != nil {
						return err
					}
					if k := (known{p.Name, e.Name, one}); !slices.ContainsFunc(all, func(o known) bool { return o.profile == k.profile && o.entity == k.entity }) {
						all = append(all, k)
					}
					for _, further := range x.IDs {
						if r.person.Add(further); !slices.Contains(*ids, further) {
							*ids = append(*ids, further)
						}
					}
				}
			}
			return nil
		})
		if err := r.lacks("profiles", p.Name, err); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (r *run) quarantined() error {
	for _, q := range r.Quarantine {
		for _, source := range r.of(func(row ledger.Row) (string, bool) { return string(row.Source), row.Quarantined > 0 }) {
			f := quarantine.Filter{Workspace: r.ws, Source: id.Source(source), Is: r.person.Is}
			n, err := q.Count(r.ctx, f)
			for span, left := (quarantine.Span{}), !r.dry && n > 0; left && err == nil; left = span != (quarantine.Span{}) {
				_, span, err = q.Discard(r.ctx, f, span)
			}
			if err != nil {
				if err := r.lacks("quarantine", "", err); err != nil {
					return err
				}
				break
			}
			if err := r.tell("quarantine", "", "", int64(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) dead() error {
	for _, of := range r.Dead {
		d, err := of()
		for _, dest := range r.of(func(row ledger.Row) (string, bool) {
			return string(row.Destination), row.Destination != "" && row.Dead > 0
		}) {
			if err != nil {
				break
			}
			var n int
			f := parked.Filter{Workspace: r.ws, Destination: id.Destination(dest), Is: r.person.Is}
			if r.dry {
				n, err = d.Count(r.ctx, f)
			} else {
				n, err = d.Discard(r.ctx, f)
			}
			if err := r.tell("dead", r.name(id.Destination(dest)), "", int64(n)); err != nil {
				return err
			}
		}
		if err := r.lacks("dead", "", err); err != nil {
			return err
		}
	}
	return nil
}

// of lists what the books of the workspace have, once.
func (r *run) of(what func(ledger.Row) (string, bool)) (all []string) {
	for _, row := range r.Rows() {
		if one, is := what(row); is && row.Workspace == r.ws && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func (r *run) name(d id.Destination) string {
	if p := r.Plans.Plan(r.ws); p != nil && p.DestinationName(d) != "" {
		return p.DestinationName(d)
	}
	return string(d)
}

func (r *run) rows() error {
	for _, w := range r.Plans.Warehouses() {
		if w.Workspace != r.ws {
			continue
		}
		var err error
		if !r.dry {
			err = r.Loads.LoadNow(r.ctx, w.ID) // so that nothing of the person waits in files
		}
		if err == nil {
			err = r.tables(w)
		}
		if !r.dry {
			err = errors.Join(err, r.Loads.Forget(w.ID))
		}
		if err := r.lacks("warehouse", w.Name, err); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) tables(p plan.Warehouse) error {
	known, open, err := r.Loads.Tables(p.ID)
	if err != nil {
		return err
	}
	w, err := open(r.ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	err = erase.Rows(r.ctx, w, known.Names(), func(table string, have warehouse.TableSchema) string { return r.person.Of(w, table, have) }, r.dry,
		func(t erase.Table) error { return r.tell("warehouse", p.Name, t.Name, t.Rows) })
	return errors.Join(err, w.Close())
}

// forget removes people from profiles and from the copies of these. It goes last: a repetition
// needs what they know.
func (r *run) forget(people []known) error {
	for _, k := range people {
		if r.failed && !r.dry {
			return nil // identifiers that only profiles know are needed once more
		}
		var n int64
		err := r.Profiles.With(r.ctx, r.ws, k.profile, func(ctx context.Context, s tables.Session, config profile.Config) error {
			if r.dry {
				x, err := answers.Explain(ctx, s, config, k.entity, k.id, "")
				n = int64(len(x.IDs))
				return err
			}
			person, ids, err := profile.Erase(ctx, s, config, k.entity, k.id, time.Now())
			if err != nil {
				return err
			}
			n = ids
			return r.Copies.Forget(r.ws, config.Name, cmp.Or(k.entity, config.Plan.Entities[0].Name), person)
		})
		if fault.KindOf(err) == fault.Missing {
			err = nil
		}
		if err := errors.Join(r.lacks("profiles", k.profile, err), r.tell("profiles", k.profile, k.entity, n)); err != nil {
			return err
		}
	}
	return nil
}

func (v calls) expire(c *endpoint.Call, out *endpoint.Lines) error {
	var in struct {
		Destination string `json:"destination"`
		DryRun      bool   `json:"dryRun"`
	}
	if err := errors.Join(c.Whole(), c.Decode(&in, endpoint.MaxBody)); err != nil {
		return err
	}
	for _, w := range v.Plans.Warehouses() {
		if w.Workspace == c.Grant.Workspace && (string(w.ID) == in.Destination || w.Name == in.Destination) {
			return v.old(c, out, w, in.DryRun)
		}
	}
	return fault.New(fault.Missing, "There is no warehouse of this name or identifier in the workspace that this plane loads.")
}

// old removes the rows of a warehouse that are too old.
func (v calls) old(c *endpoint.Call, out *endpoint.Lines, w plan.Warehouse, dry bool) error {
	rule, is := Rule(w, v.Loads)
	switch {
	case !c.CoversDestination(w.ID):
		return fault.New(fault.Denied, "The capability is not for this destination.")
	case !is:
		return fault.New(fault.Invalid, "Its settings have no retention, so its rows do not expire: set retention, such as 400d, or retentionOf.")
	}
	r := &run{calls: v, ctx: c.Context(), ws: w.Workspace, dry: dry, out: out}
	_, err := v.Expirer.Expire(r.ctx, rule, dry, func(t erase.Table) error { return r.tell("warehouse", w.Name, t.Name, t.Rows) })
	if err := r.lacks("warehouse", w.Name, err); err != nil {
		return err
	}
	return errors.Join(out.Line(done{!r.failed, 0, r.sum}), out.Flush())
}

// Rule returns that of a warehouse by which its rows expire; false: they do not.
func Rule(w plan.Warehouse, loads *load.Engine) (erase.Rule, bool) {
	known, open, err := loads.Tables(w.ID)
	if err != nil || !w.Retention.Any() {
		return erase.Rule{}, false
	}
	return erase.Rule{Destination: w.ID, Retention: w.Retention, Known: known.Names, Open: open}, true
}

// NewExpirer returns what removes rows of warehouses that are too old; it keeps what it did in
// the folders of dir. Of one plane's processes the owner does it.
func NewExpirer(dir string, plans *plan.Holder, loads *load.Engine, owner func() bool, log *slog.Logger) *erase.Expirer {
	rules := func() (all []erase.Rule) {
		for _, w := range plans.Warehouses() {
			if rule, is := Rule(w, loads); is {
				all = append(all, rule)
			}
		}
		return all
	}
	return &erase.Expirer{Dir: dir, Owner: owner, Rules: rules, Now: time.Now, Log: log}
}
