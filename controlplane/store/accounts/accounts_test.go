package accounts_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var by = accounts.By{ID: "usr_x", Name: "person:x"}

func kind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func user(t *testing.T, s *store.Store, email string) string {
	t.Helper()
	u, err := s.CreateUser(t.Context(), store.Actor{Kind: store.BySystem, Name: "test"}, store.User{Email: email, PasswordHash: "old"})
	check(t, err)
	return string(u.ID)
}

// session is one of a user, made now and good for hours.
func session(who, signIn string, token byte, hours int) accounts.Session {
	return accounts.Session{Hash: [32]byte{token}, SignIn: signIn, User: who, ExpiresAt: time.Now().Add(time.Duration(hours) * time.Hour)}
}

func TestSessionsEndWithAllThatTheyWereRenewedTo(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a, who := s.Accounts(), user(t, s, "a@b.c")
		first, second := accounts.NewSignIn(), accounts.NewSignIn()
		check(t, a.Open(t.Context(), by, session(who, first, 1, 1), accounts.Used{}))
		check(t, a.Renew(t.Context(), by, [32]byte{1}, session("", "", 2, 2)))
		check(t, a.Open(t.Context(), by, session(who, second, 3, 1), accounts.Used{}))
		kind(t, a.Open(t.Context(), by, session("usr_none", first, 4, 1), accounts.Used{}), fault.Missing)
		list, err := a.Sessions(t.Context(), who)
		if err != nil || len(list) != 2 || list[0].SignIn != second || list[1].SignIn != first || list[1].Hash != [32]byte{2} {
			t.Fatalf("sessions = %+v, %v; want two sign-ins, the newest first", list, err)
		}
		check(t, a.End(t.Context(), by, who, first))
		for _, token := range []byte{1, 2} {
			_, err := a.Session(t.Context(), [32]byte{token})
			kind(t, err, fault.Missing)
		}
		kind(t, a.End(t.Context(), by, who, first), fault.Missing)
		kind(t, a.End(t.Context(), by, who, ""), fault.Missing)
		kind(t, a.End(t.Context(), by, who, "ses_%"), fault.Missing)
		kind(t, a.End(t.Context(), by, "usr_other", second), fault.Missing)
		kind(t, a.Renew(t.Context(), by, [32]byte{2}, session("", "", 5, 1)), fault.Missing)
		check(t, a.SetPassword(t.Context(), by, who, "new", second, accounts.Used{}))
		if got, err := a.Session(t.Context(), [32]byte{3}); err != nil || got.Email != "a@b.c" {
			t.Errorf("the session that changed the password = %+v, %v; want it kept", got, err)
		}
		if n, err := a.EndAll(t.Context(), by, who, ""); err != nil || n != 1 {
			t.Errorf("EndAll() = %d, %v; want 1", n, err)
		}
		_, err = a.Session(t.Context(), [32]byte{3})
		kind(t, err, fault.Missing)
		kind(t, a.SetPassword(t.Context(), by, "usr_none", "x", "", accounts.Used{}), fault.Missing)
	})
}

func TestACodeIsSpentOnceBesideOthers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a, who := s.Accounts(), user(t, s, "a@b.c")
		check(t, a.Enrol(t.Context(), by, who, []byte("one")))
		check(t, a.Enrol(t.Context(), by, who, []byte("two")))
		kind(t, a.Confirm(t.Context(), by, who, []byte("one"), 7, nil), fault.Conflict)
		check(t, a.Confirm(t.Context(), by, who, []byte("two"), 7, [][32]byte{{1}, {2}}))
		kind(t, a.Confirm(t.Context(), by, who, []byte("two"), 8, nil), fault.Conflict)
		kind(t, a.Enrol(t.Context(), by, who, []byte("three")), fault.Conflict)
		for i, used := range []accounts.Used{{Step: 9}, {Recovery: [32]byte{1}}} {
			var group sync.WaitGroup
			results := make([]error, 6)
			for n := range results {
				group.Go(func() {
					results[n] = a.Open(t.Context(), by, session(who, accounts.NewSignIn(), byte(10+10*i+n), 1), used)
				})
			}
			group.Wait()
			good := 0
			for _, err := range results {
				if err == nil {
					good++
				} else if !errors.Is(err, accounts.ErrUsed) {
					t.Errorf("%+v: %v, want %v", used, err, accounts.ErrUsed)
				}
			}
			if good != 1 {
				t.Errorf("%+v was good %d times, want once", used, good)
			}
		}
		kind(t, a.Open(t.Context(), by, session(who, accounts.NewSignIn(), 90, 1), accounts.Used{Step: 8}), fault.Denied)
		if got, err := a.Authenticator(t.Context(), who); err != nil || !got.Confirmed || got.Recovery != 1 || got.LastStep != 9 {
			t.Errorf("authenticator = %+v, %v; want one recovery code left", got, err)
		}
		check(t, a.RemoveAuthenticator(t.Context(), by, store.DefaultOrganization, who, accounts.Used{}))
		if list, err := a.Sessions(t.Context(), who); err != nil || len(list) != 0 {
			t.Errorf("sessions after somebody else removed the authenticator = %+v, %v; want none", list, err)
		}
		kind(t, a.RemoveAuthenticator(t.Context(), by, "", who, accounts.Used{}), fault.Missing)
	})
}
