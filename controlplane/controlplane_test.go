package controlplane_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/controlplane"
	"weir/shared/fault"
	"weir/shared/telemetry"
	"weir/shared/wire/access"
	"weir/shared/wire/access/accesstest"
)

// page collects what is printed.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// start runs a control plane until stop is called, which fails the test when it
// did not end well.
func start(t *testing.T, cfg controlplane.Config) (c *controlplane.ControlPlane, stop func()) {
	t.Helper()
	cfg.HTTPListen, cfg.HubListen = "127.0.0.1:0", "127.0.0.1:0"
	c, err := controlplane.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	select {
	case <-c.Ready():
	case err := <-ended:
		t.Fatalf("Run() = %v before it was ready", err)
	case <-time.After(2 * time.Minute):
		t.Fatal("not ready after two minutes")
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run() = %v, want nil after its context ended", err)
			}
		})
	}
	t.Cleanup(stop)
	return c, stop
}

func ask(t *testing.T, c *controlplane.ControlPlane, method, path, token, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.Addresses().HTTP+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

var printed = regexp.MustCompile(`(?m)^login: (\S+) / (\S+)$`)

func TestTheFirstStartPrintsALoginOnce(t *testing.T) {
	t.Parallel()
	dir, out, logs := t.TempDir(), &page{}, &page{}
	log, err := telemetry.NewLogger(telemetry.LogConfig{Out: logs, Level: "debug"})
	if err != nil {
		t.Fatal(err)
	}
	c, stop := start(t, controlplane.Config{DataDir: dir, Out: out, Log: log})
	login := printed.FindStringSubmatch(out.String())
	if login == nil {
		t.Fatalf("printed %q, want a login", out.String())
	}
	body := fmt.Sprintf(`{"email":%q,"password":%q}`, login[1], login[2])
	if got := ask(t, c, "POST", "/api/v1/login", "", body); got != 200 {
		t.Errorf("the printed login answers %d", got)
	}
	if access := c.DevAccess(); access != (controlplane.DevAccess{}) {
		t.Errorf("DevAccess() = %+v outside of dev", access)
	}
	stop()

	again, stop := start(t, controlplane.Config{DataDir: dir, Out: out, Log: log})
	if got := ask(t, again, "POST", "/api/v1/login", "", body); got != 200 {
		t.Errorf("the login answers %d after a restart", got)
	}
	stop()
	if n := len(printed.FindAllString(out.String(), -1)); n != 1 {
		t.Errorf("printed %d logins over two starts, want 1", n)
	}

	reset, _ := start(t, controlplane.Config{DataDir: dir, Out: out, Log: log, ResetLogin: true})
	if got := ask(t, reset, "POST", "/api/v1/login", "", body); got != 401 {
		t.Errorf("the former login answers %d after a reset, want 401", got)
	}
	all := printed.FindAllStringSubmatch(out.String(), -1)
	if len(all) != 2 || ask(t, reset, "POST", "/api/v1/login", "", fmt.Sprintf(`{"email":%q,"password":%q}`, all[1][1], all[1][2])) != 200 {
		t.Errorf("the reset printed %d logins in all, want a second one that is good", len(all))
	}
	if strings.Contains(logs.String(), login[2]) {
		t.Error("the log holds a password")
	}
}

func TestDevKeepsAccessThatIsKnown(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), &page{}
	c, stop := start(t, controlplane.Config{DataDir: dir, Dev: true, Out: out})
	first := c.DevAccess()
	if got := ask(t, c, "GET", "/api/v1/tokens", first.Token, ""); got != 200 {
		t.Errorf("the token answers %d", got)
	}
	stop()
	again, stop := start(t, controlplane.Config{DataDir: dir, Dev: true, Known: first, Out: out})
	if got := again.DevAccess(); got != first {
		t.Errorf("access %+v after a second start, %+v before", got, first)
	}
	if got := ask(t, again, "POST", "/api/v1/login", "", fmt.Sprintf(`{"email":%q,"password":%q}`, first.Email, first.Password)); got != 200 {
		t.Errorf("the login answers %d", got)
	}
	stop()
	unknown, stop := start(t, controlplane.Config{DataDir: dir, Dev: true, Out: out})
	if got := unknown.DevAccess(); got.Password != "" || got.Email != first.Email || got.Token == first.Token {
		t.Errorf("access %+v when the former is not known, want the address, no password and a new token", got)
	}
	stop()
	reset, _ := start(t, controlplane.Config{DataDir: dir, Dev: true, ResetLogin: true, Out: out})
	if got := reset.DevAccess(); got.Password == "" || got.Password == first.Password {
		t.Errorf("access %+v after a reset, want a new password", got)
	}
	if out.String() != "" {
		t.Errorf("printed %q, want nothing", out.String())
	}
}

func TestOneDataDirectoryOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := start(t, controlplane.Config{DataDir: dir, Out: &page{}})
	second, err := controlplane.New(controlplane.Config{DataDir: dir, HTTPListen: "127.0.0.1:0", HubListen: "127.0.0.1:0", Out: &page{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Errorf("Run on a directory in use = %v, want conflict", err)
	}
	stop()

	// The same database with other keys would sign what no plane accepts.
	other, err := controlplane.New(controlplane.Config{DataDir: t.TempDir(), Database: filepath.Join(dir, "control.db"), HTTPListen: "127.0.0.1:0", HubListen: "127.0.0.1:0", Out: &page{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Run(t.Context()); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Errorf("Run with another directory's database = %v, want conflict", err)
	}

	key := filepath.Join(dir, "keys", "control.key")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v; want mode 0600", key, info, err)
	}
	if err := os.WriteFile(key, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("Run with a damaged key = %v, want invalid", err)
	}
}

func TestNewNamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := controlplane.New(controlplane.Config{HTTPListen: "8080", HubListen: "0.0.0.0:4222", Origins: []string{"weir.example.com"}})
	if err == nil {
		t.Fatal("New accepted a configuration that cannot be")
	}
	for _, part := range []string{"data directory", `"8080"`, "where planes reach it", `"weir.example.com"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("New() = %v, want it to mention %s", err, part)
		}
	}
}

func TestTheHubFlag(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]controlplane.Config{
		"":                        {},
		"127.0.0.1:5222":          {HubListen: "127.0.0.1:5222"},
		"nats://hub.example:4222": {HubAddress: "nats://hub.example:4222"},
	} {
		var got controlplane.Config
		got.Hub(text)
		if got.HubListen != want.HubListen || got.HubAddress != want.HubAddress {
			t.Errorf("Hub(%q) gives %q, %q; want %q, %q", text, got.HubListen, got.HubAddress, want.HubListen, want.HubAddress)
		}
	}
}

// TestTheEmbeddedHubSpeaksTLS from outside, with the certificate of its flags, and tells
// planes so; the control plane itself needs no authority for it.
func TestTheEmbeddedHubSpeaksTLS(t *testing.T) {
	t.Parallel()
	authority := accesstest.NewAuthority(t)
	cert, key := authority.Issue("hub")
	c, _ := start(t, controlplane.Config{DataDir: t.TempDir(), Out: &page{}, HubFiles: access.Files{Cert: cert, Key: key}})
	address := c.Addresses().Hub
	if !strings.HasPrefix(address, "tls://127.0.0.1:") {
		t.Errorf("planes reach the hub at %q, want by TLS", address)
	}
	trusted := x509.NewCertPool()
	if text, err := os.ReadFile(authority.File); err != nil || !trusted.AppendCertsFromPEM(text) {
		t.Fatal("the authority has no certificate", err)
	}
	for name, roots := range map[string]*x509.CertPool{"": trusted, "x509": x509.NewCertPool()} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(address, "tls://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		info, err := bufio.NewReader(conn).ReadString('\n') // nothing follows before the handshake
		if err != nil || !strings.Contains(info, `"tls_required":true`) {
			t.Errorf("the hub says %q, %v, want that it speaks TLS alone", info, err)
		}
		err = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}).HandshakeContext(t.Context())
		if name == "" && err != nil || name != "" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("handshake: %v, want %q", err, name)
		}
	}
	for part, files := range map[string]access.Files{"belong together": {Cert: cert}, "--hub-ca is for": {CA: authority.File}, "cannot be used": {Cert: key, Key: cert}} {
		if _, err := controlplane.New(controlplane.Config{DataDir: t.TempDir(), HubFiles: files}); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("New = %v, want it to say %q", err, part)
		}
	}
	behind, err := controlplane.New(controlplane.Config{DataDir: t.TempDir(), HubListen: "127.0.0.1:0", HubAddress: "nats://hub.example:4222", HTTPListen: "127.0.0.1:0", Out: &page{}, HubFiles: access.Files{Cert: cert, Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- behind.Run(ctx) }()
	select {
	case <-behind.Ready():
		if got := behind.Addresses().Hub; got != "tls://hub.example:4222" {
			t.Errorf("planes reach the hub at %q, want by TLS", got)
		}
	case err := <-ended:
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
