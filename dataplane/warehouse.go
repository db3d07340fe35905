package dataplane

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/guard"
	"weir/dataplane/load"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/pauses"
	"weir/dataplane/queue"
	"weir/dataplane/warehouse"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// loader makes what loads the warehouses of this plane.
func (d *DataPlane) loader(g *guard.Guard) (*load.Engine, error) {
	dir := filepath.Join(d.cfg.DataDir, "loads")
	staged := filepath.Join(d.cfg.DataDir, "staged")
	if err := disk.Adopt(filepath.Join(dir, "files"), staged); err != nil {
		return nil, fmt.Errorf("move the files of loads: %w", err)
	}
	blobs, err := blob.Open(staged)
	if err != nil {
		return nil, fmt.Errorf("open the files of loads: %w", err)
	}
	stages := make([]load.Stage, d.store.Partitions())
	for p := range stages {
		stages[p] = d.shared[queue.Stage][p]
	}
	deps := d.warehouseDeps(g)
	deps.Blobs = blobs
	c := load.Config{
		Dir: dir, Blobs: blobs, Stages: stages, Jobs: func() []load.Job { return d.jobs(deps) }, Refused: d.takeBack, Log: d.cfg.Log,
		Removed: func(ws id.Workspace, dest id.Destination) bool {
			_, presence := d.plans.Target(ws, dest)
			return presence == destination.Removed
		},
	}
	d.pauses = pauses.Keeper{Dir: dir, Log: d.cfg.Log}
	if d.cfg.Events != "" {
		c.Held, c.Relay, d.pauses.Table = d.partitions[0].Held, d.store.Relay("loads"), d.store.Table("pauses")
	}
	e, err := load.New(c)
	d.pauses.Engine = e
	return e, err
}

// warehouseDeps is what warehouses may use, but for staged files.
func (d *DataPlane) warehouseDeps(g *guard.Guard) warehouse.Deps {
	return warehouse.Deps{Dial: d.dialer(g), DataDir: d.cfg.DataDir, Owners: &d.files, Machine: d.machine.Keys, MachineToken: d.machine.Token, Now: time.Now, Log: d.cfg.Log}
}

// adoptFiles lets the workspaces that run keep the files that they used when all lay
// directly in the data folder.
func (d *DataPlane) adoptFiles(ctx context.Context) {
	if err := d.files.Adopt(d.cfg.DataDir, d.plans.Files()); err != nil {
		d.cfg.Log.ErrorContext(ctx, "owners of warehouses' files not kept", "error", err)
	}
}

// jobs lists the warehouses that are configured now.
func (d *DataPlane) jobs(deps warehouse.Deps) []load.Job {
	var jobs []load.Job
	for _, w := range d.plans.Warehouses() {
		if w.File != "" && d.cfg.Events != "" {
			d.fileWarning.Do(func() {
				d.cfg.Log.Warn("The file of a warehouse belongs to one process of a plane, and another one that takes over begins its own: use a warehouse that all processes reach.", "workspace", string(w.Workspace), "destination", string(w.ID))
			})
		}
		deps := deps
		deps.Workspace = w.Workspace
		jobs = append(jobs, load.Job{
			Workspace: w.Workspace, Destination: w.ID, Name: w.Name, Type: w.Type, SourceOf: w.SourceOf, SyncEvery: w.SyncEvery, WakeEvery: w.WakeEvery, Layout: w.Layout, Options: w.Options,
			Open: func(ctx context.Context) (warehouse.Warehouse, error) { return w.Open(ctx, deps) },
		})
	}
	return jobs
}

// takenBytes is how much of events that a load takes back goes into EVENTS at once,
// about.
const takenBytes = 256 << 10

// takeBack gives deliveries of which a load makes no row to the loop of their
// partition, by EVENTS: whichever process runs that books each of them once, and keeps
// it in QUARANTINE, from where it can be replayed.
func (d *DataPlane) takeBack(ctx context.Context, partition int, events []event.Event) error {
	for from, to, size := 0, 0, 0; to < len(events); {
		size += len(events[to].JSON) + len(events[to].Detail)
		if to++; to < len(events) && size < takenBytes && to-from < 1000 {
			continue
		}
		if err := d.appendTaken(ctx, partition, events[from:to:to]); err != nil {
			return fmt.Errorf("give back what has no row: %w", err)
		}
		from, size = to, 0
	}
	return nil
}

// appendTaken appends to EVENTS, for a while also when that does not take it at once.
func (d *DataPlane) appendTaken(ctx context.Context, partition int, events []event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := d.writer.AppendTo(ctx, partition, slices.Clone(events))
		kind := fault.KindOf(err)
		if err == nil || kind != fault.Limited && kind != fault.Unavailable || !delay.For(ctx, time.Second) {
			return err
		}
	}
}
