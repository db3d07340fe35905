package history

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/shared/fault"
)

// audited lists the organizations whose audit rows the caller reads here: the request's,
// and "" for those about none, which are the operator's.
func (h *Handlers) audited(c echo.Context) ([]string, error) {
	ctx, who := c.Request().Context(), web.Subject(c)
	org, err := web.Organization(c)
	if err != nil {
		return nil, err
	}
	var of []string
	denied := h.Policy.Allow(ctx, who, action.ReadAudit, policy.Resource{Organization: string(org)})
	if denied == nil {
		of = append(of, string(org))
	}
	if c.Param("org") == "" && h.Policy.Allow(ctx, who, action.ReadInstallationAudit, policy.Resource{}) == nil {
		of = append(of, "")
	}
	if len(of) == 0 {
		return nil, denied
	}
	return of, nil
}

// filter reads what a list of audit rows is limited to.
func (h *Handlers) filter(c echo.Context) (f audit.Filter, err error) {
	if f.Below, f.Limit, err = web.Page(c); err != nil {
		return f, err
	}
	f.Actor, f.Action, f.Object = c.QueryParam("actor"), c.QueryParam("action"), c.QueryParam("object")
	for name, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := c.QueryParam(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return f, web.Reject(http.StatusBadRequest, "%s is a time such as 2026-01-31T12:00:00Z", name)
			}
		}
	}
	switch c.QueryParam("withoutReads") {
	case "", "false":
	case "true":
		f.WithoutReads = true
	default:
		return f, web.Reject(http.StatusBadRequest, "withoutReads is true or false: true leaves out who read events, rows or persons on a plane")
	}
	name := c.QueryParam("workspace")
	if name == "" || strings.HasPrefix(name, "ws_") { // an identifier finds a deleted one too
		f.Workspace = name
		return f, nil
	}
	org, err := web.Organization(c)
	if err != nil {
		return f, err
	}
	ws, err := h.Store.WorkspaceByName(c.Request().Context(), org, name)
	f.Workspace = string(ws.ID)
	return f, err
}

// row is an audit row as the API shows it.
type row struct {
	Organization string          `json:"organization"`
	Workspace    string          `json:"workspace"`
	At           time.Time       `json:"at"`
	Actor        string          `json:"actor"`
	ActorID      string          `json:"actorId"`
	Action       string          `json:"action"`
	Object       string          `json:"object"`
	Detail       string          `json:"detail"`
	Before       json.RawMessage `json:"before"` // null for nothing
	After        json.RawMessage `json:"after"`
	Address      string          `json:"address"`
	Request      string          `json:"request"`
	Number       uint64          `json:"number"`
	Digest       string          `json:"digest"`
}

// side is what was before or after a write, as it was kept.
func side(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return json.RawMessage("null")
	}
	return json.RawMessage(text)
}

// Audit lists who wrote what, the newest first.
func (h *Handlers) Audit(c echo.Context) error {
	of, err := h.audited(c)
	if err != nil {
		return err
	}
	f, err := h.filter(c)
	if err != nil {
		return err
	}
	f.Organizations = of
	entries, err := h.Store.Audit().List(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := struct {
		Entries []row  `json:"entries"`
		Next    string `json:"next"`
	}{Entries: make([]row, len(entries))}
	for i, e := range entries {
		out.Entries[i] = row{
			e.Organization, e.Workspace, e.At, e.Actor, e.ActorID, e.Action, e.Object, e.Detail, side(e.Before), side(e.After),
			e.Address, e.Request, e.Number, e.Digest,
		}
		out.Next = web.Next(len(entries), f.Limit, e.Seq)
	}
	return c.JSON(http.StatusOK, out)
}

// Verify looks at a part of the chain of the request's organization, or, for scope
// installation, of what is about no organization.
func (h *Handlers) Verify(c echo.Context) error {
	ctx := c.Request().Context()
	org, err := h.scope(c)
	if err != nil {
		return err
	}
	after := uint64(0)
	if text := c.QueryParam("cursor"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 63); err != nil || after == 0 {
			return web.Reject(http.StatusBadRequest, "cursor is the former part's next")
		}
	}
	report, err := h.Signer.Verify(ctx, string(org), after)
	if err != nil {
		return err
	}
	type found struct {
		Number uint64 `json:"number"`
		Code   string `json:"code"`
		Text   string `json:"text"`
	}
	out := struct {
		From     uint64     `json:"from"`
		Through  uint64     `json:"through"`
		Digest   string     `json:"digest"`
		Signed   uint64     `json:"signed"`
		SignedAt *time.Time `json:"signedAt,omitempty"`
		Problems []found    `json:"problems"`
		Next     string     `json:"next"`
	}{From: report.From, Through: report.Through, Digest: report.Digest, Signed: report.Signed, Problems: make([]found, len(report.Problems))}
	if !report.SignedAt.IsZero() {
		out.SignedAt = &report.SignedAt
	}
	for i, p := range report.Problems {
		out.Problems[i] = found(p)
	}
	if report.Next > 0 {
		out.Next = strconv.FormatUint(report.Next, 10)
	}
	return c.JSON(http.StatusOK, out)
}

// scope is whose chain is meant, if the caller may read it.
func (h *Handlers) scope(c echo.Context) (store.OrganizationID, error) {
	ctx, who := c.Request().Context(), web.Subject(c)
	switch scope := c.QueryParam("scope"); {
	case scope == "installation" && c.Param("org") == "":
		return "", h.Policy.Allow(ctx, who, action.ReadInstallationAudit, policy.Resource{})
	case scope != "":
		return "", fault.Problems("the query cannot be read", []fault.Problem{{
			Path: "scope", Code: "unknown_scope", Text: "The scope is installation, on a path without an organization, or left out.",
		}})
	}
	org, err := web.Organization(c)
	if err != nil {
		return "", err
	}
	return org, h.Policy.Allow(ctx, who, action.ReadAudit, policy.Resource{Organization: string(org)})
}
