package api

import (
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/draft"
	"weir/controlplane/review"
	"weir/shared/fault"
)

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
