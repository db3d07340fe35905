package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound/auth"
	"weir/shared/fault"
)

// store is what processes share, in memory.
type store struct {
	mu     sync.Mutex
	values map[string][]byte
	at     map[string]uint64
	away   atomic.Int64 // so many writes fail, after the first of them
}

func (s *store) Get(_ context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at[key] == 0 {
		return nil, 0, fault.New(fault.Missing, "none")
	}
	return s.values[key], s.at[key], nil
}

func (s *store) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.away.Load() > 0 && s.at[key] > 0: // the claim was written
		s.away.Add(-1)
		return 0, fault.New(fault.Unavailable, "away")
	case s.at[key] != revision:
		return 0, fault.New(fault.Conflict, "changed")
	case bytes.Contains(value, []byte("refresh")):
		return 0, fault.New(fault.Internal, "a clear value")
	}
	s.values[key] = value
	s.at[key]++
	return s.at[key], nil
}

// turned is a cipher for tests.
func turned(_ string, value []byte) ([]byte, error) {
	out := bytes.Clone(value)
	for i := range out {
		out[i] ^= 0xff
	}
	return out, nil
}

// rotating is a token endpoint that takes each refresh token once.
type rotating struct {
	mu    sync.Mutex
	good  int
	asked int
	late  bool // the answer takes a moment
}

func (e *rotating) do(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	form, _ := url.ParseQuery(string(r.Body))
	if form.Get("refresh_token") != fmt.Sprint("refresh", e.good) {
		return destination.Response{Status: 400, Body: []byte(`{"error":"invalid_grant"}`)}, nil
	}
	e.asked++
	e.good++
	if e.late {
		time.Sleep(50 * time.Millisecond)
	}
	return destination.Response{Status: 200, Body: fmt.Appendf(nil, `{"access_token":"access%d","refresh_token":"refresh%d","expires_in":3600}`, e.good, e.good)}, nil
}

const rotates = `auth: [{ type: oauth2, tokenUrl: "{base}/token", clientId: "{secrets.a}", clientSecret: "{secrets.b}", refreshToken: "{secrets.c}" }]` + "\n"

func process(e *rotating, s *store) *auth.Keyring {
	k := auth.New(e.do)
	k.Share(&auth.Shared{Store: s, Seal: turned, Open: turned})
	return k
}

func TestProcessesOfAPlaneShareOneRefresh(t *testing.T) {
	t.Parallel()
	e, s := &rotating{late: true}, &store{values: map[string][]byte{}, at: map[string]uint64{}}
	o := open(t, rotates, "id", "key", "refresh0")
	processes := []*auth.Keyring{process(e, s), process(e, s), process(e, s)}
	get := func(at time.Time, want string) []auth.Used {
		t.Helper()
		all := make([]auth.Used, len(processes))
		var lanes sync.WaitGroup
		for lane := range 12 {
			lanes.Go(func() {
				r, used, err := processes[lane%len(processes)].Request(t.Context(), o, destination.Request{Method: "POST", URL: "https://api.example/x"}, at)
				if got := r.Header.Get("Authorization"); err != nil || got != "Bearer "+want {
					t.Errorf("lane %d: %s, %v, want %s", lane, got, err, want)
				}
				if lane < len(processes) {
					all[lane] = used
				}
			})
		}
		lanes.Wait()
		return all
	}
	used := get(now, "access1")
	processes = append(processes, process(e, s)) // which starts later
	get(now, "access1")
	if e.asked != 1 {
		t.Fatalf("asked %d times, want once", e.asked)
	}
	processes = processes[:3]
	for i, u := range used { // the destination refuses the token in all processes
		if again, err := processes[i].Refused(u, now); !again || err != nil {
			t.Errorf("Refused = %v, %v", again, err)
		}
	}
	get(now, "access2")
	get(now.Add(2*time.Hour), "access3")
	if e.asked != 3 {
		t.Errorf("asked %d times, want three times", e.asked)
	}
}

// TestARefreshTokenIsDurableBeforeItsAccessTokenIsUsed: while it cannot be written there is no
// access token, and nothing is lost after that.
func TestARefreshTokenIsDurableBeforeItsAccessTokenIsUsed(t *testing.T) {
	t.Parallel()
	e, s := &rotating{}, &store{values: map[string][]byte{}, at: map[string]uint64{}}
	s.away.Store(7)
	o := open(t, rotates, "id", "key", "refresh0")
	k := process(e, s)
	request := func(k *auth.Keyring, at time.Time) (string, error) {
		r, _, err := k.Request(t.Context(), o, destination.Request{Method: "POST", URL: "https://api.example/x"}, at)
		return r.Header.Get("Authorization"), err
	}
	if got, err := request(k, now); fault.KindOf(err) != fault.Unavailable || got != "" {
		t.Fatalf("while the store is away: %s, %v", got, err)
	}
	if got, err := request(k, now.Add(5*time.Second)); err != nil || got != "Bearer access1" {
		t.Fatalf("when it answers again: %s, %v", got, err)
	}
	if got, err := request(process(e, s), now.Add(5*time.Second)); err != nil || got != "Bearer access1" {
		t.Errorf("another process: %s, %v", got, err)
	}
	if got, err := request(process(e, s), now.Add(2*time.Hour)); err != nil || got != "Bearer access2" || e.asked != 2 {
		t.Errorf("after a restart, later: %s, %v, asked %d times", got, err, e.asked)
	}
}

// TestAProcessThatDiedWhileItAskedHoldsUpNobodyForLong.
func TestAProcessThatDiedWhileItAskedHoldsUpNobodyForLong(t *testing.T) {
	t.Parallel()
	e, s := &rotating{}, &store{values: map[string][]byte{}, at: map[string]uint64{}}
	o := open(t, rotates, "id", "key", "refresh0")
	dead := auth.New(func(context.Context, destination.Request, time.Duration) (destination.Response, error) {
		select {} // it never comes back
	})
	dead.Share(&auth.Shared{Store: s, Seal: turned, Open: turned})
	gone, stop := context.WithCancel(t.Context())
	go func() { _, _, _ = dead.Request(gone, o, destination.Request{URL: "https://api.example/x"}, now) }()
	for claimed := false; !claimed; {
		s.mu.Lock()
		claimed = len(s.at) > 0
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	stop()
	soon, end := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer end()
	if _, _, err := process(e, s).Request(soon, o, destination.Request{URL: "https://api.example/x"}, now); err == nil {
		t.Error("two processes asked at once")
	}
	if r, _, err := process(e, s).Request(t.Context(), o, destination.Request{URL: "https://api.example/x"}, now.Add(time.Minute)); err != nil || r.Header.Get("Authorization") != "Bearer access1" {
		t.Errorf("a minute later: %v, %v", r.Header, err)
	}
}
