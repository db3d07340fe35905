package accounts

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	entgrant "weir/controlplane/store/ent/grant"
	"weir/controlplane/store/ent/identity"
	"weir/controlplane/store/ent/session"
	"weir/controlplane/store/ent/user"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// Provider is the identity provider of an organization.
type Provider struct {
	Organization tenancy.OrganizationID
	Issuer       string
	ClientID     string
	Secret       []byte   // of the client, encrypted; empty for none
	Domains      []string // of e-mail addresses that may sign in, in lower case
	Role         string   // of who signs in and was not invited, empty: nobody does
	Required     bool
	UpdatedAt    time.Time
}

// Provider returns that of an organization. fault.Missing: there is none.
func (a *Accounts) Provider(ctx context.Context, org tenancy.OrganizationID) (Provider, error) {
	return database.Read(ctx, func(ctx context.Context) (Provider, error) {
		row, err := a.db.Ent().IdentityProvider.Get(ctx, string(org))
		if ent.IsNotFound(err) {
			return Provider{}, errProvider
		}
		if err != nil {
			return Provider{}, err
		}
		return providerOf(row), nil
	})
}

var errProvider = fault.New(fault.Missing, "the organization has no identity provider")

// SetProvider gives an organization its provider. Where it had another, everyone who
// signed in there is signed out. UpdatedAt is set here.
func (a *Accounts) SetProvider(ctx context.Context, by By, p Provider) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		trail := database.Trail{Action: "identity-provider.set", Object: "organization " + string(p.Organization), Organization: string(p.Organization), After: p.fields()}
		former, err := tx.IdentityProvider.Get(ctx, string(p.Organization))
		switch {
		case ent.IsNotFound(err):
		case err != nil:
			return trail, err
		default:
			trail.Before = providerOf(former).fields()
			if err := tx.IdentityProvider.DeleteOne(former).Exec(ctx); err != nil {
				return trail, err
			}
			if former.Issuer != p.Issuer || former.ClientID != p.ClientID {
				if err := signOut(ctx, tx, p.Organization); err != nil {
					return trail, err
				}
			}
		}
		return trail, tx.IdentityProvider.Create().SetID(string(p.Organization)).SetIssuer(p.Issuer).SetClientID(p.ClientID).SetClientSecret(append([]byte{}, p.Secret...)).
			SetDomains(strings.Join(p.Domains, " ")).SetRole(p.Role).SetRequired(p.Required).SetUpdatedAt(a.db.Now()).Exec(ctx)
	})
	return wrap(err, "set the identity provider")
}

// RemoveProvider takes the provider of an organization, and signs out who signed in there.
// fault.Missing: there is none.
func (a *Accounts) RemoveProvider(ctx context.Context, by By, org tenancy.OrganizationID) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		trail := database.Trail{Action: "identity-provider.remove", Object: "organization " + string(org), Organization: string(org)}
		row, err := tx.IdentityProvider.Get(ctx, string(org))
		if ent.IsNotFound(err) {
			err = errProvider
		}
		if err != nil {
			return trail, err
		}
		trail.Before = providerOf(row).fields()
		if err := signOut(ctx, tx, org); err != nil {
			return trail, err
		}
		return trail, tx.IdentityProvider.DeleteOne(row).Exec(ctx)
	})
	return wrap(err, "remove the identity provider")
}

// signOut ends the sessions that the provider of an organization vouched for.
func signOut(ctx context.Context, tx *ent.Tx, org tenancy.OrganizationID) error {
	_, err := tx.Session.Delete().Where(session.Proof(string(ByProvider(org)))).Exec(ctx)
	return err
}

// Identity is how an organization's provider named somebody, with an address of one of
// its domains.
type Identity struct {
	Organization             tenancy.OrganizationID
	Issuer, Subject, Address string
}

// ErrStranger says that the provider's person is no member of the organization.
var ErrStranger = fault.New(fault.Denied, "you are no member of the organization: ask for an invitation")

// Join finds the user that an identity names: the one that it named before, else the one
// with its address, else a new one without a password. Who is no member becomes one with
// role, when the identity is new and role is not empty.
//
// ErrStranger: the user is no member of the organization, or not any more.
func (a *Accounts) Join(ctx context.Context, by By, in Identity, role string) (who, email string, err error) {
	in.Address = strings.ToLower(in.Address)
	err = a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		who, email = "", ""
		known, err := tx.Identity.Query().Where(identity.OrganizationID(string(in.Organization)), identity.Issuer(in.Issuer), identity.Subject(in.Subject)).WithUser().Only(ctx)
		if err == nil {
			who, email = known.UserID, known.Edges.User.Email
			return database.Trail{}, member(ctx, tx, in.Organization, who)
		}
		if !ent.IsNotFound(err) {
			return database.Trail{}, err
		}
		trail := database.Trail{Action: "identity.join", Organization: string(in.Organization), After: map[string]any{"issuer": in.Issuer, "subject": in.Subject}}
		row, err := tx.User.Query().Where(user.Email(in.Address)).Only(ctx)
		switch {
		case ent.IsNotFound(err) && role == "":
			return trail, ErrStranger
		case ent.IsNotFound(err):
			row, err = tx.User.Create().SetID("usr_" + strings.ToLower(rand.Text())).SetEmail(in.Address).SetPasswordHash("").SetRole("viewer").SetCreatedAt(a.db.Now()).Save(ctx)
			trail.Detail = "new account"
		}
		if err != nil {
			return trail, err
		}
		who, email = row.ID, row.Email
		trail.Object = "member " + who
		if err := member(ctx, tx, in.Organization, who); err != nil {
			if role == "" || fault.KindOf(err) != fault.Denied {
				return trail, err
			}
			if err := tenancy.Give(ctx, tx, tenancy.Grant{Subject: who, Organization: in.Organization, Role: role}, by.Name, a.db.Now()); err != nil {
				return trail, err
			}
			trail.Detail = strings.TrimSpace(trail.Detail + " role " + role)
		}
		return trail, tx.Identity.Create().SetOrganizationID(string(in.Organization)).SetIssuer(in.Issuer).SetSubject(in.Subject).SetUserID(who).SetCreatedAt(a.db.Now()).Exec(ctx)
	})
	return who, email, wrap(err, "find who signed in at the identity provider")
}

// member says whether a user has something in an organization: nil, or ErrStranger.
func member(ctx context.Context, tx *ent.Tx, org tenancy.OrganizationID, who string) error {
	there, err := tx.Grant.Query().Where(entgrant.SubjectID(who), entgrant.OrganizationID(string(org))).Exist(ctx)
	if err == nil && !there {
		return ErrStranger
	}
	return err
}

// Takes reports whether the address is of one of the provider's domains.
func (p Provider) Takes(address string) bool {
	at := strings.LastIndexByte(address, '@')
	return at > 0 && slices.Contains(p.Domains, strings.ToLower(address[at+1:]))
}

// fields is p as the audit log shows it.
func (p Provider) fields() map[string]any {
	return map[string]any{"issuer": p.Issuer, "clientId": p.ClientID, "hasSecret": len(p.Secret) > 0, "domains": p.Domains, "role": p.Role, "required": p.Required}
}

func providerOf(row *ent.IdentityProvider) Provider {
	return Provider{
		Organization: tenancy.OrganizationID(row.ID), Issuer: row.Issuer, ClientID: row.ClientID, Secret: row.ClientSecret,
		Domains: strings.Fields(row.Domains), Role: row.Role, Required: row.Required, UpdatedAt: row.UpdatedAt.UTC(),
	}
}
