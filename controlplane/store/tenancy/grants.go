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
	"weir/shared/fault"
	"weir/shared/id"
)

// owns is the role of which an organization always has somebody.
const owns = "owner"

// Grant gives a role to a subject, a user, service account or token by its identifier:
// in the installation when Organization is empty, in an organization, in one Workspace
// of it, or on one Object of that.
type Grant struct {
	Subject      string
	Organization OrganizationID
	Workspace    id.Workspace
	Object       string
	Role         string
	Actions      []string // of a role that the organization made; set by reads
}

// place is where a grant is good, in words for the audit.
func (g Grant) place() string {
	switch {
	case g.Object != "":
		return string(g.Workspace) + " " + g.Object
	case g.Workspace != "":
		return string(g.Workspace)
	case g.Organization != "":
		return string(g.Organization)
	}
	return "the installation"
}

// Grants returns what was granted to a subject.
func (t *Tenancy) Grants(ctx context.Context, subject string) ([]Grant, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Grant, error) {
		rows, err := t.db.Ent().Grant.Query().Where(entgrant.SubjectID(subject)).Order(ent.Asc(entgrant.FieldID)).All(ctx)
		if err != nil {
			return nil, err
		}
		return t.withActions(ctx, rows)
	})
}

// withActions turns rows into grants, with the actions of roles that organizations made.
func (t *Tenancy) withActions(ctx context.Context, rows []*ent.Grant) ([]Grant, error) {
	var orgs []string
	for _, r := range rows {
		if r.OrganizationID != "" && !slices.Contains(orgs, r.OrganizationID) {
			orgs = append(orgs, r.OrganizationID)
		}
	}
	custom := map[string][]string{}
	if len(orgs) > 0 {
		roles, err := t.db.Ent().CustomRole.Query().Where(customrole.OrganizationIDIn(orgs...)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range roles {
			custom[r.OrganizationID+"\x00"+r.Name] = strings.Fields(r.Actions)
		}
	}
	out := make([]Grant, len(rows))
	for i, r := range rows {
		out[i] = grantOf(r)
		out[i].Actions = custom[r.OrganizationID+"\x00"+r.Role]
	}
	return out, nil
}

func grantOf(r *ent.Grant) Grant {
	return Grant{
		Subject: r.SubjectID, Organization: OrganizationID(r.OrganizationID), Workspace: id.Workspace(r.WorkspaceID), Object: r.ObjectID, Role: r.Role,
	}
}

// SetGrant gives a role, in place of the one that the subject has there.
//
// fault.Conflict: the organization would have no owner.
func (t *Tenancy) SetGrant(ctx context.Context, actor string, g Grant) error {
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		before, err := had(ctx, tx, g)
		if err != nil {
			return database.Trail{}, err
		}
		err = keepOwner(ctx, tx, g.Organization, func() error { return Give(ctx, tx, g, actor, t.db.Now()) })
		return database.Trail{Action: "grant.set", Object: "member " + g.Subject, Detail: "role " + g.Role + " in " + g.place(), Organization: string(g.Organization),
			Workspace: string(g.Workspace), Before: before, After: map[string]any{"role": g.Role, "object": g.Object}}, err
	})
	return wrap(err, "grant a role")
}

// RemoveGrant takes the role that the subject has there.
//
// fault.Missing: it has none. fault.Conflict: the organization would have no owner.
func (t *Tenancy) RemoveGrant(ctx context.Context, actor string, g Grant) error {
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		before, err := had(ctx, tx, g)
		if err != nil {
			return database.Trail{}, err
		}
		err = keepOwner(ctx, tx, g.Organization, func() error {
			n, err := tx.Grant.Delete().Where(entgrant.SubjectID(g.Subject), entgrant.OrganizationID(string(g.Organization)),
				entgrant.WorkspaceID(string(g.Workspace)), entgrant.ObjectID(g.Object)).Exec(ctx)
			if err == nil && n == 0 {
				return fault.New(fault.Missing, "the member has no role there")
			}
			return err
		})
		return database.Trail{Action: "grant.remove", Object: "member " + g.Subject, Detail: "in " + g.place(), Organization: string(g.Organization),
			Workspace: string(g.Workspace), Before: before}, err
	})
	return wrap(err, "take a role")
}

// Give is SetGrant inside of a write of its caller, which leaves the audit row. It does
// not look after owners.
func Give(ctx context.Context, tx *ent.Tx, g Grant, actor string, now time.Time) error {
	n, err := tx.Grant.Update().Where(entgrant.SubjectID(g.Subject), entgrant.OrganizationID(string(g.Organization)),
		entgrant.WorkspaceID(string(g.Workspace)), entgrant.ObjectID(g.Object)).SetRole(g.Role).Save(ctx)
	if err != nil || n > 0 {
		return err
	}
	return tx.Grant.Create().SetSubjectID(g.Subject).SetOrganizationID(string(g.Organization)).SetWorkspaceID(string(g.Workspace)).
		SetObjectID(g.Object).SetRole(g.Role).SetCreatedAt(now).SetCreatedBy(actor).Exec(ctx)
}

// had is the role that a subject has where g is good, for the audit; nil for none.
func had(ctx context.Context, tx *ent.Tx, g Grant) (any, error) {
	row, err := tx.Grant.Query().Where(entgrant.SubjectID(g.Subject), entgrant.OrganizationID(string(g.Organization)),
		entgrant.WorkspaceID(string(g.Workspace)), entgrant.ObjectID(g.Object)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"role": row.Role, "object": row.ObjectID}, nil
}

// placesOf lists roles and where they are good, for the audit.
func placesOf(rows []*ent.Grant) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Role + " in " + grantOf(r).place()
	}
	return out
}

// keepOwner does change unless it takes the last owner, a person, from an organization.
func keepOwner(ctx context.Context, tx *ent.Tx, org OrganizationID, change func() error) error {
	count := func() (int, error) {
		return tx.Grant.Query().Where(entgrant.OrganizationID(string(org)), entgrant.WorkspaceID(""), entgrant.Role(owns), entgrant.SubjectIDHasPrefix(personPrefix)).Count(ctx)
	}
	if org == "" {
		return change()
	}
	before, err := count()
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := count()
	if err == nil && before > 0 && after == 0 {
		return fault.New(fault.Conflict, "the organization would have no owner: make somebody else an owner first")
	}
	return err
}
