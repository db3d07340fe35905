package accounts

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/predicate"
	"weir/controlplane/store/ent/session"
	"weir/controlplane/store/ent/user"
	"weir/shared/fault"
)

// Session is one token of a sign-in. A sign-in that goes on has several, one after the
// other, which share SignIn.
type Session struct {
	Hash      [32]byte // of its token; the zero one is no token's
	SignIn    string   // see NewSignIn
	User      string
	Email     string // the user's; set by reads
	Proof     Proof
	Address   string    // that the person signed in from
	Agent     string    // the program, as it named itself
	StartedAt time.Time // when the person signed in
	CreatedAt time.Time
	ExpiresAt time.Time
	SeenAt    time.Time // to some minutes; CreatedAt where it was not noted
}

const signInPrefix = "ses_"

// NewSignIn names a sign-in: "ses_" and random characters, which open nothing.
func NewSignIn() string { return signInPrefix + strings.ToLower(rand.Text()) }

// mostSessions is how many sign-ins a list has at most, the newest.
const mostSessions = 200

// Open records a sign-in with what was used for it, and drops sessions that have expired.
// StartedAt and CreatedAt are set here.
//
// fault.Missing: there is no such user. ErrUsed: what was used is not good any more.
func (a *Accounts) Open(ctx context.Context, by By, in Session, used Used) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		known, err := tx.User.Query().Where(user.ID(in.User)).Exist(ctx)
		if err == nil && !known {
			err = fault.New(fault.Missing, "there is no user %s", in.User)
		}
		if err == nil {
			err = spend(ctx, tx, in.User, used)
		}
		if err == nil {
			_, err = tx.Session.Delete().Where(session.ExpiresAtLTE(a.db.Now())).Exec(ctx)
		}
		if err != nil {
			return database.Trail{}, err
		}
		in.StartedAt = a.db.Now()
		after := map[string]any{"session": in.SignIn, "expiresAt": in.ExpiresAt}
		if in.Proof != ByPassword {
			after["proof"] = in.Proof
		}
		return database.Trail{Action: "session.create", Object: "user " + in.User, Detail: used.String(), After: after}, a.create(ctx, tx, in)
	})
	return wrap(err, "create a session")
}

func (a *Accounts) create(ctx context.Context, tx *ent.Tx, in Session) error {
	now := a.db.Now()
	return tx.Session.Create().SetID(column(in.Hash)).SetUserID(in.User).SetSignIn(in.SignIn).SetProof(string(in.Proof)).
		SetAddress(in.Address).SetAgent(in.Agent).SetStartedAt(in.StartedAt).SetCreatedAt(now).SetExpiresAt(database.Stored(in.ExpiresAt)).SetLastSeenAt(now).Exec(ctx)
}

// Renew adds a session with the token hash and end of next to the sign-in of former.
// fault.Missing: former was ended meanwhile.
func (a *Accounts) Renew(ctx context.Context, by By, former [32]byte, next Session) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		row, err := tx.Session.Get(ctx, column(former))
		if ent.IsNotFound(err) {
			return database.Trail{}, errSession
		}
		if err != nil {
			return database.Trail{}, err
		}
		of := sessionOf(row)
		of.Hash, of.ExpiresAt = next.Hash, next.ExpiresAt
		return database.Trail{
			Action: "session.renew", Object: "user " + row.UserID, After: map[string]any{"session": of.SignIn, "expiresAt": next.ExpiresAt},
		}, a.create(ctx, tx, of)
	})
	return wrap(err, "renew a session")
}

var errSession = fault.New(fault.Missing, "the session is unknown or has expired")

// Session returns the session with that token hash. fault.Missing: unknown or expired.
func (a *Accounts) Session(ctx context.Context, token [32]byte) (Session, error) {
	return database.Read(ctx, func(ctx context.Context) (Session, error) {
		row, err := a.db.Ent().Session.Query().Where(session.ID(column(token))).WithUser().Only(ctx)
		if ent.IsNotFound(err) || err == nil && !a.db.Now().Before(row.ExpiresAt) {
			return Session{}, errSession
		}
		if err != nil {
			return Session{}, err
		}
		out := sessionOf(row)
		out.Email = row.Edges.User.Email
		return out, nil
	})
}

// seenEvery is how often the time at which a session was last seen is written.
const seenEvery = 5 * time.Minute

// Seen notes that a session was used now. It leaves no audit row.
func (a *Accounts) Seen(ctx context.Context, s Session) error {
	now := a.db.Now()
	if now.Sub(s.SeenAt) < seenEvery && !s.SeenAt.After(now) {
		return nil
	}
	if err := a.db.Ent().Session.Update().Where(session.ID(column(s.Hash))).SetLastSeenAt(now).Exec(ctx); err != nil {
		return fault.New(fault.Unavailable, "the time at which the session was last seen could not be written")
	}
	return nil
}

// Sessions returns the sign-ins of a user that are good, the newest first: of each the
// newest session, as created when the person signed in, and last seen when any was.
func (a *Accounts) Sessions(ctx context.Context, who string) ([]Session, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Session, error) {
		rows, err := a.db.Ent().Session.Query().Where(session.UserID(who), session.ExpiresAtGT(a.db.Now())).
			Order(ent.Desc(session.FieldCreatedAt)).Limit(mostSessions).All(ctx)
		if err != nil {
			return nil, err
		}
		var out []Session
		at := map[string]int{}
		for _, row := range rows {
			s := sessionOf(row)
			i, known := at[s.SignIn]
			if !known {
				at[s.SignIn] = len(out)
				out = append(out, s)
				continue
			}
			out[i].CreatedAt = s.CreatedAt
			if s.SeenAt.After(out[i].SeenAt) {
				out[i].SeenAt = s.SeenAt
			}
		}
		return out, nil
	})
}

// End ends a sign-in of a user: every session of it. fault.Missing: there is none.
func (a *Accounts) End(ctx context.Context, by By, who, signIn string) error {
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		n, err := tx.Session.Delete().Where(session.UserID(who), of(signIn)).Exec(ctx)
		if err == nil && n == 0 {
			err = fault.New(fault.Missing, "there is no such session")
		}
		return database.Trail{Action: "session.delete", Object: "user " + who, Before: map[string]any{"session": signIn}}, err
	})
	return wrap(err, "end a session")
}

// EndAll ends every sign-in of a user that was made by one of proofs, all where there
// are none, but not except. It returns how many there were.
func (a *Accounts) EndAll(ctx context.Context, by By, who, except string, proofs ...Proof) (int, error) {
	ended := 0
	err := a.write(ctx, by, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		where := []predicate.Session{session.UserID(who), session.ExpiresAtGT(a.db.Now()), session.Not(of(except))}
		if len(proofs) > 0 {
			in := make([]string, len(proofs))
			for i, p := range proofs {
				in[i] = string(p)
			}
			where = append(where, session.ProofIn(in...))
		}
		rows, err := tx.Session.Query().Where(where...).All(ctx)
		if err != nil {
			return database.Trail{}, err
		}
		gone := map[string]bool{}
		for _, row := range rows {
			gone[sessionOf(row).SignIn] = true
		}
		ended = len(gone)
		_, err = tx.Session.Delete().Where(where...).Exec(ctx)
		return database.Trail{Action: "session.delete", Object: "user " + who, Detail: "all", Before: map[string]any{"sessions": ended, "but": except}}, err
	})
	return ended, wrap(err, "end the sessions")
}

// of are the sessions of a sign-in. One from before sign-ins were kept is named by the
// beginning of its hash.
func of(signIn string) predicate.Session {
	name, ok := strings.CutPrefix(signIn, signInPrefix)
	if !ok || len(name) < formerName {
		return session.And(session.SignIn(signIn), session.SignInNEQ(""))
	}
	return session.Or(session.SignIn(signIn), session.And(session.SignIn(""), predicate.Session(sql.FieldHasPrefix(session.FieldID, name))))
}

// formerName is how much of its hash names a session from before sign-ins were kept.
const formerName = 32

func sessionOf(row *ent.Session) Session {
	s := Session{
		SignIn: row.SignIn, User: row.UserID, Proof: Proof(row.Proof), Address: row.Address, Agent: row.Agent,
		StartedAt: row.CreatedAt.UTC(), CreatedAt: row.CreatedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(), SeenAt: row.CreatedAt.UTC(),
	}
	if row.StartedAt != nil {
		s.StartedAt = row.StartedAt.UTC()
	}
	if row.LastSeenAt != nil {
		s.SeenAt = row.LastSeenAt.UTC()
	}
	if s.SignIn == "" {
		s.SignIn = signInPrefix + row.ID[:formerName]
	}
	s.Hash = hashIn(row.ID)
	return s
}

// column is the form of a hash in the database.
func column(hash [32]byte) string { return hex.EncodeToString(hash[:]) }
