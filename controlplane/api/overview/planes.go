package overview

import (
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/fleet"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/store"
	"weir/controlplane/store/listing"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/condition"
)

type planeView struct {
	ID                  id.Plane          `json:"id"`
	Name                string            `json:"name"`
	Region              string            `json:"region"`
	Kind                store.PlaneKind   `json:"kind"`
	Version             string            `json:"version"`
	SealingKey          []byte            `json:"sealingKey"`
	SealingKeySignature []byte            `json:"sealingKeySignature"`
	IdentityKey         []byte            `json:"identityKey"`
	Fingerprint         string            `json:"fingerprint"`
	GatewayURL          string            `json:"gatewayUrl"`
	ViewURL             string            `json:"viewUrl"`
	LastBeat            *time.Time        `json:"lastBeat"`
	Healthy             bool              `json:"healthy"`
	Alarms              []wire.Alarm      `json:"alarms"`
	Conditions          []condition.Heard `json:"conditions"`
	Workspaces          []standingView    `json:"workspaces"`
	Counts              []wire.Count      `json:"counts"`
	WorkspaceCount      *int              `json:"workspaceCount,omitempty"` // nil where no organization is asked about
}

type standingView struct {
	Workspace string `json:"workspace"`
	Wanted    uint64 `json:"wanted"`
	standing
}

// planes shows the planes of a region, or all when region is empty, with what they report
// of rows, and their alarms of what the caller may read.
func (h *Handlers) planes(c echo.Context, org store.OrganizationID, region string, rows []listing.Row, counts map[id.Plane][]wire.Count) ([]planeView, error) {
	list, err := h.Store.Planes(c.Request().Context(), region)
	if err != nil {
		return nil, err
	}
	placed, err := h.placed(c, org)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p store.Plane) bool { return !h.visible(c, p, placed[p.ID] > 0) })
	mine, err := h.alarmed(c, org, list)
	if err != nil {
		return nil, err
	}
	standings := map[id.Plane][]standingView{}
	for _, row := range rows {
		standings[row.Plane] = append(standings[row.Plane], standingView{row.Name, row.Number, stand(row.Number, row.Ack)})
	}
	out := make([]planeView, len(list))
	for i, p := range list {
		p = h.Fleet.Judge(p)
		v := planeView{
			ID: p.ID, Name: p.Name, Region: p.Region, Kind: p.Kind, Version: p.Version,
			SealingKey: p.SealingKey, SealingKeySignature: p.SealingKeySignature, IdentityKey: p.IdentityKey, Fingerprint: fleet.Fingerprint(p.IdentityKey),
			GatewayURL: p.GatewayURL, ViewURL: p.ViewURL, Healthy: p.Healthy,
			Conditions: append([]condition.Heard{}, p.Conditions...), Alarms: []wire.Alarm{}, Counts: counts[p.ID], Workspaces: standings[p.ID],
		}
		if n := placed[p.ID]; org != "" {
			v.WorkspaceCount = &n
		}
		if !p.LastBeat.IsZero() {
			v.LastBeat = &p.LastBeat
		}
		if v.Counts == nil {
			v.Counts = []wire.Count{}
		}
		if v.Workspaces == nil {
			v.Workspaces = []standingView{}
		}
		for _, alarm := range p.Alarms {
			if alarm.Workspace == "" || mine[alarm.Workspace] {
				v.Alarms = append(v.Alarms, alarm)
			}
		}
		out[i] = v
	}
	return out, nil
}

// placed returns how many workspaces of org that the caller may read are on each plane; of
// several organizations (an empty org) none.
func (h *Handlers) placed(c echo.Context, org store.OrganizationID) (map[id.Plane]int, error) {
	if org == "" {
		return nil, nil
	}
	of, none := h.within(c, org)
	if of != nil {
		of = slices.DeleteFunc(of, func(ws id.Workspace) bool { return !h.readable(c, org, ws) })
		slices.Sort(of)
		of = slices.Compact(of)
		none = len(of) == 0
	}
	if none {
		return nil, nil
	}
	return h.Store.Listing().Placed(c.Request().Context(), listing.Filter{Organization: string(org), Of: of})
}

// visible reports whether the caller may know of a plane. A private one is for its own
// organization, for whoever removes planes, and for who may read a workspace that it runs.
func (h *Handlers) visible(c echo.Context, p store.Plane, runs bool) bool {
	if p.Kind != store.Private {
		return true
	}
	for _, g := range web.Actor(c).Grants {
		if g.Organization != "" && string(g.Organization) == string(p.Organization) {
			return true
		}
	}
	return runs || h.Policy.Allow(c.Request().Context(), web.Subject(c), action.RemovePlane, policy.Resource{}) == nil
}

// alarmed returns which of the workspaces that alarms are about the caller may read.
func (h *Handlers) alarmed(c echo.Context, org store.OrganizationID, planes []store.Plane) (map[id.Workspace]bool, error) {
	named := map[id.Workspace]bool{}
	for _, p := range planes {
		for _, a := range p.Alarms {
			if a.Workspace != "" && org != "" && h.readable(c, org, a.Workspace) {
				named[a.Workspace] = true
			}
		}
	}
	if len(named) == 0 {
		return nil, nil
	}
	of := make([]id.Workspace, 0, len(named))
	for ws := range named {
		of = append(of, ws)
	}
	there, err := h.Store.Listing().Workspaces(c.Request().Context(), listing.Filter{Organization: string(org), Of: of, Limit: len(of)})
	mine := map[id.Workspace]bool{} // a grant for all of org says nothing of what is elsewhere
	for _, row := range there {
		mine[row.ID] = true
	}
	return mine, err
}

// Named returns the workspaces with these names in an organization, by plane. fault.Denied:
// the caller may not do act to one of them. fault.Missing: one is not there.
func (h *Handlers) Named(c echo.Context, org store.OrganizationID, names []string, act policy.Action) (map[id.Plane][]listing.Row, error) {
	ctx := c.Request().Context()
	there := map[string]listing.Row{}
	for some := range slices.Chunk(names, mostNames) {
		rows, err := h.Store.Listing().Workspaces(ctx, listing.Filter{Organization: string(org), Names: some, Limit: len(some)})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			there[r.Name] = r
		}
	}
	out := map[id.Plane][]listing.Row{}
	for _, name := range names {
		row, ok := there[name]
		// Before what is missing: who has no role in a workspace hears nothing of it.
		if err := h.Policy.Allow(ctx, web.Subject(c), act, policy.Resource{Organization: string(org), Workspace: string(row.ID)}); err != nil {
			return nil, err
		}
		if !ok {
			return nil, fault.New(fault.Missing, "there is no workspace %s", name)
		}
		out[row.Plane] = append(out[row.Plane], row)
	}
	return out, nil
}
