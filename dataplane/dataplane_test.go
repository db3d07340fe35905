package dataplane_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/dataplane"
	"weir/dataplane/enrol"
	"weir/shared/capability"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/envelope"
	"weir/shared/wire/hub"
	"weir/shared/workspace"
)

// patience is how long a test waits for a state; only a broken build needs it.
const patience = time.Minute

// control is a real hub and as much of a control plane as a plane needs: the
// call by which it joins.
type control struct {
	t          *testing.T
	server     *hub.Server
	hub        *hub.Hub
	key        ed25519.PrivateKey
	capability ed25519.PrivateKey
	http       *httptest.Server

	mu       sync.Mutex
	plane    id.Plane
	identity ed25519.PublicKey
	sealing  secret.PublicKey
	acks     map[id.Workspace]wire.Ack
}

func newControl(t *testing.T) *control {
	t.Helper()
	c := &control{t: t, plane: id.New[id.Plane](), acks: map[id.Workspace]wire.Ack{}}
	_, c.key, _ = ed25519.GenerateKey(rand.Reader)
	_, c.capability, _ = ed25519.GenerateKey(rand.Reader)
	var err error
	if c.server, err = hub.Serve(t.Context(), hub.ServerConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.server.Close)
	c.hub, err = hub.New(hub.Config{
		Address: c.server.Address(), Operator: c.server.Operator(), Key: c.key,
		PlaneKey: func(p id.Plane) (ed25519.PublicKey, bool) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.identity, p == c.plane && c.identity != nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.hub.Close)
	c.http = httptest.NewServer(http.HandlerFunc(c.join))
	t.Cleanup(c.http.Close)
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		for a, err := range c.hub.Acks(ctx) {
			if err != nil {
				return
			}
			c.mu.Lock()
			c.acks[a.Workspace] = a
			c.mu.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); reading.Wait() })
	return c
}

var region = hub.Account{Region: "eu"}

func (c *control) join(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token, Name, NATSKey                         string
		IdentityKey, SealingKey, SealingKeySignature []byte
		Kinds                                        []wire.Kind
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/api/v1/planes/join" {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	if in.Token != "good" || !envelope.VerifySealingKey(in.IdentityKey, in.SealingKey, in.SealingKeySignature) || len(in.Kinds) == 0 {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"detail":"the token is not one of an invitation"}`)
		return
	}
	c.mu.Lock()
	c.identity, c.sealing = in.IdentityKey, in.SealingKey
	c.mu.Unlock()
	jwt, err := c.hub.Enrol(r.Context(), region, in.NATSKey, c.plane)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"plane": c.plane, "region": "eu", "hub": c.server.Address(), "jwt": jwt, "origins": []string{"http://127.0.0.1:8080"},
		"controlKey": c.key.Public(), "capabilityKey": c.capability.Public(),
	})
}

// publish brings a workspace with one webhook to the plane.
func (c *control) publish(number uint64, url string) {
	c.t.Helper()
	cfg := workspace.Config{
		Format: 1, Workspace: "ws_a", Name: "acme", Region: "eu",
		Sources: []workspace.Source{{ID: "src_a", Name: "web", Type: "http", WriteKey: "wk_a"}},
		Destinations: []workspace.Destination{{ID: "dst_a", Name: "hook", Type: "webhook", Settings: fmt.Appendf(nil, `{"url":%q}`, url),
			Secrets: map[string]secret.Ref{"headers": {Version: 1, Fingerprint: "aa"}}}},
		Connections: []workspace.Connection{{Source: "src_a", Destination: "dst_a"}},
	}
	c.mu.Lock()
	to := hub.Recipient{Plane: c.plane, Account: region, Sealing: c.sealing}
	c.mu.Unlock()
	n := secret.OfDestination("ws_a", "dst_a", "headers", 1)
	binding := cfg.Bindings(catalog.All())[n]
	clear := []byte(`{"Authorization":"Bearer hunter2"}`)
	cfg.Destinations[0].Secrets["headers"] = secret.Ref{Version: 1, Fingerprint: secret.Fingerprint(n, binding, clear)}
	sealed, err := secret.Seal(to.Sealing, n, binding, clear)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.hub.PutSecret(c.t.Context(), to, n, sealed); err != nil {
		c.t.Fatal(err)
	}
	body, digest, err := workspace.Encode(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	p := wire.Pointer{Plane: c.plane, Workspace: "ws_a", Region: "eu", Number: number, Digest: digest}
	if err := c.hub.Point(c.t.Context(), to, p, body); err != nil {
		c.t.Fatal(err)
	}
	until(c.t, "the ack", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		a := c.acks["ws_a"]
		if a.Number == number && a.State == wire.Rejected {
			c.t.Fatalf("rejected: %+v", a)
		}
		return a.Number == number && a.State == wire.Applied
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// hook is a webhook that can be down.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	down bool
	got  map[string]int
	auth string
}

func newHook(t *testing.T) *hook {
	h := &hook{got: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct{ MessageID string }
		_ = json.NewDecoder(r.Body).Decode(&e)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.got[e.MessageID]++
		h.auth = r.Header.Get("Authorization")
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) set(down bool) { h.mu.Lock(); defer h.mu.Unlock(); h.down = down }
func (h *hook) count() int    { h.mu.Lock(); defer h.mu.Unlock(); return len(h.got) }

// running is a started plane.
type running struct {
	*dataplane.DataPlane
	stop func()
}

func start(t *testing.T, dir string, edit ...func(*dataplane.Config)) running {
	t.Helper()
	cfg := dataplane.Config{
		DataDir: dir, Gateway: "127.0.0.1:0", View: "127.0.0.1:0", Metrics: "127.0.0.1:0", AllowPrivate: true,
		Log: slog.New(slog.NewTextHandler(testLog{t}, nil)),
	}
	for _, change := range edit {
		change(&cfg)
	}
	d, err := dataplane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	r := running{DataPlane: d, stop: sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})}
	select {
	case <-d.Ready():
	case err := <-done:
		t.Fatalf("Run: %v", err)
	}
	t.Cleanup(r.stop)
	return r
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func (r running) post(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		body := fmt.Sprintf(`{"event":"E","userId":"u%d","messageId":"m%d"}`, i%7, i)
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://"+r.Addresses().Gateway+"/v1/track", strings.NewReader(body))
		req.SetBasicAuth("wk_a", "")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("event %d: %d %s", i, res.StatusCode, answer)
		}
	}
}

type row struct {
	Source, Destination                                            string
	Accepted, Duplicate, Routed, Delivered, Parked, Dead, InFlight int
	Balanced                                                       bool
}

// ledger reads the books through the view.
func (r running) ledger(t *testing.T, c *control) []row {
	t.Helper()
	token, err := capability.Sign(c.capability, capability.Grant{Plane: c.plane, Workspace: "ws_a", Action: capability.ReadLedger, Expires: time.Now().Add(capability.Lifetime)})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.Addresses().View+"/v1/ledger", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out struct{ Rows []row }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.StatusCode != 200 {
		t.Fatalf("ledger: %d %v", res.StatusCode, err)
	}
	return out.Rows
}

// balanced waits until the pair's book says that n were delivered.
func (r running) balanced(t *testing.T, c *control, n int) {
	t.Helper()
	var rows []row
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		rows = r.ledger(t, c)
		if len(rows) == 2 && rows[0].Balanced && rows[1].Balanced && rows[0].Accepted == n && rows[1].Destination == "hook" && rows[1].Source == "web" &&
			rows[1].Routed == n && rows[1].Delivered == n && rows[1].Parked == 0 && rows[1].InFlight == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("books %+v, want %d accepted and delivered", rows, n)
		}
	}
}

func TestAPlaneDeliversAcrossRestartsAndADeadHub(t *testing.T) {
	t.Parallel()
	c, h := newControl(t), newHook(t)
	dir := t.TempDir()
	if enrol.Joined(dir) {
		t.Error("an empty directory has joined")
	}
	join := enrol.Config{Control: c.http.URL, Token: "bad", DataDir: dir, Name: "eu-1"}
	if err := dataplane.Join(t.Context(), join); err == nil || fault.KindOf(err) != fault.Denied {
		t.Fatalf("a bad token: %v, want Denied", err)
	}
	join.Token = "good"
	if err := dataplane.Join(t.Context(), join); err != nil {
		t.Fatal(err)
	}
	if err := dataplane.Join(t.Context(), join); err == nil || fault.KindOf(err) != fault.Conflict || !enrol.Joined(dir) {
		t.Errorf("joining again: %v, want Conflict", err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(f), info.Mode())
		}
	}

	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "loads", "files", "stage"), 0o700), os.WriteFile(filepath.Join(dir, "loads", "files", "stage", "x"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir)
	c.publish(1, h.URL)
	r.post(t, 0, 20)
	until(t, "20 events", func() bool { return h.count() == 20 })
	if h.auth != "Bearer hunter2" {
		t.Errorf("the webhook was called with authorization %q", h.auth)
	}
	r.balanced(t, c, 20)
	r.stop()
	ownNames(t, dir, "ws_a", "dst_a")
	if _, err := os.Stat(filepath.Join(dir, "staged", "stage", "x")); err != nil {
		t.Errorf("what the release before staged is not there: %v", err)
	}

	h.set(true)
	r = start(t, dir)
	r.post(t, 20, 40)
	r.stop() // with deliveries that nobody took
	c.hub.Close()
	c.server.Close()
	h.set(false)
	r = start(t, dir, func(c *dataplane.Config) { c.StandardHTTP = true }) // and with the hub dead, by net/http alone
	r.post(t, 40, 50)
	until(t, "50 events", func() bool { return h.count() == 50 })
	r.balanced(t, c, 50)

	res, err := http.Get("http://" + r.Addresses().Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if !bytes.Contains(text, []byte(`weir_ledger_events{kind="delivered",plane="`+string(c.plane)+`"} 50`)) {
		t.Error("the metrics do not say that 50 events were delivered")
	}
}

// ownNames wants no entry of the plane's own to have a name that could be an
// identifier where identifiers of tenants' objects name entries: whoever chose it
// would have the plane's file.
func ownNames(t *testing.T, dir string, known ...id.Destination) {
	t.Helper()
	for folder, end := range map[string]string{"loads": "", "warehouses": "", "workspaces": ".json"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			name, ok := strings.CutSuffix(e.Name(), end)
			if of := id.Destination(name); ok && id.Valid(of) && !slices.Contains(known, of) {
				t.Errorf("%s/%s of the plane could be somebody's", folder, e.Name())
			}
		}
	}
}

func TestAPlaneThatHasNotJoinedSaysSo(t *testing.T) {
	t.Parallel()
	d, err := dataplane.New(dataplane.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); err == nil || fault.KindOf(err) != fault.Missing {
		t.Errorf("Run: %v, want Missing", err)
	}
	if _, err := dataplane.New(dataplane.Config{Gateway: "x", TrustedProxies: []string{"y"}}); err == nil {
		t.Error("a configuration full of mistakes was taken")
	}
}
