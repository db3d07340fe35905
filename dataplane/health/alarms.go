package health

import (
	"cmp"
	"maps"
	"slices"

	"weir/dataplane/ledger"
	"weir/shared/id"
	"weir/shared/wire"
)

// concern is something that an alarm counts. Workspace and destination are empty
// when it concerns the whole plane.
type concern struct {
	code        wire.Code
	workspace   id.Workspace
	destination id.Destination
	count       uint64
	reason      wire.Code // why; "" for none
}

// alarmsOf makes alarms of concerns: one for each code, workspace and reason, which names
// destinations.
func alarmsOf(all []concern) []wire.Alarm {
	type key struct {
		code      wire.Code
		workspace id.Workspace
		reason    wire.Code
	}
	found := map[key]*wire.Alarm{}
	for _, c := range all {
		if c.count == 0 {
			continue
		}
		k := key{c.code, c.workspace, c.reason}
		a := found[k]
		if a == nil {
			a = &wire.Alarm{Code: c.code, Workspace: c.workspace, Reason: c.reason}
			found[k] = a
		}
		a.Count += c.count
		if c.workspace != "" && c.destination != "" {
			a.Objects = append(a.Objects, string(c.destination))
		}
	}
	var alarms []wire.Alarm
	for _, a := range slices.SortedFunc(maps.Values(found), func(a, b *wire.Alarm) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Reason, b.Reason))
	}) {
		slices.Sort(a.Objects)
		a.Objects = slices.Compact(a.Objects)
		a.Objects = a.Objects[:min(len(a.Objects), wire.MaxObjects)]
		alarms = append(alarms, *a)
	}
	return alarms
}

// owned tells the workspaces of destinations to concerns that name these alone.
func owned(all []concern, books []ledger.Row) []concern {
	owners := ownersOf(books)
	for i := range all {
		if c := &all[i]; c.workspace == "" && c.destination != "" {
			c.workspace = owners[c.destination]
		}
	}
	return all
}

// ownersOf returns the workspaces of destinations.
func ownersOf(books []ledger.Row) map[id.Destination]id.Workspace {
	owners := map[id.Destination]id.Workspace{}
	for i := range books {
		owners[books[i].Destination] = books[i].Workspace
	}
	return owners
}
