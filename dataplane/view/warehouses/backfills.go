package warehouses

import (
	"context"
	"log/slog"
	"time"

	"weir/dataplane/backfill"
	"weir/dataplane/blob"
	"weir/dataplane/jobs"
	"weir/dataplane/load"
	"weir/dataplane/plan"
	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

// Backfills are those of a plane.
type Backfills = backfill.Board

// NewBackfills returns what copies rows between the warehouses of a plane; it keeps how far it
// is in a table. Of one plane's processes the owner does it.
func NewBackfills(kept backfill.Documents, plans Plans, loads *load.Engine, owner func() bool, log *slog.Logger) *backfill.Board {
	return &backfill.Board{Table: kept, Owner: owner, Now: time.Now, Log: log, Runner: func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) },
		Warehouses: func() (all []backfill.Warehouse) {
			for _, w := range plans.Warehouses() {
				known, open, err := loads.Tables(w.ID)
				if err != nil {
					continue
				}
				all = append(all, backfill.Warehouse{Workspace: w.Workspace, ID: w.ID, Name: w.Name, Layout: w.Layout, Options: w.Options, Known: known.Names, Open: open,
					Alone: func(do func(blob.Store) error) error {
						if at := loads.Paused(w.ID); !at.IsZero() {
							return fault.New(fault.Conflict, "Loads of this warehouse are paused since %s.", at.Format(time.RFC3339))
						}
						return loads.Alone(w.ID, do)
					}})
			}
			return all
		}}
}

// named is a warehouse of the call's workspace by its name or identifier.
func (v calls) named(c *endpoint.Call, name string) (plan.Warehouse, error) {
	for _, w := range v.plans.Warehouses() {
		if w.Workspace != c.Grant.Workspace || string(w.ID) != name && w.Name != name {
			continue
		}
		if !c.CoversDestination(w.ID) {
			return plan.Warehouse{}, fault.New(fault.Denied, "The capability is not for the destination %s.", w.Name)
		}
		return w, nil
	}
	return plan.Warehouse{}, fault.New(fault.Missing, "There is no warehouse %.60q in the workspace that this plane loads.", name)
}

type tableProgress struct {
	Table   string     `json:"table"`
	State   string     `json:"state"`
	Copied  int64      `json:"copied"`
	There   int64      `json:"there"`
	Without int64      `json:"without"`
	At      *time.Time `json:"at"`
	Code    string     `json:"code"`
}

type backfillItem struct {
	ID      string          `json:"id"`
	From    string          `json:"from"`
	Into    string          `json:"destination"`
	State   backfill.State  `json:"state"`
	Code    string          `json:"code"`
	Created time.Time       `json:"created"`
	Ended   *time.Time      `json:"ended"`
	Since   *time.Time      `json:"since"`
	Until   *time.Time      `json:"until"`
	Copied  int64           `json:"copied"`
	There   int64           `json:"there"`
	Tables  []tableProgress `json:"tables"`
}

func (v calls) show(x backfill.Backfill) backfillItem {
	name := func(d id.Destination) string {
		for _, w := range v.plans.Warehouses() {
			if w.ID == d {
				return w.Name
			}
		}
		return string(d)
	}
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	out := backfillItem{ID: x.ID, From: name(x.From), Into: name(x.Into), State: x.State, Code: x.Code, Created: x.Created, Ended: at(x.Ended), Since: at(x.Since), Until: at(x.Until), Tables: []tableProgress{}}
	for _, t := range x.Progress {
		p := tableProgress{Table: t.Name, State: "waiting", Copied: t.Copied, There: t.There, Without: t.Without, At: at(t.At), Code: t.Code}
		switch {
		case t.Code != "":
			p.State = "failed"
		case t.Done:
			p.State = "done"
		case !t.At.IsZero():
			p.State = "running"
		}
		out.Copied, out.There, out.Tables = out.Copied+t.Copied, out.There+t.There, append(out.Tables, p)
	}
	return out
}

func (v calls) backfill(c *endpoint.Call) (any, error) {
	var in struct {
		From   string    `json:"from"`
		Into   string    `json:"destination"`
		Tables []string  `json:"tables"`
		Since  time.Time `json:"since"`
		Until  time.Time `json:"until"`
	}
	if err := c.Whole(); err != nil {
		return nil, err
	}
	if err := c.Decode(&in, endpoint.MaxBody); err != nil {
		return nil, err
	}
	from, err := v.named(c, in.From)
	if err != nil {
		return nil, err
	}
	into, err := v.named(c, in.Into)
	if err != nil {
		return nil, err
	}
	x, err := v.backfills.Begin(c.Context(), c.Grant.Workspace, backfill.Choice{From: from.ID, Into: into.ID, Tables: in.Tables, Since: in.Since.UTC(), Until: in.Until.UTC()})
	if err != nil {
		return nil, err
	}
	return v.show(x), nil
}

func (v calls) listBackfills(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), lookTime)
	defer cancel()
	all, err := v.backfills.List(ctx, c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	out := []backfillItem{}
	for _, x := range all {
		if c.CoversDestination(x.Into) {
			out = append(out, v.show(x))
		}
	}
	return map[string]any{"backfills": out}, nil
}

func (v calls) stopBackfill(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	into, err := v.named(c, c.PathValue("destination"))
	if err != nil {
		return nil, err
	}
	x, err := v.backfills.Stop(c.Context(), c.Grant.Workspace, into.ID)
	if err != nil {
		return nil, err
	}
	return v.show(x), nil
}
