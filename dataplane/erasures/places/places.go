// Package places is where a plane keeps something of persons beside its logs: warehouses,
// with what is staged for them, and profiles.
package places

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/erasures"
	"weir/dataplane/load"
	"weir/dataplane/plan"
	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
	"weir/shared/fault"
	"weir/shared/id"
)

// Warehouses returns what lists those of a workspace.
func Warehouses(plans *plan.Holder, loads *load.Engine) func(id.Workspace) []erasures.Warehouse {
	return func(ws id.Workspace) (all []erasures.Warehouse) {
		for _, w := range plans.Warehouses() {
			if w.Workspace != ws {
				continue
			}
			one := erasures.Warehouse{
				ID: w.ID, Name: w.Name,
				Load:   func(ctx context.Context) error { return loads.LoadNow(ctx, w.ID) },
				Forget: func(context.Context) error { return loads.Forget(w.ID) },
				Rows: func(ctx context.Context, p *erase.Person, dry bool, each func(erase.Table) error) error {
					return rows(ctx, loads, w.ID, p, dry, each)
				},
			}
			if w.File != "" {
				one.Rewrite = func(ctx context.Context, anyway bool) error { return rewrite(ctx, loads, w.ID, anyway) }
			}
			all = append(all, one)
		}
		return all
	}
}

func rows(ctx context.Context, loads *load.Engine, d id.Destination, p *erase.Person, dry bool, each func(erase.Table) error) error {
	known, open, err := loads.Tables(d)
	if err != nil {
		return err
	}
	w, err := open(ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	err = erase.Rows(ctx, w, known.Names(), func(table string, have warehouse.TableSchema) string { return p.Of(w, table, have) }, dry, each)
	return errors.Join(err, w.Close())
}

// rewrite writes the file of a warehouse anew.
func rewrite(ctx context.Context, loads *load.Engine, d id.Destination, anyway bool) error {
	_, open, err := loads.Tables(d)
	if err != nil {
		return err
	}
	w, err := open(ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	r, is := w.(removal.Rewriter)
	if is {
		err = r.Rewrite(ctx, anyway)
	}
	return errors.Join(err, w.Close())
}

// Persons is what profiles know of persons.
type Persons struct {
	Profiles *runs.Board
	Copies   *lookup.Store
}

// Find implements erasures.Persons.
func (p Persons) Find(ctx context.Context, ws id.Workspace, ids []string) (known []erasures.Known, all []string, failed map[string]error) {
	all, failed = slices.Clone(ids), map[string]error{}
	for _, one := range p.Profiles.Statuses(ws) {
		err := p.Profiles.With(ctx, ws, one.Name, func(ctx context.Context, s tables.Session, config profile.Config) error {
			for _, e := range config.Plan.Entities {
				if len(e.Others()) > 0 {
					continue
				}
				for _, have := range slices.Clone(all) {
					x, err := answers.Explain(ctx, s, config, e.Name, have, "")
					if fault.KindOf(err) == fault.Missing {
						continue
					}
					if err != nil {
						return err
					}
					k := erasures.Known{Profile: one.Name, Entity: e.Name, ID: have}
					if !slices.ContainsFunc(known, func(o erasures.Known) bool { return o.Profile == k.Profile && o.Entity == k.Entity }) {
						known = append(known, k)
					}
					for _, further := range x.IDs {
						if !slices.Contains(all, further) && len(all) < erase.MostIDs {
							all = append(all, further)
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			failed[one.Name] = err
		}
	}
	return known, all, failed
}

// Forget implements erasures.Persons.
func (p Persons) Forget(ctx context.Context, ws id.Workspace, k erasures.Known, dry bool) (n int64, err error) {
	err = p.Profiles.With(ctx, ws, k.Profile, func(ctx context.Context, s tables.Session, config profile.Config) error {
		if dry {
			x, err := answers.Explain(ctx, s, config, k.Entity, k.ID, "")
			n = int64(len(x.IDs))
			return err
		}
		person, ids, err := profile.Erase(ctx, s, config, k.Entity, k.ID, time.Now())
		if err != nil {
			return err
		}
		n = ids
		return p.Copies.Forget(ws, config.Name, cmp.Or(k.Entity, config.Plan.Entities[0].Name), person)
	})
	if gone := fault.KindOf(err) == fault.Missing; (err == nil || gone) && !dry { // records of others may tell of them until then
		// Also of one who is gone: the process that erased them may have lost the profiles before it could ask.
		if _, again := p.Profiles.Ask(ws, k.Profile, profile.Options{}); again != nil {
			err = again
		}
	}
	return n, err
}
