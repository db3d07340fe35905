package deliver_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/event"
	"weir/dataplane/outbound"
	"weir/dataplane/parked"
	"weir/dataplane/queue/queuetest"
	"weir/shared/egress"
	"weir/shared/id"
)

// real is lanes with a real client before a real server.
func real(t *testing.T, policy egress.Policy, timeout time.Duration, url string) (offer func(n int), settled chan delivery.Settled, lanes *deliver.Lanes) {
	t.Helper()
	return dialled(t, egress.New(policy).DialContext, time.Hour, timeout, url)
}

// dialled is real by any dialer; a destination that fails for parkAfter is down.
func dialled(t *testing.T, dial func(context.Context, string, string) (net.Conn, error), parkAfter, timeout time.Duration, url string) (offer func(n int), settled chan delivery.Settled, lanes *deliver.Lanes) {
	t.Helper()
	settled = make(chan delivery.Settled, 100_000)
	client := outbound.New(outbound.Config{Dial: dial})
	target := &destination.Target{Workspace: ws, ID: hook, Opened: destination.Opened{HTTP: to(url), Limits: destination.Limits{Ordered: true, Concurrency: 64, BatchSize: 1, Timeout: timeout}}}
	lanes, err := deliver.New(deliver.Config{
		Parked: whole(t, queuetest.NewLog(1, queuetest.Faults{})), Dead: whole(t, queuetest.NewLog(2, queuetest.Faults{})), Do: client.Do, ParkAfter: parkAfter,
		Lookup: func(id.Workspace, id.Destination) (*destination.Target, destination.Presence) {
			return target, destination.Present
		},
		Settle: func(all []delivery.Settled) {
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
		ds := make([]delivery.Delivery, n)
		for i := range ds {
			ds[i] = delivery.Delivery{Ref: delivery.Ref{Frame: frame, Index: uint32(i)}, Destination: hook, Read: time.Now(), Event: event.Event{
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

func (u to) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	reqs := make([]destination.Request, len(b.Items))
	for i, it := range b.Items {
		reqs[i] = destination.Request{Method: "POST", URL: string(u), Header: http.Header{"Content-Type": {"application/json"}}, Body: it.Event.JSON, Items: []int{i}}
	}
	return reqs, nil
}

func (u to) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	return destination.Classify(r, s)
}

func next(t *testing.T, settled chan delivery.Settled) delivery.Settled {
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
	if s := next(t, settled); s.End != delivery.EndDead || s.Code != "redirected" {
		t.Errorf("settled as %+v, want dead: redirected", s)
	}
	if path := <-hits; path != "/here" || len(hits) > 0 {
		t.Errorf("server saw %s and %d more, want /here only", path, len(hits))
	}
	for end := time.Now().Add(time.Minute); ; <-time.After(time.Millisecond) { // a dead letter is listed right after it is booked
		letters, err := lanes.Store().List(t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 10)
		if err == nil && len(letters) == 1 && letters[0].Status == 307 {
			break
		}
		if err != nil || len(letters) > 0 || time.Now().After(end) {
			t.Fatalf("List = %+v, %v, want one with status 307", letters, err)
		}
	}
}

func TestEgressIsRefusedAsDead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was reached") }))
	defer srv.Close()
	offer, settled, _ := real(t, egress.Policy{}, time.Minute, srv.URL)
	offer(1)
	if s := next(t, settled); s.End != delivery.EndDead || s.Code != "egress_denied" {
		t.Errorf("settled as %+v, want dead: egress_denied", s)
	}
}

// TestAWrongAnswerOfDNSLosesNothing: a name that leads to a forbidden address for a while
// is a destination that is down, not a reason to give deliveries up.
func TestAWrongAnswerOfDNSLosesNothing(t *testing.T) {
	t.Parallel()
	const n = 50
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	var right atomic.Bool // what the name leads to
	open, closed := egress.New(egress.Policy{Private: true}), egress.New(egress.Policy{})
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if right.Load() {
			return open.DialContext(ctx, network, addr)
		}
		return closed.DialContext(ctx, network, addr)
	}
	offer, settled, lanes := dialled(t, dial, 10*time.Millisecond, time.Minute, "http://localhost:"+port)
	offer(n)
	for end := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		if all := lanes.States(time.Now()); len(all) == 1 && all[0].Down && all[0].Reason == egress.Code && all[0].Detail != "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v, want it down because it is denied", lanes.States(time.Now()))
		}
	}
	right.Store(true)
	for delivered := 0; delivered < n; {
		switch s := next(t, settled); s.End {
		case delivery.EndDelivered:
			delivered++
		case delivery.EndParked:
		default:
			t.Fatalf("settled as %+v, want it delivered", s)
		}
	}
	if all := lanes.States(time.Now()); all[0].Down {
		t.Errorf("%+v, want it no longer down", all)
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
			if s := next(t, settled); s.End != delivery.EndDead || s.Code != "rejected_400" {
				t.Errorf("settled as %+v, want dead: rejected_400", s)
			}
		})
	}
}

func TestEveryEventArrivesOnceToTheByte(t *testing.T) {
	t.Parallel()
	srv := destinationtest.NewServer(t)
	offer, settled, lanes := real(t, egress.Policy{Private: true}, time.Minute, srv.URL+"/in?a=1")
	offer(1000)
	for range 1000 {
		if s := next(t, settled); s.End != delivery.EndDelivered || s.Stage != delivery.Live {
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
	client := outbound.New(outbound.Config{Dial: egress.New(egress.Policy{Private: true}).DialContext})
	defer client.Close()
	target := &destination.Target{Workspace: ws, ID: hook, Opened: destination.Opened{HTTP: to("http://" + l.Addr().String()), Limits: destination.Limits{Ordered: true, Concurrency: 32, BatchSize: 1, Timeout: time.Minute}}}
	settled := make(chan int, 1024)
	lanes, err := deliver.New(deliver.Config{
		Parked: whole(b, queuetest.NewLog(1, queuetest.Faults{})), Dead: whole(b, queuetest.NewLog(2, queuetest.Faults{})), Do: client.Do, ParkAfter: time.Hour, LaneBytes: 1 << 40, MemoryBytes: 1 << 40,
		Lookup: func(id.Workspace, id.Destination) (*destination.Target, destination.Presence) {
			return target, destination.Present
		},
		Settle: func(all []delivery.Settled) { settled <- len(all) },
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
			ds := make([]delivery.Delivery, min(100, b.N-sent))
			for i := range ds {
				ds[i] = delivery.Delivery{Destination: hook, Read: time.Now(), Event: event.Event{Workspace: ws, MessageID: "m", User: fmt.Sprint(i), JSON: body}}
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
