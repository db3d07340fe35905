package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// natsServer builds the NATS server of the version in go.mod, once.
var natsServer = sync.OnceValues(func() (string, error) {
	program := filepath.Join(filepath.Dir(binary), "nats-server")
	out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// eventServer is one of the servers of an event cluster: a process that can die,
// freeze and come back at the same address with the same files.
type eventServer struct {
	Name, Address string

	t       *testing.T
	config  string
	process *process
}

// startEventServers starts a cluster of three.
func startEventServers(t *testing.T) []*eventServer {
	t.Helper()
	dir := t.TempDir()
	servers := make([]*eventServer, 3)
	var routes []string
	for n := range servers {
		servers[n] = &eventServer{Name: fmt.Sprintf("events-%d", n+1), Address: freePort(t), t: t, config: filepath.Join(dir, fmt.Sprintf("events-%d.conf", n+1))}
		routes = append(routes, freePort(t))
	}
	for n, s := range servers {
		write(t, s.config, fmt.Sprintf(`
server_name: %s
listen: %q
max_payload: 8MB
jetstream { store_dir: %q, sync_interval: always, max_memory_store: 64MB, max_file_store: 4GB }
cluster { name: events, listen: %q, routes: [ nats://%s ] }
`, s.Name, s.Address, filepath.Join(dir, s.Name), routes[n], strings.Join(routes, ", nats://")))
		s.start()
	}
	return servers
}

func (s *eventServer) start() {
	s.t.Helper()
	program, err := natsServer()
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = startCommand(s.t, exec.Command(program, "-c", s.config))
}

func (s *eventServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("%v to %s: %v", sig, s.Name, err)
	}
}

func addressesOf(servers []*eventServer) string {
	var all []string
	for _, s := range servers {
		all = append(all, "nats://"+s.Address)
	}
	return strings.Join(all, ",")
}

// gaps are the longest times without an acknowledgement: to anybody, and to the user
// who waited longest.
type gaps struct {
	mu            sync.Mutex
	anybody       time.Time // the last one
	users         map[int]time.Time
	longest, user time.Duration
	acks          int
}

// acked is called with each acknowledgement.
func (g *gaps) acked(user int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.see(time.Now())
	g.anybody, g.users[user] = time.Now(), time.Now()
	g.acks++
}

func (g *gaps) see(now time.Time) {
	if !g.anybody.IsZero() {
		g.longest = max(g.longest, now.Sub(g.anybody))
	}
	for _, was := range g.users {
		g.user = max(g.user, now.Sub(was))
	}
}

// report logs what was since the report before.
func (g *gaps) report(t *testing.T, what string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.see(time.Now())
	t.Logf("%s: %v without an acknowledgement, %v to one user; %d acknowledged", what, g.longest.Round(time.Millisecond), g.user.Round(time.Millisecond), g.acks)
	g.longest, g.user, g.acks = 0, 0, 0
}

// trial is a plane on a cluster of event servers, under load.
type trial struct {
	*roles
	servers []*eventServer
	hook    *sink
	load    *load
	gaps    *gaps
	target  atomic.Value // URL of the gateway, a string
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	tr := &trial{roles: newRoles(t), servers: startEventServers(t), hook: newSink(t), gaps: &gaps{users: map[int]time.Time{}}}
	tr.events = addressesOf(tr.servers)
	tr.start()
	tr.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": tr.hook.URL}))
	tr.target.Store("http://" + tr.gateway)
	tr.load = startLoad(func() string { return tr.target.Load().(string) }, "wk_web", 16, 20*time.Millisecond, tr.gaps.acked)
	return tr
}

// flows waits for events that are acknowledged from now on, and for some of them at the
// webhook.
func (tr *trial) flows(what string) {
	tr.t.Helper()
	sent, arrived := tr.load.sent.Load(), len(tr.hook.ids())
	until(tr.t, what, func() bool { return tr.load.sent.Load() > sent+200 && len(tr.hook.ids()) > arrived+200 })
}

// status waits until `weir status` names the servers that are away, and no others.
func (tr *trial) status(away ...*eventServer) {
	tr.t.Helper()
	until(tr.t, fmt.Sprintf("weir status that names %d servers", len(away)), func() bool {
		out := run(tr.t, 0, "", "status", "--control", "http://"+tr.http, "--token", tr.token)
		for _, s := range tr.servers {
			if contains(out, s.Name) != slices.Contains(away, s) {
				return false
			}
		}
		return contains(out, "events_degraded") == (len(away) > 0)
	})
}

// finish stops the load, and checks that nothing was lost or reordered and that the
// books balance.
func (tr *trial) finish() {
	tr.t.Helper()
	tr.load.stop()
	tr.load.arrived(tr.t, tr.hook)
	until(tr.t, "a balanced book with nothing in flight", func() bool {
		for l := range strings.Lines(run(tr.t, 0, "", "ledger", "--output", "json", "--workspace", "acme", "--control", "http://"+tr.http, "--token", tr.token)) {
			var b book
			if err := json.Unmarshal([]byte(l), &b); err != nil {
				tr.t.Fatalf("ledger line %q: %v", l, err)
			}
			if b.Destination == "hook" {
				return b.Balanced && b.InFlight == 0 && b.Parked == 0 && b.Dead == 0 && b.Delivered >= tr.load.sent.Load()
			}
		}
		return false
	})
	var took []time.Duration
	for _, a := range tr.hook.all() {
		var e struct{ Properties struct{ At int64 } }
		if err := json.Unmarshal(a.Body, &e); err != nil {
			tr.t.Fatalf("%s: %v", a.Body, err)
		}
		took = append(took, a.At.Sub(time.UnixMilli(e.Properties.At)))
	}
	slices.Sort(took)
	tr.t.Logf("%d events arrived: p50 %v, p99 %v", len(took), took[len(took)/2], took[len(took)*99/100])
}

// TestKilledEventServers kills, freezes and restarts one of three event servers after
// the other, under load. Unless there are many kills it is one of them, frozen for a
// shorter time.
func TestKilledEventServers(t *testing.T) {
	t.Parallel()
	frozen, turns := 5*time.Second, 1
	if *kills >= 100 {
		frozen, turns = 20*time.Second, 3
	}
	tr := newTrial(t)
	tr.flows("load")
	for _, s := range tr.servers[:turns] {
		tr.gaps.report(t, "all are there")
		s.process.kill()
		tr.flows("load without " + s.Name)
		tr.status(s)
		tr.gaps.report(t, s.Name+" is killed")
		s.start()
		tr.flows("load when it is back")
		tr.gaps.report(t, "it is back")
		s.signal(syscall.SIGSTOP)
		over := time.After(frozen)
		tr.flows("load while " + s.Name + " is frozen")
		<-over
		tr.gaps.report(t, s.Name+" is frozen")
		s.signal(syscall.SIGCONT)
		tr.flows("load after it thawed")
		tr.gaps.report(t, "it thawed")
		if turns > 1 {
			tr.status()
		}
		s.process.stop()
		s.start()
		tr.flows("load after the restart of " + s.Name)
		if turns > 1 {
			tr.status()
		}
		tr.gaps.report(t, "it is restarted")
	}
	tr.finish()
}

// TestKilledMajorityOfEventServers kills two of three: nothing is acknowledged until
// one of them is back.
func TestKilledMajorityOfEventServers(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.flows("load")
	tr.servers[0].process.kill()
	tr.servers[1].process.kill()
	refused := func() {
		t.Helper()
		resp, err := client.Post("http://"+tr.gateway+"/v1/track?writeKey=wk_web", "application/json", strings.NewReader(`{"userId":"x","event":"E","properties":{"user":-1}}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("with one server of three: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	refused()
	sent := tr.load.sent.Load()
	refused()
	if n := tr.load.sent.Load(); n != sent {
		t.Errorf("%d events were acknowledged by one server of three", n-sent)
	}
	tr.servers[1].start()
	tr.flows("load with two servers")
	tr.servers[0].start()
	tr.finish()
}

// TestKilledPlaneBesideAnother kills a plane, and an event server before that, while a
// second process of the same plane waits: it takes the partitions over. Before and after,
// a destination for which nothing waits is removed without further ado.
func TestKilledPlaneBesideAnother(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	tr.flows("load")
	other := tr.another()
	other.startPlane()
	tr.flows("load with two processes")
	removes := func() {
		t.Helper()
		tr.apply(0, hookConfig("beta", "eu", "wk_beta", map[string]string{"idle": tr.hook.URL}))
		const without = `{"document":{"workspace":"beta","region":"eu","sources":[{"name":"web","type":"http","writeKey":"wk_beta"}]},"prune":true}`
		if code, answer := tr.asks("PUT", "/api/v1/workspaces/beta/config", without); code != 200 {
			t.Errorf("the removal of a destination for which nothing waits: %d %s", code, answer)
		}
	}
	removes()
	tr.servers[0].process.kill()
	tr.flows("load without an event server")
	tr.target.Store("http://" + other.gateway)
	tr.plane.kill()
	tr.gaps.report(t, "before the takeover")
	tr.flows("load after the takeover")
	tr.gaps.report(t, "takeover")
	removes()
	tr.servers[0].start()
	tr.finish()
}

// another is another process of the same plane, which has not begun.
func (r *roles) another() *roles {
	r.t.Helper()
	other := *r
	other.dir, other.gateway, other.view, other.metrics = r.t.TempDir(), freePort(r.t), freePort(r.t), freePort(r.t)
	copyKeys(r.t, filepath.Join(r.dir, "plane"), filepath.Join(other.dir, "plane"))
	return &other
}

// balanced is newRoles with an address that leads to the view of the process in asked, at first this one.
func balanced(t *testing.T) (one *roles, asked *atomic.Pointer[roles]) {
	t.Helper()
	one, asked = newRoles(t), new(atomic.Pointer[roles])
	asked.Store(one)
	balancer := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", asked.Load().view }})
	t.Cleanup(balancer.Close)
	one.viewURL = balancer.URL
	return one, asked
}

// copyKeys copies what makes a process one of a plane, without its configuration and
// its files of events.
func copyKeys(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock", "dedupe", "workspaces"} {
		if err := os.RemoveAll(filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}
