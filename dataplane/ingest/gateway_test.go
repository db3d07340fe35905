package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
)

// line is a source that makes one event of each line of the body; the line is
// its JSON. The line "panic" panics.
func line(r ingest.Request) (kept []event.Event, _ []ingest.Reject, _ error) {
	for l := range bytes.Lines(r.Body) {
		l = bytes.TrimSpace(l)
		if string(l) == "panic" {
			panic("secret-content")
		}
		kept = append(kept, event.Event{Workspace: r.Workspace, Source: r.Entry.Source, MessageID: "m", User: r.IP, JSON: bytes.Clone(l)})
	}
	if kept == nil {
		return nil, nil, fault.New(fault.Invalid, "nothing in it")
	}
	return kept, nil, nil
}

// config is a Config with the source kind lines under every write key but "none".
func config(appended func(context.Context, []event.Event) error) ingest.Config {
	return ingest.Config{
		Kinds: []ingest.Kind{{Spec: catalog.Spec{Name: "lines"}, Source: source(line)}},
		Source: func(key string) (ingest.Entry, bool) {
			return ingest.Entry{Workspace: "ws_a", Source: id.Source(key), Type: "lines"}, key != "none"
		},
		Append: appended,
		Log:    slog.New(slog.DiscardHandler),
	}
}

type source func(ingest.Request) ([]event.Event, []ingest.Reject, error)

func (s source) Parse(r ingest.Request) ([]event.Event, []ingest.Reject, error) { return s(r) }

func fine(context.Context, []event.Event) error { return nil }

func gateway(t *testing.T, c ingest.Config) *ingest.Gateway {
	t.Helper()
	g, err := ingest.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// post sends a body to /v1/track with write key src_a.
func post(h http.Handler, body string, edit func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/v1/track", strings.NewReader(body))
	r.SetBasicAuth("src_a", "")
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestNewNamesEveryMissingField(t *testing.T) {
	_, err := ingest.New(ingest.Config{})
	var fields []string
	for _, p := range fault.ProblemsOf(err) {
		fields = append(fields, p.Path)
	}
	if diff := cmp.Diff([]string{"Kinds", "Source", "Append"}, fields); diff != "" || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v: %s", err, diff)
	}
}

func TestStatusPathsAndUnknownOnes(t *testing.T) {
	c := config(fine)
	c.Version = `1.2.3 "x"`
	var down error
	c.Ready = func() error { return down }
	g := gateway(t, c)
	for _, tc := range []struct {
		method, path string
		down         error
		status       int
		want         string
	}{
		{"GET", "/health", nil, 200, `{"status":"ok"}`},
		{"GET", "/health/", errors.New("x"), 200, `{"status":"ok"}`},
		{"GET", "/ready", nil, 200, `{"status":"ready"}`},
		{"GET", "/ready/", fault.New(fault.Unavailable, "x"), 503, `{"success":false,"error":{"code":"not_ready","message":"The plane cannot take events now."}}`},
		{"GET", "/version", nil, 200, `{"version":"1.2.3 \"x\""}`},
		{"GET", "/v1/track", nil, 405, `{"success":false,"error":{"code":"method_not_allowed","message":"This path does not take this method."}}`},
		{"DELETE", "/v1/batch/", nil, 405, `{"success":false,"error":{"code":"method_not_allowed","message":"This path does not take this method."}}`},
		{"POST", "/health", nil, 405, `{"success":false,"error":{"code":"method_not_allowed","message":"This path does not take this method."}}`},
		{"POST", "/v1/other", nil, 404, `{"success":false,"error":{"code":"not_found","message":"There is nothing at this path."}}`},
		{"GET", "/", nil, 404, `{"success":false,"error":{"code":"not_found","message":"There is nothing at this path."}}`},
		{"POST", "/v1/", nil, 404, `{"success":false,"error":{"code":"not_found","message":"There is nothing at this path."}}`},
	} {
		down = tc.down
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(tc.method, tc.path, nil))
		if w.Code != tc.status || w.Body.String() != tc.want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s, want %d %s", tc.method, tc.path, w.Code, w.Body, tc.status, tc.want)
		}
		if (w.Code == 503) != (w.Header().Get("Retry-After") != "") || (w.Code == 405) != (w.Header().Get("Allow") != "") {
			t.Errorf("%s %s: header %v", tc.method, tc.path, w.Header())
		}
	}
}

func TestBrowsersMaySendFromEverywhere(t *testing.T) {
	g := gateway(t, config(fine))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("OPTIONS", "/v1/batch", nil)
	r.Header.Set("Origin", "https://shop.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "anonymousid,authorization,content-type,rsa-retry-attempt")
	g.ServeHTTP(w, r)
	want := http.Header{
		"Access-Control-Allow-Origin":      {"https://shop.example"},
		"Access-Control-Allow-Credentials": {"true"},
		"Access-Control-Allow-Methods":     {"GET, HEAD, POST, OPTIONS"},
		"Access-Control-Allow-Headers":     {"anonymousid,authorization,content-type,rsa-retry-attempt"},
		"Access-Control-Max-Age":           {"900"},
		"Vary":                             {"Origin"},
	}
	if diff := cmp.Diff(want, w.Header()); diff != "" || w.Code != 204 {
		t.Errorf("%d %s", w.Code, diff)
	}
	for key, status := range map[string]int{"src_a": 200, "none": 401} {
		w := post(g, "{}", func(r *http.Request) { r.Header.Set("Origin", "null"); r.SetBasicAuth(key, "") })
		if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != "null" || w.Header().Get("Access-Control-Expose-Headers") != "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset" {
			t.Errorf("%s: %d %v", key, w.Code, w.Header())
		}
	}
	if w := post(g, "{}", nil); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without Origin: %v", w.Header())
	}
}

func TestTheAddressIsThePeersOrWhatTrustedProxiesSay(t *testing.T) {
	for name, tc := range map[string]struct {
		peer      string
		forwarded []string
		trusted   []string
		want      string
	}{
		"the peer":                           {"203.0.113.9:1", nil, nil, "203.0.113.9"},
		"without trust the header is a lie":  {"203.0.113.9:1", []string{"1.1.1.1"}, nil, "203.0.113.9"},
		"the peer is not the trusted one":    {"203.0.113.9:1", []string{"1.1.1.1"}, []string{"10.0.0.0/8"}, "203.0.113.9"},
		"a trusted proxy":                    {"10.0.0.1:1", []string{"1.1.1.1"}, []string{"10.0.0.0/8"}, "1.1.1.1"},
		"what the client invented is passed": {"10.0.0.1:1", []string{"6.6.6.6, 1.1.1.1"}, []string{"10.0.0.0/8"}, "1.1.1.1"},
		"a chain over several lines":         {"10.0.0.1:1", []string{"6.6.6.6", "1.1.1.1 , 10.2.3.4", "10.9.9.9"}, []string{"10.0.0.0/8"}, "1.1.1.1"},
		"only proxies":                       {"10.0.0.1:1", []string{"10.0.0.3,10.0.0.2"}, []string{"10.0.0.0/8"}, "10.0.0.3"},
		"no header":                          {"10.0.0.1:1", nil, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"garbage":                            {"10.0.0.1:1", []string{"1.1.1.1, unknown"}, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"a port and IPv6":                    {"[::ffff:10.0.0.1]:1", []string{"[2001:db8::1]:443"}, []string{"10.0.0.0/8"}, "2001:db8::1"},
		"a peer without an address":          {"@", nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			c := config(func(_ context.Context, events []event.Event) error {
				got = append(got, events[0].User)
				return nil
			})
			for _, p := range tc.trusted {
				c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(p))
			}
			post(gateway(t, c), "{}", func(r *http.Request) {
				r.RemoteAddr = tc.peer
				r.Header["X-Forwarded-For"] = tc.forwarded
			})
			if diff := cmp.Diff([]string{tc.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAWorkspaceHasItsShareOfMemory(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	c := config(func(context.Context, []event.Event) error {
		entered <- struct{}{}
		<-leave
		return nil
	})
	c.MaxMemory = 4 << 20 // 768 KiB for the bodies of one workspace
	source := c.Source
	c.Source = func(key string) (ingest.Entry, bool) {
		e, ok := source(key)
		if key == "src_b" {
			e.Workspace = "ws_b"
		}
		return e, ok
	}
	g, body := gateway(t, c), strings.Repeat("x", 400<<10)
	var wg sync.WaitGroup
	var first, second, beside *httptest.ResponseRecorder
	wg.Go(func() { first = post(g, body, nil) })
	<-entered
	if w := post(g, body, nil); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("beside a large one: %d %s", w.Code, w.Body)
	}
	wg.Go(func() { second = post(g, "small", nil) })
	<-entered
	wg.Go(func() { beside = post(g, body, func(r *http.Request) { r.SetBasicAuth("src_b", "") }) })
	<-entered
	close(leave)
	wg.Wait()
	if first.Code != 200 || second.Code != 200 || beside.Code != 200 {
		t.Errorf("%d %d, and of another workspace %d", first.Code, second.Code, beside.Code)
	}
	wg.Go(func() { second = post(g, body, nil) })
	<-entered
	wg.Wait()
	if second.Code != 200 {
		t.Errorf("after it was given back: %d %s", second.Code, second.Body)
	}
}

// stopped is a body of which a part came.
type stopped struct {
	came io.Reader
	seen func()        // called when the part was read
	wait chan struct{} // closed: the rest never comes
}

func (s *stopped) Read(p []byte) (int, error) {
	if n, err := s.came.Read(p); err == nil {
		return n, nil
	}
	s.seen()
	<-s.wait
	return 0, io.ErrUnexpectedEOF
}

func (*stopped) Close() error { return nil }

// TestBodiesAreChargedForWhatCameOfThem: announcing much costs nobody anything, and
// who has no key uses up only the memory of those who have none.
func TestBodiesAreChargedForWhatCameOfThem(t *testing.T) {
	for name, tc := range map[string]struct {
		key    string
		came   int
		bodies int
		inBody int // status of a good request whose key stands in the body
	}{
		"announced, with a key":     {"src_a", 1, 150, 200},
		"announced, without a key":  {"", 1, 100, 200},
		"brought, without a key":    {"", 5000, 20, 200},
		"small ones, without a key": {"", 1, 1000, 503},
		"unknown keys":              {"none", 5000, 1000, 200},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(fine)
			c.MaxMemory = 4 << 20 // 512 KiB for strangers, 768 KiB for a workspace
			g := gateway(t, c)
			wait := make(chan struct{})
			var read, evil sync.WaitGroup
			for range tc.bodies {
				read.Add(1)
				evil.Go(func() {
					body := &stopped{strings.NewReader(strings.Repeat("x", tc.came)), sync.OnceFunc(read.Done), wait}
					defer body.seen()
					post(g, "", func(r *http.Request) {
						r.Header.Del("Authorization")
						if tc.key != "" {
							r.SetBasicAuth(tc.key, "")
						}
						r.ContentLength, r.Body = 64<<10, body
					})
				})
			}
			read.Wait()
			if w := post(g, "good", func(r *http.Request) { r.SetBasicAuth("src_b", "") }); w.Code != 200 {
				t.Errorf("a good sender: %d %s", w.Code, w.Body)
			}
			if w := post(g, `{"writeKey":"src_b"}`, func(r *http.Request) { r.Header.Del("Authorization") }); w.Code != tc.inBody {
				t.Errorf("a good sender whose key is in the body: %d %s, want %d", w.Code, w.Body, tc.inBody)
			}
			close(wait)
			evil.Wait()
			if w := post(g, `{"writeKey":"src_b"}`, func(r *http.Request) { r.Header.Del("Authorization") }); w.Code != 200 {
				t.Errorf("after the slow ones left: %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestALargeRequestIsAppendedInPieces(t *testing.T) {
	var sizes []int
	n := 0
	c := config(func(ctx context.Context, events []event.Event) error {
		size := 0
		for _, e := range events {
			size += len(e.JSON)
		}
		sizes, n = append(sizes, size), n+len(events)
		if _, ok := ctx.Deadline(); !ok {
			t.Error("no deadline")
		}
		return nil
	})
	c.Kinds[0].Source = source(func(r ingest.Request) (kept []event.Event, _ []ingest.Reject, _ error) {
		for range 10 {
			kept = append(kept, event.Event{MessageID: "m", JSON: make([]byte, 1<<20)})
		}
		return kept, nil, nil
	})
	if w := post(gateway(t, c), "x", nil); w.Code != 200 || n != 10 {
		t.Errorf("%d, %d appended", w.Code, n)
	}
	if diff := cmp.Diff([]int{4 << 20, 4 << 20, 2 << 20}, sizes); diff != "" {
		t.Error(diff)
	}
}

func TestAMistakeIsAnsweredAndLoggedWithoutContent(t *testing.T) {
	var log bytes.Buffer
	c := config(func(context.Context, []event.Event) error { return errors.New("broken") })
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	g := gateway(t, c)
	if w := post(g, "panic", nil); w.Code != 500 || !strings.Contains(w.Body.String(), `"internal"`) {
		t.Errorf("panic: %d %s", w.Code, w.Body)
	}
	for range 5 {
		if w := post(g, "secret-content", nil); w.Code != 503 {
			t.Errorf("append: %d %s", w.Code, w.Body)
		}
	}
	if n := strings.Count(log.String(), "request broke"); n != 1 || strings.Contains(log.String(), "secret-content") || !strings.Contains(log.String(), "request panicked") {
		t.Errorf("%d lines, log %s", n, log.String())
	}
}

func TestServeAnswersWhatIsUnderWayAndThenEnds(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	g := gateway(t, config(func(ctx context.Context, _ []event.Event) error {
		close(entered)
		select {
		case <-leave:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln, ingest.ServeConfig{}) }()
	status := make(chan int, 1)
	go func() {
		req, _ := http.NewRequest("POST", "http://"+ln.Addr().String()+"/v1/track", strings.NewReader("x"))
		req.SetBasicAuth("src_a", "")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		status <- res.StatusCode
	}()
	<-entered
	stop()
	for { // until the listener is closed
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(leave)
	if got := <-status; got != 200 {
		t.Errorf("the request under way got %d", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func BenchmarkRequest(b *testing.B) {
	g, err := ingest.New(config(fine))
	if err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("x", 1000)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/track", strings.NewReader(body))
		r.Header.Set("Authorization", "Basic c3JjX2E6")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
