package policies

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/draft"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/store/changes"
	"weir/shared/fault"
	"weir/shared/id"
)

// changeView is a change request as a list shows it; one that was asked for has Before and
// After.
type changeView struct {
	Number    uint64          `json:"number"`
	Workspace string          `json:"workspace"`
	Base      uint64          `json:"base"`
	State     changes.State   `json:"state"`
	Author    string          `json:"author"`
	At        time.Time       `json:"at"`
	Reason    string          `json:"reason"`
	Needs     json.RawMessage `json:"needs"`
	Changes   json.RawMessage `json:"changes"`
	DecidedBy string          `json:"decidedBy,omitempty"`
	DecidedAt *time.Time      `json:"decidedAt,omitempty"`
	Note      string          `json:"note,omitempty"`
	Revision  uint64          `json:"revision,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
}

func viewChange(r changes.Request) changeView {
	v := changeView{Number: r.Number, Workspace: r.Name, Base: r.Base, State: r.State, Author: r.Author, At: r.At, Reason: r.Reason,
		Needs: r.Needs, Changes: r.Changes, DecidedBy: r.DecidedBy, Note: r.Note, Revision: r.Revision}
	if !r.DecidedAt.IsZero() {
		v.DecidedAt = &r.DecidedAt
	}
	return v
}

// Changes lists the change requests of workspaces that the caller may read.
func (h *Handlers) Changes(c echo.Context) error {
	below, limit, err := web.Page(c)
	if err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	f := changes.Filter{Name: c.QueryParam("workspace"), State: changes.State(c.QueryParam("state"))}
	list, err := h.Store.Changes().List(c.Request().Context(), string(org), f, below, limit)
	if err != nil {
		return err
	}
	out := struct {
		Changes []changeView `json:"changes"`
		Next    string       `json:"next"`
	}{Changes: []changeView{}}
	for _, r := range list {
		out.Next = web.Next(len(list), limit, r.Number)
		if h.may(c, action.ReadWorkspace, r) == nil {
			out.Changes = append(out.Changes, viewChange(r))
		}
	}
	return c.JSON(http.StatusOK, out)
}

// may says whether the caller may do action to the workspace that a request is about,
// which may have had another name than it has now.
func (h *Handlers) may(c echo.Context, action policy.Action, r changes.Request) error {
	return h.Policy.Allow(c.Request().Context(), web.Subject(c), action, policy.Resource{Organization: r.Organization, Workspace: string(r.Workspace)})
}

// find finds the request that a path names, to which the caller may do action.
func (h *Handlers) find(c echo.Context, action policy.Action) (changes.Request, error) {
	number, err := strconv.ParseUint(c.Param("number"), 10, 63)
	if err != nil {
		return changes.Request{}, web.Reject(http.StatusBadRequest, "a change is named by its number")
	}
	org, err := web.Organization(c)
	if err != nil {
		return changes.Request{}, err
	}
	r, err := h.Store.Changes().Get(c.Request().Context(), string(org), number)
	if err != nil {
		return changes.Request{}, err
	}
	if r.Name != c.Param("name") {
		return changes.Request{}, fault.New(fault.Missing, "the workspace has no change %d", number)
	}
	return r, h.may(c, action, r)
}

// Change shows one with what differs.
func (h *Handlers) Change(c echo.Context) error {
	r, err := h.find(c, action.ReadWorkspace)
	if err != nil {
		return err
	}
	out := viewChange(r)
	out.Before, out.After = r.Before, r.After
	return c.JSON(http.StatusOK, out)
}

// decision is what somebody says who decides.
type decision struct {
	Note string `json:"note"`
}

// longestNote is how long a note may be, in bytes.
const longestNote = 2000

func decide(c echo.Context) (decision, error) {
	var in decision
	if err := web.Decode(c, &in); err != nil {
		return in, err
	}
	if len(in.Note) > longestNote {
		return in, fault.Problems("the change cannot be decided", []fault.Problem{{Path: "note", Code: "too_long", Text: fmt.Sprintf("A note has at most %d bytes.", longestNote)}})
	}
	return in, nil
}

// Approve makes a request the next revision of its workspace.
func (h *Handlers) Approve(c echo.Context) error {
	in, err := decide(c)
	if err != nil {
		return err
	}
	r, err := h.find(c, action.ApproveChanges)
	if err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	done, err := h.Draft.Approve(c.Request().Context(), web.Actor(c), org, r.Number, in.Note)
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", web.ETag(done.Number))
	return c.JSON(http.StatusOK, struct {
		Workspace id.Workspace   `json:"workspace"`
		Number    uint64         `json:"number"`
		Changes   []draft.Change `json:"changes"`
	}{done.Workspace, done.Number, done.Changes})
}

// Reject ends a request; its author may apply another one.
func (h *Handlers) Reject(c echo.Context) error {
	return h.close(c, action.ApproveChanges, changes.Rejected)
}

// Withdraw takes the caller's own request back.
func (h *Handlers) Withdraw(c echo.Context) error {
	return h.close(c, action.ReadWorkspace, changes.Withdrawn)
}

func (h *Handlers) close(c echo.Context, action policy.Action, state changes.State) error {
	in, err := decide(c)
	if err != nil {
		return err
	}
	r, err := h.find(c, action)
	if err != nil {
		return err
	}
	who := web.Actor(c)
	if state == changes.Withdrawn && !draft.Proposed(who, r) {
		return fault.New(fault.Denied, "change %d is another one's: who may approve it rejects it", r.Number)
	}
	if err := h.Store.Changes().Close(c.Request().Context(), who.String(), r.Organization, r.Number, state, in.Note); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
