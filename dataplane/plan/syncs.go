package plan

import (
	"slices"

	"weir/dataplane/warehouse"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/activation"
)

// Sync is a sync as it is configured now.
type Sync struct {
	activation.Sync
	Workspace id.Workspace
	Model     activation.Model
	Warehouse warehouse.Opened // of the model; without Open when it is disabled
	Revision  uint64
}

// Syncs lists the syncs of all workspaces, disabled ones too.
func (h *Holder) Syncs() []Sync {
	var all []Sync
	for ws, p := range h.now().plans {
		if p == nil {
			continue
		}
		for _, s := range p.syncs {
			one := Sync{Sync: s, Workspace: ws, Revision: p.Number}
			if i := slices.IndexFunc(p.models, func(m activation.Model) bool { return m.ID == s.Model }); i >= 0 {
				one.Model = p.models[i]
			}
			if t, ok := p.targets[one.Model.Warehouse]; ok && !t.Disabled {
				one.Warehouse = t.warehouse
			}
			all = append(all, one)
		}
	}
	return all
}

// Models lists the models of a workspace.
func (h *Holder) Models(ws id.Workspace) []activation.Model {
	if p := h.Plan(ws); p != nil {
		return p.models
	}
	return nil
}

// withMembers returns the models of a configuration; one of an audience has the statement
// that reads its persons, for which the configuration was checked.
func withMembers(c workspace.Config) []activation.Model {
	models := slices.Clone(c.Models)
	for i, m := range models {
		if m.Audience == "" {
			continue
		}
		if p := slices.IndexFunc(c.Profiles, func(p workspace.Profile) bool { return p.Warehouse == m.Warehouse }); p >= 0 {
			models[i].SQL, _ = c.Profiles[p].Members(m.Audience)
		}
	}
	return models
}
