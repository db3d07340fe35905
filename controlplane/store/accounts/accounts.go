// Package accounts keeps what people sign in with and what came of it: sessions, what
// makes one-time codes, recovery codes, identity providers of organizations and how they
// name people, and what organizations ask of a sign-in.
//
// It guarantees that ending a session ends every one that it was renewed to, that a code
// is good once also when two requests bring it at once, and that a write leaves an audit
// row in its transaction. It never holds a token, a code or a password in clear: callers
// pass hashes, and secrets that they encrypted.
package accounts

import (
	"context"
	"fmt"
	"strings"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/identityprovider"
	"weir/controlplane/store/ent/organization"
	"weir/controlplane/store/ent/session"
	"weir/controlplane/store/ent/user"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// Accounts is this part of an open database. It is safe for concurrent use.
type Accounts struct{ db *database.DB }

// New returns the accounts of db.
func New(db *database.DB) *Accounts { return &Accounts{db} }

// By is who makes a write: an identifier, and the name in the audit log, "person:ann@example.com".
type By struct{ ID, Name string }

// Proof is by what somebody signed in: a password, ByCode, or ByProvider.
type Proof string

// The ways to sign in that are not an organization's own.
const (
	ByPassword Proof = ""     // a password alone
	ByCode     Proof = "code" // a password and a one-time code
)

const providerPrefix = "oidc "

// ByProvider is a sign-in at the identity provider of an organization.
func ByProvider(org tenancy.OrganizationID) Proof { return Proof(providerPrefix + string(org)) }

// Provider is the organization whose identity provider vouched, empty for none.
func (p Proof) Provider() tenancy.OrganizationID {
	org, ok := strings.CutPrefix(string(p), providerPrefix)
	if !ok {
		return ""
	}
	return tenancy.OrganizationID(org)
}

// SetPassword replaces the password hash of a user and ends every session of the user
// but those of the sign-in except. fault.Missing: there is no such user. ErrUsed: the code
// that it spends is not good any more.
func (a *Accounts) SetPassword(ctx context.Context, by By, id, hash, except string, used Used) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		n, err := tx.User.Update().Where(user.ID(id)).SetPasswordHash(hash).Save(ctx)
		if err == nil && n == 0 {
			err = fault.New(fault.Missing, "there is no user %s", id)
		}
		if err == nil {
			err = spend(ctx, tx, id, used)
		}
		if err != nil {
			return database.Trail{}, err
		}
		_, err = tx.Session.Delete().Where(session.UserID(id), session.Or(session.SignInNEQ(except), session.SignIn(""))).Exec(ctx)
		return database.Trail{Action: "user.password", Object: "user " + id, Detail: used.String()}, err
	})
	return wrap(err, "set the password of %s", id)
}

// Rule is what an organization asks of the sign-ins of its people.
type Rule struct {
	Code     bool // a one-time code, or its own provider
	Provider bool // its own provider; its owners have their password as the way back in
}

// Rules returns what organizations ask for; those that ask for nothing are left out.
func (a *Accounts) Rules(ctx context.Context, orgs []string) (map[tenancy.OrganizationID]Rule, error) {
	if len(orgs) == 0 {
		return nil, nil
	}
	return database.Read(ctx, func(ctx context.Context) (map[tenancy.OrganizationID]Rule, error) {
		out := map[tenancy.OrganizationID]Rule{}
		rows, err := a.db.Ent().Organization.Query().Where(organization.IDIn(orgs...), organization.RequireCode(true)).IDs(ctx)
		for _, org := range rows {
			out[tenancy.OrganizationID(org)] = Rule{Code: true}
		}
		if err != nil {
			return nil, err
		}
		rows, err = a.db.Ent().IdentityProvider.Query().Where(identityprovider.IDIn(orgs...), identityprovider.Required(true)).IDs(ctx)
		for _, org := range rows {
			rule := out[tenancy.OrganizationID(org)]
			rule.Provider = true
			out[tenancy.OrganizationID(org)] = rule
		}
		return out, err
	})
}

// RequireCode says whether an organization asks for one-time codes. fault.Missing: there
// is no such organization.
func (a *Accounts) RequireCode(ctx context.Context, by By, org tenancy.OrganizationID, required bool) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		row, err := tx.Organization.Get(ctx, string(org))
		if ent.IsNotFound(err) {
			return database.Trail{}, fault.New(fault.Missing, "there is no such organization")
		}
		if err != nil || row.RequireCode == required {
			return database.Trail{}, err
		}
		return database.Trail{
			Action: "organization.sign-in", Object: "organization " + row.ID, Organization: row.ID,
			Before: map[string]any{"requireCode": row.RequireCode}, After: map[string]any{"requireCode": required},
		}, tx.Organization.UpdateOne(row).SetRequireCode(required).Exec(ctx)
	})
	return wrap(err, "set what the organization asks of sign-ins")
}

// write is database.DB.Write in the name of somebody.
func (a *Accounts) write(ctx context.Context, by By, fn func(ctx context.Context, tx *ent.Tx) (database.Trail, error)) error {
	if by.Name == "" {
		return fault.New(fault.Internal, "a write without an actor")
	}
	if origin := chain.OriginOf(ctx); by.ID != origin.ActorID {
		origin.ActorID = by.ID
		ctx = chain.With(ctx, origin)
	}
	return a.db.Write(ctx, by.Name, fn)
}

// wrap says what failed, and passes nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
