// Package health watches what a plane needs to go on: room on the disk, room in
// the logs that many share, an event log that takes writes. It refuses events while
// there is too little, ends the plane when only a restart helps, names what holds
// the plane up, and gives its counts to Prometheus.
package health

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/deliver"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/partition"
	"weir/dataplane/transform"
	"weir/shared/id"
	"weir/shared/wire"
)

// Config is what a monitor watches. All functions are required.
type Config struct {
	DataDir    string                               // whose disk is watched
	Embedded   bool                                 // the event log is in this process, so that a restart may help it
	EventLog   func() error                         // nil: it takes writes
	Logs       func(context.Context) ([]Log, error) // that can be full
	Ledger     func() []ledger.Row                  // of all partitions
	Partitions func() []*partition.Partition
	Code       func() transform.Load
	Warehouses func() []Warehouse
	// Removed reports whether a workspace has a source or destination no more, or is
	// removed itself; with an empty object only the latter.
	Removed    func(ws id.Workspace, object string) bool
	SlowCalls  func() []id.Workspace                  // whose calls of the view take long, or much of its time
	SlowBodies func() int                             // of requests that did not come in time lately
	Unloaded   func() []id.Workspace                  // workspaces that cannot be loaded, or were not until now
	Unopened   func() map[id.Destination]id.Workspace // those whose own spec this build cannot read; nil: none
	Work       func() []Work                          // that does not go on
	Lazy       func() []string                        // names of those that are seen to sync only now and then
	Away       func() []string                        // names of servers of the event cluster that are away
}

// Warehouse is how the loads of a warehouse do. Failure is empty unless the
// newest load fails, or takes long while those of other workspaces wait.
type Warehouse struct {
	Workspace id.Workspace
	ID        id.Destination
	Failure   wire.Code
}

// Monitor watches one plane.
type Monitor struct {
	cfg   Config
	disk  disk
	quota quota
	busy  busy
}

// New returns a monitor that has looked at the disk once.
func New(cfg Config) *Monitor {
	m := &Monitor{cfg: cfg, disk: disk{dir: cfg.DataDir}, quota: quota{removed: cfg.Removed, outside: !cfg.Embedded}}
	m.disk.look()
	return m
}

// Run watches until ctx ends. An error says that only a restart of the process
// helps.
func (m *Monitor) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.exitIfLogStaysBroken(ctx) })
	g.Go(func() error { m.disk.watch(ctx); return nil })
	g.Go(func() error { m.quota.watch(ctx, m.cfg.Logs, m.cfg.Ledger); return nil })
	return g.Wait()
}

// How often the log is asked how it is, and how long it may take no writes before
// the plane ends.
const (
	logEvery = time.Second
	logLimit = time.Minute
)

// exitIfLogStaysBroken returns an error when the embedded log took no writes for
// logLimit: after a write error only a restart of the process helps. A cluster
// outside is waited for instead.
func (m *Monitor) exitIfLogStaysBroken(ctx context.Context) error {
	tick := time.NewTicker(logEvery)
	defer tick.Stop()
	for well := time.Now(); ; {
		err := m.cfg.EventLog()
		switch {
		case err == nil || !m.cfg.Embedded:
			well = time.Now()
		case time.Since(well) >= logLimit:
			return fmt.Errorf("the event log does not recover: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Appending makes events durable.
type Appending func(context.Context, []event.Event) error

// RefuseOnLowDisk makes append refuse events, as fault.Limited with code
// disk_low, while the disk is almost full.
func (m *Monitor) RefuseOnLowDisk(append Appending) Appending { return m.disk.before(append) }

// RefuseFeedersOfFullLogs makes append refuse the events of sources that feed a
// destination, or are the source, with more than its share of a log, as fault.Limited
// with the log's code, such as parked_full. All events of a call are of one source.
func (m *Monitor) RefuseFeedersOfFullLogs(append Appending) Appending {
	return m.quota.before(append)
}

// DiskLow reports whether the disk is almost full.
func (m *Monitor) DiskLow() bool { return m.disk.low.Load() }

// Ready says why events would not be taken now.
func (m *Monitor) Ready() error {
	if err := cmp.Or(m.disk.check(), m.quota.check()); err != nil {
		return err
	}
	return m.cfg.EventLog()
}

// Status reports whether all partitions run, and the alarms that are on.
func (m *Monitor) Status() (running bool, alarms []wire.Alarm) {
	states := m.states(time.Now())
	return !slices.ContainsFunc(states, func(s partition.State) bool { return !s.Running }), m.alarms(states)
}

func (m *Monitor) states(now time.Time) []partition.State {
	var states []partition.State
	for _, p := range m.cfg.Partitions() {
		states = append(states, p.State(now))
	}
	return states
}

// alarms lists what is wrong with partitions in these states and with the rest of
// the plane, and is not about what was removed: that may be under way still.
func (m *Monitor) alarms(states []partition.State) (alarms []wire.Alarm) {
	books := m.cfg.Ledger()
	on := owned(limits(lanes(states), m.cfg.Code(), m.busy.share(time.Now())), books)
	plane := func(code wire.Code, n uint64) { on = append(on, concern{code: code, count: n}) }
	for _, s := range states {
		plane("partition_stopped", s.Stops)
		for code, n := range s.Alarms {
			plane(code, n)
		}
	}
	for _, r := range books {
		if !r.Balanced {
			plane("ledger_unbalanced", 1)
		}
	}
	for _, w := range m.cfg.Warehouses() {
		if w.Failure != "" {
			on = append(on, concern{code: w.Failure, workspace: w.Workspace, destination: w.ID, count: 1})
		}
	}
	if n := m.cfg.SlowBodies(); n >= slowBodies {
		plane("senders_slow", uint64(n))
	}
	for _, ws := range m.cfg.SlowCalls() {
		on = append(on, concern{code: "view_slow", workspace: ws, count: 1})
	}
	on = append(on, short(states, books)...)
	if m.DiskLow() {
		plane("disk_low", 1)
	}
	if m.cfg.EventLog() != nil {
		plane("queue_unavailable", 1)
	}
	for _, ws := range m.cfg.Unloaded() {
		on = append(on, concern{code: "workspace_unloaded", workspace: ws, count: 1})
	}
	if m.cfg.Unopened != nil {
		for d, ws := range m.cfg.Unopened() {
			on = append(on, concern{code: "destination_unloaded", workspace: ws, destination: d, count: 1})
		}
	}
	on = append(on, m.undone()...)
	on = slices.DeleteFunc(on, func(c concern) bool { return c.workspace != "" && m.cfg.Removed(c.workspace, string(c.destination)) })
	alarms = append(alarmsOf(on), m.quota.alarms()...)
	if away := m.cfg.Away(); len(away) > 0 {
		alarms = append(alarms, wire.Alarm{Code: "events_degraded", Count: uint64(len(away)), Servers: away})
	}
	if lazy := m.cfg.Lazy(); len(lazy) > 0 {
		alarms = append(alarms, wire.Alarm{Code: "events_unsynced", Count: uint64(len(lazy)), Servers: lazy})
	}
	return alarms
}

// reason is why a destination does not answer in one of two partitions, else why
// deliveries had to wait in one of them.
func reason(a, b deliver.State) string {
	if b.Down && !a.Down {
		return cmp.Or(b.Reason, a.Reason)
	}
	return cmp.Or(a.Reason, b.Reason)
}

// present returns the lanes of destinations that are not removed: those of others end
// when nothing is under way.
func (m *Monitor) present(lanes []deliver.State, books []ledger.Row) []deliver.State {
	owners := ownersOf(books)
	return slices.DeleteFunc(lanes, func(s deliver.State) bool {
		ws := owners[s.Destination]
		return ws != "" && m.cfg.Removed(ws, string(s.Destination))
	})
}

// lanes returns how every destination does, over all partitions.
func lanes(states []partition.State) []deliver.State {
	all := map[id.Destination]deliver.State{}
	for _, p := range states {
		for _, s := range p.Lanes {
			sum := all[s.Destination]
			all[s.Destination] = deliver.State{
				Destination: s.Destination, Sending: sum.Sending + s.Sending, Most: sum.Most + s.Most, Allowed: sum.Allowed + s.Allowed,
				Down: sum.Down || s.Down, Reason: reason(sum, s), Paused: max(sum.Paused, s.Paused), Bytes: sum.Bytes + s.Bytes, Age: max(sum.Age, s.Age),
			}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b deliver.State) int { return cmp.Compare(a.Destination, b.Destination) })
}
