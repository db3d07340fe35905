package store

import (
	"context"
	"time"
)

// TokenID identifies an API token: "tok_" and random characters.
type TokenID string

// APIToken is a machine's permission to call the API.
type APIToken struct {
	ID        TokenID
	Name      string // unique
	Role      Role
	Hash      Hash
	CreatedAt time.Time
	CreatedBy string // the Actor, as the audit log shows it
}

// CreateToken adds t with a new ID and returns it. fault.Conflict: the name is
// taken.
func (s *Store) CreateToken(ctx context.Context, who Actor, t APIToken) (APIToken, error) {
	return APIToken{}, errEmpty
}

// TokenByHash returns the token with that hash. fault.Missing: there is none.
func (s *Store) TokenByHash(ctx context.Context, token Hash) (APIToken, error) {
	return APIToken{}, errEmpty
}

// Tokens returns all API tokens, by name.
func (s *Store) Tokens(ctx context.Context) ([]APIToken, error) { return nil, errEmpty }

// DeleteToken revokes a token at once. fault.Missing: there is none.
func (s *Store) DeleteToken(ctx context.Context, who Actor, token TokenID) error { return errEmpty }
