package overview

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/draft"
	"weir/controlplane/store/listing"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace"
)

type workspaceView struct {
	ID           id.Workspace      `json:"id"`
	Name         string            `json:"name"`
	Region       string            `json:"region"`
	Plane        id.Plane          `json:"plane"`
	Number       uint64            `json:"number"`
	Digest       workspace.Digest  `json:"digest"`
	Problems     []fault.Problem   `json:"problems"`
	Alarms       []wire.Alarm      `json:"alarms"`
	Sources      []sourceView      `json:"sources"`
	Destinations []destinationView `json:"destinations"`
	GatewayURL   string            `json:"gatewayUrl"`
	standing
}

type sourceView struct {
	ID       id.Source `json:"id"`
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	WriteKey string    `json:"writeKey"`
	Disabled bool      `json:"disabled"`
}

type destinationView struct {
	ID       id.Destination `json:"id"`
	Name     string         `json:"name"`
	Type     string         `json:"type"`
	Disabled bool           `json:"disabled"`
	Staged   uint64         `json:"staged"`
	Parked   uint64         `json:"parked"`
	Dead     uint64         `json:"dead"`
}

// codeCostly is the alarm that this process takes long to check the code of a workspace, or
// refused it as too complex, within the last minute.
const codeCostly wire.Code = "code_costly"

// summary is what lists show of a revision: its sources and destinations, by name, without
// what planes count of them.
type summary struct {
	sources      []sourceView
	destinations []destinationView
}

// revision names one for good.
type revision struct {
	workspace id.Workspace
	digest    workspace.Digest
}

// summaries remembers those of revisions, which never change, so that lists need not read
// and decode whole configurations. Its memory is bounded.
type summaries struct {
	mu      sync.Mutex
	of      map[revision]summary
	objects int
}

// mostObjects is how many sources and destinations, and revisions, are remembered.
const mostObjects = 200_000

func (s *summaries) find(r revision) (summary, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.of[r]
	return found, ok
}

func (s *summaries) keep(r revision, found summary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects > mostObjects {
		clear(s.of)
		s.objects = 0
	}
	s.of[r] = found
	s.objects += 1 + len(found.sources) + len(found.destinations)
}

func summarize(config workspace.Config) summary {
	s := summary{sources: make([]sourceView, 0, len(config.Sources)), destinations: make([]destinationView, 0, len(config.Destinations))}
	for _, o := range config.Sources {
		s.sources = append(s.sources, sourceView{o.ID, o.Name, o.Type, o.WriteKey, o.Disabled})
	}
	for _, o := range config.Destinations {
		s.destinations = append(s.destinations, destinationView{ID: o.ID, Name: o.Name, Type: o.Type, Disabled: o.Disabled})
	}
	slices.SortStableFunc(s.sources, func(a, b sourceView) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(s.destinations, func(a, b destinationView) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// summarized returns the summary of each row's newest revision. A workspace that was
// deleted meanwhile has none.
func (h *Handlers) summarized(ctx context.Context, rows []listing.Row) (map[id.Workspace]summary, error) {
	out := make(map[id.Workspace]summary, len(rows))
	var unknown []id.Workspace
	for _, row := range rows {
		if found, ok := h.summaries.find(revision{row.ID, row.Digest}); ok {
			out[row.ID] = found
		} else {
			unknown = append(unknown, row.ID)
		}
	}
	const together = 100 // configurations in memory
	for some := range slices.Chunk(unknown, together) {
		configs, err := h.Store.Listing().Configs(ctx, some)
		if err != nil {
			return nil, err
		}
		for ws, config := range configs {
			out[ws] = summarize(config.Config)
			h.summaries.keep(revision{ws, config.Digest}, out[ws])
		}
	}
	return out, nil
}

// show shows rows with the gateways of planes and the sums of counts.
func (h *Handlers) show(ctx context.Context, rows []listing.Row, planes []planeView, counts map[id.Plane][]wire.Count) ([]workspaceView, error) {
	summaries, err := h.summarized(ctx, rows)
	if err != nil {
		return nil, err
	}
	gateways := map[id.Plane]string{}
	for _, p := range planes {
		gateways[p.ID] = p.GatewayURL
	}
	type place struct {
		plane       id.Plane
		destination id.Destination
	}
	sums := map[place]wire.Count{}
	for plane, list := range counts {
		for _, c := range list { // ids of destinations are unique in the installation
			at := place{plane, c.Destination}
			sum := sums[at]
			sums[at] = wire.Count{Staged: sum.Staged + c.Staged, Parked: sum.Parked + c.Parked, Dead: sum.Dead + c.Dead}
		}
	}
	out := make([]workspaceView, 0, len(rows))
	for _, row := range rows {
		of, ok := summaries[row.ID]
		if !ok {
			continue // deleted meanwhile
		}
		v := workspaceView{ID: row.ID, Name: row.Name, Region: row.Region, Plane: row.Plane, Number: row.Number, Digest: row.Digest, GatewayURL: gateways[row.Plane],
			Problems: []fault.Problem{}, Alarms: []wire.Alarm{}, Sources: of.sources, Destinations: slices.Clone(of.destinations), standing: stand(row.Number, row.Ack)}
		for i := range v.Destinations {
			sum := sums[place{row.Plane, v.Destinations[i].ID}]
			v.Destinations[i].Staged, v.Destinations[i].Parked, v.Destinations[i].Dead = sum.Staged, sum.Parked, sum.Dead
		}
		if h.Code.Costly(string(row.ID)) {
			v.Alarms = append(v.Alarms, wire.Alarm{Code: codeCostly, Workspace: row.ID, Count: 1})
		}
		if row.Ack.State == wire.Rejected {
			about, err := h.Store.Revision(ctx, row.ID, row.Ack.Number)
			if err != nil && fault.KindOf(err) != fault.Missing {
				return nil, err
			}
			v.Problems = draft.Explain(about.Config, row.Ack.Problems)
		}
		out = append(out, v)
	}
	return out, nil
}

// Workspaces lists the workspaces of the request's organization that the caller may read.
func (h *Handlers) Workspaces(c echo.Context) error {
	q, err := h.query(c)
	if err != nil {
		return err
	}
	rows, next, err := h.page(c, q)
	if err != nil {
		return err
	}
	var list []workspaceView
	if q.brief {
		list = briefly(rows)
	} else if list, err = h.complete(c.Request().Context(), rows); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Workspaces []workspaceView `json:"workspaces"`
		Next       string          `json:"next"`
	}{list, next})
}

// briefly shows what rows themselves say.
func briefly(rows []listing.Row) []workspaceView {
	out := make([]workspaceView, len(rows))
	for i, row := range rows {
		out[i] = workspaceView{ID: row.ID, Name: row.Name, Region: row.Region, Plane: row.Plane, Number: row.Number, Digest: row.Digest,
			Problems: []fault.Problem{}, Alarms: []wire.Alarm{}, Sources: []sourceView{}, Destinations: []destinationView{}, standing: stand(row.Number, row.Ack)}
	}
	return out
}

// Workspace shows one.
func (h *Handlers) Workspace(c echo.Context) error {
	ctx := c.Request().Context()
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	ws, err := h.Store.WorkspaceByName(ctx, org, c.Param("name"))
	if err != nil {
		return err
	}
	rows, err := h.Store.Listing().Workspaces(ctx, listing.Filter{Organization: string(org), Of: []id.Workspace{ws.ID}, Limit: 1})
	if err != nil {
		return err
	}
	list, err := h.complete(ctx, rows)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fault.New(fault.Missing, "there is no workspace of this name")
	}
	c.Response().Header().Set("ETag", web.ETag(list[0].Number))
	return c.JSON(http.StatusOK, list[0])
}

// complete shows rows with what belongs to them.
func (h *Handlers) complete(ctx context.Context, rows []listing.Row) ([]workspaceView, error) {
	counts, err := h.counts(ctx, rows)
	if err != nil {
		return nil, err
	}
	list, err := h.Store.Planes(ctx, "")
	if err != nil {
		return nil, err
	}
	planes := make([]planeView, len(list))
	for i, p := range list {
		planes[i] = planeView{ID: p.ID, GatewayURL: p.GatewayURL}
	}
	return h.show(ctx, rows, planes, counts)
}
