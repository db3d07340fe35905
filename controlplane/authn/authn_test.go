package authn_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/controlplane/authn"
	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/chain"
	"weir/controlplane/store/storetest"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func harness(t *testing.T) (*authn.Service, *store.Store, *clock, string) {
	t.Helper()
	at := &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	path := storetest.SQLite(t)
	s := storetest.Open(t, store.Config{Database: path, Now: at.Now})
	a, err := authn.New(authn.Config{Store: s, Key: key, Now: at.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a, s, at, path
}

// from is a caller at an address.
func from(address string) authn.Caller { return authn.Caller{Address: netip.MustParseAddr(address)} }

func TestFirstStartMakesOneAdministrator(t *testing.T) {
	t.Parallel()
	a, _, _, _ := harness(t)
	login, made, err := a.Bootstrap(t.Context())
	if err != nil || !made {
		t.Fatalf("Bootstrap() = made %v, %v; want made", made, err)
	}
	if _, made, err := a.Bootstrap(t.Context()); err != nil || made {
		t.Errorf("second Bootstrap() = made %v, %v; want not made", made, err)
	}
	session, err := a.Login(t.Context(), strings.ToUpper(login.Email), login.Password, from("192.0.2.1"))
	if err != nil {
		t.Fatalf("Login with the first password: %v", err)
	}
	if len(session.Actor.Grants) != 2 || session.Actor.Name != login.Email {
		t.Errorf("session's actor = %+v, want the administrator %s", session.Actor, login.Email)
	}
	again, err := a.ResetFirst(t.Context())
	if err != nil || again.Password == login.Password {
		t.Fatalf("ResetFirst() = %v, want another password", err)
	}
	if _, _, err := a.Session(t.Context(), session.Token); err != authn.ErrUnknown {
		t.Errorf("session after the reset: %v, want %v", err, authn.ErrUnknown)
	}
	if _, err := a.Login(t.Context(), login.Email, login.Password, from("192.0.2.1")); err != authn.ErrLogin {
		t.Errorf("login with the former password: %v, want %v", err, authn.ErrLogin)
	}
	if _, err := a.Login(t.Context(), again.Email, again.Password, from("192.0.2.1")); err != nil {
		t.Errorf("login with the new password: %v", err)
	}
}

func TestSessionsSlideAndEnd(t *testing.T) {
	t.Parallel()
	a, _, at, _ := harness(t)
	login, _, err := a.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.Login(t.Context(), login.Email, login.Password, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	at.pass(5 * time.Hour)
	if _, renewed, err := a.Session(t.Context(), first.Token); err != nil || renewed != nil {
		t.Errorf("after 5 h: renewed %v, %v; want the same session", renewed, err)
	}
	at.pass(2 * time.Hour)
	_, renewed, err := a.Session(t.Context(), first.Token)
	if err != nil || renewed == nil {
		t.Fatalf("after 7 h: renewed %v, %v; want the next session", renewed, err)
	}
	if want := at.Now().Add(12 * time.Hour); !renewed.Expires.Equal(want) {
		t.Errorf("renewed until %v, want %v", renewed.Expires, want)
	}
	at.pass(6 * time.Hour)
	if _, _, err := a.Session(t.Context(), first.Token); err != authn.ErrUnknown {
		t.Errorf("first session after 13 h: %v, want %v", err, authn.ErrUnknown)
	}
	who, _, err := a.Session(t.Context(), renewed.Token)
	if err != nil {
		t.Fatalf("renewed session after 6 h: %v", err)
	}
	if err := a.Logout(t.Context(), who); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Session(t.Context(), renewed.Token); err != authn.ErrUnknown {
		t.Errorf("session after logout: %v, want %v", err, authn.ErrUnknown)
	}
}

func TestSessionsEndHoweverMuchTheyAreUsed(t *testing.T) {
	t.Parallel()
	a, _, at, _ := harness(t)
	login, _, err := a.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, err := a.Login(t.Context(), login.Email, login.Password, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	last := at.Now().Add(7 * 24 * time.Hour)
	token, expires := session.Token, session.Expires
	for at.Now().Before(last) {
		_, renewed, err := a.Session(t.Context(), token)
		if err != nil {
			t.Fatalf("%v before its end: %v", last.Sub(at.Now()), err)
		}
		if renewed != nil {
			token, expires = renewed.Token, renewed.Expires
		}
		at.pass(5 * time.Hour)
	}
	if !expires.Equal(last) {
		t.Errorf("the last session ends at %v, want %v", expires, last)
	}
	if _, _, err := a.Session(t.Context(), token); err != authn.ErrUnknown {
		t.Errorf("after a week: %v, want %v", err, authn.ErrUnknown)
	}
}

func TestShorterSessionsEndThoseThatAreThere(t *testing.T) {
	t.Parallel()
	a, s, at, _ := harness(t)
	login, _, err := a.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, err := a.Login(t.Context(), login.Email, login.Password, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := authn.Config{Store: s, Key: key, Now: at.Now, SessionIdle: 15 * time.Minute, SessionLifetime: time.Hour}
	stricter, err := authn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	at.pass(14 * time.Minute)
	if _, _, err := stricter.Session(t.Context(), session.Token); err != nil {
		t.Errorf("after 14 minutes: %v", err)
	}
	at.pass(2 * time.Minute)
	if _, _, err := stricter.Session(t.Context(), session.Token); err != authn.ErrUnknown {
		t.Errorf("after 16 minutes: %v, want %v", err, authn.ErrUnknown)
	}
	for _, wrong := range []time.Duration{time.Second, 2 * time.Hour} {
		cfg.SessionIdle = wrong
		if _, err := authn.New(cfg); fault.KindOf(err) != fault.Invalid {
			t.Errorf("sessions of %v in an hour: %v, want them refused", wrong, err)
		}
	}
}

func TestGuessingIsLimitedByAddressNotByAccount(t *testing.T) {
	t.Parallel()
	a, s, at, _ := harness(t)
	login, _, err := a.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := a.Login(t.Context(), login.Email, "wrong", from("192.0.2.66")); err != authn.ErrLogin {
			t.Fatalf("guess %d: %v, want %v", i, err, authn.ErrLogin)
		}
	}
	_, err = a.Login(t.Context(), login.Email, login.Password, from("192.0.2.66"))
	if err == nil || fault.KindOf(err) != fault.Limited {
		t.Errorf("guess 11: %v, want limited", err)
	}
	if _, err := a.Login(t.Context(), login.Email, login.Password, from("198.51.100.1")); err != nil {
		t.Errorf("the owner from another address: %v, want no lock-out", err)
	}
	if _, err := a.Login(t.Context(), "nobody@example.com", "wrong", from("2001:db8::1")); err != authn.ErrLogin {
		t.Errorf("unknown account: %v, want %v", err, authn.ErrLogin)
	}
	at.pass(6 * time.Minute)
	if _, err := a.Login(t.Context(), login.Email, login.Password, from("192.0.2.66")); err != nil {
		t.Errorf("after the window: %v", err)
	}
	entries, err := s.Audit().List(t.Context(), audit.Filter{Organizations: []string{"", string(store.DefaultOrganization)}})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, e := range entries {
		if e.Action == "session.refuse" {
			refused++
		}
	}
	if refused != 10 {
		t.Errorf("audit has %d refused sign-ins, want 10", refused)
	}
}

// TestStrangersBehindTheSameProxyLockNobodyOut: all share one address.
func TestStrangersBehindTheSameProxyLockNobodyOut(t *testing.T) {
	t.Parallel()
	const proxy = "192.0.2.1"
	a, s, at, _ := harness(t)
	login, _, err := a.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, err := a.Login(t.Context(), login.Email, login.Password, from(proxy))
	if err != nil {
		t.Fatal(err)
	}
	strangers := func(email string, n int) {
		t.Helper()
		for range n {
			if _, err := a.Login(t.Context(), email, "wrong", from(proxy)); err != authn.ErrLogin && fault.KindOf(err) != fault.Limited {
				t.Fatal(err)
			}
		}
	}
	owner := func(device string) error {
		_, err := a.Login(t.Context(), login.Email, login.Password, authn.Caller{Address: netip.MustParseAddr(proxy), Device: device})
		return err
	}
	for i := range 4 {
		strangers(fmt.Sprintf("nobody%d@example.com", i), 10)
	}
	if _, err := a.Login(t.Context(), "another@example.com", "wrong", from(proxy)); fault.KindOf(err) != fault.Limited {
		t.Errorf("the address after 40 failures: %v, want limited", err)
	}
	if err := owner(""); err != nil {
		t.Errorf("an account that signed in from there before, beside failures of others: %v", err)
	}
	strangers(login.Email, 11)
	if err := owner(""); fault.KindOf(err) != fault.Limited {
		t.Errorf("without its device, beside failures of the account: %v, want limited", err)
	}
	if err := owner(before.Device); err != nil {
		t.Errorf("on a device that signed in before: %v", err)
	}
	again, err := authn.New(authn.Config{Store: s, Key: key, Now: at.Now}) // the process starts anew
	if err != nil {
		t.Fatal(err)
	}
	a = again
	strangers(login.Email, 11)
	at.pass(authn.DeviceLifetime - time.Hour)
	strangers(login.Email, 11)
	if err := owner(before.Device); err != nil {
		t.Errorf("on a device that signed in long ago: %v", err)
	}
	at.pass(time.Hour)
	strangers(login.Email, 11)
	if err := owner(before.Device); fault.KindOf(err) != fault.Limited {
		t.Errorf("on a device that signed in too long ago: %v, want limited", err)
	}
}

func TestADeviceIsKnownForItsAccountAndGuessesLittle(t *testing.T) {
	t.Parallel()
	const home = "192.0.2.1"
	a, _, _, _ := harness(t)
	login, _, err := a.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, err := a.Login(t.Context(), login.Email, login.Password, from(home))
	if err != nil {
		t.Fatal(err)
	}
	guess := func(email, device string) (n int) {
		for ; n < 100; n++ {
			if _, err := a.Login(t.Context(), email, "wrong", authn.Caller{Address: netip.MustParseAddr(home), Device: device}); err != authn.ErrLogin {
				return n
			}
		}
		return n
	}
	if n := guess(login.Email, session.Device); n != 20 { // of the device, then of the account from this address
		t.Errorf("%d guesses with the account's device, want 20", n)
	}
	for name, device := range map[string]string{
		"of another account": session.Device, "cut": session.Device[:len(session.Device)-1], "changed": "a" + session.Device, "empty": "", "dots": "...",
	} {
		if n := guess(name+"@example.com", device); n > 10 {
			t.Errorf("%d guesses with a device token that is %s, want 10 at most", n, name)
		}
	}
}

func TestTokensAreGoodUntilRevoked(t *testing.T) {
	t.Parallel()
	a, s, at, path := harness(t)
	admin := store.Actor{Kind: store.ByPerson, ID: "usr_1", Name: "ann@example.com"}
	_, _, err := a.IssueToken(t.Context(), admin, store.APIToken{Name: " \n", ExpiresAt: at.Now().Add(-time.Second)})
	if got := len(fault.ProblemsOf(err)); got != 2 {
		t.Errorf("IssueToken(blank, expired) has %d problems (%v), want 2", got, err)
	}
	made, value, err := a.IssueToken(t.Context(), admin, store.APIToken{
		Organization: store.DefaultOrganization, Name: "ci", Grants: []store.Grant{{Organization: store.DefaultOrganization, Workspace: "ws_a", Role: "editor"}}})
	if err != nil || !strings.HasPrefix(value, "weir_") {
		t.Fatalf("IssueToken() = %q, %v", value, err)
	}
	who, err := a.Token(t.Context(), value)
	if err != nil || len(who.Grants) != 1 || who.Kind != store.ByToken || who.Name != "ci" || who.Grants[0].Workspace != "ws_a" || who.Grants[0].Role != "editor" {
		t.Errorf("Token() = %+v, %v; want the editor ci", who, err)
	}
	replaced, err := a.ReplaceToken(t.Context(), "ci")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Token(t.Context(), value); err != authn.ErrUnknown {
		t.Errorf("the former value: %v, want %v", err, authn.ErrUnknown)
	}
	if who, err := a.Token(t.Context(), replaced); err != nil || len(who.Grants) != 2 || who.ID == string(made.ID) {
		t.Errorf("the new value: %+v, %v", who, err)
	}
	if err := s.DeleteToken(t.Context(), admin, store.DefaultOrganization, "", store.TokenID(who.ID)); err == nil || fault.KindOf(err) != fault.Missing {
		t.Errorf("revoking what is gone: %v, want missing", err)
	}
	for _, file := range []string{path, path + "-wal"} { // what was shown once is nowhere on disk
		text, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(replaced)) || bytes.Contains(text, []byte(value)) {
			t.Errorf("%s holds a token in clear", file)
		}
	}
}

func TestCapabilitiesAreForOnePlaneWorkspaceAndAction(t *testing.T) {
	t.Parallel()
	a, s, at, _ := harness(t)
	who := store.Actor{Kind: store.ByToken, ID: "tok_1", Name: "ci"}
	token, expires, err := a.Capability(t.Context(), who, capability.Grant{Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadDead, Destinations: []id.Destination{"dst_a"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := at.Now().Add(capability.Lifetime); !expires.Equal(want) {
		t.Errorf("expires %v, want %v", expires, want)
	}
	public := key.Public().(ed25519.PublicKey)
	if _, err := capability.Verify(public, token, at.Now(), capability.Want{Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadDead, Destination: "dst_a"}); err != nil {
		t.Errorf("Verify for what it was issued for: %v", err)
	}
	for name, want := range map[string]capability.Want{
		"another action":      {Plane: "pl_a", Workspace: "ws_a", Action: capability.RedriveDead, Destination: "dst_a"},
		"another destination": {Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadDead, Destination: "dst_b"},
	} {
		if _, err := capability.Verify(public, token, at.Now(), want); err == nil {
			t.Errorf("Verify for %s is good", name)
		}
	}
	entries, err := s.Audit().List(t.Context(), audit.Filter{Organizations: []string{"", string(store.DefaultOrganization)}})
	if err != nil || len(entries) == 0 || entries[0].Action != "capability.issue" || entries[0].Actor != "token:ci" || entries[0].Detail != "dead:read dst_a" {
		t.Errorf("audit = %+v, %v; want the capability's row", entries, err)
	}
	if _, _, err := a.Capability(t.Context(), who, capability.Grant{Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadLedger}); err != nil {
		t.Fatal(err)
	}
	if more, err := s.Audit().List(t.Context(), audit.Filter{Organizations: []string{"", string(store.DefaultOrganization)}}); err != nil || len(more) != len(entries) {
		t.Errorf("audit = %+v, %v; want no row of who reads counts", more, err)
	}
}

// TestReadingLeavesOneRowAnHour asks for capabilities one after the other.
func TestReadingLeavesOneRowAnHour(t *testing.T) {
	t.Parallel()
	a, s, at, _ := harness(t)
	rows := 0
	ask := func(why string, want int, who store.Actor, address string, g capability.Grant) {
		t.Helper()
		ctx := chain.With(t.Context(), chain.Origin{ActorID: who.ID, Address: address})
		if _, _, err := a.Capability(ctx, who, g); err != nil {
			t.Fatal(err)
		}
		all, err := s.Audit().List(t.Context(), audit.Filter{Organizations: []string{"", string(store.DefaultOrganization)}, Action: "capability"})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(all) - rows; got != want {
			t.Errorf("%s: %d new rows, want %d", why, got, want)
		}
		rows = len(all)
	}
	ann, bob := store.Actor{Kind: store.ByPerson, ID: "usr_1", Name: "ann"}, store.Actor{Kind: store.ByPerson, ID: "usr_2", Name: "bob"}
	live := capability.Grant{Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadLive}
	narrow, dead, other, redrive := live, live, live, live
	narrow.Sources, dead.Action, other.Workspace, redrive.Action = []id.Source{"src_a"}, capability.ReadDead, "ws_b", capability.RedriveDead
	ask("the first", 1, ann, "192.0.2.1", live)
	at.pass(capability.Lifetime)
	ask("the next", 0, ann, "192.0.2.1", live)
	ask("from elsewhere", 1, ann, "192.0.2.2", live)
	ask("somebody else", 1, bob, "192.0.2.1", live)
	ask("other limits", 1, ann, "192.0.2.1", narrow)
	ask("another action", 1, ann, "192.0.2.1", dead)
	ask("another workspace", 1, ann, "192.0.2.1", other)
	ask("a change", 1, ann, "192.0.2.1", redrive)
	ask("a change again", 1, ann, "192.0.2.1", redrive)
	at.pass(time.Hour - capability.Lifetime)
	ask("an hour after the first", 1, ann, "192.0.2.1", live)
}
