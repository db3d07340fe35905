package accounts

import (
	"context"
	"encoding/hex"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/logincode"
	"weir/shared/fault"
)

// LoginCode is a program that waits for a person to let it in.
type LoginCode struct {
	Code      [32]byte // hash of what the program alone knows
	Challenge [32]byte // keyed hash of what the person types
	Name      string   // where the program says that it runs
	Address   string   // that it asked from
	Agent     string   // how it names itself
	State     LoginState
	User      string        // who decided, empty while it waits
	Email     string        // the user's
	Proof     Proof         // of the user's sign-in
	Interval  time.Duration // that it waits between two questions at least, in whole seconds
	CreatedAt time.Time
	ExpiresAt time.Time
}

// LoginState is what became of a LoginCode.
type LoginState string

// The states.
const (
	LoginWaiting LoginState = "waiting"
	LoginAllowed LoginState = "allowed"
	LoginRefused LoginState = "refused"
)

const (
	// mostWaiting is how many programs wait at once: strangers make them.
	mostWaiting = 10_000
	slowDown    = 5 * time.Second // more to wait for who asks too early: RFC 8628, section 3.5
	slowest     = time.Minute
)

var errLoginCode = fault.New(fault.Missing, "no program waits with this code: it has expired, was used, or was never there")

// AskLogin keeps a program that waits, and drops those that have expired. CreatedAt and
// State are set here. It leaves no audit row: strangers ask.
//
// fault.Limited: too many wait. fault.Conflict: another waits with this challenge.
func (a *Accounts) AskLogin(ctx context.Context, in LoginCode) error {
	now := a.db.Now()
	if _, err := a.db.Ent().LoginCode.Delete().Where(logincode.ExpiresAtLTE(now)).Exec(ctx); err != nil {
		return wrap(away(err), "drop codes that have expired")
	}
	waiting, err := a.db.Ent().LoginCode.Query().Count(ctx)
	if err != nil {
		return wrap(away(err), "count the programs that wait")
	}
	if waiting >= mostWaiting {
		return fault.New(fault.Limited, "too many programs wait to be let in; try again in a few minutes")
	}
	err = a.db.Ent().LoginCode.Create().SetID(column(in.Code)).SetChallenge(column(in.Challenge)).SetName(in.Name).SetAddress(in.Address).SetAgent(in.Agent).
		SetSeconds(int(in.Interval / time.Second)).SetCreatedAt(now).SetExpiresAt(database.Stored(in.ExpiresAt)).Exec(ctx)
	if ent.IsConstraintError(err) {
		return fault.New(fault.Conflict, "another program waits with this code; begin again")
	}
	return wrap(away(err), "keep a program that waits")
}

// away hides a driver's error, whose text may quote values.
func away(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.Unavailable, "the database did not answer")
}

// WaitingLogin returns the program with a challenge that waits. fault.Missing: none does.
func (a *Accounts) WaitingLogin(ctx context.Context, challenge [32]byte) (LoginCode, error) {
	return database.Read(ctx, func(ctx context.Context) (LoginCode, error) {
		row, err := a.db.Ent().LoginCode.Query().Where(logincode.Challenge(column(challenge)), logincode.State(string(LoginWaiting)), logincode.ExpiresAtGT(a.db.Now())).Only(ctx)
		if ent.IsNotFound(err) {
			return LoginCode{}, errLoginCode
		}
		if err != nil {
			return LoginCode{}, err
		}
		return loginCodeOf(row), nil
	})
}

// DecideLogin lets the program with a challenge in as a user whose sign-in had a proof, or
// refuses it. fault.Missing: none waits.
func (a *Accounts) DecideLogin(ctx context.Context, by By, challenge [32]byte, user string, proof Proof, state LoginState) error {
	action := map[LoginState]string{LoginAllowed: "login.allow", LoginRefused: "login.refuse"}[state]
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		row, err := tx.LoginCode.Query().Where(logincode.Challenge(column(challenge)), logincode.State(string(LoginWaiting)), logincode.ExpiresAtGT(a.db.Now())).Only(ctx)
		if ent.IsNotFound(err) {
			return database.Trail{}, errLoginCode
		}
		if err != nil {
			return database.Trail{}, err
		}
		return database.Trail{Action: action, Object: "user " + user, Detail: row.Name, After: map[string]any{"device": row.Name, "address": row.Address, "agent": row.Agent}},
			tx.LoginCode.UpdateOne(row).SetState(string(state)).SetUserID(user).SetProof(string(proof)).Exec(ctx)
	})
	return wrap(err, "decide whether a program may sign in")
}

// ErrEarly says that a program asked before its interval had passed.
var ErrEarly = fault.New(fault.Limited, "the program asks too often")

// PollLogin returns what became of the program with a code. One that was let in is
// returned as that once.
//
// fault.Missing: the code has expired, was used, or was never there. ErrEarly: the program
// has to wait longer between two questions from now on.
func (a *Accounts) PollLogin(ctx context.Context, code [32]byte) (LoginCode, error) {
	row, err := a.db.Ent().LoginCode.Query().Where(logincode.ID(column(code)), logincode.ExpiresAtGT(a.db.Now())).WithUser().Only(ctx)
	if ent.IsNotFound(err) {
		return LoginCode{}, errLoginCode
	}
	if err != nil {
		return LoginCode{}, wrap(away(err), "find a program that waits")
	}
	out, now := loginCodeOf(row), a.db.Now()
	if out.State == LoginAllowed {
		return out, a.use(ctx, out)
	}
	early := row.PolledAt != nil && now.Sub(*row.PolledAt) < out.Interval && !row.PolledAt.After(now)
	if early {
		out.Interval = min(out.Interval+slowDown, slowest)
	}
	err = a.db.Ent().LoginCode.Update().Where(logincode.ID(row.ID)).SetPolledAt(now).SetSeconds(int(out.Interval / time.Second)).Exec(ctx)
	if err != nil {
		return LoginCode{}, wrap(away(err), "note the question of a program")
	}
	if early {
		return LoginCode{}, ErrEarly
	}
	return out, nil
}

// use drops a code that was let in. fault.Missing: somebody was faster.
func (a *Accounts) use(ctx context.Context, code LoginCode) error {
	err := a.write(ctx, By{ID: code.User, Name: "person:" + code.Email}, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		n, err := tx.LoginCode.Delete().Where(logincode.ID(column(code.Code)), logincode.State(string(LoginAllowed))).Exec(ctx)
		if err == nil && n == 0 {
			err = errLoginCode
		}
		return database.Trail{Action: "login.use", Object: "user " + code.User, Detail: code.Name}, err
	})
	return wrap(err, "use a code")
}

func loginCodeOf(row *ent.LoginCode) LoginCode {
	out := LoginCode{
		Name: row.Name, Address: row.Address, Agent: row.Agent, State: LoginState(row.State), Proof: Proof(row.Proof),
		Interval: time.Duration(row.Seconds) * time.Second, CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(),
	}
	if row.UserID != nil {
		out.User = *row.UserID
	}
	if row.Edges.User != nil {
		out.Email = row.Edges.User.Email
	}
	out.Code, out.Challenge = hashIn(row.ID), hashIn(row.Challenge)
	return out
}

// hashIn reverses column.
func hashIn(text string) (out [32]byte) {
	_, _ = hex.Decode(out[:], []byte(text)) // written by column
	return out
}
