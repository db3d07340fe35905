package dataplane

import (
	"context"
	"path/filepath"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/guard"
	"weir/dataplane/health"
	"weir/dataplane/ledger"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/rate"
	"weir/dataplane/pull"
	"weir/dataplane/pull/stale"
	"weir/dataplane/warehouse"
)

// pulling makes the board that pulls sources; take makes their rows durable as it does
// what senders send.
func (d *DataPlane) pulling(g *guard.Guard, take health.Appending) (*pull.Board, error) {
	keys := auth.New(d.client.Do)
	keys.Share(d.access)
	keys.Machine, keys.MachineToken = d.machine.Keys, d.machine.Token
	dial := d.dialer(g)
	return pull.New(pull.Config{
		Table: d.store.Table("pulls"), Partitions: d.store.Partitions(), Targets: d.plans.Pulls, Append: take, Runner: d.runner("pull"), Log: d.cfg.Log,
		Stale: d.stale(g),
		Owns:  func(n int) bool { _, err := d.partitions[n].Store(); return err == nil },
		Deps: pull.Deps{
			Do: d.client.Read, Dial: dial, Keys: keys, Rates: &rate.Rates{}, Now: time.Now, Log: d.cfg.Log,
			Connectors: connector.New(connector.Config{Dir: d.cfg.Connectors, Logs: filepath.Join(d.cfg.DataDir, "connectors"), Dial: dial, Log: d.cfg.Log}),
		},
	})
}

// stale finds rows that the warehouses of a source have and that nothing has written since.
func (d *DataPlane) stale(g *guard.Guard) func(ctx context.Context, t *pull.Target, q stale.Query) (stale.Rows, error) {
	return func(ctx context.Context, t *pull.Target, q stale.Query) (stale.Rows, error) {
		routing, _ := d.plans.Route(t.Workspace, t.ID)
		var all []stale.Warehouse
		for _, w := range d.plans.Warehouses() {
			if _, ok := routing.Destination(w.ID); !ok || w.Workspace != t.Workspace {
				continue
			}
			deps := d.warehouseDeps(g)
			deps.Workspace = w.Workspace
			all = append(all, stale.Warehouse{
				ID: w.ID, Type: w.Type, Layout: w.Layout, Options: w.Options,
				Quiet: func(ctx context.Context) (quiet, apart bool) {
					return d.onItsWay().Quiet(ctx, ledger.Key{Workspace: t.Workspace, Source: t.ID, Destination: w.ID})
				},
				Open: func(ctx context.Context) (warehouse.Warehouse, error) { return w.Open(ctx, deps) },
			})
		}
		return stale.Find(ctx, all, t.Name, q)
	}
}

// onItsWay is what processes of the plane know of rows that are on their way to warehouses.
func (d *DataPlane) onItsWay() *stale.Plane {
	p := &stale.Plane{Part: d.part, Staged: d.loading.Staged, Partitions: len(d.partitions)}
	if d.cfg.Events != "" {
		p.Relay = d.store.Relay("quiet")
	}
	return p
}
