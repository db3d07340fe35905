package outbound_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
	"weir/shared/secret"
)

// grants is a vendor with a token endpoint that takes its time. Its API answers 401 to
// any token but the newest, and to that when it was revoked.
type grants struct {
	*httptest.Server
	fail func(w http.ResponseWriter) bool // of the endpoint; true: it has answered

	mu      sync.Mutex
	asked   int // requests to the endpoint
	newest  string
	taken   int // requests to the API that were taken
	refused int
	barrier *sync.WaitGroup // requests to the API wait for each other, and then the token is revoked
}

func newGrants(t *testing.T) *grants {
	v := &grants{}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *grants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if strings.HasSuffix(r.URL.Path, "/token") {
		time.Sleep(20 * time.Millisecond) // long enough for others to want a token, too
		v.mu.Lock()
		defer v.mu.Unlock()
		v.asked++
		if v.fail != nil && v.fail(w) {
			return
		}
		v.newest = fmt.Sprintf("t%d", v.asked)
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600}`, v.newest)
		return
	}
	v.mu.Lock()
	b := v.barrier
	v.mu.Unlock()
	if b != nil {
		b.Done()
		b.Wait()
		v.mu.Lock()
		if v.barrier == b {
			v.barrier, v.newest = nil, ""
		}
		v.mu.Unlock()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.newest == "" || r.Header.Get("Authorization") != "Bearer "+v.newest {
		v.refused++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	v.taken++
}

// TestLanesOfPartitionsShareOneRefresh: sixteen lanes of four partitions, with a plane's
// own client and a true server, ask for a token once, whatever becomes of it.
func TestLanesOfPartitionsShareOneRefresh(t *testing.T) {
	t.Parallel()
	const lanes = 16
	lost := func(w http.ResponseWriter) bool {
		conn, _, err := http.NewResponseController(w).Hijack()
		return err == nil && conn.Close() == nil
	}
	for name, tc := range map[string]struct {
		fail    func(w http.ResponseWriter) bool
		revoked bool
		code    string // of every event, while the endpoint fails
		asked   int    // by then
		refused int    // with the token that was revoked
	}{
		"the first":                {nil, false, "", 1, 0},
		"revoked while all send":   {nil, true, "", 2, lanes},
		"the endpoint answers 500": {func(w http.ResponseWriter) bool { w.WriteHeader(500); return true }, false, "network", 1, 0},
		"the answer is lost":       {lost, false, "network", 1, 0},
		"refused":                  {func(w http.ResponseWriter) bool { w.WriteHeader(400); return true }, false, "token_refused", 1, 0},
		"revoked, then lost":       {lost, true, "network", 3, lanes}, // a kept connection that closed is replaced once
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newGrants(t)
			kind := destination.Define([]byte(acme), func(struct{}) (destination.Destination, error) { return posts{url: v.URL + "/x"}, nil })()
			o, err := kind.Open(fmt.Appendf(nil, `{"baseUrl":%q}`, v.URL), map[string]secret.String{"id": secret.NewString("client"), "word": secret.NewString("s3cret")})
			if err != nil {
				t.Fatal(err)
			}
			o.Limits.Rate = 0
			client := outbound.New(outbound.Config{Dial: new(net.Dialer).DialContext})
			t.Cleanup(client.Close)
			var clock sync.Mutex
			now := time.Now()
			links := [4]*outbound.Link{}
			for i := range links {
				links[i] = &outbound.Link{Do: client.Do, Plane: client.Plane(), Deps: destination.Deps{Now: func() time.Time {
					clock.Lock()
					defer clock.Unlock()
					return now
				}}}
			}
			all := func(code string) {
				t.Helper()
				var wait sync.WaitGroup
				for n := range lanes {
					wait.Go(func() {
						results := make([]outbound.Result, 1)
						links[n%len(links)].Send(t.Context(), &destination.Target{ID: "dst_acme", Opened: o}, batch("a"), results)
						if results[0].Code != code || (code == "") != (results[0].Outcome == destination.Delivered) {
							t.Errorf("%+v, want code %q", results[0], code)
						}
					})
				}
				wait.Wait()
			}
			if tc.revoked {
				all("")
				v.mu.Lock()
				v.barrier = new(sync.WaitGroup)
				v.barrier.Add(lanes)
				v.mu.Unlock()
			}
			v.mu.Lock()
			v.fail, v.taken = tc.fail, 0
			v.mu.Unlock()
			all(tc.code)
			all(tc.code) // and those who come at once after that
			v.mu.Lock()
			if v.asked != tc.asked || v.refused != tc.refused {
				t.Errorf("the endpoint was asked %d times, %d requests were refused, want %d and %d", v.asked, v.refused, tc.asked, tc.refused)
			}
			v.fail = nil
			v.mu.Unlock()
			if tc.fail == nil {
				return
			}
			clock.Lock()
			now = now.Add(11 * time.Second)
			clock.Unlock()
			all("")
			if v.asked != tc.asked+1 || v.taken != lanes {
				t.Errorf("the endpoint was asked %d times and %d requests were taken after it recovered, want %d and %d", v.asked, v.taken, tc.asked+1, lanes)
			}
		})
	}
}

// posts makes a request of each event.
type posts struct {
	each
	url string
}

func (p posts) Build(b destination.Batch) (reqs []destination.Request, _ []destination.Verdict) {
	for i, it := range b.Items {
		reqs = append(reqs, destination.Request{Method: http.MethodPost, URL: p.url, Body: it.Event.JSON, Items: []int{i}})
	}
	return reqs, nil
}

// TestTokensThatAreAllRefusedAreNotRenewedAllTheTime: the vendor has another reason.
func TestTokensThatAreAllRefusedAreNotRenewedAllTheTime(t *testing.T) {
	t.Parallel()
	asked, now := 0, time.Unix(1e9, 0)
	do := vendorOf(func(r destination.Request) destination.Response {
		if strings.HasSuffix(r.URL, "/token") {
			asked++
			return destination.Response{Status: 200, Body: fmt.Appendf(nil, `{"access_token":"t%d"}`, asked)}
		}
		return destination.Response{Status: 401}
	})
	link := outbound.Link{Do: do, Plane: outbound.NewPlane(do), Deps: destination.Deps{Now: func() time.Time { return now }}}
	d := target(t, each{})
	d.Limits.Rate = 0
	for range 60 {
		results := make([]outbound.Result, 1)
		link.Send(t.Context(), d, batch("a"), results)
		if results[0].Outcome != destination.Retry || results[0].Code != "token_refused" {
			t.Errorf("%+v, want a retry", results[0])
		}
		now = now.Add(100 * time.Millisecond)
	}
	if asked < 2 || asked > 7 {
		t.Errorf("asked for %d tokens in six seconds, want one a second", asked)
	}
}

func vendorOf(answer func(destination.Request) destination.Response) func(context.Context, destination.Request, time.Duration) (destination.Response, error) {
	return func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
		return answer(r), nil
	}
}
