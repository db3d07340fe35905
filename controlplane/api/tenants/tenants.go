// Package tenants is the part of the API about organizations, their members, invitations
// and tokens, and about the caller's own account.
//
// It guarantees that nobody gives or takes a role that he does not have himself there,
// and that a token is never worth more than whoever made it.
package tenants

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/pages"
	"weir/controlplane/api/web"
	"weir/controlplane/authn"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/store"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
	"weir/shared/id"
)

// Config is what Handlers stand on. All is required.
type Config struct {
	Store  *store.Store
	Policy *policy.Policy
	Authn  *authn.Service
}

// Handlers answer this part of the API.
type Handlers struct {
	Config
	tenancy *tenancy.Tenancy
}

// New returns handlers.
func New(cfg Config) *Handlers {
	h := &Handlers{Config: cfg}
	if cfg.Store != nil {
		h.tenancy = cfg.Store.Tenancy()
	}
	return h
}

// widest lists roles from the one that may the most.
var widest = [...]string{"owner", "admin", "editor", "marketer", "auditor", "viewer"}

// Widest is the role that describes somebody best where one has to: in the organization
// that he has without naming one.
func Widest(who store.Actor) string {
	org, err := web.Home(who)
	if err != nil {
		return ""
	}
	return roleIn(who.Grants, org)
}

// roleIn is the widest role of some grants in an organization, also in parts of it;
// "operator" or "" where there is none.
func roleIn(grants []store.Grant, org store.OrganizationID) string {
	best, rank := "", len(widest)+1
	for _, g := range grants {
		at := slices.Index(widest[:], g.Role)
		switch {
		case g.Organization != org:
			if best == "" && g.Organization == "" {
				best = g.Role
			}
			continue
		case at < 0:
			at = len(widest)
		}
		if at < rank {
			best, rank = g.Role, at
		}
	}
	return best
}

type membership struct {
	Organization string `json:"organization"`
	Role         string `json:"role"`
	// Needs is what the organization asks of a sign-in that this one was not: code or
	// provider; empty for nothing.
	Needs string `json:"needs,omitempty"`
}

// Me answers who is calling.
func (h *Handlers) Me(c echo.Context) error {
	who := web.Actor(c)
	mine, err := h.mine(c.Request().Context(), who)
	if err != nil {
		return err
	}
	out := struct {
		Email         string          `json:"email"`
		Role          string          `json:"role"`
		Kind          store.ActorKind `json:"kind"`
		Operator      bool            `json:"operator"`
		Organizations []membership    `json:"organizations"`
	}{who.Name, Widest(who), who.Kind, operates(who), []membership{}}
	for _, o := range mine {
		m := membership{Organization: o.Name, Needs: web.Needs(who, o.ID)}
		if m.Needs == "" {
			m.Role = roleIn(who.Grants, o.ID)
		}
		out.Organizations = append(out.Organizations, m)
	}
	return c.JSON(http.StatusOK, out)
}

func operates(who store.Actor) bool {
	return slices.ContainsFunc(who.Grants, func(g store.Grant) bool { return g.Organization == "" })
}

// mine lists the organizations that who has a role in.
func (h *Handlers) mine(ctx context.Context, who store.Actor) ([]tenancy.Organization, error) {
	all, err := h.tenancy.Organizations(ctx)
	if err != nil {
		return nil, err
	}
	in := web.SubjectOf(who)
	return slices.DeleteFunc(all, func(o tenancy.Organization) bool { return !in.In(string(o.ID)) }), nil
}

type organizationView struct {
	ID        store.OrganizationID `json:"id"`
	Name      string               `json:"name"`
	Role      string               `json:"role,omitempty"` // the caller's
	CreatedAt time.Time            `json:"createdAt"`
}

// Organizations lists those that the caller has a role in; who makes organizations sees
// the names of all.
func (h *Handlers) Organizations(c echo.Context) error {
	ctx, who := c.Request().Context(), web.Actor(c)
	all, err := h.tenancy.Organizations(ctx)
	if err != nil {
		return err
	}
	everything := h.Policy.Allow(ctx, web.Subject(c), action.WriteOrganizations, policy.Resource{}) == nil
	out := []organizationView{}
	for _, o := range all {
		in := web.Subject(c).In(string(o.ID))
		v := organizationView{ID: o.ID, Name: o.Name, CreatedAt: o.CreatedAt}
		if in {
			v.Role = roleIn(who.Grants, o.ID)
		}
		if in || everything {
			out = append(out, v)
		}
	}
	return pages.Answer(c, "organizations", out, func(o organizationView) string { return o.Name }, func(o organizationView) string { return string(o.ID) })
}

// validOrganization is the form of an organization's name, which stands in addresses.
var validOrganization = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// CreateOrganization makes an organization that the caller owns.
func (h *Handlers) CreateOrganization(c echo.Context) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if !validOrganization.MatchString(in.Name) {
		return fault.Problems("the organization cannot be made", []fault.Problem{{Path: "name", Code: "bad_name", Text: "A name has 1 to 63 lower-case letters, digits and hyphens, and begins with no hyphen."}})
	}
	who := web.Actor(c)
	owner := who.Owner
	if who.Kind == store.ByPerson {
		owner = who.ID
	}
	if owner == "" {
		owner = who.ID // a token of its own grants
	}
	made, err := h.tenancy.CreateOrganization(c.Request().Context(), who.String(), in.Name, owner)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, organizationView{ID: made.ID, Name: made.Name, Role: "owner", CreatedAt: made.CreatedAt})
}

// giving is a role that somebody is to get, as requests say it.
type giving struct {
	Role      string `json:"role"`
	Workspace string `json:"workspace"`
	Object    string `json:"object"`
}

// grant checks that the caller may give in's role where it is for, and names that place.
func (h *Handlers) grant(c echo.Context, in giving) (store.Grant, error) {
	ctx := c.Request().Context()
	org, err := web.Organization(c)
	if err != nil {
		return store.Grant{}, err
	}
	g := store.Grant{Organization: org, Role: in.Role, Object: in.Object}
	var problems []fault.Problem
	if in.Role == string(policy.Operator) {
		g.Organization = ""
	} else if !slices.Contains(h.Policy.Roles(), policy.Role(in.Role)) {
		own, ok, err := h.made(ctx, org, in.Role)
		if err != nil {
			return store.Grant{}, err
		}
		if g.Actions = own.Actions; !ok {
			problems = append(problems, fault.Problem{Path: "role", Code: "bad_role", Text: "A role is owner, admin, editor, marketer, auditor or viewer, or one that the organization made."})
		}
	}
	if in.Workspace != "" {
		ws, err := h.Store.WorkspaceByName(ctx, org, in.Workspace)
		if fault.KindOf(err) == fault.Missing {
			problems = append(problems, fault.Problem{Path: "workspace", Code: "unknown_workspace", Text: "There is no workspace of this name."})
		} else if err != nil {
			return store.Grant{}, err
		}
		g.Workspace = ws.ID
	}
	switch {
	case in.Object != "" && in.Workspace == "":
		problems = append(problems, fault.Problem{Path: "object", Code: "no_workspace", Text: "An object is in a workspace: name that too."})
	case in.Workspace != "" && g.Organization == "":
		problems = append(problems, fault.Problem{Path: "workspace", Code: "no_workspace", Text: "An operator's role is for the whole installation."})
	}
	if g.Object != "" && g.Workspace != "" {
		there, err := h.holds(ctx, g.Workspace, g.Object)
		if err != nil {
			return store.Grant{}, err
		}
		if !there {
			problems = append(problems, fault.Problem{Path: "object", Code: "unknown_object", Text: "The workspace " + in.Workspace + " has no object with this identifier: take the id of a source, destination or another object of its newest revision, as weir export or the workspace's answer shows it."})
		}
	}
	if err := fault.Problems("the role cannot be given", problems); err != nil {
		return store.Grant{}, err
	}
	return g, h.within(c, g)
}

// holds reports whether the newest revision of a workspace has an object.
func (h *Handlers) holds(ctx context.Context, ws id.Workspace, object string) (bool, error) {
	rev, err := h.Store.Latest(ctx, ws)
	if fault.KindOf(err) == fault.Missing {
		return false, nil
	}
	return rev.Config.Holds(object), err
}

// within refuses to give or take a role that the caller does not have himself.
func (h *Handlers) within(c echo.Context, g store.Grant) error {
	lacks, err := h.Policy.Beyond(c.Request().Context(), web.Subject(c), web.GrantOf(g))
	if err != nil {
		return err
	}
	if len(lacks) > 0 {
		return fault.New(fault.Denied, "you do not have the role %s there yourself: you lack %s", g.Role, lacks[0])
	}
	return nil
}
