package tenancy

import (
	"context"
	"slices"
	"strings"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/customrole"
	entgrant "weir/controlplane/store/ent/grant"
	"weir/controlplane/store/ent/memberlink"
	"weir/shared/fault"
)

// mostRoles is how many roles an organization makes at most.
const mostRoles = 100

// Role is a set of actions under a name that an organization made.
type Role struct {
	Organization OrganizationID
	Name         string // unique in the organization
	Actions      []string
	CreatedAt    time.Time
}

// Roles returns those that an organization made, by name.
func (t *Tenancy) Roles(ctx context.Context, org OrganizationID) ([]Role, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Role, error) {
		rows, err := t.db.Ent().CustomRole.Query().Where(customrole.OrganizationID(string(org))).Order(ent.Asc(customrole.FieldName)).All(ctx)
		out := make([]Role, len(rows))
		for i, r := range rows {
			out[i] = Role{OrganizationID(r.OrganizationID), r.Name, strings.Fields(r.Actions), r.CreatedAt.UTC()}
		}
		return out, err
	})
}

// SetRole makes a role, or gives the one of its name other actions, also where it was
// granted already. fault.Limited: the organization has too many.
func (t *Tenancy) SetRole(ctx context.Context, actor string, r Role) error {
	slices.Sort(r.Actions)
	r.Actions = slices.Compact(r.Actions)
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		left := database.Trail{Action: "role.set", Object: "role " + r.Name, Organization: string(r.Organization), After: map[string]any{"actions": r.Actions}}
		all, err := tx.CustomRole.Query().Where(customrole.OrganizationID(string(r.Organization))).All(ctx)
		if err != nil {
			return left, err
		}
		for _, row := range all {
			if row.Name == r.Name {
				left.Before = map[string]any{"actions": strings.Fields(row.Actions)}
				return left, tx.CustomRole.UpdateOne(row).SetActions(strings.Join(r.Actions, " ")).Exec(ctx)
			}
		}
		if len(all) >= mostRoles {
			return left, fault.New(fault.Limited, "an organization makes at most %d roles: remove one", mostRoles)
		}
		return left, tx.CustomRole.Create().SetOrganizationID(string(r.Organization)).SetName(r.Name).SetActions(strings.Join(r.Actions, " ")).SetCreatedAt(t.db.Now()).Exec(ctx)
	})
	return wrap(err, "set the role %s", r.Name)
}

// RemoveRole forgets a role. fault.Missing: there is none of this name. fault.Conflict:
// somebody has it, or is invited to it.
func (t *Tenancy) RemoveRole(ctx context.Context, actor string, org OrganizationID, name string) error {
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		left := database.Trail{Action: "role.remove", Object: "role " + name, Organization: string(org)}
		row, err := tx.CustomRole.Query().Where(customrole.OrganizationID(string(org)), customrole.Name(name)).Only(ctx)
		if ent.IsNotFound(err) {
			return left, fault.New(fault.Missing, "the organization made no role %s", name)
		}
		if err != nil {
			return left, err
		}
		granted, err := tx.Grant.Query().Where(entgrant.OrganizationID(string(org)), entgrant.Role(name)).Count(ctx)
		if err != nil {
			return left, err
		}
		invited, err := tx.MemberLink.Query().Where(memberlink.OrganizationID(string(org)), memberlink.Role(name), memberlink.UsedBy(""), memberlink.ExpiresAtGT(t.db.Now())).Count(ctx)
		if err != nil {
			return left, err
		}
		if granted+invited > 0 {
			return left, fault.New(fault.Conflict, "the role is granted %d times and in %d invitations: give these another one first", granted, invited)
		}
		left.Before = map[string]any{"actions": strings.Fields(row.Actions)}
		return left, tx.CustomRole.DeleteOne(row).Exec(ctx)
	})
	return wrap(err, "remove the role %s", name)
}
