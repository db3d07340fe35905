package health

import (
	"weir/dataplane/dedupe"
	"weir/dataplane/ledger"
	"weir/dataplane/partition"
	"weir/shared/id"
)

// short returns the workspaces whose dedupe keys were forgotten before their time.
func short(states []partition.State, books []ledger.Row) (on []concern) {
	owners := map[dedupe.Owner]bool{}
	for _, s := range states {
		for _, o := range s.Short {
			owners[o] = true
		}
	}
	if len(owners) == 0 {
		return nil
	}
	if owners[0] {
		on = append(on, concern{code: "dedupe_window_short", count: 1})
	}
	named := map[id.Workspace]bool{}
	for _, r := range books {
		if !named[r.Workspace] && owners[dedupe.OwnerOf(r.Workspace)] {
			named[r.Workspace] = true
			on = append(on, concern{code: "dedupe_window_short", workspace: r.Workspace, count: 1})
		}
	}
	return on
}
