package dataplane

import (
	"maps"
	"slices"

	"weir/dataplane/agent"
	"weir/dataplane/destination"
	"weir/dataplane/health"
	"weir/dataplane/ledger"
	"weir/dataplane/load/history"
	"weir/dataplane/warehouse"
	"weir/shared/id"
	"weir/shared/wire"
)

// rows returns the ledger of all partitions, added up.
func (d *DataPlane) rows() []ledger.Row {
	rows, _ := d.books()
	return rows
}

// books returns the ledger of all partitions, added up. whole is false when some do not run
// in this process, or what is staged is not counted yet.
func (d *DataPlane) books() (rows []ledger.Row, whole bool) {
	staged, whole := d.loading.Staged() // before what is delivered: that only grows
	parts := make([][]ledger.Row, 0, len(d.partitions))
	for _, p := range d.partitions {
		_, err := p.Store() // before its ledger: that of one which stops is the newest there is
		whole = whole && err == nil
		parts = append(parts, p.Ledger())
	}
	rows = ledger.Merge(parts...)
	ledger.Stage(rows, staged)
	return rows, whole
}

// part returns the ledger of the partitions that run in this process, and which these are.
// whole is false when what is staged is not counted yet.
func (d *DataPlane) part() (rows []ledger.Row, here []int, whole bool) {
	staged, whole := d.loading.Staged() // before what is delivered: that only grows
	var parts [][]ledger.Row
	for n, p := range d.partitions {
		if _, err := p.Store(); err == nil { // before its ledger: that of one which stops is the newest there is
			here, parts = append(here, n), append(parts, p.Ledger())
		}
	}
	rows = ledger.Merge(parts...)
	ledger.Stage(rows, staged)
	return rows, here, whole
}

// unloaded lists the workspaces that cannot be loaded, or of which events that were
// set aside because of that have not come back.
func (d *DataPlane) unloaded() []id.Workspace {
	all := map[id.Workspace]bool{}
	maps.Copy(all, d.aside.Workspaces())
	for _, ws := range d.plans.Unloaded() {
		all[ws] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// lazy names the servers of the event cluster that were seen to sync only now and then.
func (d *DataPlane) lazy() []string {
	if c := d.store.Cluster(); c != nil {
		return c.Lazy
	}
	return nil
}

// warehouses returns how the loads of every warehouse do.
func (d *DataPlane) warehouses() []health.Warehouse {
	var all []health.Warehouse
	slow := d.loading.Slow()
	for _, w := range d.plans.Warehouses() {
		one := health.Warehouse{Workspace: w.Workspace, ID: w.ID}
		if newest := d.loading.Loads(w.ID); len(newest) > 0 && newest[0].State != history.Done {
			one.Failure = wire.Code(newest[0].Code) // of the last attempt, also while it is tried again
			if one.Failure == "" && slices.Contains(slow, w.Workspace) {
				one.Failure = warehouse.CodeSlow
			}
		}
		if one.Failure == "" && len(d.loading.Refusing(w.ID)) > 0 {
			one.Failure = "table_refused"
		}
		if known, _, err := d.loading.Tables(w.ID); err == nil && one.Failure == "" && known.Recent() {
			one.Failure = "warehouse_drift"
		}
		all = append(all, one)
	}
	return all
}

// status is what a beat says.
func (d *DataPlane) status() agent.Status {
	running, alarms := d.health.Status()
	for i, a := range alarms {
		if len(a.Objects) > 0 && a.Reason != "" {
			alarms[i].Reason = d.upward(a.Workspace, id.Destination(a.Objects[0]), string(a.Reason))
		}
	}
	s := agent.Status{Healthy: running && d.ready() == nil, Alarms: alarms, Condition: d.health.Condition()}
	rows, whole := d.books()
	if s.Partial = !whole; s.Partial && d.cfg.Events != "" {
		if rows, s.Partitions, whole = d.part(); whole {
			s.Of = len(d.partitions)
		}
	}
	for _, r := range rows {
		s.Counts = append(s.Counts, d.count(r))
	}
	return s
}

// upward is a code of a destination as it goes up: one that its own spec in the workspace
// declares by its place there.
func (d *DataPlane) upward(ws id.Workspace, dest id.Destination, code string) wire.Code {
	place := -1
	if t, there := d.plans.Target(ws, dest); there == destination.Present {
		place = slices.Index(t.Codes, code)
	}
	return wire.Code(code).Placed(place)
}

// count is a row of the ledger as it goes up.
func (d *DataPlane) count(r ledger.Row) wire.Count {
	c := wire.Count{
		Workspace: r.Workspace, Source: r.Source, Destination: r.Destination,
		Accepted: above(r.Accepted), Replayed: above(r.Replayed), Waiting: above(r.Waiting), Duplicate: above(r.Duplicate), Quarantined: above(r.Quarantined),
		Unrouted: above(r.Unrouted), Routed: above(r.Routed), Added: above(r.Added), Delivered: above(r.Delivered), Staged: above(r.Staged),
		Parked: above(r.Parked), Dead: above(r.Dead), InFlight: above(r.InFlight), Balanced: r.Balanced,
	}
	if r.Destination == "" {
		c.Routed = above(r.SourceRouted)
	}
	for code, n := range r.Dropped {
		if n > 0 {
			if c.Dropped == nil {
				c.Dropped = map[wire.Code]uint64{}
			}
			c.Dropped[d.upward(r.Workspace, r.Destination, code)] += uint64(n)
		}
	}
	return c
}

// above is n, 0 for what only a damaged ledger has.
func above(n int64) uint64 { return uint64(max(n, 0)) }
