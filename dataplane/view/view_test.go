package view_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/guard"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/plan"
	"weir/dataplane/view"
	"weir/shared/capability"
	"weir/shared/id"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const origin = "https://console.example.com"

// letters is the dead letters of one partition, in memory.
type letters struct {
	all     []parked.DeadLetter
	filters []parked.Filter
}

func (l *letters) match(f parked.Filter) []parked.DeadLetter {
	l.filters = append(l.filters, f)
	var out []parked.DeadLetter
	for _, d := range l.all {
		if d.Delivery.Event.Workspace == f.Workspace && d.Delivery.Destination == f.Destination &&
			(f.Source == "" || d.Delivery.Event.Source == f.Source) && (f.Code == "" || d.Code == f.Code) &&
			(len(f.Places) == 0 || slices.Contains(f.Places, d.Place)) {
			out = append(out, d)
		}
	}
	return out
}

func (l *letters) List(_ context.Context, f parked.Filter, after delivery.Place, limit int) ([]parked.DeadLetter, error) {
	var out []parked.DeadLetter
	for _, d := range l.match(f) {
		if (d.Seq > after.Seq || d.Seq == after.Seq && d.Item > after.Item) && len(out) < limit {
			out = append(out, d)
		}
	}
	return out, nil
}

func (l *letters) Count(_ context.Context, f parked.Filter) (int, error) { return len(l.match(f)), nil }

func letter(ws id.Workspace, d id.Destination, seq uint64, n uint32, code string) parked.DeadLetter {
	return parked.DeadLetter{Place: delivery.Place{Seq: seq, Item: n}, Code: code, Status: 400, Detail: "no", At: now,
		Delivery: delivery.Delivery{Destination: d, Event: event.Event{Workspace: ws, Source: "src_a", MessageID: "m", JSON: []byte(`{"n":12345678901234567890}`)}}}
}

type fixture struct {
	t     *testing.T
	view  *view.View
	key   ed25519.PrivateKey
	parts []*letters
	now   func() time.Time
}

func newFixture(t *testing.T, rules string) *fixture {
	t.Helper()
	return newFixtureWith(t, rules, func(*view.Config) {})
}

// newFixtureWith is newFixture with more of what a view may have.
func newFixtureWith(t *testing.T, rules string, change func(*view.Config)) *fixture {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "guard.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := guard.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, key: private, parts: []*letters{
		{all: []parked.DeadLetter{letter("ws_a", "dst_a", 1, 0, "x"), letter("ws_a", "dst_a", 1, 1, "y"), letter("ws_b", "dst_z", 2, 0, "x")}},
		{all: []parked.DeadLetter{letter("ws_a", "dst_a", 1, 0, "x"), letter("ws_a", "dst_b", 4, 0, "x")}},
	}}
	cfg := view.Config{
		Plane: "pl_a", Key: public, Origins: []string{origin}, Guard: g, Plans: &plan.Holder{}, Now: func() time.Time { return now },
		Dead: []func() (view.Dead, error){
			func() (view.Dead, error) { return f.parts[0], nil },
			func() (view.Dead, error) { return f.parts[1], nil },
		},
		Rows: func() []ledger.Row {
			return []ledger.Row{
				{Workspace: "ws_a", Source: "src_a", Accepted: 11, Replayed: 1, Waiting: 3, Duplicate: 2, SourceRouted: 6, Unrouted: 1, Balanced: true},
				{Workspace: "ws_a", Source: "src_a", Destination: "dst_a", Routed: 6, Delivered: 2, Dead: 3, InFlight: 1, Dropped: map[string]int64{"discarded": 0}, Balanced: true},
				{Workspace: "ws_a", Source: "src_a", Destination: "dst_b", Routed: 1, Dead: 1, Balanced: true},
				{Workspace: "ws_b", Source: "src_z", Destination: "dst_z", Dead: 1},
			}
		},
	}
	change(&cfg)
	f.now = cfg.Now
	f.view, err = view.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) token(change func(*capability.Grant), action capability.Action) string {
	f.t.Helper()
	g := capability.Grant{Plane: "pl_a", Workspace: "ws_a", Action: action, Expires: f.now().Add(capability.Lifetime)}
	if change != nil {
		change(&g)
	}
	token, err := capability.Sign(f.key, g)
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func (f *fixture) do(method, path, token, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.view.ServeHTTP(w, r)
	return w
}

func TestTheLedgerShowsOnlyTheCapabilitysWorkspace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "")
	w := f.do("GET", "/v1/ledger", f.token(nil, capability.ReadLedger), "")
	want := `{"rows":[` +
		`{"source":"src_a","destination":"","accepted":11,"replayed":1,"waiting":3,"duplicate":2,"quarantined":0,"dropped":{},"routed":6,"unrouted":1,"added":0,"delivered":0,"staged":0,"parked":0,"dead":0,"inFlight":0,"balanced":true},` +
		`{"source":"src_a","destination":"dst_a","accepted":11,"replayed":1,"waiting":3,"duplicate":2,"quarantined":0,"dropped":{"discarded":0},"routed":6,"unrouted":1,"added":0,"delivered":2,"staged":0,"parked":0,"dead":3,"inFlight":1,"balanced":true},` +
		`{"source":"src_a","destination":"dst_b","accepted":11,"replayed":1,"waiting":3,"duplicate":2,"quarantined":0,"dropped":{},"routed":1,"unrouted":1,"added":0,"delivered":0,"staged":0,"parked":0,"dead":1,"inFlight":0,"balanced":true}]}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != want {
		t.Errorf("%d %s\nwant %s", w.Code, got, want)
	}
}

func TestTheLedgerSaysSinceWhenDeliveriesWait(t *testing.T) {
	t.Parallel()
	since := now.Add(-time.Hour)
	f := newFixtureWith(t, "", func(cfg *view.Config) {
		cfg.Since = func() map[id.Destination]time.Time {
			return map[id.Destination]time.Time{"dst_a": since, "dst_b": since}
		}
	})
	w := f.do("GET", "/v1/ledger", f.token(nil, capability.ReadLedger), "")
	var answer struct {
		Rows []struct {
			Destination  string
			WaitingSince time.Time
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	for _, r := range answer.Rows {
		want := time.Time{}
		if r.Destination == "dst_a" { // nothing of the source waits for dst_b
			want = since
		}
		if !r.WaitingSince.Equal(want) {
			t.Errorf("of %q they wait since %v, want %v", r.Destination, r.WaitingSince, want)
		}
	}
}

func TestLedgersShowTheWorkspacesOfACapabilityOfSeveral(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "")
	several := func(list ...id.Workspace) string {
		return f.token(func(g *capability.Grant) { g.Workspace, g.Workspaces = "", list }, capability.ReadLedger)
	}
	for name, tc := range map[string]struct {
		path, token, want string
		code              int
	}{
		"all":                  {"/v1/ledgers", several("ws_a", "ws_b"), "ws_a src_a- ws_a src_a-dst_a ws_a src_a-dst_b ws_b src_z-dst_z", 200},
		"one of several":       {"/v1/ledgers", several("ws_b", "ws_c"), "ws_b src_z-dst_z", 200},
		"one":                  {"/v1/ledgers", f.token(nil, capability.ReadLedger), "ws_a src_a- ws_a src_a-dst_a ws_a src_a-dst_b", 200},
		"several, of one":      {"/v1/ledger", several("ws_a", "ws_b"), "", 403},
		"several, in the list": {"/v1/dead", several("ws_a", "ws_b"), "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			w := f.do("GET", tc.path, tc.token, "")
			var answer struct {
				Rows []struct{ Workspace, Source, Destination string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range answer.Rows {
				got = append(got, r.Workspace+" "+r.Source+"-"+r.Destination)
			}
			if all := strings.Join(got, " "); w.Code != tc.code || all != tc.want {
				t.Errorf("%d %s, want %d %s", w.Code, all, tc.code, tc.want)
			}
		})
	}
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "view: {actions: [\"ledger:read\"]}")
	_, stranger, _ := ed25519.GenerateKey(nil)
	forged, _ := capability.Sign(stranger, capability.Grant{Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadLedger, Expires: now.Add(time.Minute)})
	browser := func(g *capability.Grant) { g.Origin = origin }
	for name, tc := range map[string]struct {
		path, token, origin string
		want                int
	}{
		"a program":                        {"/v1/ledger", f.token(nil, capability.ReadLedger), "", 200},
		"a page of a pinned origin":        {"/v1/ledger", f.token(browser, capability.ReadLedger), origin, 200},
		"no capability":                    {"/v1/ledger", "", "", 401},
		"a forged one":                     {"/v1/ledger", forged, "", 403},
		"one for another action":           {"/v1/ledger", f.token(nil, capability.ReadDead), "", 403},
		"one for another plane":            {"/v1/ledger", f.token(func(g *capability.Grant) { g.Plane = "pl_b" }, capability.ReadLedger), "", 403},
		"one that is over":                 {"/v1/ledger", f.token(func(g *capability.Grant) { g.Expires = now }, capability.ReadLedger), "", 403},
		"a page without its origin in it":  {"/v1/ledger", f.token(nil, capability.ReadLedger), origin, 403},
		"a page's one used by a program":   {"/v1/ledger", f.token(browser, capability.ReadLedger), "", 403},
		"a page of another origin":         {"/v1/ledger", f.token(browser, capability.ReadLedger), "https://evil.example", 403},
		"what the guard forbids":           {"/v1/dead", f.token(nil, capability.ReadDead), "", 403},
		"a path that is not":               {"/v1/other", f.token(nil, capability.ReadLedger), "", 404},
		"health needs none":                {"/v1/health", "", "", 200},
		"health of a page of any but ours": {"/v1/health", "", "https://evil.example", 403},
	} {
		t.Run(name, func(t *testing.T) {
			w := f.do("GET", tc.path, tc.token, "", "Origin", tc.origin)
			if w.Code != tc.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tc.want)
			}
			if allowed := w.Header().Get("Access-Control-Allow-Origin"); allowed != "" && tc.origin != origin {
				t.Errorf("origin %s is allowed as %s", tc.origin, allowed)
			}
		})
	}
	w := f.do("OPTIONS", "/v1/dead", "", "", "Origin", origin, "Access-Control-Request-Method", "GET")
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != origin || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}

func TestDeadLettersComeInPagesWithTheirEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "")
	token := f.token(nil, capability.ReadDead)
	var places []string
	cursor := ""
	for range 10 {
		w := f.do("GET", "/v1/dead?limit=1&cursor="+cursor, token, "")
		var page struct {
			Items []struct {
				Place, Destination, Source, MessageID, Code, Detail string
				Status                                              int
				Event                                               json.RawMessage
			}
			Next string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || len(page.Items) > 1 {
			t.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		for _, i := range page.Items {
			places = append(places, i.Destination+" "+i.Place)
			if string(i.Event) != `{"n":12345678901234567890}` || i.MessageID != "m" || i.Status != 400 || i.Detail != "no" || i.Source != "src_a" {
				t.Errorf("item %+v", i)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if d := cmp.Diff([]string{"dst_a 0/1/0", "dst_a 0/1/1", "dst_a 1/1/0", "dst_b 1/4/0"}, places); d != "" {
		t.Errorf("places (-want +got):\n%s", d)
	}
	one := f.do("GET", "/v1/dead?destination=dst_a&code=y", token, "")
	if n := strings.Count(one.Body.String(), `"place"`); n != 1 {
		t.Errorf("%d items of dst_a with code y, want 1: %s", n, one.Body)
	}
	for source, want := range map[string]int{"src_a": 4, "src_b": 0} {
		w := f.do("GET", "/v1/dead?source="+source, token, "")
		if n := strings.Count(w.Body.String(), `"place"`); n != want {
			t.Errorf("%d items of %s, want %d: %s", n, source, want, w.Body)
		}
	}
	foreign := f.do("GET", "/v1/dead?destination=dst_z", token, "")
	if strings.TrimSpace(foreign.Body.String()) != `{"items":[],"next":""}` {
		t.Errorf("another workspace's destination: %s", foreign.Body)
	}
}
