package tenancy

import (
	"context"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/apitoken"
	entgrant "weir/controlplane/store/ent/grant"
	"weir/controlplane/store/ent/serviceaccount"
	"weir/controlplane/store/ent/user"
	"weir/shared/fault"
)

// The beginnings of identifiers, which tell who is a person.
const (
	personPrefix  = "usr_"
	servicePrefix = "sva_"
)

// Member is somebody of an organization: a person, or a service account.
type Member struct {
	ID        string
	Name      string // a person's e-mail address, or the service account's name
	Person    bool
	Grants    []Grant // in the organization; may be empty for a service account
	CreatedAt time.Time
}

// Members returns who has a role in an organization, and its service accounts: people
// first, by name.
func (t *Tenancy) Members(ctx context.Context, org OrganizationID) ([]Member, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Member, error) {
		rows, err := t.db.Ent().Grant.Query().Where(entgrant.OrganizationID(string(org))).Order(ent.Asc(entgrant.FieldID)).All(ctx)
		if err != nil {
			return nil, err
		}
		grants, err := t.withActions(ctx, rows)
		if err != nil {
			return nil, err
		}
		of := map[string][]Grant{}
		var people []string
		for _, g := range grants {
			if len(of[g.Subject]) == 0 {
				people = append(people, g.Subject)
			}
			of[g.Subject] = append(of[g.Subject], g)
		}
		var out []Member
		users, err := t.db.Ent().User.Query().Where(user.IDIn(people...)).Order(ent.Asc(user.FieldEmail)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			out = append(out, Member{ID: u.ID, Name: u.Email, Person: true, Grants: of[u.ID], CreatedAt: u.CreatedAt.UTC()})
		}
		services, err := t.db.Ent().ServiceAccount.Query().Where(serviceaccount.OrganizationID(string(org))).Order(ent.Asc(serviceaccount.FieldName)).All(ctx)
		for _, s := range services {
			out = append(out, Member{ID: s.ID, Name: s.Name, Grants: of[s.ID], CreatedAt: s.CreatedAt.UTC()})
		}
		return out, err
	})
}

// CreateServiceAccount makes a service account with one role. g's Subject is set here.
// fault.Conflict: the name is taken.
func (t *Tenancy) CreateServiceAccount(ctx context.Context, actor, name string, g Grant) (Member, error) {
	var out Member
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		taken, err := tx.ServiceAccount.Query().Where(serviceaccount.OrganizationID(string(g.Organization)), serviceaccount.Name(name)).Exist(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		if taken {
			return database.Trail{}, fault.New(fault.Conflict, "there is a service account of this name")
		}
		row, err := tx.ServiceAccount.Create().SetID(newID(servicePrefix)).SetName(name).SetOrganizationID(string(g.Organization)).SetCreatedAt(t.db.Now()).Save(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		g.Subject = row.ID
		if err := Give(ctx, tx, g, actor, t.db.Now()); err != nil {
			return database.Trail{}, err
		}
		out = Member{ID: row.ID, Name: name, Grants: []Grant{g}, CreatedAt: row.CreatedAt.UTC()}
		return database.Trail{Action: "member.create", Object: "member " + row.ID, Detail: "role " + g.Role + " in " + g.place(), Organization: string(g.Organization),
			Workspace: string(g.Workspace), After: map[string]any{"name": name, "role": g.Role, "workspace": g.Workspace}}, nil
	})
	return out, wrap(err, "make a service account")
}

// RemoveMember takes every role that a member has in an organization. A service account
// goes with its tokens; a person stays known to the installation.
//
// fault.Missing: there is no such member. fault.Conflict: the organization would have
// no owner.
func (t *Tenancy) RemoveMember(ctx context.Context, actor string, org OrganizationID, member string) error {
	err := t.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		gone := 0
		had, err := tx.Grant.Query().Where(entgrant.SubjectID(member), entgrant.OrganizationID(string(org))).Order(ent.Asc(entgrant.FieldID)).All(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		err = keepOwner(ctx, tx, org, func() (err error) {
			gone, err = tx.Grant.Delete().Where(entgrant.SubjectID(member), entgrant.OrganizationID(string(org))).Exec(ctx)
			return err
		})
		if err != nil {
			return database.Trail{}, err
		}
		services, err := tx.ServiceAccount.Delete().Where(serviceaccount.ID(member), serviceaccount.OrganizationID(string(org))).Exec(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		if services > 0 {
			if _, err := tx.APIToken.Delete().Where(apitoken.OwnerID(member)).Exec(ctx); err != nil {
				return database.Trail{}, err
			}
		}
		if gone+services == 0 {
			return database.Trail{}, fault.New(fault.Missing, "there is no member %s", member)
		}
		return database.Trail{Action: "member.remove", Object: "member " + member, Organization: string(org), Before: map[string]any{"roles": placesOf(had)}}, nil
	})
	return wrap(err, "remove a member")
}
