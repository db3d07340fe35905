package dataplane

import (
	"context"
	"time"

	"weir/dataplane/guard"
	"weir/dataplane/profile/runs"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/view/profiles"
	"weir/dataplane/warehouse"
)

// profileRuns makes what runs the profiles of this plane. They are run by the process that
// has the first partition.
func (d *DataPlane) profileRuns(g *guard.Guard) *runs.Board {
	deps := d.warehouseDeps(g)
	return runs.New(runs.Config{
		Jobs: func() []runs.Job { return d.profileJobs(deps) },
		Owner: func() bool {
			_, err := d.partitions[0].Store()
			return err == nil
		},
		Merged: d.loading.Merged, Now: time.Now, Runner: d.runner("profile"), Log: d.cfg.Log,
	})
}

// profileJobs lists the profiles that are configured now.
func (d *DataPlane) profileJobs(deps warehouse.Deps) []runs.Job {
	var jobs []runs.Job
	for _, w := range d.plans.Warehouses() {
		p := d.plans.Plan(w.Workspace)
		if p == nil {
			continue
		}
		for _, one := range p.Profiles {
			if one.Warehouse != w.ID {
				continue
			}
			deps := deps
			deps.Workspace = w.Workspace
			jobs = append(jobs, runs.Job{
				Workspace: w.Workspace, Profile: one,
				Open:  func(ctx context.Context) (warehouse.Warehouse, error) { return w.Open(ctx, deps) },
				Table: func(event string) string { return w.Layout.Table(event, &w.Options).Out },
			})
		}
	}
	return jobs
}

// profileCalls adds what the view answers of profiles.
func (d *DataPlane) profileCalls(m *endpoint.Mux) { profiles.Add(m, d.profiles, time.Now) }
