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
	"weir/dataplane/load/ask"
	"weir/dataplane/load/disk"
	"weir/dataplane/queue"
	"weir/dataplane/view"
	"weir/dataplane/view/warehouses"
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
	if d.cfg.Events != "" {
		c.Held, c.Relay = d.partitions[0].Held, d.store.Relay("loads")
	}
	return load.New(c)
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

// loads is what the view may ask of the loads.
type loads struct{ *DataPlane }

// Hasten lets a warehouse be loaded without delay.
func (l loads) Hasten(_ context.Context, _ id.Workspace, d id.Destination) error {
	return l.loading.Hasten(d)
}

// Pause pauses the loads of a warehouse, or resumes them.
func (l loads) Pause(_ context.Context, _ id.Workspace, d id.Destination, paused bool) error {
	return l.loading.Pause(d, paused)
}

// Loads lists loads, newest first, and what waits.
func (l loads) Loads(_ context.Context, ws id.Workspace, only id.Destination) ([]view.Loaded, []view.Waiting, error) {
	var all []view.Loaded
	var waits []view.Waiting
	staged := map[id.Destination]int64{}
	counted, _ := l.loading.Staged()
	for k, n := range counted {
		staged[k.Destination] += n
	}
	for _, w := range l.plans.Warehouses() {
		if w.Workspace != ws || only != "" && w.ID != only {
			continue
		}
		waits = append(waits, view.Waiting{Destination: w.ID, Events: staged[w.ID], Next: l.loading.Next(w.ID), Paused: l.loading.Paused(w.ID)})
		for _, x := range l.loading.Loads(w.ID) {
			one := view.Loaded{
				ID: x.ID, Destination: w.ID, At: x.At, State: string(x.State), Rows: x.Rows, Took: x.Took, Attempt: x.Attempt, Next: x.Next, Code: x.Code, Detail: x.Detail,
			}
			one.Tables, one.Events = x.Names()
			all = append(all, one)
		}
	}
	return all, waits, nil
}

// Query runs a reading statement. What the warehouse says against it is shown to
// whoever asked.
func (l loads) Query(ctx context.Context, _ id.Workspace, d id.Destination, sql string, row func(columns []string, values []any) error) error {
	return warehouses.Spoken(l.loading.Query(ctx, d, sql, func(object []byte) error {
		columns, values, err := ask.Columns(object)
		if err != nil {
			return err
		}
		return row(columns, values)
	}))
}

// Test signs in.
func (l loads) Test(ctx context.Context, _ id.Workspace, d id.Destination) error {
	return warehouses.Spoken(l.loading.Test(ctx, d))
}
