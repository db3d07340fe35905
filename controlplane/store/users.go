package store

import (
	"context"
	"time"
)

// UserID identifies a user: "usr_" and random characters.
type UserID string

// User is a person who may sign in.
type User struct {
	ID           UserID
	Email        string // unique, kept in lower case
	PasswordHash string // as authn encoded it; never the password
	Role         Role
	CreatedAt    time.Time
}

// Hash is the SHA-256 of a token. Tokens are long and random, so a plain hash
// is enough to keep them unusable to a reader of the database.
type Hash [32]byte

// Session is one sign-in of a user, known by the hash of its token.
type Session struct {
	Hash      Hash
	User      UserID
	CreatedAt time.Time
	ExpiresAt time.Time
}

// CreateFirstUser creates u if no first user was ever created here, and reports
// whether it did. The marker outlives the user, so deleting everyone does not
// open the door again. Of several processes that start at once one gets true.
func (s *Store) CreateFirstUser(ctx context.Context, who Actor, u User) (bool, error) {
	return false, errEmpty
}

// CreateUser adds u with a new ID and returns it. fault.Conflict: the e-mail
// is taken.
func (s *Store) CreateUser(ctx context.Context, who Actor, u User) (User, error) {
	return User{}, errEmpty
}

// UserByEmail returns the user with that e-mail, in any case of letters.
// fault.Missing: there is none.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	return User{}, errEmpty
}

// Users returns everyone, by e-mail.
func (s *Store) Users(ctx context.Context) ([]User, error) { return nil, errEmpty }

// SetPassword replaces the password hash of a user and ends every session of
// that user. fault.Missing: there is no such user.
func (s *Store) SetPassword(ctx context.Context, who Actor, user UserID, hash string) error {
	return errEmpty
}

// CreateSession records a sign-in and drops sessions that have expired.
// fault.Missing: there is no such user.
func (s *Store) CreateSession(ctx context.Context, who Actor, session Session) error {
	return errEmpty
}

// Session returns the session with that token hash and its user.
// fault.Missing: unknown or expired.
func (s *Store) Session(ctx context.Context, token Hash) (Session, User, error) {
	return Session{}, User{}, errEmpty
}

// DeleteSession ends a session. Ending one that is gone is not an error.
func (s *Store) DeleteSession(ctx context.Context, who Actor, token Hash) error { return errEmpty }
