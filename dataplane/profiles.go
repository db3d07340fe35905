package dataplane

import (
	"context"
	"path/filepath"
	"time"

	"weir/dataplane/guard"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/warehouse"
)

// profileRuns makes what runs the profiles of this plane. They are run by the process that has the first partition.
func (d *DataPlane) profileRuns(g *guard.Guard) *runs.Board {
	deps := d.warehouseDeps(g)
	return runs.New(runs.Config{
		Jobs:   func() []runs.Job { return d.profileJobs(deps) },
		Owner:  d.ownsProfiles,
		Merged: d.loading.Merged, Now: time.Now, Runner: d.runner("profile"), Log: d.cfg.Log, Done: d.copies.Feed, Lacks: d.copies.Lacks,
	})
}

// profileCopies makes the copies from which the view answers what is known of one person.
func (d *DataPlane) profileCopies() (*lookup.Store, error) {
	return lookup.New(lookup.Config{
		Dir: filepath.Join(d.cfg.DataDir, "profiles"), Owner: d.ownsProfiles, Log: d.cfg.Log,
		Jobs: func() (jobs []lookup.Job) {
			for _, p := range d.plans.Profiles() {
				jobs = append(jobs, lookup.Job{Workspace: p.In.Workspace, Profile: p.Profile})
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
func (d *DataPlane) profileJobs(deps warehouse.Deps) (jobs []runs.Job) {
	for _, p := range d.plans.Profiles() {
		deps := deps
		deps.Workspace = p.In.Workspace
		jobs = append(jobs, runs.Job{
			Workspace: deps.Workspace, Profile: p.Profile,
			Open:  func(ctx context.Context) (warehouse.Warehouse, error) { return p.In.Open(ctx, deps) },
			Table: func(event string) string { return p.In.Layout.Table(event, &p.In.Options).Out },
		})
	}
	return jobs
}
