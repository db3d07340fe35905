package notices

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"weir/controlplane/store"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/condition"
)

// atOnce is how many rows streams are told of; of more they are told to ask anew.
const atOnce = 500

// look finds what changed since it looked last, and tells who listens.
func (h *Handlers) look(ctx context.Context) error {
	listening, told := h.audience()
	if len(listening) == 0 {
		clear(h.planes)
		clear(h.workspaces)
		return nil
	}
	organizations := make([]string, 0, len(told))
	for org := range told {
		organizations = append(organizations, org)
	}
	newest, err := h.Store.Audit().Newest(ctx, organizations...)
	if err != nil {
		return err
	}
	for org, from := range told {
		switch through := newest[org]; {
		case through == from:
		case through < from || through-from > atOnce: // a database from a backup, or a flood
			h.tell(org, through, nil, true)
		default:
			rows, err := h.Store.Audit().After(ctx, org, from, atOnce)
			if err != nil {
				return err
			}
			list, err := h.entries(ctx, rows)
			if err != nil {
				return err
			}
			if len(rows) > 0 {
				h.tell(org, rows[len(rows)-1].Number, list, false)
			}
		}
	}
	return h.hearPlanes(ctx, listening)
}

// heard is what a plane said when it was looked at last.
type heard struct {
	state  [sha256.Size]byte
	counts map[id.Workspace][sha256.Size]byte // nil before they were read
}

// hearPlanes tells of planes whose word on themselves or on workspaces changed.
func (h *Handlers) hearPlanes(ctx context.Context, listening []*listener) error {
	planes, err := h.Store.Planes(ctx, "")
	if err != nil {
		return fmt.Errorf("look at planes: %w", err)
	}
	var list []change
	there := map[id.Plane]bool{}
	for _, p := range planes {
		there[p.ID] = true
		p = h.Judge(p)
		state, err := digest(struct {
			Beat, Healthy, Alarms any
		}{p.LastBeat, p.Healthy, p.Alarms})
		if err != nil {
			return err
		}
		before, known := h.planes[p.ID]
		if known && before.state == state {
			continue
		}
		now := heard{state: state}
		var changed []id.Workspace
		if now.counts, changed, err = h.counted(ctx, p.ID, before.counts); err != nil {
			return err
		}
		if !known { // what it said before is not known: all of it may be new
			changed = nil
			list = append(list, change{kind: Status})
		}
		about, err := h.about(ctx, p, changed)
		if err != nil {
			return err
		}
		list = append(list, about...)
		h.planes[p.ID] = now
	}
	for p := range h.planes {
		if !there[p] {
			delete(h.planes, p)
		}
	}
	if len(list) > 0 {
		for _, l := range listening {
			l.hear(list)
		}
	}
	return nil
}

// counted returns what identifies the counts of each workspace of a plane, and those
// whose counts are not as they were.
func (h *Handlers) counted(ctx context.Context, p id.Plane, before map[id.Workspace][sha256.Size]byte) (map[id.Workspace][sha256.Size]byte, []id.Workspace, error) {
	counts, err := h.Store.Counts(ctx, p)
	if err != nil {
		return nil, nil, fmt.Errorf("look at the counts of plane %s: %w", p, err)
	}
	by := map[id.Workspace][]wire.Count{}
	for _, c := range counts {
		by[c.Workspace] = append(by[c.Workspace], c)
	}
	now := make(map[id.Workspace][sha256.Size]byte, len(by))
	var changed []id.Workspace
	for ws, list := range by {
		if now[ws], err = digest(list); err != nil {
			return nil, nil, err
		}
		if before[ws] != now[ws] {
			changed = append(changed, ws)
		}
	}
	slices.Sort(changed)
	return now, changed, nil
}

// about is what a plane's new word changes: the plane, and workspaces whose counts changed.
func (h *Handlers) about(ctx context.Context, p store.Plane, changed []id.Workspace) ([]change, error) {
	named := slices.Clone(changed)
	for _, a := range p.Alarms {
		if a.Workspace != "" {
			named = append(named, a.Workspace)
		}
	}
	if err := h.find(ctx, named); err != nil {
		return nil, err
	}
	c := change{kind: Plane, plane: p.ID, owner: string(p.Organization), state: &State{Healthy: p.Healthy, Alarms: []wire.Alarm{}, Conditions: append([]condition.Heard{}, p.Conditions...)}}
	if !p.LastBeat.IsZero() {
		c.state.LastBeat = &p.LastBeat
	}
	for _, a := range p.Alarms {
		ws, known := h.workspaces[a.Workspace]
		if a.Workspace == "" || known {
			c.alarms = append(c.alarms, alarm{a, string(ws.Organization)})
		}
	}
	list := []change{c}
	for _, id := range changed {
		if ws, ok := h.workspaces[id]; ok {
			list = append(list, change{kind: Status, organization: string(ws.Organization), workspace: id, name: ws.Name})
		}
	}
	return list, nil
}

// find has the workspaces at hand that are named.
func (h *Handlers) find(ctx context.Context, named []id.Workspace) error {
	unknown := slices.DeleteFunc(slices.Clone(named), func(ws id.Workspace) bool { _, ok := h.workspaces[ws]; return ok })
	for some := range slices.Chunk(unknown, atOnce) {
		found, err := h.Store.Wanted(ctx, some...)
		if err != nil {
			return fmt.Errorf("find workspaces: %w", err)
		}
		for _, ws := range found {
			h.workspaces[ws.ID] = ws
		}
	}
	return nil
}

func digest(v any) ([sha256.Size]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode what a plane said: %w", err)
	}
	return sha256.Sum256(text), nil
}
