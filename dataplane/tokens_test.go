package dataplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/enrol"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/queue/natsstore"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/secret"
)

// TestSharedTokensAreSealedInTheEventStore: each for its own key, and replaced by who saw them.
func TestSharedTokensAreSealedInTheEventStore(t *testing.T) {
	t.Parallel()
	k, err := enrol.LoadKeys(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store, err := natsstore.Open(t.Context(), natsstore.Config{Dir: t.TempDir(), Partitions: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	d := &DataPlane{store: store}
	shared := d.tokens(k)
	if _, _, err := shared.Store.Get(t.Context(), "aa01"); fault.KindOf(err) != fault.Missing {
		t.Fatalf("before there is one: %v", err)
	}
	sealed, err := shared.Seal("aa01", []byte("made-up-token"))
	if err != nil || bytes.Contains(sealed, []byte("made-up")) {
		t.Fatalf("sealed: %q, %v", sealed, err)
	}
	revision, err := shared.Store.Put(t.Context(), "aa01", sealed, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Store.Put(t.Context(), "aa01", sealed, 0); fault.KindOf(err) != fault.Conflict {
		t.Errorf("by who did not see it: %v", err)
	}
	value, at, err := shared.Store.Get(t.Context(), "aa01")
	if err != nil || at != revision {
		t.Fatalf("revision %d, %v, want %d", at, err, revision)
	}
	if clear, err := shared.Open("aa01", value); err != nil || string(clear) != "made-up-token" {
		t.Errorf("opened: %q, %v", clear, err)
	}
	if _, err := shared.Open("aa02", value); err == nil {
		t.Error("it opened for another key")
	}
}

// grants is a token endpoint that replaces each refresh token, and takes the one before
// until the access token that came with the new one is used.
type grants struct {
	mu   sync.Mutex
	n    int // the newest
	used int
}

func (e *grants) do(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	form, _ := url.ParseQuery(string(r.Body))
	switch form.Get("refresh_token") {
	case fmt.Sprint("refresh", e.n):
		e.n++
	case fmt.Sprint("refresh", e.n-1):
		if e.used == e.n {
			return destination.Response{Status: 400, Body: []byte(`{"error":"invalid_grant"}`)}, nil
		}
	default:
		return destination.Response{Status: 400, Body: []byte(`{"error":"invalid_grant"}`)}, nil
	}
	return destination.Response{Status: 200, Body: fmt.Appendf(nil, `{"access_token":"access%d","refresh_token":"refresh%d","expires_in":3600}`, e.n, e.n)}, nil
}

// dying is a store of a process that dies at one of its writes.
type dying struct {
	auth.Store
	left  int // writes until it dies
	after bool
}

var errDied = errors.New("died")

func (s *dying) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if s.left--; s.left > 0 || s.left == 0 && s.after {
		revision, err := s.Store.Put(ctx, key, value, revision)
		if s.left > 0 || err != nil {
			return revision, err
		}
	}
	return 0, errDied
}

func (s *dying) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	if s.left <= 0 {
		return nil, 0, errDied
	}
	return s.Store.Get(ctx, key)
}

// TestARotatedRefreshTokenOutlivesDeaths: a plane dies before and after each write that a
// refresh makes, begins again with what is on disk, and has access each time.
func TestARotatedRefreshTokenOutlivesDeaths(t *testing.T) {
	t.Parallel()
	keys, dir := t.TempDir(), t.TempDir()
	k, err := enrol.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := catalog.Parse([]byte("family: destination\nname: tool\ntitle: Tool\ndoc: A test.\nbase: { any: \"https://tool.example\" }\nsecrets: [{ name: refresh, type: string, title: Refresh }]\nauth: [{ type: oauth2, tokenUrl: \"{base}/token\", clientId: me, refreshToken: \"{secrets.refresh}\" }]\n"))
	if err != nil {
		t.Fatal(err)
	}
	opened := destination.Opened{}.Authorised(spec, []byte("{}"), catalog.Fill(spec, nil), map[string]secret.String{"refresh": secret.NewString("refresh0")})
	e := &grants{}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for life := range 12 { // of the plane; the writes of a refresh are its claim and what came of it
		store, err := natsstore.Open(t.Context(), natsstore.Config{Dir: dir, Partitions: 1, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		d := &DataPlane{store: store}
		shared := d.tokens(k)
		request := func(s *auth.Shared) (string, error) {
			ring := auth.New(e.do)
			ring.Share(s)
			r, _, err := ring.Request(t.Context(), opened, destination.Request{Method: "GET", URL: "https://tool.example/rows"}, now)
			return r.Header.Get("Authorization"), err
		}
		now = now.Add(2 * time.Hour) // another token is due
		if left := life % 3; left > 0 {
			broken := *shared
			broken.Store = &dying{Store: shared.Store, left: left, after: life%2 == 0}
			if got, err := request(&broken); err == nil {
				t.Errorf("life %d: it died, and used %s", life, got)
			}
			now = now.Add(time.Minute) // who died asks no more
		}
		got, err := request(shared)
		e.mu.Lock()
		if want := fmt.Sprintf("Bearer access%d", e.n); err != nil || got != want {
			t.Errorf("life %d: %s, %v, want %s", life, got, err, want)
		}
		e.used = e.n
		e.mu.Unlock()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
