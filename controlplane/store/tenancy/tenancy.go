// Package tenancy keeps organizations, their members and service accounts, what is
// granted to them, the roles that they made, and the links by which people become
// members or choose a new password.
//
// It guarantees that an organization never loses its last owner, that a link does one
// thing once, and that every write leaves an audit row of its organization. Whether
// somebody may do a thing was decided before.
package tenancy

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/organization"
	"weir/shared/fault"
)

// OrganizationID identifies an organization: "org_" and random characters.
type OrganizationID string

// Default is the organization that every installation has.
const Default OrganizationID = "org_default"

// Organization is one tenant.
type Organization struct {
	ID        OrganizationID
	Name      string // unique
	CreatedAt time.Time
}

// Tenancy is this part of an open database. It is safe for concurrent use.
type Tenancy struct{ db *database.DB }

// New returns the tenancy of db.
func New(db *database.DB) *Tenancy { return &Tenancy{db} }

// Organizations returns all, by name.
func (t *Tenancy) Organizations(ctx context.Context) ([]Organization, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Organization, error) {
		rows, err := t.db.Ent().Organization.Query().Order(ent.Asc(organization.FieldName)).All(ctx)
		out := make([]Organization, len(rows))
		for i, r := range rows {
			out[i] = organizationOf(r)
		}
		return out, err
	})
}

// OrganizationByName returns one. fault.Missing: there is none of this name.
func (t *Tenancy) OrganizationByName(ctx context.Context, name string) (Organization, error) {
	return t.one(ctx, func() (*ent.Organization, error) {
		return t.db.Ent().Organization.Query().Where(organization.Name(name)).Only(ctx)
	})
}

// Organization returns one. fault.Missing: there is none.
func (t *Tenancy) Organization(ctx context.Context, org OrganizationID) (Organization, error) {
	return t.one(ctx, func() (*ent.Organization, error) { return t.db.Ent().Organization.Get(ctx, string(org)) })
}

func (t *Tenancy) one(ctx context.Context, find func() (*ent.Organization, error)) (Organization, error) {
	return database.Read(ctx, func(context.Context) (Organization, error) {
		row, err := find()
		if ent.IsNotFound(err) {
			return Organization{}, fault.New(fault.Missing, "there is no such organization")
		}
		if err != nil {
			return Organization{}, err
		}
		return organizationOf(row), nil
	})
}

// CreateOrganization makes an organization and grants the role owner in it to the
// subject owner, a user. fault.Conflict: the name is taken.
func (t *Tenancy) CreateOrganization(ctx context.Context, actor, name, owner string) (Organization, error) {
	var out Organization
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		taken, err := tx.Organization.Query().Where(organization.Name(name)).Exist(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		if taken {
			return database.Trail{}, fault.New(fault.Conflict, "there is an organization of this name")
		}
		row, err := tx.Organization.Create().SetID(newID("org_")).SetName(name).SetCreatedAt(t.db.Now()).Save(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		out = organizationOf(row)
		g := Grant{Subject: owner, Organization: out.ID, Role: owns}
		if err := Give(ctx, tx, g, actor, t.db.Now()); err != nil {
			return database.Trail{}, err
		}
		return database.Trail{Action: "organization.create", Object: "organization " + row.ID, Detail: "owner " + owner, Organization: row.ID, After: map[string]any{"name": row.Name, "owner": owner}}, nil
	})
	return out, wrap(err, "make the organization")
}

func organizationOf(row *ent.Organization) Organization {
	return Organization{ID: OrganizationID(row.ID), Name: row.Name, CreatedAt: row.CreatedAt.UTC()}
}

// newID returns an identifier with 130 random bits behind prefix.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// wrap says what failed, and passes nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
