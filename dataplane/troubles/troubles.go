// Package troubles lists what a plane does by schedule and what does not go on, for its alarms.
package troubles

import (
	"weir/dataplane/health"
	"weir/dataplane/profile"
	"weir/dataplane/profile/runs"
	"weir/dataplane/pull"
	"weir/dataplane/syncs"
	"weir/shared/wire"
)

// Of lists it. What it says are identifiers and codes.
func Of(pulls *pull.Board, engine *syncs.Engine, profiles *runs.Board) (all []health.Work) {
	for k, code := range pulls.Failing() {
		if code != pull.CodePlane { // which has an alarm of its own
			all = append(all, health.Work{Alarm: "pull_failed", Workspace: k.Workspace, Object: string(k.Source), Reason: wire.Code(code)})
		}
	}
	for k, code := range pulls.Behind() {
		all = append(all, health.Work{Alarm: "pull_behind", Workspace: k.Workspace, Object: string(k.Source), Reason: wire.Code(code)})
	}
	for _, s := range engine.Troubled() {
		w := health.Work{Alarm: "sync_failed", Workspace: s.Task.Workspace, Object: string(s.Task.Sync.Destination), Reason: wire.Code(s.Run.Code)}
		if s.State == syncs.Held {
			w.Alarm = "sync_held"
		}
		all = append(all, w)
	}
	for _, j := range profiles.Troubled() {
		w := health.Work{Alarm: "profiles_failed", Workspace: j.Workspace, Object: string(j.Warehouse)}
		if j.State == profile.Held {
			w.Alarm = "profiles_held"
		}
		all = append(all, w)
	}
	return all
}
