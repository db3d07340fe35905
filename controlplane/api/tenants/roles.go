package tenants

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/pages"
	"weir/controlplane/api/web"
	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

type roleView struct {
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
	Fixed   bool     `json:"fixed"` // every organization has it
}

// Roles lists what can be granted in the organization: the roles that every one has, then
// those that it made.
func (h *Handlers) Roles(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if err := pages.OneOf(c, "fixed", "true", "false"); err != nil {
		return err
	}
	own, err := h.tenancy.Roles(c.Request().Context(), org)
	if err != nil {
		return err
	}
	out := []roleView{}
	if c.QueryParam("fixed") != "false" {
		for _, role := range h.Policy.Roles() {
			out = append(out, roleView{string(role), texts(h.Policy.ActionsOf(role)), true})
		}
	}
	if c.QueryParam("fixed") != "true" {
		for _, r := range own {
			out = append(out, roleView{r.Name, r.Actions, false})
		}
	}
	name := func(r roleView) string { return r.Name }
	return pages.Answer(c, "roles", out, name, name)
}

func texts(actions []policy.Action) []string {
	out := make([]string, len(actions))
	for i, a := range actions {
		out[i] = string(a)
	}
	return out
}

// made finds a role that the organization made; ok is false for none.
func (h *Handlers) made(ctx context.Context, org store.OrganizationID, name string) (role tenancy.Role, ok bool, err error) {
	all, err := h.tenancy.Roles(ctx, org)
	if err != nil {
		return tenancy.Role{}, false, err
	}
	at := slices.IndexFunc(all, func(r tenancy.Role) bool { return r.Name == name })
	if at < 0 {
		return tenancy.Role{}, false, nil
	}
	return all[at], true, nil
}

// WriteRole makes a role of the organization, or gives one other actions. The caller has
// all of them himself in the organization, and all that it had before.
func (h *Handlers) WriteRole(c echo.Context) error {
	ctx := c.Request().Context()
	var in struct {
		Actions []string `json:"actions"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	want := tenancy.Role{Organization: org, Name: c.Param("id"), Actions: in.Actions}
	if err := fault.Problems("the role cannot be set", h.roleProblems(want)); err != nil {
		return err
	}
	former, _, err := h.made(ctx, org, want.Name)
	if err != nil {
		return err
	}
	for _, actions := range [][]string{former.Actions, want.Actions} {
		if err := h.within(c, store.Grant{Organization: org, Role: want.Name, Actions: actions}); err != nil {
			return err
		}
	}
	if err := h.tenancy.SetRole(ctx, web.Actor(c).String(), want); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *Handlers) roleProblems(r tenancy.Role) []fault.Problem {
	var problems []fault.Problem
	if !validOrganization.MatchString(r.Name) {
		problems = append(problems, fault.Problem{Path: "name", Code: "bad_name", Text: "A name has 1 to 63 lower-case letters, digits and hyphens, and begins with no hyphen."})
	}
	if policy.Role(r.Name) == policy.Operator || slices.Contains(h.Policy.Roles(), policy.Role(r.Name)) {
		problems = append(problems, fault.Problem{Path: "name", Code: "name_taken", Text: "Every organization has a role of this name."})
	}
	if len(r.Actions) == 0 {
		problems = append(problems, fault.Problem{Path: "actions", Code: "required", Text: "A role has at least one action."})
	}
	known := h.Policy.Actions()
	for i, a := range r.Actions {
		if !slices.Contains(known, policy.Action(a)) {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("actions[%d]", i), Code: "unknown_action", Text: "There is no such action."})
		} else if h.Policy.OfInstallation(policy.Action(a)) {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("actions[%d]", i), Code: "unknown_action", Text: "This action is the operator's: no role of an organization has it."})
		}
	}
	return problems
}

// RemoveRole forgets a role that the organization made and nobody has.
func (h *Handlers) RemoveRole(c echo.Context) error {
	ctx := c.Request().Context()
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if err := h.tenancy.RemoveRole(ctx, web.Actor(c).String(), org, c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
