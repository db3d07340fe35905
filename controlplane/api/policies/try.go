package policies

import (
	"cmp"
	"net/http"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/review"
	"weir/controlplane/store/policies"
	"weir/shared/fault"
)

// TryPolicy asks a policy, which need not be set, what it has against the newest
// configuration of a workspace as if that were committed anew. Nothing is kept.
func (h *Handlers) TryPolicy(c echo.Context) error {
	ctx := c.Request().Context()
	var in struct {
		Name     string            `json:"name"`
		Language policies.Language `json:"language"`
		Text     string            `json:"text"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	at := review.Trial{Organization: org, Author: web.Actor(c)}
	if at.Document, _, err = h.Draft.Export(ctx, org, c.Param("name")); err != nil {
		return err
	}
	ws, err := h.Store.WorkspaceByName(ctx, org, c.Param("name"))
	if err != nil {
		return err
	}
	plane, err := h.Store.Plane(ctx, ws.Plane)
	if err != nil {
		return err
	}
	at.Plane, at.PlaneRegion = plane.ID, plane.Region
	broken, verdict, err := h.Review.Try(ctx, policies.Policy{Organization: string(org), Name: cmp.Or(in.Name, "test"), Language: in.Language, Text: in.Text}, at)
	if err != nil {
		return err
	}
	if err := fault.Problems("the policy is broken", broken); err != nil {
		return err
	}
	out := struct {
		Problems []fault.Problem `json:"problems"`
		Needs    []review.Need   `json:"needs"`
	}{verdict.Problems, verdict.Needs}
	if out.Problems == nil {
		out.Problems = []fault.Problem{}
	}
	if out.Needs == nil {
		out.Needs = []review.Need{}
	}
	return c.JSON(http.StatusOK, out)
}
