package remote_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"weir/infra/weir/cli/remote"
	"weir/shared/fault"
)

// asked asks a control plane that answers with these headers and status until only is over,
// and returns how often it was asked, what was told, and the error.
func asked(t *testing.T, write bool, status int, header http.Header, times int) (int, []string, error) {
	t.Helper()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if int(calls.Add(1)) > times {
			fmt.Fprint(w, `{"tokens":[],"token":"weir_x","id":"tok_x"}`)
			return
		}
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"kind":"limited","detail":"you made 10 requests in 10 seconds"}`)
	}))
	t.Cleanup(server.Close)
	c, err := remote.NewControl(server.URL, "weir_t")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	c.OnWait(func(text string) { told = append(told, text) })
	if write {
		_, err = c.IssueToken(t.Context(), remote.Token{Name: "x"})
	} else {
		_, err = c.Tokens(t.Context())
	}
	return int(calls.Load()), told, err
}

func TestCallsWaitWhereTheyAreAskedTo(t *testing.T) {
	t.Parallel()
	in := func(pairs ...string) http.Header {
		h := http.Header{}
		for p := range slices.Chunk(pairs, 2) {
			h[p[0]] = []string{p[1]}
		}
		return h
	}
	now := in("Retry-After", "0")
	for name, tc := range map[string]struct {
		write  bool
		status int
		header http.Header
		times  int
		calls  int
		fails  bool
	}{
		"a read over the quota":      {false, 429, now, 3, 4, false},
		"a write over the quota":     {true, 429, in("Retry-After", "0", "RateLimit", `"default";r=0;t=8`), 3, 4, false},
		"a read of a busy server":    {false, 503, now, 2, 3, false},
		"a time that has passed":     {false, 503, in("Retry-After", "Fri, 01 May 2026 00:00:00 GMT"), 1, 2, false},
		"a write under a key":        {true, 503, now, 2, 3, false},
		"a refusal beside the quota": {true, 429, in("Retry-After", "0", "RateLimit", `"default";r=7;t=8`), 1, 1, true},
		"no time to wait for":        {false, 429, nil, 1, 1, true},
		"a time that is nonsense":    {false, 429, in("Retry-After", "soon"), 1, 1, true},
		"too long":                   {false, 429, in("Retry-After", "121"), 1, 1, true},
		"for ever":                   {false, 429, now, 1000, 21, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls, told, err := asked(t, tc.write, tc.status, tc.header, tc.times)
			if calls != tc.calls || (err != nil) != tc.fails {
				t.Errorf("%d calls, %v; want %d", calls, err, tc.calls)
			}
			if tc.fails && fault.KindOf(err) != fault.Limited {
				t.Errorf("the error is %v", err)
			}
			if tc.calls > 1 && (len(told) == 0 || !strings.Contains(told[0], "asks to wait: you made 10 requests in 10 seconds; again in 0 s")) {
				t.Errorf("it tells %q", told)
			}
		})
	}
}

// TestAWriteWhoseAnswerIsLostIsSentAgainUnderItsKey has the connection break after a write
// was worked on, and the repetition come while it still is.
func TestAWriteWhoseAnswerIsLostIsSentAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		n := len(keys)
		mu.Unlock()
		switch n {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"kind":"conflict","detail":"a request with this idempotency key is being worked on"}`)
		default:
			fmt.Fprint(w, `{"token":"weir_x","id":"tok_x"}`)
		}
	}))
	t.Cleanup(server.Close)
	c, err := remote.NewControl(server.URL, "weir_t")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if made, err := c.IssueToken(t.Context(), remote.Token{Name: "x"}); err != nil || made != "weir_x" {
			t.Errorf("got %+v, %v", made, err)
		}
	}
	if len(keys) != 4 || len(keys[0]) < 20 || keys[0] != keys[1] || keys[1] != keys[2] || keys[2] == keys[3] {
		t.Errorf("the keys are %q, want one three times and another", keys)
	}
}

// TestAWriteWithoutAKeyIsMadeOnce has the answer to a removal be lost.
func TestAWriteWithoutAKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	c, err := remote.NewControl(server.URL, "weir_t")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteWorkspace(t.Context(), "acme", 3, false); fault.KindOf(err) != fault.Unavailable || calls.Load() != 1 {
		t.Errorf("%d calls and error %v, want one that fails", calls.Load(), err)
	}
}

func TestAWaitIsToldOfOnce(t *testing.T) {
	t.Parallel()
	calls, told, err := asked(t, false, 429, http.Header{"Retry-After": {"1"}}, 1)
	if calls != 2 || err != nil || len(told) != 1 || !strings.Contains(told[0], "again in 1 s") {
		t.Errorf("%d calls, %v, told %q; want it to wait for a second", calls, err, told)
	}
}
