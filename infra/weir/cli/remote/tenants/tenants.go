// Package tenants asks a control plane about organizations and their members.
package tenants

import (
	"context"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/openapi"
)

// api makes the calls.
type api = openapi.API

// Organization is a tenant of a control plane. Role is the caller's in it.
type Organization = openapi.Organization

// GrantedRole is a role in an organization, in one workspace of it, or on one object.
type GrantedRole = openapi.GrantedRole

// Member is somebody of an organization. Kind is person or service.
type Member = openapi.Member

// Invitation lets the person with an address become a member, once. Its token is shown this
// once.
type Invitation = openapi.MadeInvitation

// Organizations returns those that the caller has a role in, or, to an operator, all.
func Organizations(ctx context.Context, c *remote.Control) ([]Organization, error) {
	return openapi.All(func(cursor string) ([]Organization, string, error) {
		page, err := remote.Do(ctx, c, api{}.Organizations(openapi.OrganizationsParams{Cursor: cursor}))
		return page.Organizations, page.Next, err
	})
}

// CreateOrganization makes an organization that the caller owns.
func CreateOrganization(ctx context.Context, c *remote.Control, name string) error {
	_, err := remote.Do(ctx, c, api{}.CreateOrganization(openapi.CreateOrganizationParams{}, openapi.NewOrganization{Name: name}))
	return err
}

// Members returns who has a role in the organization, and its service accounts.
func Members(ctx context.Context, c *remote.Control) ([]Member, error) {
	return openapi.All(func(cursor string) ([]Member, string, error) {
		page, err := remote.Do(ctx, c, api{}.Members(openapi.MembersParams{Cursor: cursor}))
		return page.Members, page.Next, err
	})
}

// SetRole gives a member, by name, address or identifier, a role in place of the one there.
func SetRole(ctx context.Context, c *remote.Control, member string, r GrantedRole) error {
	_, err := remote.Do(ctx, c, api{}.SetRole(member, openapi.NewRole(r)))
	return err
}

// RemoveMember takes all roles of a member in the organization, or, where workspace is not
// empty, the one in that.
func RemoveMember(ctx context.Context, c *remote.Control, member, workspace string) error {
	_, err := remote.Do(ctx, c, api{}.RemoveMember(member, openapi.RemoveMemberParams{Workspace: workspace}))
	return err
}

// Invite lets the person with an address become a member.
func Invite(ctx context.Context, c *remote.Control, email string, r GrantedRole) (Invitation, error) {
	return remote.Do(ctx, c, api{}.InviteMember(openapi.InviteMemberParams{}, openapi.NewMemberInvitation{Email: email, Role: r.Role, Workspace: r.Workspace}))
}

// Accept uses an invitation at the control plane at address, with the password
// of the account of its e-mail address, or of one that is made.
func Accept(ctx context.Context, address, token, password, code string) (email string, err error) {
	c, err := remote.NewControl(address, "")
	if err != nil {
		return "", err
	}
	who, err := remote.Do(ctx, c, api{}.AcceptInvitation(openapi.InvitationUse{Token: token, Password: password, Code: code}))
	return who.Email, err
}
