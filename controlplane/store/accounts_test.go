package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/idempotency"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
)

func TestUsersAreFoundByEmailInAnyCase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		made := must[store.User](t)(s.CreateUser(t.Context(), admin, store.User{Email: "Bob@Example.com", PasswordHash: "hash"}))
		got := must[store.User](t)(s.UserByEmail(t.Context(), "bOB@example.COM"))
		if diff := cmp.Diff(made, got); diff != "" || got.Email != "bob@example.com" {
			t.Errorf("got %+v (-made +got)\n%s", got, diff)
		}
		_, err := s.CreateUser(t.Context(), admin, store.User{Email: "BOB@example.com", PasswordHash: "x"})
		wantKind(t, err, fault.Conflict)
		_, err = s.UserByEmail(t.Context(), "nobody@example.com")
		wantKind(t, err, fault.Missing)
		log := must[[]audit.Entry](t)(s.Audit().List(t.Context(), everything))
		if len(log) != 1 || log[0].Action != "user.create" || log[0].Object != "user "+string(made.ID) {
			t.Errorf("audit has %+v, want the one user.create", log)
		}
	})
}

func TestTokensAreKnownByHashUntilRevoked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		made := must[store.APIToken](t)(s.CreateToken(t.Context(), admin, store.APIToken{Name: "ci", Hash: store.Hash{7}}))
		if diff := cmp.Diff(made, must[store.APIToken](t)(s.TokenByHash(t.Context(), store.Hash{7}))); diff != "" || made.CreatedBy != admin.String() {
			t.Errorf("made %+v (-made +got)\n%s", made, diff)
		}
		_, err := s.CreateToken(t.Context(), admin, store.APIToken{Name: "ci", Hash: store.Hash{8}})
		wantKind(t, err, fault.Conflict)
		if all := must[[]store.APIToken](t)(s.Tokens(t.Context(), "", "")); len(all) != 1 {
			t.Errorf("got %d tokens, want 1", len(all))
		}
		if err := s.DeleteToken(t.Context(), admin, "", "", made.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.TokenByHash(t.Context(), store.Hash{7})
		wantKind(t, err, fault.Missing)
		wantKind(t, s.DeleteToken(t.Context(), admin, "", "", made.ID), fault.Missing)
	})
}

func TestASettingIsSetOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		values := make([]string, 8)
		var wg sync.WaitGroup
		for i := range values {
			wg.Go(func() {
				v, err := s.EnsureSetting(t.Context(), admin, "key", fmt.Appendf(nil, "value %d", i))
				if err != nil {
					t.Errorf("ensure: %v", err)
				}
				values[i] = string(v)
			})
		}
		wg.Wait()
		stored := must[[]byte](t)(s.EnsureSetting(t.Context(), admin, "key", []byte("late")))
		for i, v := range values {
			if v != string(stored) {
				t.Errorf("caller %d got %q, stored is %q", i, v, stored)
			}
		}
	})
}

func TestAnIdempotencyKeyGivesItsAnswerAgain(t *testing.T) {
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			s := storetest.Open(t, store.Config{Database: database(t), Now: func() time.Time { return now }})
			claim := func(key string, request byte) (idempotency.Response, bool, error) {
				return s.Keys().Claim(t.Context(), admin.KeyOwner(), key, store.Hash{request})
			}
			if _, done, err := claim("k", 1); done || err != nil {
				t.Fatalf("first claim: done %t, %v", done, err)
			}
			_, _, err := claim("k", 1)
			wantKind(t, err, fault.Conflict)
			now = now.Add(2 * time.Minute)
			if _, done, err := claim("k", 1); done || err != nil {
				t.Fatalf("claim of one whose owner died: done %t, %v", done, err)
			}
			answer := idempotency.Response{Status: 200, ETag: `"3"`, Body: []byte(`{"number":3}`)}
			if err := s.Keys().Answer(t.Context(), admin.KeyOwner(), "k", answer); err != nil {
				t.Fatal(err)
			}
			got, done, err := claim("k", 1)
			if diff := cmp.Diff(answer, got); diff != "" || !done || err != nil {
				t.Errorf("done %t, %v (-want +got)\n%s", done, err, diff)
			}
			_, _, err = claim("k", 2)
			wantKind(t, err, fault.Invalid)
			if _, done, err := s.Keys().Claim(t.Context(), store.Actor{Kind: store.ByToken, Name: "ci"}.KeyOwner(), "k", store.Hash{2}); done || err != nil {
				t.Errorf("another actor's key: done %t, %v", done, err)
			}
			now = now.Add(25 * time.Hour)
			if _, done, err := claim("k", 2); done || err != nil {
				t.Errorf("a key a day later: done %t, %v", done, err)
			}
			if err := s.Keys().Answer(t.Context(), admin.KeyOwner(), "k", idempotency.Response{}); err != nil {
				t.Fatal(err)
			}
			if _, done, err := claim("k", 3); done || err != nil {
				t.Errorf("a key whose claim was dropped: done %t, %v", done, err)
			}
		})
	}
}
