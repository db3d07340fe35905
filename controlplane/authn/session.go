package authn

import (
	"context"
	"fmt"
	"strings"

	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/shared/fault"
)

// longestAgent is how much of a program's name is kept, in bytes.
const longestAgent = 200

// open makes a session for a user.
func (s *Service) open(ctx context.Context, user, email string, proof accounts.Proof, used accounts.Used, from Caller) (Session, error) {
	made := Session{Token: random(32), Expires: s.now().Add(s.idle)}
	var err error
	if made.Actor, err = s.person(ctx, user, email, proof); err != nil {
		return Session{}, err
	}
	made.Actor.SignIn = accounts.NewSignIn()
	in := accounts.Session{Hash: hash(made.Token), SignIn: made.Actor.SignIn, User: user, Proof: proof, Agent: agent(from.Agent), ExpiresAt: made.Expires}
	if from.Address.IsValid() {
		in.Address = from.Address.Unmap().String()
	}
	if err := s.accounts.Open(ctx, made.Actor.By(), in, used); err != nil {
		return Session{}, fmt.Errorf("open a session: %w", err)
	}
	return made, nil
}

// agent is what is kept of how a program names itself.
func agent(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, text)
	return text[:min(len(text), longestAgent)]
}

func (s *Service) person(ctx context.Context, user, email string, proof accounts.Proof) (store.Actor, error) {
	who := store.Actor{Kind: store.ByPerson, ID: user, Name: email, Proof: proof}
	grants, err := s.tenancy.Grants(ctx, user)
	if err != nil {
		return store.Actor{}, fmt.Errorf("find what is granted to the user: %w", err)
	}
	return s.within(ctx, who, grants)
}

// self are the actions that are left where a sign-in is not as an organization asks for.
var self = []string{"self:read", "self:write"}

// within gives who what was granted, as far as the sign-in is good for it: one at the
// identity provider of an organization for that organization alone, since the provider
// could vouch for anybody; and where an organization asks for more than the sign-in was,
// the caller's own account is left.
func (s *Service) within(ctx context.Context, who store.Actor, grants []store.Grant) (store.Actor, error) {
	var orgs []string
	for _, g := range grants {
		orgs = append(orgs, string(g.Organization))
	}
	rules, err := s.accounts.Rules(ctx, orgs)
	if err != nil {
		return store.Actor{}, fmt.Errorf("find what the organizations ask of sign-ins: %w", err)
	}
	provider := who.Proof.Provider()
	for _, g := range grants {
		if provider != "" && g.Organization != provider {
			continue
		}
		rule := rules[g.Organization]
		lacks := accounts.Rule{
			Provider: rule.Provider && provider == "" && g.Role != "owner",
			Code:     rule.Code && provider == "" && who.Proof != accounts.ByCode,
		}
		if lacks != (accounts.Rule{}) {
			if who.Missing == nil {
				who.Missing = map[store.OrganizationID]accounts.Rule{}
			}
			who.Missing[g.Organization] = lacks
			g = store.Grant{Subject: g.Subject, Organization: g.Organization, Actions: self}
		}
		who.Grants = append(who.Grants, g)
	}
	return who, nil
}

// Session returns who holds a session's token. When the session is in its
// second half it opens the next one and returns it as renewed, for a new
// cookie; the former stays good until it expires, for requests under way. The last one
// ends when the sign-in's lifetime has passed.
//
// ErrUnknown: the token is unknown or expired.
func (s *Service) Session(ctx context.Context, token string) (who store.Actor, renewed *Session, err error) {
	who, session, err := s.holder(ctx, token)
	if err != nil {
		return store.Actor{}, nil, err
	}
	if err := s.accounts.Seen(ctx, session); err != nil {
		s.log.DebugContext(ctx, "last use of a session not noted", "session", session.SignIn)
	}
	next := Session{Token: random(32), Actor: who, Expires: s.now().Add(s.idle)}
	if last := session.StartedAt.Add(s.lifetime); next.Expires.After(last) {
		next.Expires = last
	}
	if session.ExpiresAt.Sub(s.now()) > s.idle/2 || !next.Expires.After(session.ExpiresAt) {
		return who, nil, nil
	}
	err = s.accounts.Renew(ctx, who.By(), session.Hash, accounts.Session{Hash: hash(next.Token), ExpiresAt: next.Expires})
	if missing(err) { // it was ended meanwhile
		return store.Actor{}, nil, ErrUnknown
	}
	if err != nil {
		return store.Actor{}, nil, fmt.Errorf("renew the session: %w", err)
	}
	return who, &next, nil
}

// Holder returns who holds a session's token, as Session does, and renews nothing.
func (s *Service) Holder(ctx context.Context, token string) (store.Actor, error) {
	who, _, err := s.holder(ctx, token)
	return who, err
}

func (s *Service) holder(ctx context.Context, token string) (store.Actor, accounts.Session, error) {
	session, err := s.accounts.Session(ctx, hash(token))
	if missing(err) {
		return store.Actor{}, session, ErrUnknown
	}
	if err != nil {
		return store.Actor{}, session, fmt.Errorf("find the session: %w", err)
	}
	// Both are asked anew: they may have become shorter since the session was made.
	if now := s.now(); !now.Before(session.CreatedAt.Add(s.idle)) || !now.Before(session.StartedAt.Add(s.lifetime)) {
		return store.Actor{}, session, ErrUnknown
	}
	who, err := s.person(ctx, session.User, session.Email, session.Proof)
	who.SignIn = session.SignIn
	return who, session, err
}

// Logout ends the sign-in of who calls: every session of it. Ending one that is gone is
// no error.
func (s *Service) Logout(ctx context.Context, who store.Actor) error {
	if err := s.accounts.End(ctx, who.By(), who.ID, who.SignIn); err != nil && !missing(err) {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}

// Account is the user whose account somebody's own is: a person's, or that of the person
// who made the token. fault.Denied: a program of no person calls.
func Account(who store.Actor) (string, error) {
	switch {
	case who.Kind == store.ByPerson:
		return who.ID, nil
	case strings.HasPrefix(who.Owner, "usr_"):
		return who.Owner, nil
	}
	return "", fault.New(fault.Denied, "this is for people: sign in, or use a token that a person made")
}

// proofs are those of the sign-ins that somebody sees and ends: of the identity provider
// of an organization its own alone.
func proofs(who store.Actor) []accounts.Proof {
	if who.Proof.Provider() != "" {
		return []accounts.Proof{who.Proof}
	}
	return nil
}

// Sessions returns the sign-ins of the caller's account, the newest first.
func (s *Service) Sessions(ctx context.Context, who store.Actor) ([]accounts.Session, error) {
	user, err := Account(who)
	if err != nil {
		return nil, err
	}
	all, err := s.accounts.Sessions(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	out := all[:0]
	for _, one := range all {
		if who.Proof.Provider() == "" || one.Proof == who.Proof {
			out = append(out, one)
		}
	}
	return out, nil
}

// EndSession ends a sign-in of the caller's account. fault.Missing: there is none.
func (s *Service) EndSession(ctx context.Context, who store.Actor, signIn string) error {
	mine, err := s.Sessions(ctx, who)
	if err != nil {
		return err
	}
	for _, one := range mine {
		if one.SignIn == signIn {
			return s.accounts.End(ctx, who.By(), one.User, signIn)
		}
	}
	return fault.New(fault.Missing, "there is no such session")
}

// EndSessions ends every sign-in of the caller's account, but the one of this request
// where but says so, and returns how many there were.
func (s *Service) EndSessions(ctx context.Context, who store.Actor, but bool) (int, error) {
	user, err := Account(who)
	if err != nil {
		return 0, err
	}
	except := ""
	if but {
		except = who.SignIn
	}
	return s.accounts.EndAll(ctx, who.By(), user, except, proofs(who)...)
}
