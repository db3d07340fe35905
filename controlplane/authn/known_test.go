package authn_test

import (
	"context"
	"testing"

	"weir/controlplane/authn"
	"weir/controlplane/store"
)

func TestALaterStartKeepsLoginAndToken(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, at, _, _ := harness(t)
	made, err := s.FirstLogin(ctx, authn.Login{})
	if err != nil || made.Password == "" {
		t.Fatalf("first start: %+v, %v; want a login", made, err)
	}
	token, err := s.KeepToken(ctx, "weir dev", "")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.FirstLogin(ctx, made); err != nil || again != made {
		t.Errorf("later start: %+v, %v; want %+v", again, err, made)
	}
	if again, err := s.KeepToken(ctx, "weir dev", token); err != nil || again != token {
		t.Errorf("later start: token %q, %v; want the same", again, err)
	}
	if _, err := s.Login(ctx, made.Email, made.Password, from("192.0.2.1")); err != nil {
		t.Errorf("sign in after a later start: %v", err)
	}

	changed, err := s.ResetFirst(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.FirstLogin(ctx, made); err != nil || got != (authn.Login{Email: made.Email}) {
		t.Errorf("start with a password that was changed: %+v, %v; want the address alone", got, err)
	}
	if _, err := s.Login(ctx, changed.Email, changed.Password, from("192.0.2.1")); err != nil {
		t.Errorf("the changed password does not sign in: %v", err)
	}
	other, _, err := s.IssueToken(ctx, store.Actor{Kind: store.BySystem, Name: "test"}, store.APIToken{Organization: store.DefaultOrganization, Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := s.KeepToken(ctx, "weir dev", "weir_unknown")
	if err != nil || fresh == token {
		t.Errorf("start with an unknown token: %q, %v; want a new one", fresh, err)
	}
	if _, err := s.Token(ctx, token); err == nil {
		t.Error("the token that was replaced is still good")
	}
	if all, err := at.Tokens(ctx, store.DefaultOrganization, ""); err != nil || len(all) != 2 {
		t.Errorf("tokens %v, %v; want %s and the new one", all, err, other.Name)
	}
}
