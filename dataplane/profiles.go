package dataplane

import (
	"context"
	"path/filepath"
	"time"

	"weir/dataplane/guard"
	"weir/dataplane/profile/lookup"
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
		Jobs:   func() []runs.Job { return d.profileJobs(deps) },
		Owner:  d.ownsProfiles,
		Merged: d.loading.Merged, Now: time.Now, Runner: d.runner("profile"), Log: d.cfg.Log, Done: d.copies.Feed,
	})
}

// profileCopies makes the copies from which the view answers what is known of one person.
func (d *DataPlane) profileCopies(g *guard.Guard) (*lookup.Store, error) {
	deps := d.warehouseDeps(g)
	return lookup.New(lookup.Config{
		Dir: filepath.Join(d.cfg.DataDir, "profiles"), Owner: d.ownsProfiles, Log: d.cfg.Log,
		Jobs: func() []lookup.Job {
			var jobs []lookup.Job
			for _, j := range d.profileJobs(deps) {
				jobs = append(jobs, lookup.Job{Workspace: j.Workspace, Profile: j.Profile})
			}
			return jobs
		},
	})
}

// ownsProfiles reports whether this process runs the profiles.
func (d *DataPlane) ownsProfiles() bool {
	_, err := d.partitions[0].Store()
	return err == nil
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
func (d *DataPlane) profileCalls(m *endpoint.Mux) { profiles.Add(m, d.profiles, d.copies, time.Now) }
