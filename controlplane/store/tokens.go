package store

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"weir/controlplane/store/accounts"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/apitoken"
	entgrant "weir/controlplane/store/ent/grant"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// TokenID identifies an API token: "tok_" and random characters.
type TokenID string

// APIToken is a machine's permission to call the API. One with an Owner may what its owner
// may, and one without has Grants of its own.
type APIToken struct {
	ID           TokenID
	Organization OrganizationID // of a person's token, empty
	Owner        string         // a user or a service account, empty for none
	Name         string         // unique in its organization with its owner
	Grants       []Grant        // of a token without an owner
	Scopes       []string       // the actions that it is limited to, nil for no limit
	Proof        accounts.Proof // of the sign-in by which its owner made it
	Hash         Hash
	CreatedAt    time.Time
	CreatedBy    string    // the Actor, as the audit log shows it
	ExpiresAt    time.Time // zero: never
	LastUsedAt   time.Time // to some minutes; zero: never
}

// CreateToken adds t with a new ID, which becomes the Subject of its grants, and returns
// it. fault.Conflict: the name is taken.
func (s *Store) CreateToken(ctx context.Context, who Actor, t APIToken) (APIToken, error) {
	var out APIToken
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		taken, err := tx.APIToken.Query().Where(apitoken.OrganizationID(string(t.Organization)), apitoken.OwnerID(t.Owner), apitoken.Name(t.Name)).Exist(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		if taken {
			return database.Trail{}, fault.New(fault.Conflict, "there is an API token of this name")
		}
		create := tx.APIToken.Create().SetID(newID("tok_")).SetOrganizationID(string(t.Organization)).SetOwnerID(t.Owner).SetName(t.Name).
			SetRole(formerRole).SetScopes(strings.Join(t.Scopes, " ")).SetHash(t.Hash.column()).SetCreatedAt(s.now()).SetCreatedBy(who.String()).SetProof(string(t.Proof))
		if !t.ExpiresAt.IsZero() {
			create.SetExpiresAt(database.Stored(t.ExpiresAt))
		}
		row, err := create.Save(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		out = tokenOf(row)
		detail := "of " + t.Owner
		for i, g := range t.Grants {
			g.Subject = row.ID
			if err := tenancy.Give(ctx, tx, g, who.String(), s.now()); err != nil {
				return database.Trail{}, err
			}
			out.Grants = append(out.Grants, g)
			if i == 0 {
				detail = "role " + g.Role
				if g.Workspace != "" {
					detail += " in " + string(g.Workspace)
				}
			}
		}
		return database.Trail{Action: "token.create", Object: "token " + row.ID, Detail: detail, Organization: row.OrganizationID, After: tokenFields(out)}, nil
	})
	return out, wrap(err, "create an API token")
}

// TokenByHash returns the token with that hash. fault.Missing: there is none, or it has
// expired.
func (s *Store) TokenByHash(ctx context.Context, token Hash) (APIToken, error) {
	return database.Read(ctx, func(ctx context.Context) (APIToken, error) {
		row, err := s.ent.APIToken.Query().Where(apitoken.Hash(token.column())).Only(ctx)
		if ent.IsNotFound(err) || err == nil && row.ExpiresAt != nil && !s.now().Before(*row.ExpiresAt) {
			return APIToken{}, fault.New(fault.Missing, "the API token is unknown or has expired")
		}
		if err != nil {
			return APIToken{}, err
		}
		return tokenOf(row), nil
	})
}

// usedEvery is how often the time of a token's last use is written.
const usedEvery = 5 * time.Minute

// TokenUsed notes that a token was used now. It leaves no audit row.
func (s *Store) TokenUsed(ctx context.Context, t APIToken) error {
	now := s.now()
	if now.Sub(t.LastUsedAt) < usedEvery && !t.LastUsedAt.After(now) {
		return nil
	}
	err := s.ent.APIToken.Update().Where(apitoken.ID(string(t.ID))).SetLastUsedAt(now).Exec(ctx)
	if err != nil {
		return fault.New(fault.Unavailable, "the time of the token's last use could not be written")
	}
	return nil
}

// Tokens returns the API tokens of an organization, or, where owner is not empty, of
// that owner, by name.
func (s *Store) Tokens(ctx context.Context, org OrganizationID, owner string) ([]APIToken, error) {
	return database.Read(ctx, func(ctx context.Context) ([]APIToken, error) {
		q := s.ent.APIToken.Query().Where(apitoken.OrganizationID(string(org)))
		if owner != "" {
			q = s.ent.APIToken.Query().Where(apitoken.OwnerID(owner))
		}
		rows, err := q.Order(ent.Asc(apitoken.FieldName)).All(ctx)
		if err != nil {
			return nil, err
		}
		out := each(rows, tokenOf)
		for i := range out {
			if out[i].Owner == "" {
				if out[i].Grants, err = s.Tenancy().Grants(ctx, string(out[i].ID)); err != nil {
					return nil, err
				}
			}
		}
		return out, nil
	})
}

// DeleteToken revokes a token of an organization, or, where owner is not empty, of that
// owner, at once. fault.Missing: there is none.
func (s *Store) DeleteToken(ctx context.Context, who Actor, org OrganizationID, owner string, token TokenID) error {
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		of := apitoken.OrganizationID(string(org))
		if owner != "" {
			of = apitoken.OwnerID(owner)
		}
		row, err := tx.APIToken.Query().Where(apitoken.ID(string(token)), of).Only(ctx)
		if ent.IsNotFound(err) {
			return database.Trail{}, fault.New(fault.Missing, "there is no API token %s", token)
		}
		if err != nil {
			return database.Trail{}, err
		}
		if _, err := tx.Grant.Delete().Where(entgrant.SubjectID(row.ID)).Exec(ctx); err != nil {
			return database.Trail{}, err
		}
		return database.Trail{Action: "token.delete", Object: "token " + row.ID, Organization: row.OrganizationID, Before: tokenFields(tokenOf(row))}, tx.APIToken.DeleteOne(row).Exec(ctx)
	})
	return wrap(err, "revoke an API token")
}

// tokenFields is a token as the audit log shows it.
func tokenFields(t APIToken) fields {
	out := fields{"name": t.Name, "owner": t.Owner, "scopes": t.Scopes, "fingerprint": t.Hash.column()[:16]}
	if !t.ExpiresAt.IsZero() {
		out["expiresAt"] = t.ExpiresAt
	}
	if len(t.Grants) > 0 {
		out["role"], out["workspace"] = t.Grants[0].Role, t.Grants[0].Workspace
	}
	return out
}

func tokenOf(row *ent.APIToken) APIToken {
	t := APIToken{
		ID: TokenID(row.ID), Organization: OrganizationID(row.OrganizationID), Owner: row.OwnerID, Name: row.Name,
		CreatedAt: row.CreatedAt.UTC(), CreatedBy: row.CreatedBy, Proof: accounts.Proof(row.Proof),
	}
	if row.Scopes != "" {
		t.Scopes = strings.Fields(row.Scopes)
	}
	if row.ExpiresAt != nil {
		t.ExpiresAt = row.ExpiresAt.UTC()
	}
	if row.LastUsedAt != nil {
		t.LastUsedAt = row.LastUsedAt.UTC()
	}
	_, _ = hex.Decode(t.Hash[:], []byte(row.Hash)) // written by Hash.column
	return t
}
