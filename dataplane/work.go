package dataplane

import (
	"weir/dataplane/health"
	"weir/dataplane/profile"
	"weir/dataplane/pull"
	"weir/dataplane/syncs"
	"weir/shared/wire"
)

// work lists what the plane does by schedule and what does not go on. What it says are
// identifiers and codes.
func (d *DataPlane) work() (all []health.Work) {
	for k, code := range d.pulls.Failing() {
		if code != pull.CodePlane { // which has an alarm of its own
			all = append(all, health.Work{Alarm: "pull_failed", Workspace: k.Workspace, Object: string(k.Source), Reason: wire.Code(code)})
		}
	}
	for _, s := range d.syncs.Troubled() {
		w := health.Work{Alarm: "sync_failed", Workspace: s.Task.Workspace, Object: string(s.Task.Sync.Destination), Reason: wire.Code(s.Run.Code)}
		if s.State == syncs.Held {
			w.Alarm = "sync_held"
		}
		all = append(all, w)
	}
	for _, j := range d.profiles.Troubled() {
		w := health.Work{Alarm: "profiles_failed", Workspace: j.Workspace, Object: string(j.Warehouse)}
		if j.State == profile.Held {
			w.Alarm = "profiles_held"
		}
		all = append(all, w)
	}
	return all
}
