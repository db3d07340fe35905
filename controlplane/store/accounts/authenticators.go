package accounts

import (
	"context"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/authenticator"
	"weir/controlplane/store/ent/recoverycode"
	"weir/controlplane/store/ent/session"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// Authenticator is what makes a user's one-time codes.
type Authenticator struct {
	User      string
	Secret    []byte // encrypted
	Confirmed bool   // by a code: sign-ins ask for codes
	LastStep  int64  // time step of the newest code that was used
	Recovery  int    // recovery codes that are left
	CreatedAt time.Time
}

// Used is the code that a write spends: of a time step, or a recovery code by its hash.
// The zero Used is none.
type Used struct {
	Step     int64
	Recovery [32]byte
}

func (u Used) String() string {
	switch {
	case u.Recovery != [32]byte{}:
		return "recovery code"
	case u.Step != 0:
		return "one-time code"
	}
	return ""
}

// ErrUsed says that a code is not good, or was used before.
var ErrUsed = fault.New(fault.Denied, "the code is not good or was used before")

// spend uses a code up, once also beside others.
func spend(ctx context.Context, tx *ent.Tx, who string, u Used) error {
	n, err := 1, error(nil)
	switch {
	case u.Recovery != [32]byte{}:
		n, err = tx.RecoveryCode.Delete().Where(recoverycode.ID(column(u.Recovery)), recoverycode.UserID(who)).Exec(ctx)
	case u.Step != 0:
		n, err = tx.Authenticator.Update().Where(authenticator.ID(who), authenticator.ConfirmedAtNotNil(), authenticator.LastStepLT(u.Step)).SetLastStep(u.Step).Save(ctx)
	}
	if err == nil && n == 0 {
		return ErrUsed
	}
	return err
}

// Authenticator returns a user's, also one that is not confirmed. fault.Missing: there is
// none.
func (a *Accounts) Authenticator(ctx context.Context, who string) (Authenticator, error) {
	return database.Read(ctx, func(ctx context.Context) (Authenticator, error) {
		row, err := a.db.Ent().Authenticator.Get(ctx, who)
		if ent.IsNotFound(err) {
			return Authenticator{}, fault.New(fault.Missing, "the account has no authenticator")
		}
		if err != nil {
			return Authenticator{}, err
		}
		out := Authenticator{User: who, Secret: row.Secret, Confirmed: row.ConfirmedAt != nil, LastStep: row.LastStep, CreatedAt: row.CreatedAt.UTC()}
		out.Recovery, err = a.db.Ent().RecoveryCode.Query().Where(recoverycode.UserID(who)).Count(ctx)
		return out, err
	})
}

// HasRecoveryCode reports whether a recovery code of a user is good.
func (a *Accounts) HasRecoveryCode(ctx context.Context, who string, hash [32]byte) (bool, error) {
	return database.Read(ctx, func(ctx context.Context) (bool, error) {
		return a.db.Ent().RecoveryCode.Query().Where(recoverycode.ID(column(hash)), recoverycode.UserID(who)).Exist(ctx)
	})
}

// Enrol keeps the secret of an authenticator until a code confirms it, in place of one
// that was not confirmed. fault.Conflict: the user has one that was.
func (a *Accounts) Enrol(ctx context.Context, by By, who string, secret []byte) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		row, err := tx.Authenticator.Get(ctx, who)
		switch {
		case ent.IsNotFound(err):
		case err != nil:
			return database.Trail{}, err
		case row.ConfirmedAt != nil:
			return database.Trail{}, fault.New(fault.Conflict, "the account has an authenticator: remove it first")
		default:
			if err := tx.Authenticator.DeleteOne(row).Exec(ctx); err != nil {
				return database.Trail{}, err
			}
		}
		return database.Trail{Action: "authenticator.enrol", Object: "user " + who},
			tx.Authenticator.Create().SetID(who).SetSecret(secret).SetCreatedAt(a.db.Now()).Exec(ctx)
	})
	return wrap(err, "enrol an authenticator")
}

// Confirm makes sign-ins of a user ask for codes from now on, gives recovery codes by
// their hashes, and ends every session of the user. secret is the encrypted one that the
// code of step was for.
//
// fault.Conflict: there is no such authenticator any more, or it was confirmed before.
func (a *Accounts) Confirm(ctx context.Context, by By, who string, secret []byte, step int64, recovery [][32]byte) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		now := a.db.Now()
		n, err := tx.Authenticator.Update().Where(authenticator.ID(who), authenticator.SecretEQ(secret), authenticator.ConfirmedAtIsNil()).
			SetConfirmedAt(now).SetLastStep(step).Save(ctx)
		if err == nil && n == 0 {
			err = fault.New(fault.Conflict, "the authenticator was confirmed or enrolled anew meanwhile")
		}
		if err == nil {
			err = a.replace(ctx, tx, who, recovery)
		}
		if err == nil {
			_, err = tx.Session.Delete().Where(session.UserID(who)).Exec(ctx)
		}
		return database.Trail{Action: "authenticator.confirm", Object: "user " + who}, err
	})
	return wrap(err, "confirm an authenticator")
}

// NewRecoveryCodes gives a user others in place of those that are left. ErrUsed: the code
// that it spends is not good any more.
func (a *Accounts) NewRecoveryCodes(ctx context.Context, by By, who string, used Used, recovery [][32]byte) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		err := spend(ctx, tx, who, used)
		if err == nil {
			err = a.replace(ctx, tx, who, recovery)
		}
		return database.Trail{Action: "authenticator.recovery", Object: "user " + who, Detail: used.String()}, err
	})
	return wrap(err, "make recovery codes")
}

func (a *Accounts) replace(ctx context.Context, tx *ent.Tx, who string, recovery [][32]byte) error {
	if _, err := tx.RecoveryCode.Delete().Where(recoverycode.UserID(who)).Exec(ctx); err != nil {
		return err
	}
	rows := make([]*ent.RecoveryCodeCreate, len(recovery))
	for i, hash := range recovery {
		rows[i] = tx.RecoveryCode.Create().SetID(column(hash)).SetUserID(who).SetCreatedAt(a.db.Now())
	}
	return tx.RecoveryCode.CreateBulk(rows...).Exec(ctx)
}

// RemoveAuthenticator makes sign-ins of a user ask for no code any more, and spends one
// where the user says so; org is the organization whose member it is of where somebody else
// does, and then every session of the user ends.
//
// fault.Missing: there is none. ErrUsed: the code that it spends is not good any more.
func (a *Accounts) RemoveAuthenticator(ctx context.Context, by By, org tenancy.OrganizationID, who string, used Used) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		if err := spend(ctx, tx, who, used); err != nil {
			return database.Trail{}, err
		}
		n, err := tx.Authenticator.Delete().Where(authenticator.ID(who)).Exec(ctx)
		if err == nil && n == 0 {
			err = fault.New(fault.Missing, "the account has no authenticator")
		}
		if err == nil {
			err = a.replace(ctx, tx, who, nil)
		}
		if err == nil && org != "" {
			_, err = tx.Session.Delete().Where(session.UserID(who)).Exec(ctx)
		}
		return database.Trail{Action: "authenticator.remove", Object: "user " + who, Detail: used.String(), Organization: string(org)}, err
	})
	return wrap(err, "remove the authenticator")
}
