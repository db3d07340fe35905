package authn

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"weir/controlplane/store"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

// Token returns the program that holds an API token: with what is granted to the token, or
// to its owner, within the token's scopes.
//
// ErrUnknown: the token is unknown, has expired or was revoked.
func (s *Service) Token(ctx context.Context, token string) (store.Actor, error) {
	if !strings.HasPrefix(token, tokenPrefix) {
		return store.Actor{}, ErrUnknown
	}
	found, err := s.store.TokenByHash(ctx, hash(token))
	if missing(err) {
		return store.Actor{}, ErrUnknown
	}
	if err != nil {
		return store.Actor{}, fmt.Errorf("find the token: %w", err)
	}
	grants, err := s.tenancy.Grants(ctx, cmp.Or(found.Owner, string(found.ID)))
	if err != nil {
		return store.Actor{}, fmt.Errorf("find what is granted to the token: %w", err)
	}
	if err := s.store.TokenUsed(ctx, found); err != nil {
		s.log.DebugContext(ctx, "last use of a token not noted", "token", found.ID)
	}
	who := store.Actor{Kind: store.ByToken, ID: string(found.ID), Name: found.Name, Owner: found.Owner, Scopes: found.Scopes, Proof: found.Proof}
	if _, err := Account(who); err != nil { // no person signed in for it
		who.Grants = grants
		return who, nil
	}
	return s.within(ctx, who, grants)
}

// IssueToken makes t and returns it with its value, which nobody can show again. Hash and
// CreatedAt are set here. Whether who may give away what t may was decided before.
//
// fault.Invalid: the name is empty, too long or has control characters, or the token would
// have expired. fault.Conflict: the name is taken.
func (s *Service) IssueToken(ctx context.Context, who store.Actor, t store.APIToken) (store.APIToken, string, error) {
	var problems []fault.Problem
	t.Name = strings.TrimSpace(t.Name)
	if !validName(t.Name) {
		problems = append(problems, fault.Problem{Path: "name", Code: "bad_name", Text: "A name has 1 to 100 bytes and no control characters."})
	}
	if !t.ExpiresAt.IsZero() && !s.now().Before(t.ExpiresAt) {
		problems = append(problems, fault.Problem{Path: "expiresAt", Code: "past", Text: "The token would have expired already."})
	}
	if err := fault.Problems("the token cannot be made", problems); err != nil {
		return store.APIToken{}, "", err
	}
	value := tokenPrefix + random(32)
	t.Hash, t.CreatedAt = hash(value), s.now()
	made, err := s.store.CreateToken(ctx, who, t)
	if err != nil {
		return store.APIToken{}, "", fmt.Errorf("issue the token: %w", err)
	}
	return made, value, nil
}

func validName(name string) bool {
	return name != "" && len(name) <= longestName && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// ReplaceToken revokes the administrator's token of that name, if there is one, and issues
// it anew: for a program that starts and has forgotten the former value.
func (s *Service) ReplaceToken(ctx context.Context, name string) (string, error) {
	tokens, err := s.store.Tokens(ctx, tenancy.Default, "")
	if err != nil {
		return "", fmt.Errorf("find the former token: %w", err)
	}
	for _, t := range tokens {
		if t.Name == name && t.Owner == "" {
			if err := s.store.DeleteToken(ctx, system(), tenancy.Default, "", t.ID); err != nil && !missing(err) {
				return "", err
			}
		}
	}
	_, value, err := s.IssueToken(ctx, system(), store.APIToken{Organization: tenancy.Default, Name: name, Grants: administrator()})
	return value, err
}

// replaceOwn issues a token with an owner in place of the owner's of that name.
func (s *Service) replaceOwn(ctx context.Context, who store.Actor, t store.APIToken) (store.APIToken, string, error) {
	tokens, err := s.store.Tokens(ctx, "", t.Owner)
	if err != nil {
		return store.APIToken{}, "", fmt.Errorf("find the former token: %w", err)
	}
	for _, former := range tokens {
		if former.Name != t.Name {
			continue
		}
		if err := s.store.DeleteToken(ctx, who, "", t.Owner, former.ID); err != nil && !missing(err) {
			return store.APIToken{}, "", err
		}
	}
	return s.IssueToken(ctx, who, t)
}

// KeepToken returns known while it is the administrator's token of that name, and else
// replaces that token.
func (s *Service) KeepToken(ctx context.Context, name, known string) (string, error) {
	who, err := s.Token(ctx, known)
	if err == nil && who.Name == name && who.Owner == "" && len(who.Grants) == len(administrator()) {
		return known, nil
	}
	return s.ReplaceToken(ctx, name)
}
