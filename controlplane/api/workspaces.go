package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/draft"
	"weir/controlplane/review"
	"weir/controlplane/store"
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

// place is what several workspaces of one plane share while they are listed.
type place struct {
	plane store.Plane
	sums  map[id.Destination]wire.Count
}

func (a *API) place(ctx context.Context, plane id.Plane) (*place, error) {
	p := &place{sums: map[id.Destination]wire.Count{}}
	var err error
	if p.plane, err = a.cfg.Store.Plane(ctx, plane); err != nil {
		return nil, err
	}
	counts, err := a.cfg.Store.Counts(ctx, plane)
	if err != nil {
		return nil, err
	}
	for _, c := range counts { // ids of destinations are unique in the installation
		sum := p.sums[c.Destination]
		p.sums[c.Destination] = wire.Count{Staged: sum.Staged + c.Staged, Parked: sum.Parked + c.Parked, Dead: sum.Dead + c.Dead}
	}
	return p, nil
}

// view shows ws as its plane at stands to it.
func (a *API) view(ctx context.Context, ws store.Workspace, at *place, acks []wire.Ack) (workspaceView, error) {
	var ack wire.Ack
	for _, k := range acks {
		if k.Plane == ws.Plane && k.Workspace == ws.ID {
			ack = k
		}
	}
	rev, err := a.cfg.Store.Latest(ctx, ws.ID)
	if err != nil {
		return workspaceView{}, err
	}
	v := workspaceView{
		ID: ws.ID, Name: ws.Name, Region: ws.Region, Plane: ws.Plane, Number: rev.Number, Digest: rev.Digest, GatewayURL: at.plane.GatewayURL,
		Problems: []fault.Problem{}, Alarms: []wire.Alarm{}, Sources: []sourceView{}, Destinations: []destinationView{}, standing: stand(rev.Number, ack),
	}
	if a.cfg.Code.Costly(string(ws.ID)) {
		v.Alarms = append(v.Alarms, wire.Alarm{Code: codeCostly, Workspace: ws.ID, Count: 1})
	}
	if ack.State == wire.Rejected {
		about := rev
		if ack.Number != rev.Number {
			about, err = a.cfg.Store.Revision(ctx, ws.ID, ack.Number)
			if err != nil && fault.KindOf(err) != fault.Missing {
				return workspaceView{}, err
			}
		}
		v.Problems = draft.Explain(about.Config, ack.Problems)
	}
	for _, s := range rev.Config.Sources {
		v.Sources = append(v.Sources, sourceView{s.ID, s.Name, s.Type, s.WriteKey, s.Disabled})
	}
	for _, d := range rev.Config.Destinations {
		sum := at.sums[d.ID]
		v.Destinations = append(v.Destinations, destinationView{d.ID, d.Name, d.Type, d.Disabled, sum.Staged, sum.Parked, sum.Dead})
	}
	sortByName(v.Sources, func(s sourceView) string { return s.Name })
	sortByName(v.Destinations, func(d destinationView) string { return d.Name })
	return v, nil
}

// listWorkspaces shows the workspaces of the request's organization that the caller may read.
func (a *API) listWorkspaces(c echo.Context) ([]workspaceView, error) {
	ctx := c.Request().Context()
	org, err := web.Organization(c)
	if err != nil {
		return nil, err
	}
	readable, err := a.readable(c, org)
	if err != nil {
		return nil, err
	}
	list, err := a.cfg.Store.Workspaces(ctx, org)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(ws store.Workspace) bool { return !readable(ws.ID) })
	acks, err := a.cfg.Store.Acks(ctx, "")
	if err != nil {
		return nil, err
	}
	places := map[id.Plane]*place{}
	out := make([]workspaceView, 0, len(list))
	for _, ws := range list {
		if places[ws.Plane] == nil {
			if places[ws.Plane], err = a.place(ctx, ws.Plane); err != nil {
				return nil, err
			}
		}
		v, err := a.view(ctx, ws, places[ws.Plane], acks)
		if err != nil && fault.KindOf(err) == fault.Missing {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (a *API) workspaces(c echo.Context) error {
	list, err := a.listWorkspaces(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"workspaces": list})
}

func (a *API) status(c echo.Context) error {
	planes, err := a.listPlanes(c, "")
	if err != nil {
		return err
	}
	list, err := a.listWorkspaces(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"planes": planes, "workspaces": list})
}

func (a *API) workspace(c echo.Context) error {
	ctx := c.Request().Context()
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	ws, err := a.cfg.Store.WorkspaceByName(ctx, org, c.Param("name"))
	if err != nil {
		return err
	}
	acks, err := a.cfg.Store.Acks(ctx, ws.ID)
	if err != nil {
		return err
	}
	at, err := a.place(ctx, ws.Plane)
	if err != nil {
		return err
	}
	v, err := a.view(ctx, ws, at, acks)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v)
}

func (a *API) deleteWorkspace(c echo.Context) error {
	base, err := web.IfMatch(c)
	if err != nil {
		return err
	}
	discard := false
	if text := c.QueryParam("discardParked"); text != "" {
		if discard, err = strconv.ParseBool(text); err != nil {
			return web.Reject(http.StatusBadRequest, "discardParked is true or false")
		}
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if err := a.cfg.Draft.Delete(c.Request().Context(), actor(c), org, c.Param("name"), base, discard); err != nil {
		return web.Matched(base, err)
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) config(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	doc, number, err := a.cfg.Draft.Export(c.Request().Context(), org, c.Param("name"))
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", web.ETag(number))
	return c.JSON(http.StatusOK, doc)
}

// proposal reads the body of diff and apply.
func proposal(c echo.Context, body []byte) (draft.Proposal, error) {
	var in struct {
		Document      jsontext.Value `json:"document"`
		Prune         bool           `json:"prune"`
		DiscardParked bool           `json:"discardParked"`
		Reason        string         `json:"reason"`
	}
	if err := web.Parse(body, &in); err != nil {
		return draft.Proposal{}, err
	}
	if len(in.Document) == 0 {
		return draft.Proposal{}, fault.Problems("the body cannot be read", []fault.Problem{{Path: "document", Code: "required", Text: "The document is missing."}})
	}
	doc, err := draft.Decode(in.Document)
	if err != nil {
		return draft.Proposal{}, err
	}
	org, err := web.Organization(c)
	return draft.Proposal{Organization: org, Name: c.Param("name"), Document: doc, Prune: in.Prune, DiscardParked: in.DiscardParked, Reason: in.Reason, Author: web.Actor(c), Only: web.Only(c)}, err
}

func (a *API) diff(c echo.Context) error {
	body, err := web.Read(c)
	if err != nil {
		return err
	}
	p, err := proposal(c, body)
	if err != nil {
		return err
	}
	d, err := a.cfg.Draft.Diff(c.Request().Context(), p)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Changes  []draft.Change  `json:"changes"`
		Problems []fault.Problem `json:"problems"`
		Number   uint64          `json:"number"`
		Needs    []review.Need   `json:"needs"`
	}{d.Changes, append([]fault.Problem{}, d.Problems...), d.Number, append([]review.Need{}, d.Needs...)})
}

func sortByName[T any](list []T, name func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(name(a), name(b)) })
}
