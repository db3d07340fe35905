// Package overview is the part of the API that shows workspaces and planes with what planes
// report: lists, which have pages, and single ones.
//
// It guarantees that an answer holds, and that the store is asked for, what the caller may
// read alone: nothing of other workspaces and organizations. Planes themselves are known to
// everybody.
package overview

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/pages"
	"weir/controlplane/api/web"
	"weir/controlplane/fleet"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/store"
	"weir/controlplane/store/listing"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/script"
	"weir/shared/wire"
)

// Config is what Handlers stand on. All is required.
type Config struct {
	Store  *store.Store
	Policy *policy.Policy
	Fleet  *fleet.Service
	Code   *script.Compiler
}

// Handlers answer this part of the API.
type Handlers struct {
	Config
	summaries summaries
}

// New returns handlers.
func New(cfg Config) *Handlers {
	return &Handlers{Config: cfg, summaries: summaries{of: map[revision]summary{}}}
}

// query is which workspaces a caller wants to see.
type query struct {
	pages.List
	organization  store.OrganizationID
	region, state string
	plane         id.Plane
	names         []string // none but these; nil for all
	brief         bool     // without what is in them and what planes say of them
}

// mostNames is how many workspaces a list may be asked for by their names.
const mostNames = 500

var states = []string{"applied", "rejected", "pending", "none"}

func (h *Handlers) query(c echo.Context) (q query, err error) {
	if q.List, err = pages.Read(c); err != nil {
		return q, err
	}
	if q.organization, err = web.Organization(c); err != nil {
		return q, err
	}
	q.region, q.state, q.names = c.QueryParam("region"), c.QueryParam("state"), c.QueryParams()["name"]
	if len(q.names) > mostNames {
		return q, web.Reject(http.StatusBadRequest, "name stands %d times at most", mostNames)
	}
	switch brief := c.QueryParam("brief"); brief {
	case "", "false":
	case "true":
		q.brief = true
	default:
		return q, web.Reject(http.StatusBadRequest, "brief is true or false")
	}
	if q.state != "" && !slices.Contains(states, q.state) {
		return q, web.Reject(http.StatusBadRequest, "state is one of %s", strings.Join(states, ", "))
	}
	if named := c.QueryParam("plane"); named != "" {
		q.plane = id.Plane(named)
		planes, err := h.Store.Planes(c.Request().Context(), "")
		if err != nil {
			return q, err
		}
		for _, p := range planes {
			if p.Name == named {
				q.plane = p.ID
			}
		}
	}
	return q, nil
}

// page reads the workspaces of q that the caller may read, and the cursor of the next page.
func (h *Handlers) page(c echo.Context, q query) (rows []listing.Row, next string, err error) {
	f := listing.Filter{Organization: string(q.organization), Names: q.names, Like: q.Like, Region: q.region, Plane: q.plane, Descending: q.Descending, After: q.After}
	var none bool
	if f.Of, none = h.within(c, q.organization); none {
		return nil, "", nil
	}
	for {
		f.Limit = q.Limit - len(rows) + 1
		some, err := h.Store.Listing().Workspaces(c.Request().Context(), f)
		if err != nil {
			return nil, "", err
		}
		for _, row := range some {
			if len(rows) == q.Limit {
				return rows, pages.Cursor(rows[q.Limit-1].Name), nil
			}
			if h.readable(c, q.organization, row.ID) && (q.state == "" || stand(row.Number, row.Ack).State == q.state) {
				rows = append(rows, row)
			}
			f.After = row.Name
		}
		if len(some) < f.Limit {
			return rows, "", nil
		}
	}
}

// within lists the workspaces of an organization that are all the caller may read at most;
// nil is all of it.
func (h *Handlers) within(c echo.Context, org store.OrganizationID) (of []id.Workspace, none bool) {
	if h.readable(c, org, "") {
		return nil, false
	}
	of = []id.Workspace{}
	for _, g := range web.Actor(c).Grants {
		if g.Organization == org && g.Workspace != "" {
			of = append(of, g.Workspace)
		}
	}
	return of, len(of) == 0
}

// readable reports whether the caller may read a workspace that is in org, or, for an empty
// one, any that is in it.
func (h *Handlers) readable(c echo.Context, org store.OrganizationID, ws id.Workspace) bool {
	on := policy.Resource{Organization: string(org), Workspace: string(ws)}
	return h.Policy.Allow(c.Request().Context(), web.Subject(c), action.ReadWorkspace, on) == nil
}

// standing is what a plane made of the revision that it has to run.
type standing struct {
	Applied uint64 `json:"applied"` // the number that it acknowledged as applied, else the one that it runs
	Running uint64 `json:"running"`
	State   string `json:"state"` // applied, rejected, pending or none
}

func stand(wanted uint64, ack wire.Ack) standing {
	s := standing{Applied: ack.Running, Running: ack.Running, State: "pending"}
	if ack.State == wire.Applied {
		s.Applied = ack.Number
	}
	switch {
	case wanted == 0:
		s.State = "none"
	case ack.Number >= wanted:
		s.State = string(ack.State)
	}
	return s
}

// Status answers with planes and a page of workspaces. Planes show what they report of the
// workspaces of the page.
func (h *Handlers) Status(c echo.Context) error {
	q, err := h.query(c)
	if err != nil {
		return err
	}
	rows, next, err := h.page(c, q)
	if err != nil {
		return err
	}
	counts, err := h.counts(c.Request().Context(), rows)
	if err != nil {
		return err
	}
	planes, err := h.planes(c, q.organization, "", rows, counts)
	if err != nil {
		return err
	}
	list, err := h.show(c.Request().Context(), rows, planes, counts)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Planes     []planeView     `json:"planes"`
		Workspaces []workspaceView `json:"workspaces"`
		Next       string          `json:"next"`
	}{planes, list, next})
}

func (h *Handlers) counts(ctx context.Context, rows []listing.Row) (map[id.Plane][]wire.Count, error) {
	of := make([]id.Workspace, len(rows))
	for i, row := range rows {
		of[i] = row.ID
	}
	return h.Store.Listing().Counts(ctx, of)
}

// Planes answers with planes, and how many workspaces that the caller may read are on them;
// what they report of these is in a status, page by page.
func (h *Handlers) Planes(c echo.Context) error {
	l, err := pages.Read(c)
	if err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil && fault.KindOf(err) != fault.Invalid {
		return err
	}
	all, err := h.planes(c, org, c.QueryParam("region"), nil, nil)
	if err != nil {
		return err
	}
	if kind := c.QueryParam("kind"); kind != "" {
		all = slices.DeleteFunc(all, func(p planeView) bool { return string(p.Kind) != kind })
	}
	page, next := pages.Paged(l, all, func(p planeView) string { return p.Name }, func(p planeView) string { return string(p.ID) })
	return c.JSON(http.StatusOK, struct {
		Planes []planeView `json:"planes"`
		Next   string      `json:"next"`
	}{page, next})
}
