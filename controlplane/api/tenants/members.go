package tenants

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/pages"
	"weir/controlplane/api/web"
	"weir/controlplane/store"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
	"weir/shared/id"
)

type grantView struct {
	Role      string `json:"role"`
	Workspace string `json:"workspace,omitempty"` // its name; the identifier of one that is gone
	Object    string `json:"object,omitempty"`
}

type memberView struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Kind      string      `json:"kind"` // person or service
	Roles     []grantView `json:"roles"`
	CreatedAt time.Time   `json:"createdAt"`
}

func viewMember(m tenancy.Member, workspaces map[id.Workspace]string) memberView {
	v := memberView{ID: m.ID, Name: m.Name, Kind: "service", Roles: []grantView{}, CreatedAt: m.CreatedAt}
	if m.Person {
		v.Kind = "person"
	}
	for _, g := range m.Grants {
		name := workspaces[g.Workspace]
		if name == "" {
			name = string(g.Workspace)
		}
		v.Roles = append(v.Roles, grantView{g.Role, name, g.Object})
	}
	return v
}

// Members lists who has a role in the organization, and its service accounts.
func (h *Handlers) Members(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	members, err := h.tenancy.Members(c.Request().Context(), org)
	if err != nil {
		return err
	}
	workspaces, err := h.names(c, org)
	if err != nil {
		return err
	}
	out := make([]memberView, len(members))
	for i, m := range members {
		out[i] = viewMember(m, workspaces)
	}
	if kind := c.QueryParam("kind"); kind != "" {
		out = slices.DeleteFunc(out, func(m memberView) bool { return m.Kind != kind })
	}
	return pages.Answer(c, "members", out, func(m memberView) string { return m.Name }, func(m memberView) string { return m.ID })
}

// CreateServiceAccount makes a member that is a program.
func (h *Handlers) CreateServiceAccount(c echo.Context) error {
	var in struct {
		Name string `json:"name"`
		giving
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if !validOrganization.MatchString(in.Name) {
		return fault.Problems("the service account cannot be made", []fault.Problem{{Path: "name", Code: "bad_name", Text: "A name has 1 to 63 lower-case letters, digits and hyphens, and begins with no hyphen."}})
	}
	g, err := h.inside(c, in.giving)
	if err != nil {
		return err
	}
	made, err := h.tenancy.CreateServiceAccount(c.Request().Context(), web.Actor(c).String(), in.Name, g)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, viewMember(made, map[id.Workspace]string{g.Workspace: in.Workspace}))
}

// inside is grant without the operator's role, which no organization gives.
func (h *Handlers) inside(c echo.Context, in giving) (store.Grant, error) {
	g, err := h.grant(c, in)
	if err == nil && g.Organization == "" {
		err = fault.Problems("the role cannot be given", []fault.Problem{{Path: "role", Code: "bad_role", Text: "A role in an organization is owner, admin, editor, marketer, auditor or viewer."}})
	}
	return g, err
}

// member finds a member of the organization by identifier or name.
func (h *Handlers) member(c echo.Context) (tenancy.Member, store.OrganizationID, error) {
	org, err := web.Organization(c)
	if err != nil {
		return tenancy.Member{}, "", err
	}
	all, err := h.tenancy.Members(c.Request().Context(), org)
	if err != nil {
		return tenancy.Member{}, "", err
	}
	wanted := c.Param("id")
	at := slices.IndexFunc(all, func(m tenancy.Member) bool { return m.ID == wanted || m.Name == strings.ToLower(wanted) })
	if at < 0 {
		return tenancy.Member{}, "", fault.New(fault.Missing, "the organization has no such member")
	}
	return all[at], org, nil
}

// SetRole gives a member a role, in place of the one that it has there.
func (h *Handlers) SetRole(c echo.Context) error {
	var in giving
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	m, _, err := h.member(c)
	if err != nil {
		return err
	}
	g, err := h.inside(c, in)
	if err != nil {
		return err
	}
	for _, former := range m.Grants {
		if former.Workspace == g.Workspace && former.Object == g.Object {
			if err := h.within(c, former); err != nil {
				return err
			}
		}
	}
	g.Subject = m.ID
	if err := h.tenancy.SetGrant(c.Request().Context(), web.Actor(c).String(), g); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// RemoveMember takes all that a member has in the organization or, where the request names
// a workspace, the role there alone.
func (h *Handlers) RemoveMember(c echo.Context) error {
	ctx := c.Request().Context()
	m, org, err := h.member(c)
	if err != nil {
		return err
	}
	for _, g := range m.Grants {
		if err := h.within(c, g); err != nil {
			return err
		}
	}
	if name := c.QueryParam("workspace"); name != "" {
		ws, err := h.Store.WorkspaceByName(ctx, org, name)
		if err != nil {
			return err
		}
		g := store.Grant{Subject: m.ID, Organization: org, Workspace: ws.ID, Object: c.QueryParam("object")}
		if err := h.tenancy.RemoveGrant(ctx, web.Actor(c).String(), g); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	}
	if err := h.tenancy.RemoveMember(ctx, web.Actor(c).String(), org, m.ID); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// CreateMemberToken makes a token of a service account: it may what the account may.
func (h *Handlers) CreateMemberToken(c echo.Context) error {
	var in struct {
		Name string `json:"name"`
		limits
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	m, org, err := h.member(c)
	if err != nil {
		return err
	}
	if m.Person {
		return fault.New(fault.Denied, "a person makes tokens of his own")
	}
	for _, g := range m.Grants {
		if err := h.within(c, g); err != nil {
			return err
		}
	}
	t := store.APIToken{Organization: org, Owner: m.ID, Name: in.Name}
	if err := h.onto(c, in.limits, &t); err != nil {
		return err
	}
	return h.issue(c, t)
}

// Wholly finds the person that a path names, for whoever has all that the person has
// anywhere: what he does could let him sign in as the person.
func (h *Handlers) Wholly(c echo.Context) (user string, org store.OrganizationID, err error) {
	m, org, err := h.member(c)
	if err != nil {
		return "", "", err
	}
	if !m.Person {
		return "", "", fault.New(fault.Denied, "a service account does not sign in")
	}
	all, err := h.tenancy.Grants(c.Request().Context(), m.ID)
	if err != nil {
		return "", "", err
	}
	for _, g := range all {
		if err := h.within(c, g); err != nil {
			return "", "", fault.New(fault.Denied, "the member has roles that you do not have: somebody who has them can do this")
		}
	}
	return m.ID, org, nil
}

// CreatePasswordLink makes a link by which a member chooses a new password. Whoever makes
// it could sign in as the member, and so has all that the member has anywhere.
func (h *Handlers) CreatePasswordLink(c echo.Context) error {
	user, org, err := h.Wholly(c)
	if err != nil {
		return err
	}
	token, made, err := h.Authn.ResetLink(c.Request().Context(), web.Actor(c), org, user)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"token": token, "expiresAt": made.ExpiresAt.UTC()})
}

type invitationView struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Role      string    `json:"role"`
	Workspace string    `json:"workspace,omitempty"`
	CreatedBy string    `json:"createdBy"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Invitations lists those that nobody used yet.
func (h *Handlers) Invitations(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	list, err := h.tenancy.Invitations(c.Request().Context(), org)
	if err != nil {
		return err
	}
	workspaces, err := h.names(c, org)
	if err != nil {
		return err
	}
	out := make([]invitationView, len(list))
	for i, l := range list {
		out[i] = invitationView{l.ID(), l.Email, l.Grant.Role, workspaces[l.Grant.Workspace], l.CreatedBy, l.ExpiresAt}
	}
	return pages.Answer(c, "invitations", out, func(i invitationView) string { return i.Email }, func(i invitationView) string { return i.ID })
}

// Invite makes an invitation. Its token is shown once.
func (h *Handlers) Invite(c echo.Context) error {
	var in struct {
		Email     string `json:"email"`
		Role      string `json:"role"`
		Workspace string `json:"workspace"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	g, err := h.inside(c, giving{Role: in.Role, Workspace: in.Workspace})
	if err != nil {
		return err
	}
	token, made, err := h.Authn.Invite(c.Request().Context(), web.Actor(c), in.Email, g)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"id": made.ID(), "token": token, "email": made.Email, "expiresAt": made.ExpiresAt.UTC()})
}

// DeleteInvitation takes an invitation back.
func (h *Handlers) DeleteInvitation(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if err := h.tenancy.DeleteInvitation(c.Request().Context(), web.Actor(c).String(), org, c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
