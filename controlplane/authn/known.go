package authn

import (
	"context"
	"fmt"
)

// FirstLogin returns how the first administrator signs in, and changes nothing of
// an account that exists: with the password of known while it is still right, else
// without a password. It makes the account when none was ever made here, and
// returns the zero Login when it was removed.
func (s *Service) FirstLogin(ctx context.Context, known Login) (Login, error) {
	login, made, err := s.Bootstrap(ctx)
	if err != nil || made {
		return login, err
	}
	user, err := s.store.UserByEmail(ctx, firstEmail)
	if missing(err) {
		return Login{}, nil
	}
	if err != nil {
		return Login{}, fmt.Errorf("find the first administrator: %w", err)
	}
	login = Login{Email: firstEmail}
	if known.Email != firstEmail || known.Password == "" || len(known.Password) > longestPassword {
		return login, nil
	}
	same, err := s.familiar.Compare(ctx, user.PasswordHash, known.Password)
	if same {
		login.Password = known.Password
	}
	return login, err
}
