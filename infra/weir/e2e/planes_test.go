package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/wire/access/accesstest"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// roles starts a control plane and one data plane as processes of their own.
type roles struct {
	t                      *testing.T
	dir, http, hub         string
	gateway, view, metrics string
	control, plane         *process
	token                  string
	recorded               *recorder // between plane and hub; nil: nothing is
	events                 string    // addresses of an event cluster; empty: the plane embeds a server
	viewURL                string    // where people reach the view; empty: at view
	connectors             string    // folder of connectors; empty: there are none
	images                 string    // folder of the images' binaries; empty: weir runs the roles

	authority       *accesstest.Authority // vouches for the hub; nil: the hub speaks no TLS
	hubCert, hubKey string
}

func newRoles(t *testing.T) *roles {
	t.Helper()
	return &roles{t: t, dir: t.TempDir(), http: freePort(t), hub: freePort(t), gateway: freePort(t), view: freePort(t), metrics: freePort(t)}
}

func startRoles(t *testing.T) *roles {
	t.Helper()
	r := newRoles(t)
	r.start()
	return r
}

func (r *roles) start() {
	t := r.t
	t.Helper()
	r.startControl()
	b, err := os.ReadFile(r.control.line(`^token: (\S+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	r.token = strings.TrimSpace(string(b))
	invite := run(t, 0, "", "plane", "invite", "--region", "eu", "--control", "http://"+r.http, "--token", r.token, "--output", "json")
	program, args := r.role("dataplane", "join", "--token", field(t, invite, "token"), "--control", "http://"+r.http, "--data-dir", filepath.Join(r.dir, "plane"))
	runCommand(t, 0, "", program, args...)
	r.startPlane()
}

// role returns the program of a role and its arguments.
func (r *roles) role(name string, args ...string) (string, []string) {
	if r.images != "" {
		return filepath.Join(r.images, name), args
	}
	return binary, append([]string{name}, args...)
}

func (r *roles) startRole(name string, args ...string) *process {
	r.t.Helper()
	program, args := r.role(name, args...)
	return startCommand(r.t, exec.Command(program, args...))
}

func (r *roles) startControl() {
	args := []string{"--data-dir", filepath.Join(r.dir, "control"), "--http", r.http, "--hub", r.hub}
	if r.authority != nil {
		args = append(args, "--hub-cert", r.hubCert, "--hub-key", r.hubKey)
	}
	r.control = r.startRole("controlplane", args...)
	until(r.t, "a control plane that answers", func() bool {
		resp, err := client.Get("http://" + r.http + "/api/v1/health")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == 200
	})
}

func (r *roles) startPlane() {
	r.beginPlane()
	r.plane.line(`^ready$`)
}

// beginPlane starts the plane and does not wait until it is ready.
func (r *roles) beginPlane() {
	args := []string{"--data-dir", filepath.Join(r.dir, "plane"), "--gateway", r.gateway, "--view", r.view, "--metrics", r.metrics, "--allow-private"}
	if r.recorded != nil {
		args = append(args, "--hub", "nats://"+r.recorded.Addr)
	}
	if r.authority != nil {
		args = append(args, "--hub-ca", r.authority.File)
	}
	if r.events != "" {
		args = append(args, "--events", r.events)
	}
	if r.connectors != "" {
		args = append(args, "--connectors", r.connectors)
	}
	if r.viewURL != "" {
		args = append(args, "--view-url", r.viewURL)
	}
	r.plane = r.startRole("dataplane", args...)
}

func (r *roles) apply(want int, config string) string {
	r.t.Helper()
	file := filepath.Join(r.dir, "weir.yaml")
	write(r.t, file, config)
	return run(r.t, want, "", "apply", "-f", file, "--control", "http://"+r.http, "--token", r.token)
}

// TestEventsFlowWithoutTheControlPlane kills control plane and hub, then starts
// the data plane cold. The hub shows a certificate of an authority of its own.
func TestEventsFlowWithoutTheControlPlane(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	r := newRoles(t)
	r.authority = accesstest.NewAuthority(t)
	r.hubCert, r.hubKey = r.authority.Issue("hub")
	r.start()
	r.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	gateway := "http://" + r.gateway
	send := func(id string) {
		t.Helper()
		accept(t, gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":"u","event":"E","messageId":%q}`, id))
		until(t, id+" at the webhook", func() bool { return hook.ids()[id] == 1 })
	}
	send("both-up")
	r.control.kill()
	send("control-down")
	r.plane.kill()
	r.startPlane()
	send("cold-start")
	r.startControl()
	out := r.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL, "second": hook.URL}))
	if !contains(out, "second") {
		t.Errorf("apply after the restart of the control plane:\n%s", out)
	}
	r.plane.stop()
	r.control.stop()
}

// TestARegionIsAWall runs two regions: a write key of one means nothing in the other.
func TestARegionIsAWall(t *testing.T) {
	t.Parallel()
	eu, us := newSink(t), newSink(t)
	p, in := dev(t, t.TempDir(), hookConfig("acme-eu", "eu", "wk_eu", map[string]string{"hook": eu.URL})+"---\n"+hookConfig("acme-us", "us", "wk_us", map[string]string{"hook": us.URL}), "--regions", "eu,us")
	usGateway := p.line(`gateway +(http://\S+) +\(us`)[1]
	accept(t, in.Gateway, "/v1/track", "wk_eu", `{"userId":"u","event":"E","messageId":"in-eu"}`)
	accept(t, usGateway, "/v1/track", "wk_us", `{"userId":"u","event":"E","messageId":"in-us"}`)
	for gateway, key := range map[string]string{in.Gateway: "wk_us", usGateway: "wk_eu"} {
		if code, _ := post(gateway, "/v1/track", key, `{"userId":"u","event":"E"}`); code != 401 {
			t.Errorf("a foreign region's key: %d, want 401", code)
		}
	}
	until(t, "each event in its region", func() bool { return eu.ids()["in-eu"] == 1 && us.ids()["in-us"] == 1 })
	usFiles := 0
	err := filepath.Walk(filepath.Join(in.Dir, "planes", "us"), func(path string, st os.FileInfo, err error) error {
		if err != nil || st.IsDir() {
			return nil // files come and go under a running server
		}
		usFiles++
		b, err := os.ReadFile(path)
		if err == nil && (contains(string(b), "acme-eu") || contains(string(b), "wk_eu")) {
			t.Errorf("%s holds the other region's configuration", path)
		}
		return nil
	})
	if err != nil || usFiles < 5 {
		t.Errorf("looked at %d files of the us plane: %v", usFiles, err)
	}
}
