package agent_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"weir/dataplane/agent"
	"weir/dataplane/destination"
	"weir/dataplane/destinations/webhook"
	"weir/dataplane/guard"
	"weir/dataplane/ingest"
	"weir/dataplane/plan"
	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/script/scripttest"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/edge"
	"weir/shared/wire/hub"
	"weir/shared/workspace"
)

// patience is how long a test waits for a state; only a broken build needs it.
const patience = time.Minute

// site is a real hub with its control end and one plane.
type site struct {
	t        *testing.T
	dir      string // of the hub
	listen   string
	server   *hub.Server
	hub      *hub.Hub
	public   ed25519.PublicKey
	control  ed25519.PrivateKey
	plane    id.Plane
	identity ed25519.PrivateKey
	sealing  secret.PrivateKey
	creds    wire.Credentials
	user     string
	state    string // the agent's folder

	mu    sync.Mutex
	acks  map[id.Workspace]wire.Ack
	beats []wire.Beat
}

var region = hub.Account{Region: "eu"}

func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), state: t.TempDir(), listen: l.Addr().String(), plane: id.New[id.Plane](), acks: map[id.Workspace]wire.Ack{}}
	if err := l.Close(); err != nil { // the port has to be the same after a restart
		t.Fatal(err)
	}
	s.public, s.control, _ = ed25519.GenerateKey(rand.Reader)
	_, s.identity, _ = ed25519.GenerateKey(rand.Reader)
	if s.sealing, err = secret.NewKey(); err != nil {
		t.Fatal(err)
	}
	s.serve()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	s.user, _ = user.PublicKey()
	seed, _ := user.Seed()
	token, err := s.hub.Enrol(t.Context(), region, s.user, s.plane)
	if err != nil {
		t.Fatal(err)
	}
	s.creds = wire.Credentials{JWT: token, Seed: secret.NewString(string(seed))}
	return s
}

// serve starts the hub and its control end in s.dir.
func (s *site) serve() {
	s.t.Helper()
	var err error
	if s.server, err = hub.Serve(s.t.Context(), hub.ServerConfig{Dir: s.dir, Listen: s.listen}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.server.Close)
	if s.hub, err = hub.New(hub.Config{
		Address: s.server.Address(), Operator: s.server.Operator(), Key: s.control, Accounts: []hub.Account{region},
		PlaneKey: func(p id.Plane) (ed25519.PublicKey, bool) {
			return s.identity.Public().(ed25519.PublicKey), p == s.plane
		},
	}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.hub.Close)
	hub := s.hub
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		for a, err := range hub.Acks(ctx) {
			if err != nil {
				return
			}
			s.mu.Lock()
			s.acks[a.Workspace] = a
			s.mu.Unlock()
		}
	})
	reading.Go(func() {
		for b, err := range hub.Beats(ctx) {
			if err != nil {
				return
			}
			s.mu.Lock()
			s.beats = append(s.beats, b)
			s.mu.Unlock()
		}
	})
	s.t.Cleanup(func() { cancel(); reading.Wait() })
}

// stop ends hub and control end, and forgets what they said.
func (s *site) stop() {
	s.hub.Close()
	s.server.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks, s.beats = map[id.Workspace]wire.Ack{}, nil
}

func kinds() plan.Kinds {
	return plan.Kinds{Code: scripttest.Compiler(),
		Sources:      []ingest.Kind{{Spec: catalog.Spec{Family: catalog.Sources, Name: "http", Title: "HTTP", Doc: "HTTP."}}},
		Destinations: []destination.Kind{webhook.Kind()},
	}
}

// running is a started agent.
type running struct {
	plans *plan.Holder
	stop  func()
}

// start loads and runs the plane's agent; rules is the content of guard.yaml.
func (s *site) start(rules string) running {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "guard.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		s.t.Fatal(err)
	}
	g, err := guard.Load(file)
	if err != nil {
		s.t.Fatal(err)
	}
	r := running{plans: &plan.Holder{}}
	a, err := agent.New(agent.Config{
		Dir: s.state, Region: "eu", Sealing: s.sealing, Guard: g, Kinds: kinds(), Plans: r.plans, Version: "1.2.3",
		BeatEvery: 200 * time.Millisecond, Patience: time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := a.Load(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if !r.plans.Loaded() {
		s.t.Fatal("after Load the holder is not loaded")
	}
	edge, err := edge.Dial(edge.Config{
		Address: "nats://" + s.listen, Credentials: s.creds, Plane: s.plane, Region: "eu", ControlKey: s.public, Identity: s.identity, Sealing: s.sealing, Alarm: a.Alarm,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, edge) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
		edge.Close()
	})
	s.t.Cleanup(r.stop)
	return r
}

// headers is the secret of config.
const headers = `{"Authorization":"Bearer hunter2"}`

func named(version uint64) secret.Name {
	return secret.OfDestination("ws_a", "dst_a", "headers", version)
}

// sentTo is where a configuration sends its secret.
func sentTo(c workspace.Config) secret.Binding {
	for _, to := range c.Bindings(kinds().Specs()) {
		return to
	}
	return ""
}

// config is a workspace with a webhook that has a secret.
func config(version uint64) workspace.Config {
	c := unsealed(version)
	c.Destinations[0].Secrets["headers"] = secret.Ref{Version: version, Fingerprint: secret.Fingerprint(named(version), sentTo(c), []byte(headers))}
	return c
}

// unsealed is a config whose secret a release before sealed, for no place.
func unsealed(version uint64) workspace.Config {
	return workspace.Config{
		Format: 1, Workspace: "ws_a", Name: "acme", Region: "eu",
		Sources: []workspace.Source{{ID: "src_a", Name: "web", Type: "http", WriteKey: "wk_a"}},
		Destinations: []workspace.Destination{{ID: "dst_a", Name: "hook", Type: "webhook", Settings: []byte(`{"url":"http://127.0.0.1:1/"}`),
			Secrets: map[string]secret.Ref{"headers": {Version: version, Fingerprint: "aa"}}}},
		Connections: []workspace.Connection{{Source: "src_a", Destination: "dst_a"}},
	}
}

func (s *site) recipient() hub.Recipient {
	return hub.Recipient{Plane: s.plane, Account: region, Sealing: s.sealing.Public()}
}

// point brings a configuration to the plane; the secret is another call.
func (s *site) point(c workspace.Config, number uint64) {
	s.t.Helper()
	body, digest, err := workspace.Encode(c)
	if err != nil {
		s.t.Fatal(err)
	}
	p := wire.Pointer{Plane: s.plane, Workspace: c.Workspace, Region: "eu", Number: number, Digest: digest}
	if err := s.hub.Point(s.t.Context(), s.recipient(), p, body); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) secret(version uint64) {
	s.t.Helper()
	n := named(version)
	sealed, err := secret.Seal(s.sealing.Public(), n, sentTo(config(version)), []byte(headers))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.hub.PutSecret(s.t.Context(), s.recipient(), n, sealed); err != nil {
		s.t.Fatal(err)
	}
}

// until waits for a state.
func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("waited in vain for %s; acks %+v", what, s.acks)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ack waits for an ack of the number and state.
func (s *site) ack(number uint64, state wire.State) wire.Ack {
	s.t.Helper()
	var got wire.Ack
	s.until("an ack", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		got = s.acks["ws_a"]
		return got.Number == number && got.State == state
	})
	return got
}

// alarmed waits for a beat with an alarm.
func (s *site) alarmed(code wire.Code) {
	s.t.Helper()
	s.until("alarm "+string(code), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.beats, func(b wire.Beat) bool {
			return slices.ContainsFunc(b.Alarms, func(a wire.Alarm) bool { return a.Code == code && a.Count > 0 })
		})
	})
}

func opens(h *plan.Holder) bool {
	_, source := h.Source("wk_a")
	_, presence := h.Target("ws_a", "dst_a")
	return source && presence == destination.Present
}

func TestAPlaneRunsItsLastGoodRevisionWhateverHappens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")

	s.secret(1)
	s.point(config(1), 1)
	if got := s.ack(1, wire.Applied); got.Running != 1 || len(got.Problems) != 0 {
		t.Errorf("ack %+v", got)
	}
	if !opens(a.plans) {
		t.Fatal("the revision was acked and does not run")
	}
	s.until("a beat", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.beats) > 0 })
	s.mu.Lock()
	beat := s.beats[0]
	s.mu.Unlock()
	want := wire.Kind{Family: "destination", Name: "webhook", Digest: catalog.Digest(webhook.Kind().Spec)}
	if beat.Version != "1.2.3" || !slices.Contains(beat.Kinds, want) || !beat.Healthy {
		t.Errorf("beat %+v, want healthy with kind %+v", beat, want)
	}

	bad := config(1)
	bad.Transformations = []workspace.Transformation{{ID: "tf_a", Name: "t", Language: "javascript", Code: "export function ("}}
	bad.Connections[0].Transformations = []id.Transformation{"tf_a"}
	s.point(bad, 2)
	got := s.ack(2, wire.Rejected)
	if got.Running != 1 || len(got.Problems) != 1 || got.Problems[0] != (wire.Problem{Path: "transformations[0].code", Code: "syntax_error"}) {
		t.Errorf("ack %+v, want running 1 and the transformation named", got)
	}
	if !opens(a.plans) || a.plans.Plan("ws_a").Number != 1 {
		t.Error("after a bad revision the former plan does not run")
	}

	a.stop()
	s.stop()
	a = s.start("") // the hub is dead
	if !opens(a.plans) || a.plans.Plan("ws_a").Number != 1 {
		t.Fatal("with the hub dead the kept revision does not run")
	}
	s.serve()
	if got := s.ack(2, wire.Rejected); got.Running != 1 {
		t.Errorf("after the hub came back: ack %+v, want still running 1", got)
	}
	s.point(config(1), 3)
	s.ack(3, wire.Applied)

	p := wire.Pointer{Plane: s.plane, Workspace: "ws_a", Region: "eu", Number: 4, Tombstone: true}
	if err := s.hub.Point(t.Context(), s.recipient(), p, nil); err != nil {
		t.Fatal(err)
	}
	s.ack(4, wire.Applied)
	removed := func(h *plan.Holder) bool {
		_, source := h.Source("wk_a")
		_, presence := h.Target("ws_a", "dst_a")
		return !source && presence == destination.Removed
	}
	if !removed(a.plans) {
		t.Error("after a tombstone the workspace is not removed")
	}
	a.stop()
	if a = s.start(""); !removed(a.plans) {
		t.Error("after a restart the workspace is not known as removed")
	}
}

func TestAnAskIsAnsweredByABeat(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start("")
	for ask := uint64(7); ask < 9; ask++ {
		if err := s.hub.Ask(t.Context(), region, s.plane, ask); err != nil {
			t.Fatal(err)
		}
		s.until("a beat that answers", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.beats) > 0 && s.beats[len(s.beats)-1].Asked == ask
		})
	}
}

func TestNamesOfWhatWasRemovedAreKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")
	s.secret(1)
	s.point(config(1), 1)
	s.ack(1, wire.Applied)
	without := config(1)
	without.Destinations, without.Connections = nil, nil
	s.point(without, 2)
	s.ack(2, wire.Applied)
	without.Sources[0].Name = "site"
	s.point(without, 3)
	s.ack(3, wire.Applied)
	names := func() [3]string {
		p := a.plans.Plan("ws_a")
		return [3]string{p.SourceName("src_a"), p.DestinationName("dst_a"), p.DestinationName("dst_never")}
	}
	for _, life := range []string{"before", "after"} {
		if got := names(); got != [3]string{"site", "hook", ""} {
			t.Errorf("%s a restart the names are %q", life, got)
		}
		a.stop()
		a = s.start("")
	}
	again := config(1)
	again.Destinations[0].Name = "hook2"
	s.point(again, 4)
	s.ack(4, wire.Applied)
	if got := names(); got != [3]string{"web", "hook2", ""} {
		t.Errorf("once they are back the names are %q", got)
	}
}

// TestWorkspacesThatComeTogetherAreDecidedInTheirOrder has a plane find many workspaces at
// its start, between which a write key moves.
func TestWorkspacesThatComeTogetherAreDecidedInTheirOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	of := func(name, key string) workspace.Config {
		return workspace.Config{Format: 1, Workspace: id.Workspace("ws_" + name), Name: name, Region: "eu",
			Sources: []workspace.Source{{ID: id.Source("src_" + name), Name: "web", Type: "http", WriteKey: key}}}
	}
	applied := func(name string, number uint64) {
		t.Helper()
		s.until("the ack of "+name, func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			ack := s.acks[id.Workspace("ws_"+name)]
			return ack.Number == number && ack.State == wire.Applied
		})
	}
	a := s.start("")
	s.point(of("a", "wk_a"), 1)
	applied("a", 1)
	a.stop()
	s.point(of("a", "wk_other"), 2)
	s.point(of("b", "wk_a"), 1) // the key has gone from a
	const more = 20
	for i := range more {
		s.point(of(fmt.Sprint("more", i), fmt.Sprint("wk_", i)), 1)
	}
	for range 2 { // what was kept together runs after a restart, too
		a = s.start("")
		applied("a", 2)
		applied("b", 1)
		for i := range more {
			applied(fmt.Sprint("more", i), 1)
		}
		for key, ws := range map[string]id.Workspace{"wk_other": "ws_a", "wk_a": "ws_b", "wk_7": "ws_more7"} {
			if e, ok := a.plans.Source(key); !ok || e.Workspace != ws {
				t.Errorf("%s opens %v, %v; want %s", key, e.Workspace, ok, ws)
			}
		}
		a.stop()
	}
}

// TestAWriteKeyThatMovedIsFoundInAnyOrder has the pointer of the workspace that got a write
// key come before that of the one that gave it.
func TestAWriteKeyThatMovedIsFoundInAnyOrder(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	of := func(name, key string) workspace.Config {
		return workspace.Config{Format: 1, Workspace: id.Workspace("ws_" + name), Name: name, Region: "eu",
			Sources: []workspace.Source{{ID: id.Source("src_" + name), Name: "web", Type: "http", WriteKey: key}}}
	}
	state := func(name string, number uint64, state wire.State) {
		t.Helper()
		s.until(fmt.Sprintf("%s %s", name, state), func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			ack := s.acks[id.Workspace("ws_"+name)]
			return ack.Number == number && ack.State == state
		})
	}
	a := s.start("")
	s.point(of("a", "wk_a"), 1)
	state("a", 1, wire.Applied)
	s.point(of("b", "wk_a"), 1)
	state("b", 1, wire.Rejected)
	s.point(of("a", "wk_other"), 2)
	state("a", 2, wire.Applied)
	state("b", 1, wire.Applied)
	if e, ok := a.plans.Source("wk_a"); !ok || e.Workspace != "ws_b" {
		t.Errorf("the key opens %v, %v; want ws_b", e.Workspace, ok)
	}
}

func TestAnEmptiedHubChangesNothingAndCannotGoBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")
	s.secret(1)
	s.point(config(1), 7)
	s.ack(7, wire.Applied)
	a.stop()
	operator, err := os.ReadFile(filepath.Join(s.dir, "operator.nk"))
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(s.dir, "operator.nk"), operator, 0o600); err != nil {
		t.Fatal(err)
	}
	a = s.start("")
	s.serve()
	older := config(1)
	older.Name = "older"
	s.point(older, 3) // a control plane that was restored, and forgot to ask the planes
	s.alarmed(wire.PointerStale)
	if got := s.ack(7, wire.Applied); got.Running != 7 || !opens(a.plans) || a.plans.Plan("ws_a").Name != "acme" {
		t.Errorf("ack %+v, plan %+v: want 7 still running", got, a.plans.Plan("ws_a"))
	}
	s.point(config(1), 8) // its secret is on this disk only
	s.ack(8, wire.Applied)
}

func TestASecretThatComesLateIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")
	s.point(config(5), 1)
	if got := s.ack(1, wire.Rejected); len(got.Problems) != 1 || got.Problems[0] != (wire.Problem{Path: "destinations[0].secrets.headers", Code: "secret_missing"}) {
		t.Errorf("ack %+v, want secret_missing", got)
	}
	s.secret(5)
	s.ack(1, wire.Applied)
	if !opens(a.plans) {
		t.Error("the revision does not run")
	}
	a.stop()
	files, err := filepath.Glob(filepath.Join(s.state, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v; want one", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(content) || containsClear(content) {
		t.Error("the kept state is not JSON with sealed secrets only")
	}
}

func containsClear(content []byte) bool {
	var k struct {
		Secrets []struct{ Sealed []byte }
	}
	if json.Unmarshal(content, &k) != nil || len(k.Secrets) != 1 {
		return true
	}
	for i := range k.Secrets[0].Sealed {
		if len(k.Secrets[0].Sealed[i:]) >= 7 && string(k.Secrets[0].Sealed[i:i+7]) == "hunter2" {
			return true
		}
	}
	return false
}

func TestTheGuardOutranksTheControlPlane(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")
	s.secret(1)
	s.point(config(1), 1)
	s.ack(1, wire.Applied)
	a.stop()
	a = s.start("destinations: {types: []}")
	if opens(a.plans) {
		t.Error("a kept revision runs that the guard forbids")
	}
	if got := s.ack(1, wire.Rejected); got.Running != 0 || got.Problems[0].Code != guard.CodeType {
		t.Errorf("ack %+v, want guard_destination_type and nothing running", got)
	}
	if got := a.plans.Unloaded(); len(got) != 1 || got[0] != "ws_a" || !a.plans.Waits("wk_a") || a.plans.Waits("wk_other") {
		t.Errorf("not loaded: %v; want ws_a, whose write key alone waits", got)
	}
	a.stop()
	s.stop()
	a = s.start("") // the hub is dead
	if !opens(a.plans) || len(a.plans.Unloaded()) > 0 || a.plans.Waits("wk_a") {
		t.Error("the guard allows it again, and what was kept does not run")
	}
	s.serve()
	if got := s.ack(1, wire.Applied); got.Running != 1 {
		t.Errorf("after the hub came back: ack %+v, want running 1", got)
	}
}

func TestADamagedFileIsAlarmedAndHealedByTheHub(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")
	s.secret(1)
	s.point(config(1), 1)
	s.ack(1, wire.Applied)
	a.stop()
	if err := os.WriteFile(filepath.Join(s.state, "ws_a.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.stop()
	s.stop()
	a = s.start("")
	if got := a.plans.Unloaded(); len(got) != 1 || got[0] != "ws_a" || !a.plans.Waits("wk_any") {
		t.Errorf("not loaded: %v; want ws_a, and that every unknown write key may be one of it", got)
	}
	s.serve()
	s.alarmed("state_damaged")
	s.until("the revision to run", func() bool { return opens(a.plans) })
	if a.plans.Waits("wk_any") {
		t.Error("the workspace is loaded, and an unknown write key waits")
	}
}

func TestAFileOfTheFirstReleaseKeepsItsSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")
	s.unbound(1, "weir secret 2\x00destination\x00dst_a\x00headers\x001")
	s.point(unsealed(1), 1)
	s.ack(1, wire.Applied)
	a.stop()
	s.stop()
	// Names without a family, and envelopes bound to them, as that release wrote.
	file := filepath.Join(s.state, "ws_a.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept map[string]json.RawMessage
	if err := json.Unmarshal(data, &kept); err != nil {
		t.Fatal(err)
	}
	sealed, err := secret.SealTo(s.sealing.Public(), []byte("ws_a"), []byte("weir secret 1\x00dst_a\x00headers\x001"), []byte(`{"Authorization":"Bearer hunter2"}`))
	if err != nil {
		t.Fatal(err)
	}
	kept["secrets"], err = json.Marshal([]map[string]any{{"name": map[string]any{"Workspace": "ws_a", "Destination": "dst_a", "Field": "headers", "Version": 1}, "sealed": sealed}})
	if err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if a = s.start(""); !opens(a.plans) {
		t.Error("the workspace does not run from the file of the first release")
	}
}

// TestAWorkspaceThatAlwaysWantsSomethingNewDelaysOthersByOneTurn has one workspace
// publish a revision after the other.
func TestAWorkspaceThatAlwaysWantsSomethingNewDelaysOthersByOneTurn(t *testing.T) {
	t.Parallel()
	turns, now := agent.NewTurns(), time.Unix(1_800_000_000, 0)
	for n := range uint64(100) {
		turns.Heard("ws_evil", 2*n+1, now)
		turns.Heard("ws_good", n+1, now.Add(1))
		turns.Heard("ws_evil", 2*n+2, now.Add(2))
		if ws := turns.Next(now.Add(3)); ws != "ws_good" {
			t.Fatalf("round %d: it is the turn of %s", n, ws)
		}
		now = now.Add(time.Second)
	}
	turns.Next(now)
	if ws := turns.Next(now); ws != "" {
		t.Errorf("in the end it is the turn of %s", ws)
	}
}
