package deliver_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/deliver"
	"weir/dataplane/deliver/delivertest"
	"weir/dataplane/egress"
	"weir/dataplane/event"
	"weir/dataplane/queue/queuetest"
	"weir/shared/id"
)

func TestClassifyByStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]deliver.Verdict{
		100: {Outcome: deliver.Retry, Code: "unexpected_status"},
		200: {Outcome: deliver.Delivered}, 204: {Outcome: deliver.Delivered}, 299: {Outcome: deliver.Delivered},
		301: {Outcome: deliver.Dead, Code: "redirected", Detail: "why"}, 304: {Outcome: deliver.Dead, Code: "redirected", Detail: "why"},
		400: {Outcome: deliver.Dead, Code: "rejected_400", Detail: "why"}, 401: {Outcome: deliver.Dead, Code: "rejected_401", Detail: "why"},
		418: {Outcome: deliver.Dead, Code: "rejected_4xx", Detail: "why"}, 499: {Outcome: deliver.Dead, Code: "rejected_4xx", Detail: "why"},
		408: {Outcome: deliver.Retry, Code: "busy"}, 425: {Outcome: deliver.Retry, Code: "busy"}, 429: {Outcome: deliver.Retry, Code: "busy"},
		500: {Outcome: deliver.Retry, Code: "server_error"}, 503: {Outcome: deliver.Retry, Code: "server_error"}, 599: {Outcome: deliver.Retry, Code: "server_error"},
	} {
		got := deliver.Classify(deliver.Request{Items: []int{4}}, deliver.Response{Status: status, Body: []byte("why")})
		want.Item = 4
		if diff := cmp.Diff([]deliver.Verdict{want}, got); diff != "" {
			t.Errorf("Classify(%d): -want +got:\n%s", status, diff)
		}
		if want.Code != "" && !contains(deliver.Codes(), want.Code) {
			t.Errorf("code %s is not in Codes", want.Code)
		}
	}
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "0.5": 500 * time.Millisecond, "0": 0, "-3": 0, "soon": 0, "NaN": 0, "Inf": time.Hour,
		"999999999999999999999": time.Hour, "3601": time.Hour,
		"Sun, 01 Mar 2026 12:01:00 GMT": time.Minute, "Sun, 01 Mar 2026 11:00:00 GMT": 0, "Mon, 02 Mar 2026 12:00:00 GMT": time.Hour,
	} {
		if got := deliver.RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("RetryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]time.Duration{1: 2 * time.Second, 3: 8 * time.Second, 40: 5 * time.Minute, 1 << 30: 5 * time.Minute} {
		seen := map[time.Duration]bool{}
		for seed := range uint64(100) {
			wait := deliver.Backoff(n, seed)
			if wait <= 0 || wait > most {
				t.Errorf("Backoff(%d, %d) = %v, want in (0, %v]", n, seed, wait, most)
			}
			if wait != deliver.Backoff(n, seed) {
				t.Errorf("Backoff(%d, %d) is not the same twice", n, seed)
			}
			seen[wait] = true
		}
		if len(seen) < 90 {
			t.Errorf("Backoff(%d) has %d values for 100 seeds, want jitter", n, len(seen))
		}
	}
}

// real is lanes with a real client before a real server.
func real(t *testing.T, policy egress.Policy, timeout time.Duration, url string) (offer func(n int), settled chan deliver.Settled, lanes *deliver.Lanes) {
	t.Helper()
	settled = make(chan deliver.Settled, 100_000)
	client := deliver.NewClient(egress.New(policy).DialContext)
	target := &deliver.Target{Workspace: ws, ID: hook, Opened: deliver.Opened{HTTP: to(url), Limits: deliver.Limits{Ordered: true, Concurrency: 64, BatchSize: 1, Timeout: timeout}}}
	lanes, err := deliver.New(deliver.Config{
		Parked: queuetest.NewLog(1, queuetest.Faults{}), Dead: queuetest.NewLog(2, queuetest.Faults{}), Do: client.Do, ParkAfter: time.Hour,
		Lookup: func(id.Workspace, id.Destination) (*deliver.Target, deliver.Presence) { return target, deliver.Present },
		Settle: func(all []deliver.Settled) {
			for _, s := range all {
				settled <- s
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- lanes.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		client.Close()
	})
	frame := uint64(0)
	return func(n int) {
		frame++
		ds := make([]deliver.Delivery, n)
		for i := range ds {
			ds[i] = deliver.Delivery{Ref: deliver.Ref{Frame: frame, Index: uint32(i)}, Destination: hook, Read: time.Now(), Event: event.Event{
				Workspace: ws, Source: "src_web", MessageID: id.Event(fmt.Sprint(frame, i)), User: fmt.Sprint("u", i%500), JSON: []byte(`{"event":"x","n":12345678901234567890}`),
			}}
		}
		if err := lanes.Offer(context.Background(), ds); err != nil {
			t.Error(err)
		}
	}, settled, lanes
}

// to posts each event to an address.
type to string

func (u to) Build(b deliver.Batch) ([]deliver.Request, []deliver.Verdict) {
	reqs := make([]deliver.Request, len(b.Items))
	for i, it := range b.Items {
		reqs[i] = deliver.Request{Method: "POST", URL: string(u), Header: http.Header{"Content-Type": {"application/json"}}, Body: it.Event.JSON, Items: []int{i}}
	}
	return reqs, nil
}

func (u to) Judge(r deliver.Request, s deliver.Response) []deliver.Verdict {
	return deliver.Classify(r, s)
}

func next(t *testing.T, settled chan deliver.Settled) deliver.Settled {
	t.Helper()
	select {
	case s := <-settled:
		return s
	case <-time.After(time.Minute):
		t.Fatal("nothing was settled in a minute")
		panic("unreachable")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	hits := make(chan string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits <- r.URL.Path
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	offer, settled, lanes := real(t, egress.Policy{Private: true}, time.Minute, srv.URL+"/here")
	offer(1)
	if s := next(t, settled); s.End != deliver.EndDead || s.Code != "redirected" {
		t.Errorf("settled as %+v, want dead: redirected", s)
	}
	if path := <-hits; path != "/here" || len(hits) > 0 {
		t.Errorf("server saw %s and %d more, want /here only", path, len(hits))
	}
	letters, err := lanes.List(t.Context(), deliver.Filter{Destination: hook}, deliver.Place{}, 10)
	if err != nil || len(letters) != 1 || letters[0].Status != 307 {
		t.Errorf("List = %+v, %v, want one with status 307", letters, err)
	}
}

func TestEgressIsRefusedAsDead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was reached") }))
	defer srv.Close()
	offer, settled, _ := real(t, egress.Policy{}, time.Minute, srv.URL)
	offer(1)
	if s := next(t, settled); s.End != deliver.EndDead || s.Code != "egress_denied" {
		t.Errorf("settled as %+v, want dead: egress_denied", s)
	}
}

func TestHostileAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"an endless refusal": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			chunk := []byte(strings.Repeat("x", 32<<10))
			for {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		},
		"a refusal that drips": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("x"))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(answer)
			defer srv.Close()
			offer, settled, _ := real(t, egress.Policy{Private: true}, time.Second, srv.URL)
			offer(1)
			if s := next(t, settled); s.End != deliver.EndDead || s.Code != "rejected_400" {
				t.Errorf("settled as %+v, want dead: rejected_400", s)
			}
		})
	}
}

func TestEveryEventArrivesOnceToTheByte(t *testing.T) {
	t.Parallel()
	srv := delivertest.NewServer(t)
	offer, settled, lanes := real(t, egress.Policy{Private: true}, time.Minute, srv.URL+"/in?a=1")
	offer(1000)
	for range 1000 {
		if s := next(t, settled); s.End != deliver.EndDelivered || s.Stage != deliver.Live {
			t.Fatalf("settled as %+v, want delivered", s)
		}
	}
	got := srv.Received()
	if len(got) != 1000 {
		t.Errorf("server got %d requests, want 1000", len(got))
	}
	for _, r := range got {
		if string(r.Body) != `{"event":"x","n":12345678901234567890}` || r.Path != "/in?a=1" || r.Header.Get("User-Agent") != "Weir/1" || r.Method != "POST" {
			t.Fatalf("server got %+v: %s", r, r.Body)
		}
	}
	if n := lanes.InFlight(); n > 64 {
		t.Errorf("%d in flight", n)
	}
}

// BenchmarkDeliver measures one request per event against a server in this process.
func BenchmarkDeliver(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	client := deliver.NewClient(egress.New(egress.Policy{Private: true}).DialContext)
	defer client.Close()
	target := &deliver.Target{Workspace: ws, ID: hook, Opened: deliver.Opened{HTTP: to("http://" + l.Addr().String()), Limits: deliver.Limits{Ordered: true, Concurrency: 32, BatchSize: 1, Timeout: time.Minute}}}
	settled := make(chan int, 1024)
	lanes, err := deliver.New(deliver.Config{
		Parked: queuetest.NewLog(1, queuetest.Faults{}), Dead: queuetest.NewLog(2, queuetest.Faults{}), Do: client.Do, ParkAfter: time.Hour, LaneBytes: 1 << 40, MemoryBytes: 1 << 40,
		Lookup: func(id.Workspace, id.Destination) (*deliver.Target, deliver.Presence) { return target, deliver.Present },
		Settle: func(all []deliver.Settled) { settled <- len(all) },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = lanes.Run(ctx) }()
	body := []byte(`{"event":"` + strings.Repeat("x", 1000) + `"}`)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for sent := 0; sent < b.N; sent += 100 {
			ds := make([]deliver.Delivery, min(100, b.N-sent))
			for i := range ds {
				ds[i] = deliver.Delivery{Destination: hook, Read: time.Now(), Event: event.Event{Workspace: ws, MessageID: "m", User: fmt.Sprint(i), JSON: body}}
			}
			_ = lanes.Offer(ctx, ds)
		}
	}()
	for n := 0; n < b.N; {
		n += <-settled
	}
	b.StopTimer()
	cancel()
	<-done
}
