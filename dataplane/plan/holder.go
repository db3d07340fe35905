package plan

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"weir/dataplane/destination"
	"weir/dataplane/ingest"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// Holder is the plans of all workspaces of a plane. Reading costs one atomic
// load and a map; every answer comes from one consistent state. The zero Holder
// is empty and ready; it must not be copied.
type Holder struct {
	writing sync.Mutex // held while the next state is made
	state   atomic.Pointer[state]
	loaded  atomic.Bool
}

// state is immutable. A workspace that was removed has a nil plan; one that cannot
// be loaded has none, and is in unloaded with its write keys, nil when those are
// not known either.
type state struct {
	plans    map[id.Workspace]*Plan
	keys     map[string]ingest.Entry
	unloaded map[id.Workspace][]string
}

func (h *Holder) now() *state {
	if s := h.state.Load(); s != nil {
		return s
	}
	return &state{}
}

// Source returns what a write key opens.
func (h *Holder) Source(writeKey string) (ingest.Entry, bool) {
	e, ok := h.now().keys[writeKey]
	return e, ok
}

// Waits reports whether a write key that opens nothing is, or may be, one of a
// workspace that cannot be loaded now.
func (h *Holder) Waits(writeKey string) bool {
	for _, keys := range h.now().unloaded {
		if keys == nil || slices.Contains(keys, writeKey) {
			return true
		}
	}
	return false
}

// Unloaded lists the workspaces that cannot be loaded now.
func (h *Holder) Unloaded() []id.Workspace { return slices.Sorted(maps.Keys(h.now().unloaded)) }

// Route returns the routing of a source; nil routes nothing: the source or its
// workspace was removed. known is false while nothing is known of the
// workspace: its events have to wait.
func (h *Holder) Route(ws id.Workspace, src id.Source) (r *Routing, known bool) {
	p, known := h.now().plans[ws]
	if p == nil {
		return nil, known
	}
	return p.sources[src], true
}

// Target returns a destination as it is now. It is nil unless Present.
func (h *Holder) Target(ws id.Workspace, dest id.Destination) (*destination.Target, destination.Presence) {
	p, known := h.now().plans[ws]
	switch {
	case !known:
		return nil, destination.Unknown
	case p == nil:
		return nil, destination.Removed
	}
	if t, ok := p.targets[dest]; ok {
		return t.Target, destination.Present
	}
	return nil, destination.Removed
}

// Removed reports whether a workspace has no more a source or destination with the
// identifier object, or is removed itself; with an empty object only the latter. It is
// false while the workspace is not loaded.
func (h *Holder) Removed(ws id.Workspace, object string) bool {
	p, known := h.now().plans[ws]
	if p == nil || object == "" {
		return known && p == nil
	}
	_, destination := p.targets[id.Destination(object)]
	_, source := p.sources[id.Source(object)]
	return !destination && !source
}

// Unopened returns the destinations whose own spec this build cannot read, with their
// workspaces: deliveries to them are parked.
func (h *Holder) Unopened() map[id.Destination]id.Workspace {
	all := map[id.Destination]id.Workspace{}
	for ws, p := range h.now().plans {
		if p == nil {
			continue
		}
		for d, t := range p.targets {
			if t.unopened {
				all[d] = ws
			}
		}
	}
	return all
}

// Warehouse is one warehouse destination as it is configured now.
type Warehouse struct {
	*destination.Target
	warehouse.Opened
	SourceOf func(id.Source) (name, typ string)
}

// Warehouses lists the warehouse destinations of all workspaces that are not
// disabled.
func (h *Holder) Warehouses() []Warehouse {
	var all []Warehouse
	for _, p := range h.now().plans {
		if p == nil {
			continue
		}
		for _, t := range p.targets {
			if t.warehouse.Open != nil && !t.Disabled {
				all = append(all, Warehouse{Target: t.Target, Opened: t.warehouse, SourceOf: p.sourceOf})
			}
		}
	}
	return all
}

// Profile is profiles as they are configured now, and the warehouse that they are in.
type Profile struct {
	workspace.Profile
	In Warehouse
}

// Profiles lists the profiles of all workspaces whose warehouses are not disabled.
func (h *Holder) Profiles() []Profile {
	var all []Profile
	for _, w := range h.Warehouses() {
		p := h.Plan(w.Workspace)
		if p == nil {
			continue
		}
		for _, one := range p.Profiles {
			if one.Warehouse == w.ID {
				all = append(all, Profile{one, w})
			}
		}
	}
	return all
}

// Files lists the workspaces by the path that a warehouse of theirs, disabled or
// not, gives its file.
func (h *Holder) Files() map[string][]id.Workspace {
	all := map[string][]id.Workspace{}
	for ws, p := range h.now().plans {
		if p == nil {
			continue
		}
		for _, t := range p.targets {
			if file := t.warehouse.File; file != "" {
				all[file] = append(all[file], ws)
			}
		}
	}
	return all
}

// sourceOf returns name and type of a source, empty when it is gone.
func (p *Plan) sourceOf(s id.Source) (name, typ string) {
	if r := p.sources[s]; r != nil {
		return r.SourceName, r.SourceType
	}
	return "", ""
}

// Plan returns the plan of a workspace, nil when none runs.
func (h *Holder) Plan(ws id.Workspace) *Plan { return h.now().plans[ws] }

// SourceName is what a source of a workspace is called, or was, else its identifier.
func (h *Holder) SourceName(ws id.Workspace, s id.Source) string {
	if p := h.Plan(ws); p != nil && p.SourceName(s) != "" {
		return p.SourceName(s)
	}
	return string(s)
}

// DestinationName is what a destination of a workspace is called, or was, else its identifier.
func (h *Holder) DestinationName(ws id.Workspace, d id.Destination) string {
	if p := h.Plan(ws); p != nil && p.DestinationName(d) != "" {
		return p.DestinationName(d)
	}
	return string(d)
}

// Taken lists the write keys of p that another workspace has: with p, events
// would go to the wrong one.
func (h *Holder) Taken(p *Plan) []fault.Problem {
	s := h.now()
	var problems []fault.Problem
	for _, key := range slices.Sorted(maps.Keys(p.entries)) {
		if e, ok := s.keys[key]; ok && e.Workspace != p.Workspace {
			problems = append(problems, fault.Problem{Path: p.paths[key], Code: CodeWriteKey,
				Text: "Another workspace on this data plane has this write key."})
		}
	}
	return problems
}

// Put makes p the plan of its workspace. fault.Conflict, with the problems of
// Taken: another workspace has one of its write keys; nothing changed.
func (h *Holder) Put(p *Plan) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	if problems := h.Taken(p); len(problems) > 0 {
		return &fault.Error{Kind: fault.Conflict, Text: fmt.Sprintf("Workspace %s cannot run:", p.Workspace), Problems: problems}
	}
	h.set(p.Workspace, p)
	return nil
}

// Remove makes ws a workspace that is known to be removed: its write keys open
// nothing and its deliveries are dropped instead of waiting.
func (h *Holder) Remove(ws id.Workspace) {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.set(ws, nil)
}

// Unload notes that ws cannot be loaded, and its write keys, nil when they are not
// known. Put and Remove end that; nothing changes while ws has a plan.
func (h *Holder) Unload(ws id.Workspace, writeKeys []string) {
	h.writing.Lock()
	defer h.writing.Unlock()
	next := *h.now()
	if _, known := next.plans[ws]; known {
		return
	}
	next.unloaded = maps.Clone(next.unloaded)
	if next.unloaded == nil {
		next.unloaded = map[id.Workspace][]string{}
	}
	next.unloaded[ws] = writeKeys
	h.state.Store(&next)
}

// set makes the next state; h.writing is held.
func (h *Holder) set(ws id.Workspace, p *Plan) {
	old := h.now()
	next := &state{
		plans: make(map[id.Workspace]*Plan, len(old.plans)+1), keys: make(map[string]ingest.Entry, len(old.keys)+1), unloaded: maps.Clone(old.unloaded),
	}
	delete(next.unloaded, ws)
	maps.Copy(next.plans, old.plans)
	next.plans[ws] = p
	for key, e := range old.keys {
		if e.Workspace != ws {
			next.keys[key] = e
		}
	}
	if p != nil {
		maps.Copy(next.keys, p.entries)
	}
	h.state.Store(next)
}

// MarkLoaded says that everything this plane had kept is in the Holder now.
func (h *Holder) MarkLoaded() { h.loaded.Store(true) }

// Loaded reports whether MarkLoaded was called: before, an unknown write key
// may only not be known yet.
func (h *Holder) Loaded() bool { return h.loaded.Load() }
