package store

import (
	"context"
	"encoding/hex"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/apitoken"
	"weir/shared/fault"
	"weir/shared/id"
)

// TokenID identifies an API token: "tok_" and random characters.
type TokenID string

// APIToken is a machine's permission to call the API.
type APIToken struct {
	ID        TokenID
	Name      string // unique
	Role      Role
	Workspace id.Workspace // the only one in which the token is good, empty for all
	Hash      Hash
	CreatedAt time.Time
	CreatedBy string // the Actor, as the audit log shows it
}

// CreateToken adds t with a new ID and returns it. fault.Conflict: the name is
// taken.
func (s *Store) CreateToken(ctx context.Context, who Actor, t APIToken) (APIToken, error) {
	var out APIToken
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		taken, err := tx.APIToken.Query().Where(apitoken.Name(t.Name)).Exist(ctx)
		if err != nil {
			return trail{}, err
		}
		if taken {
			return trail{}, fault.New(fault.Conflict, "there is an API token of this name")
		}
		row, err := tx.APIToken.Create().SetID(newID("tok_")).SetName(t.Name).SetRole(string(t.Role)).SetWorkspaceID(string(t.Workspace)).
			SetHash(t.Hash.column()).SetCreatedAt(s.now()).SetCreatedBy(who.String()).Save(ctx)
		if err != nil {
			return trail{}, err
		}
		out = tokenOf(row)
		detail := "role " + row.Role
		if row.WorkspaceID != "" {
			detail += " in " + row.WorkspaceID
		}
		return trail{"token.create", "token " + row.ID, detail}, nil
	})
	return out, wrap(err, "create an API token")
}

// TokenByHash returns the token with that hash. fault.Missing: there is none.
func (s *Store) TokenByHash(ctx context.Context, token Hash) (APIToken, error) {
	return database.Read(ctx, func(ctx context.Context) (APIToken, error) {
		row, err := s.ent.APIToken.Query().Where(apitoken.Hash(token.column())).Only(ctx)
		if ent.IsNotFound(err) {
			return APIToken{}, fault.New(fault.Missing, "the API token is unknown")
		}
		if err != nil {
			return APIToken{}, err
		}
		return tokenOf(row), nil
	})
}

// Tokens returns all API tokens, by name.
func (s *Store) Tokens(ctx context.Context) ([]APIToken, error) {
	return database.Read(ctx, func(ctx context.Context) ([]APIToken, error) {
		rows, err := s.ent.APIToken.Query().Order(ent.Asc(apitoken.FieldName)).All(ctx)
		return each(rows, tokenOf), err
	})
}

// DeleteToken revokes a token at once. fault.Missing: there is none.
func (s *Store) DeleteToken(ctx context.Context, who Actor, token TokenID) error {
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		n, err := tx.APIToken.Delete().Where(apitoken.ID(string(token))).Exec(ctx)
		if err == nil && n == 0 {
			err = fault.New(fault.Missing, "there is no API token %s", token)
		}
		return trail{"token.delete", "token " + string(token), ""}, err
	})
	return wrap(err, "revoke an API token")
}

func tokenOf(row *ent.APIToken) APIToken {
	t := APIToken{ID: TokenID(row.ID), Name: row.Name, Role: Role(row.Role), Workspace: id.Workspace(row.WorkspaceID), CreatedAt: row.CreatedAt.UTC(), CreatedBy: row.CreatedBy}
	_, _ = hex.Decode(t.Hash[:], []byte(row.Hash)) // written by Hash.column
	return t
}
