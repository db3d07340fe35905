package dataplane

import (
	"context"
	"hash/fnv"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/guard"
	"weir/dataplane/outbound"
	"weir/dataplane/syncs"
	"weir/dataplane/warehouse"
	"weir/shared/id"
)

// syncing makes what runs the syncs of this plane.
func (d *DataPlane) syncing(g *guard.Guard) (*syncs.Engine, error) {
	deps := warehouse.Deps{Dial: d.dialer(g), DataDir: d.cfg.DataDir, Owners: &d.files, Machine: d.machine.Keys, MachineToken: d.machine.Token, Now: time.Now, Log: d.cfg.Log}
	return syncs.New(syncs.Config{
		Table: d.store.Table("syncs"), Target: d.plans.Target, Mine: d.runsSync, Runner: d.runner("sync"), Log: d.cfg.Log,
		Tasks:  func() []syncs.Task { return d.syncTasks(deps) },
		Merged: d.loading.MergedAnywhere,
		Built:  func(w id.Destination) int64 { return d.profiles.Published(w) },
		Link: func(held func() bool) *outbound.Link {
			return &outbound.Link{Do: d.client.Do, Plane: d.client.Plane(), Held: held, Deps: destination.Deps{Dial: d.dialer(g), Machine: d.machine.Keys, Now: time.Now, Log: d.cfg.Log}}
		},
	})
}

// syncTasks lists the syncs that are configured now.
func (d *DataPlane) syncTasks(deps warehouse.Deps) []syncs.Task {
	var tasks []syncs.Task
	for _, s := range d.plans.Syncs() {
		deps := deps
		deps.Workspace = s.Workspace
		t := syncs.Task{Workspace: s.Workspace, Sync: s.Sync, Model: s.Model, Revision: s.Revision}
		if open := s.Warehouse.Open; open != nil {
			t.Open = func(ctx context.Context) (warehouse.Warehouse, error) { return open(ctx, deps) }
		}
		tasks = append(tasks, t)
	}
	return tasks
}

// runsSync reports whether this process runs a sync: that which has the partition that the
// sync falls to.
func (d *DataPlane) runsSync(s id.Sync) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	_, err := d.partitions[h.Sum32()%uint32(len(d.partitions))].Store()
	return err == nil
}
