package view_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/ingest"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/dataplane/plan"
	"weir/dataplane/view"
	"weir/shared/capability"
	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// plans holds ws_a with the sources web and app and the destinations hook and
// lake, and ws_b with a source web and a destination hook of its own.
func plans(t *testing.T, open func(settings []byte, secrets map[string]secret.String) (destination.Opened, error)) *plan.Holder {
	t.Helper()
	field := catalog.Field{Name: "url", Type: catalog.TypeURL, Title: "URL"}
	kinds := plan.Kinds{
		Sources:      []ingest.Kind{{Spec: catalog.Spec{Family: catalog.Sources, Name: "http", Title: "HTTP", Doc: "HTTP."}}},
		Destinations: []destination.Kind{{Spec: catalog.Spec{Family: catalog.Destinations, Name: "hook", Title: "Hook", Doc: "A hook.", Fields: []catalog.Field{field}}, Open: open}},
	}
	holder := &plan.Holder{}
	for _, c := range []workspace.Config{
		{Format: 1, Workspace: "ws_a", Name: "acme", Region: "eu",
			Sources:      []workspace.Source{{ID: "src_a", Name: "web", Type: "http", WriteKey: "wk_a"}, {ID: "src_b", Name: "app", Type: "http", WriteKey: "wk_b"}},
			Destinations: []workspace.Destination{{ID: "dst_a", Name: "hook", Type: "hook", Settings: []byte(`{}`)}, {ID: "dst_b", Name: "lake", Type: "hook", Settings: []byte(`{}`)}}},
		{Format: 1, Workspace: "ws_b", Name: "other", Region: "eu",
			Sources:      []workspace.Source{{ID: "src_z", Name: "web", Type: "http", WriteKey: "wk_z"}},
			Destinations: []workspace.Destination{{ID: "dst_z", Name: "foreign", Type: "hook", Settings: []byte(`{}`)}}},
	} {
		p, problems, _ := plan.Compile(t.Context(), workspace.Revision{Workspace: c.Workspace, Number: 1, Config: c}, kinds, nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := holder.Put(p); err != nil {
			t.Fatal(err)
		}
	}
	return holder
}

func opens(d destination.Destination) func([]byte, map[string]secret.String) (destination.Opened, error) {
	return func([]byte, map[string]secret.String) (destination.Opened, error) {
		return destination.Opened{HTTP: d}, nil
	}
}

// mute builds no request.
type mute struct{}

func (mute) Build(destination.Batch) ([]destination.Request, []destination.Verdict) { return nil, nil }
func (mute) Judge(destination.Request, destination.Response) (verdicts []destination.Verdict) {
	return nil
}

// pipes is a listener whose connections live within a synctest bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// dial connects a client's transport.
func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}

// serve runs the view as a plane does, timeouts included, and returns a client.
func (f *fixture) serve() *http.Client {
	at := &pipes{conns: make(chan net.Conn, 8), done: make(chan struct{})}
	s := &http.Server{Handler: f.view, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	ended := make(chan struct{})
	go func() { _ = s.Serve(at); close(ended) }()
	transport := &http.Transport{DialContext: at.dial}
	f.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = s.Close()
		<-ended
	})
	return &http.Client{Transport: transport}
}

// watch opens a live stream and waits until it watches.
func (f *fixture) watch(c *http.Client, query, token string) (*bufio.Scanner, io.Closer) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), "GET", "http://plane/v1/live"+query, http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := c.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/x-ndjson" || !lines.Scan() || lines.Text() != "" {
		f.t.Fatalf("%d %s %q, want a stream that begins with an empty line", res.StatusCode, res.Header.Get("Content-Type"), lines.Text())
	}
	return lines, res.Body
}

func sighting(ws id.Workspace, s id.Source, d id.Destination, stage live.Stage, o live.Outcome, event string) live.Sighting {
	return live.Sighting{At: now, Workspace: ws, Source: s, Destination: d, MessageID: "m-1", Stage: stage, Outcome: o, Event: []byte(event)}
}

// inBubble is a fixture with a hub, on the bubble's clock.
func inBubble(t *testing.T) (*fixture, *live.Hub) {
	t.Helper()
	hub := &live.Hub{}
	return newFixtureWith(t, "", func(c *view.Config) {
		c.Live, c.Plans, c.Now = hub, plans(t, opens(mute{})), time.Now
	}), hub
}

func TestALiveStreamShowsSightingsWithNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, hub := inBubble(t)
		lines, body := f.watch(f.serve(), "", f.token(nil, capability.ReadLive))
		defer body.Close()
		hub.See(sighting("ws_b", "src_z", "", live.Gateway, live.Accepted, `{"of":"a stranger"}`))
		hub.See(sighting("ws_a", "src_a", "", live.Gateway, live.Accepted, `{"n": 12345678901234567890,`+"\n"+`"html":"<b>"}`))
		hub.See(sighting("ws_a", "src_gone", "dst_a", live.Deliver, live.Dead, `{"broken`))
		last := sighting("ws_a", "src_b", "dst_b", live.Load, live.Loaded, "")
		last.Code = "c"
		hub.See(last)
		for _, want := range []string{
			`{"at":"2026-03-01T12:00:00Z","stage":"gateway","source":"web","destination":"","messageId":"m-1","outcome":"accepted","code":"","event":{"n":12345678901234567890,"html":"<b>"}}`,
			`{"at":"2026-03-01T12:00:00Z","stage":"deliver","source":"src_gone","destination":"hook","messageId":"m-1","outcome":"dead","code":"","event":"{\"broken"}`,
			`{"at":"2026-03-01T12:00:00Z","stage":"load","source":"app","destination":"lake","messageId":"m-1","outcome":"loaded","code":"c","event":null}`,
		} {
			if !lines.Scan() || lines.Text() != want {
				t.Errorf("line %s\nwant %s", lines.Text(), want)
			}
		}
		start := time.Now()
		if !lines.Scan() || lines.Text() != "" || time.Since(start) != 10*time.Second {
			t.Errorf("line %q after %s, want an empty one after 10 s", lines.Text(), time.Since(start))
		}
	})
}

func TestALiveStreamEndsWithItsCapability(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, hub := inBubble(t)
		start := time.Now()
		lines, body := f.watch(f.serve(), "", f.token(nil, capability.ReadLive))
		defer body.Close()
		beats := 0
		for lines.Scan() {
			if beats++; lines.Text() != "" {
				t.Fatalf("line %q, want heartbeats only", lines.Text())
			}
		}
		if took := time.Since(start); took != capability.Lifetime || lines.Err() != nil || beats < 28 {
			t.Errorf("it ended after %s with %d heartbeats and %v, want 5 minutes and a clean end", took, beats, lines.Err())
		}
		synctest.Wait()
		if hub.Watching("ws_a") {
			t.Error("somebody still watches")
		}
	})
}

func TestAReaderWhoTakesNothingIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, hub := inBubble(t)
		_, body := f.watch(f.serve(), "", f.token(nil, capability.ReadLive))
		defer body.Close()
		long := `{"x":"` + strings.Repeat("x", 100_000) + `"}`
		start := time.Now()
		for range 100 { // past all buffers between
			hub.See(sighting("ws_a", "src_a", "", live.Gateway, live.Accepted, long))
		}
		if time.Since(start) != 0 {
			t.Errorf("See took %s", time.Since(start))
		}
		time.Sleep(time.Minute) // the bubble's: the writer's deadline passes
		synctest.Wait()
		if hub.Watching("ws_a") {
			t.Error("the stream of a reader who takes nothing is still open")
		}
	})
}

func TestAReaderLearnsWhatItMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, hub := inBubble(t)
		lines, body := f.watch(f.serve(), "", f.token(nil, capability.ReadLive))
		defer body.Close()
		const sent = 3 * live.MaxSightings
		for range sent {
			hub.See(sighting("ws_a", "src_a", "", live.Gateway, live.Accepted, `{}`))
		}
		seen, missed := 0, 0
		for seen+missed < sent && lines.Scan() {
			var line struct {
				Stage  string
				Missed int
			}
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
			if missed += line.Missed; line.Stage != "" {
				seen++
			}
		}
		if seen+missed != sent || missed == 0 {
			t.Errorf("%d seen and %d missed, want %d together and some missed", seen, missed, sent)
		}
	})
}

func TestAPlaneThatStopsEndsItsStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, hub := inBubble(t)
		lines, body := f.watch(f.serve(), "", f.token(nil, capability.ReadLive))
		defer body.Close()
		hub.Close()
		if !lines.Scan() || !strings.Contains(lines.Text(), `{"error":{"code":"unavailable"`) || lines.Scan() || lines.Err() != nil {
			t.Errorf("line %q, %v, want the reason and the end", lines.Text(), lines.Err())
		}
	})
}

// TestALiveStreamShowsNothingElse asks with each grant for each choice, and
// counts what it would see of one sighting of every kind.
func TestALiveStreamShowsNothingElse(t *testing.T) {
	t.Parallel()
	someSources := func(g *capability.Grant) { g.Sources = []id.Source{"src_b"} }
	someDestinations := func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_b"} }
	for name, tc := range map[string]struct {
		change func(*capability.Grant)
		query  string
		want   []string
	}{
		"everything":                    {nil, "", []string{"web ", "web hook", "app ", "app lake"}},
		"a source by name":              {nil, "?source=web", []string{"web ", "web hook"}},
		"a source by identifier":        {nil, "?source=src_b", []string{"app ", "app lake"}},
		"two sources":                   {nil, "?source=web&source=app", []string{"web ", "web hook", "app ", "app lake"}},
		"a destination":                 {nil, "?destination=hook", []string{"web hook"}},
		"a stage":                       {nil, "?stage=gateway", []string{"web ", "app "}},
		"an outcome":                    {nil, "?outcome=delivered&outcome=dead", []string{"web hook", "app lake"}},
		"a grant of some sources":       {someSources, "", []string{"app ", "app lake"}},
		"a grant of some destinations":  {someDestinations, "", []string{"app lake"}},
		"another source than granted":   {someSources, "?source=web", nil},
		"a source that is not, granted": {someSources, "?source=none", nil},
		"another destination":           {someDestinations, "?destination=hook", nil},
		"another workspace's source":    {nil, "?source=src_z", nil},
		"another workspace's by name":   {nil, "?destination=foreign", nil},
		"no such stage":                 {nil, "?stage=nowhere", nil},
		"no such outcome":               {nil, "?outcome=lucky", nil},
		"too many values":               {nil, "?source=web" + strings.Repeat("&source=web", 100), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, hub := inBubble(t)
				token := f.token(tc.change, capability.ReadLive)
				if tc.want == nil {
					if w := f.do("GET", "/v1/live"+tc.query, token, ""); w.Code < 400 || strings.Contains(w.Body.String(), "src_") || hub.Watching("ws_a") {
						t.Errorf("%d %s, want a refusal", w.Code, w.Body)
					}
					return
				}
				lines, body := f.watch(f.serve(), tc.query, token)
				defer body.Close()
				for _, s := range []live.Sighting{
					sighting("ws_b", "src_z", "", live.Gateway, live.Accepted, "{}"), sighting("ws_b", "src_z", "dst_z", live.Deliver, live.Delivered, "{}"),
					sighting("ws_a", "src_a", "", live.Gateway, live.Accepted, "{}"), sighting("ws_a", "src_a", "dst_a", live.Deliver, live.Delivered, "{}"),
					sighting("ws_a", "src_b", "", live.Gateway, live.Accepted, "{}"), sighting("ws_a", "src_b", "dst_b", live.Deliver, live.Delivered, "{}"),
				} {
					hub.See(s)
				}
				var got []string
				for lines.Scan() && lines.Text() != "" {
					var line struct{ Source, Destination string }
					if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
						t.Fatal(err)
					}
					got = append(got, line.Source+" "+line.Destination)
				}
				if d := cmp.Diff(tc.want, got); d != "" {
					t.Errorf("sightings (-want +got):\n%s", d)
				}
			})
		})
	}
}

// TestNoCapabilityOpensMoreThanItSays asks every call with capabilities for
// something else.
func TestNoCapabilityOpensMoreThanItSays(t *testing.T) {
	t.Parallel()
	calls := map[string]capability.Action{
		"GET /v1/live": capability.ReadLive, "GET /v1/parked": capability.ReadParked, "GET /v1/quarantine": capability.ReadQuarantine,
		"GET /v1/loads": capability.ReadLoads, "POST /v1/loads": capability.StartLoads, "POST /v1/loads/pause": capability.StartLoads, "POST /v1/loads/resume": capability.StartLoads, "POST /v1/query": capability.Query, "POST /v1/preview/transformation": capability.Preview,
		"POST /v1/preview/destination": capability.Preview, "POST /v1/destinations/test": capability.TestDestination,
		"GET /v1/ledger": capability.ReadLedger, "GET /v1/dead": capability.ReadDead,
		"POST /v1/jobs/redrive": capability.RedriveDead, "POST /v1/jobs/discard": capability.DiscardDead,
		"POST /v1/jobs/replay": capability.ReplayQuarantine, "POST /v1/jobs/discard-quarantined": capability.DiscardQuarantine,
		"GET /v1/jobs": capability.ReadJobs, "GET /v1/jobs/job_a": capability.ReadJobs, "POST /v1/jobs/job_a/stop": capability.StopJobs,
	}
	change := func(c *view.Config) { c.Live, c.Plans = &live.Hub{}, plans(t, opens(mute{})) }
	open, shut := newFixtureWith(t, "", change), newFixtureWith(t, "view: {actions: []}", change)
	for call, action := range calls {
		method, path, _ := strings.Cut(call, " ")
		for name, token := range map[string]string{
			"none":                 "",
			"expired":              open.token(func(g *capability.Grant) { g.Expires = now }, action),
			"another plane":        open.token(func(g *capability.Grant) { g.Plane = "pl_b" }, action),
			"another origin":       open.token(func(g *capability.Grant) { g.Origin = origin }, action),
			"another control":      shut.token(nil, action),
			"one that lasts years": open.token(func(g *capability.Grant) { g.Expires = now.Add(time.Hour) }, action),
		} {
			if w := open.do(method, path, token, "{}"); w.Code != 401 && w.Code != 403 {
				t.Errorf("%s with %s: %d %s", call, name, w.Code, w.Body)
			}
		}
		for _, other := range capability.Actions() {
			if other == action {
				continue
			}
			if w := open.do(method, path, open.token(nil, other), "{}"); w.Code != 403 {
				t.Errorf("%s with %s: %d %s", call, other, w.Code, w.Body)
			}
		}
		if w := shut.do(method, path, shut.token(nil, action), "{}"); w.Code != 403 {
			t.Errorf("%s against the guard: %d %s", call, w.Code, w.Body)
		}
	}
}

func TestWhatAPlaneWasNotGivenIsUnavailable(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "")
	for call, action := range map[string]capability.Action{
		"GET /v1/live": capability.ReadLive, "GET /v1/parked": capability.ReadParked, "GET /v1/quarantine": capability.ReadQuarantine, "GET /v1/loads": capability.ReadLoads,
		"POST /v1/loads": capability.StartLoads, "POST /v1/loads/pause": capability.StartLoads, "POST /v1/loads/resume": capability.StartLoads, "POST /v1/query": capability.Query, "POST /v1/preview/transformation": capability.Preview, "POST /v1/preview/destination": capability.Preview,
		"POST /v1/jobs/redrive": capability.RedriveDead, "POST /v1/jobs/replay": capability.ReplayQuarantine,
		"GET /v1/jobs": capability.ReadJobs, "GET /v1/jobs/job_a": capability.ReadJobs, "POST /v1/jobs/job_a/stop": capability.StopJobs,
	} {
		method, path, _ := strings.Cut(call, " ")
		if w := f.do(method, path, f.token(nil, action), "{}"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "offers no") {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
	}
}

// rows are books in which everything is held somewhere.
func rows() []ledger.Row {
	return []ledger.Row{
		{Workspace: "ws_a", Source: "src_a", Quarantined: 2}, {Workspace: "ws_a", Source: "src_b", Quarantined: 1},
		{Workspace: "ws_a", Source: "src_a", Destination: "dst_a", Parked: 3}, {Workspace: "ws_a", Source: "src_b", Destination: "dst_b", Parked: 1},
		{Workspace: "ws_b", Source: "src_z", Quarantined: 1}, {Workspace: "ws_b", Source: "src_z", Destination: "dst_z", Parked: 1},
	}
}
