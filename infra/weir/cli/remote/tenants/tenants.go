// Package tenants asks a control plane about organizations and their members.
package tenants

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"weir/infra/weir/cli/remote"
)

// Organization is a tenant of a control plane. Role is the caller's in it.
type Organization struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      string    `json:"role,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

// GrantedRole is a role in an organization, in one workspace of it, or on one object.
type GrantedRole struct {
	Role      string `json:"role"`
	Workspace string `json:"workspace,omitempty"`
	Object    string `json:"object,omitempty"`
}

// Member is somebody of an organization. Kind is person or service.
type Member struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Kind      string        `json:"kind"`
	Roles     []GrantedRole `json:"roles"`
	CreatedAt time.Time     `json:"createdAt"`
}

// Invitation lets the person with an address become a member, once. Token is shown
// when it was just made alone.
type Invitation struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Role      string    `json:"role,omitempty"`
	Workspace string    `json:"workspace,omitempty"`
	CreatedBy string    `json:"createdBy,omitempty"`
	Token     string    `json:"token,omitempty"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Organizations returns those that the caller has a role in, or, to an operator, all.
func Organizations(ctx context.Context, c *remote.Control) ([]Organization, error) {
	var out struct{ Organizations []Organization }
	err := c.Ask(ctx, http.MethodGet, "/orgs", nil, &out)
	return out.Organizations, err
}

// CreateOrganization makes an organization that the caller owns.
func CreateOrganization(ctx context.Context, c *remote.Control, name string) error {
	return c.Ask(ctx, http.MethodPost, "/orgs", map[string]string{"name": name}, nil)
}

// Members returns who has a role in the organization, and its service accounts.
func Members(ctx context.Context, c *remote.Control) ([]Member, error) {
	var out struct{ Members []Member }
	err := c.Within(ctx, http.MethodGet, "/members", nil, &out)
	return out.Members, err
}

// SetRole gives a member, by name, address or identifier, a role in place of the one there.
func SetRole(ctx context.Context, c *remote.Control, member string, r GrantedRole) error {
	return c.Within(ctx, http.MethodPut, "/members/"+url.PathEscape(member)+"/role", r, nil)
}

// RemoveMember takes all roles of a member in the organization, or, where workspace is not
// empty, the one in that.
func RemoveMember(ctx context.Context, c *remote.Control, member, workspace string) error {
	path := "/members/" + url.PathEscape(member)
	if workspace != "" {
		path += "?workspace=" + url.QueryEscape(workspace)
	}
	return c.Within(ctx, http.MethodDelete, path, nil, nil)
}

// Invite lets the person with an address become a member.
func Invite(ctx context.Context, c *remote.Control, email string, r GrantedRole) (Invitation, error) {
	var out Invitation
	in := map[string]string{"email": email, "role": r.Role}
	if r.Workspace != "" {
		in["workspace"] = r.Workspace
	}
	err := c.Within(ctx, http.MethodPost, "/invitations", in, &out)
	return out, err
}

// Accept uses an invitation at the control plane at address, with the password
// of the account of its e-mail address, or of one that is made.
func Accept(ctx context.Context, address, token, password, code string) (email string, err error) {
	c, err := remote.NewControl(address, "")
	if err != nil {
		return "", err
	}
	var who struct{ Email string }
	in := map[string]string{"token": token, "password": password}
	if code != "" {
		in["code"] = code
	}
	err = c.Ask(ctx, http.MethodPost, "/invitations/accept", in, &who)
	return who.Email, err
}
