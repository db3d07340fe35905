package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/user"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// UserID identifies a user: "usr_" and random characters.
type UserID string

// User is a person who may sign in.
type User struct {
	ID           UserID
	Email        string // unique, kept in lower case
	PasswordHash string // as authn encoded it; never the password
	CreatedAt    time.Time
}

// Hash is the SHA-256 of a token. Tokens are long and random, so a plain hash
// is enough to keep them unusable to a reader of the database.
type Hash [32]byte

// column is the form of h in the database. The zero Hash is no token's, and
// matches nothing.
func (h Hash) column() string { return hex.EncodeToString(h[:]) }

// firstUser is the setting that marks that the first user was made.
const firstUser = "first_user"

// formerRole is what a release without grants reads as the role of whoever was made
// since: the least.
const formerRole = "viewer"

// CreateFirstUser creates u, an operator of the installation and owner of its first
// organization, if no first user was ever created here, and reports
// whether it did. The marker outlives the user, so deleting everyone does not
// let anyone in again. Of several processes that start at once one gets true.
func (s *Store) CreateFirstUser(ctx context.Context, who Actor, u User) (bool, error) {
	made := false
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		made = false
		switch _, err := tx.Setting.Get(ctx, firstUser); {
		case err == nil:
			return trail{}, nil
		case !ent.IsNotFound(err):
			return trail{}, err
		}
		if err := tx.Setting.Create().SetID(firstUser).SetValue([]byte("done")).Exec(ctx); err != nil {
			return trail{}, err
		}
		row, err := createUser(ctx, tx, u, s.now())
		if err != nil {
			return trail{}, err
		}
		for _, g := range []Grant{{Organization: tenancy.Default, Role: "owner"}, {Role: "operator"}} {
			g.Subject = row.ID
			if err := tenancy.Give(ctx, tx, g, who.String(), s.now()); err != nil {
				return trail{}, err
			}
		}
		made = true
		return trail{Action: "user.create", Object: "user " + row.ID, Detail: "first user", After: fields{"email": row.Email}}, nil
	})
	return made && err == nil, wrap(err, "create the first user")
}

// CreateUser adds u with a new ID and returns it. fault.Conflict: the e-mail
// is taken.
func (s *Store) CreateUser(ctx context.Context, who Actor, u User) (User, error) {
	var out User
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		row, err := createUser(ctx, tx, u, s.now())
		if err != nil {
			return trail{}, err
		}
		out = userOf(row)
		return trail{Action: "user.create", Object: "user " + row.ID, After: fields{"email": row.Email}}, nil
	})
	return out, wrap(err, "create a user")
}

func createUser(ctx context.Context, tx *ent.Tx, u User, now time.Time) (*ent.User, error) {
	email := strings.ToLower(u.Email)
	taken, err := tx.User.Query().Where(user.Email(email)).Exist(ctx)
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, fault.New(fault.Conflict, "there is a user with this e-mail")
	}
	return tx.User.Create().SetID(newID("usr_")).SetEmail(email).SetPasswordHash(u.PasswordHash).
		SetRole(formerRole).SetCreatedAt(now).Save(ctx)
}

// UserByEmail returns the user with that e-mail, in any case of letters.
// fault.Missing: there is none.
func (s *Store) UserByEmail(ctx context.Context, email string) (User, error) {
	return database.Read(ctx, func(ctx context.Context) (User, error) {
		row, err := s.ent.User.Query().Where(user.Email(strings.ToLower(email))).Only(ctx)
		if ent.IsNotFound(err) {
			return User{}, fault.New(fault.Missing, "there is no user with this e-mail")
		}
		if err != nil {
			return User{}, err
		}
		return userOf(row), nil
	})
}

// UserEmail returns the e-mail of a user. fault.Missing: there is none.
func (s *Store) UserEmail(ctx context.Context, id UserID) (string, error) {
	return database.Read(ctx, func(ctx context.Context) (string, error) {
		row, err := s.ent.User.Get(ctx, string(id))
		if ent.IsNotFound(err) {
			return "", fault.New(fault.Missing, "there is no user %s", id)
		}
		if err != nil {
			return "", err
		}
		return row.Email, nil
	})
}

// Users returns everyone, by e-mail.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return database.Read(ctx, func(ctx context.Context) ([]User, error) {
		rows, err := s.ent.User.Query().Order(ent.Asc(user.FieldEmail)).All(ctx)
		return each(rows, userOf), err
	})
}

func userOf(row *ent.User) User {
	return User{
		ID: UserID(row.ID), Email: row.Email, PasswordHash: row.PasswordHash,
		CreatedAt: row.CreatedAt.UTC(),
	}
}

// newID returns an identifier with 130 random bits behind prefix.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// each turns rows into plain values; none gives nil.
func each[R, T any](rows []R, of func(R) T) []T {
	if len(rows) == 0 {
		return nil
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}

// wrap says where err came from, and passes nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
