package health

import (
	"weir/shared/id"
	"weir/shared/wire"
)

// Work is something that the plane does by schedule and that does not go on: a stream of a
// pulled source, a sync, profiles.
type Work struct {
	Alarm     wire.Code // such as sync_held
	Workspace id.Workspace
	Object    string    // the source or destination that it is about
	Reason    wire.Code // why; "" when it is not known
}

// undone returns what of the plane's work does not go on.
func (m *Monitor) undone() (on []concern) {
	for _, w := range m.cfg.Work() {
		on = append(on, concern{code: w.Alarm, workspace: w.Workspace, destination: id.Destination(w.Object), count: 1, reason: w.Reason})
	}
	return on
}
