package kinds

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/report"
)

// Sizes of the plane with many destinations.
const (
	workspaces = 10
	ofKind     = 50 // destinations of a kind, over all workspaces
	restTime   = 5 * time.Second
	eventRate  = 2.0 // events a second of each source: a hundred deliveries each
	trafficFor = 20 * time.Second
	reachTime  = 2 * time.Minute // until all have had something
	mostIdle   = 300             // MB
	mostBusy   = 600             // MB
)

// kind is one with the settings it needs and its secrets, separated by spaces.
type kind struct{ name, settings, secrets string }

func twenty() []kind {
	return []kind{
		{"amplitude", "", "apiKey"},
		{"aws-kinesis", "stream: s, region: eu-central-1", "accessKey secretKey"},
		{"braze", "endpoint: rest.example.com", "apiKey"},
		{"customerio", "siteId: s", "apiKey"},
		{"facebook-conversions", `pixelId: "1"`, "accessToken"},
		{"google-analytics-4", "measurementId: G-12345ABCDE", "apiSecret"},
		{"google-pubsub", "project: acme-events, topic: events", ""},
		{"http", "", ""},
		{"hubspot", `lookupField: user_id, events: { "Order Completed": pe1_order }`, "accessToken"},
		{"intercom", "", "accessToken"},
		{"iterable", "", "apiKey"},
		{"klaviyo", "", "privateApiKey"},
		{"mixpanel", "token: t", ""},
		{"pinterest-conversions", `adAccountId: "1"`, "accessToken"},
		{"posthog", "", "apiKey"},
		{"reddit-conversions", "pixelId: p", "accessToken"},
		{"segment", "", "writeKey"},
		{"snapchat-conversions", "assetId: a", "accessToken"},
		{"tiktok-events", "eventSourceId: e", "accessToken"},
		{"zendesk", "subdomain: s, email: a@example.com", "apiToken"},
	}
}

// configuration is ten workspaces with all kinds, all of a workspace behind one source.
// address is that of a destination by its number.
func configuration(key string, address func(int) string) string {
	var b strings.Builder
	n := 0
	for ws := range workspaces {
		var connections strings.Builder
		_, _ = fmt.Fprintf(&b, "workspace: bench%d\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: wk_bench%d }\ndestinations:\n", ws, ws)
		for _, k := range twenty() {
			for i := range ofKind / workspaces {
				at := "baseUrl"
				if k.name == "http" {
					at = "url"
				}
				settings := fmt.Sprintf("%s: %q", at, address(n))
				if k.settings != "" {
					settings += ", " + k.settings
				}
				var secrets []string
				for _, s := range strings.Fields(k.secrets) {
					secrets = append(secrets, fmt.Sprintf("%s: { from: file, path: %q }", s, key))
				}
				_, _ = fmt.Fprintf(&b, "  - { name: %s-%d, type: %s, settings: { %s }, secrets: { %s } }\n", k.name, i, k.name, settings, strings.Join(secrets, ", "))
				_, _ = fmt.Fprintf(&connections, "  - { source: web, destination: %s-%d }\n", k.name, i)
				n++
			}
		}
		_, _ = fmt.Fprintf(&b, "connections:\n%s---\n", connections.String())
	}
	return b.String()
}

// vendors is a server at every address of this machine's loopback network.
type vendors struct {
	srv  *http.Server
	port int

	mu   sync.Mutex
	seen map[string]int // requests by host
}

func newVendors(ctx context.Context) (*vendors, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "0.0.0.0:0")
	if err != nil {
		return nil, fmt.Errorf("listen as vendors: %w", err)
	}
	addr, _ := l.Addr().(*net.TCPAddr)
	v := &vendors{seen: map[string]int{}, port: addr.Port}
	v.srv = &http.Server{Handler: v, ReadHeaderTimeout: time.Minute}
	go func() { _ = v.srv.Serve(l) }() // ends by Close
	return v, nil
}

func (v *vendors) address(n int) string {
	return fmt.Sprintf("http://127.1.%d.%d:%d", n/250, n%250+1, v.port)
}

// ServeHTTP implements http.Handler.
func (v *vendors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	v.mu.Lock()
	v.seen[r.Host]++
	v.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

func (v *vendors) hosts() (hosts, requests int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range v.seen {
		requests += n
	}
	return len(v.seen), requests
}

// thousand measures the memory of a plane with many destinations.
func (c *Config) thousand(ctx context.Context, r *report.Report) error {
	c.Progress("a thousand destinations of twenty kinds")
	few, err := c.rest(ctx, r)
	if err != nil {
		return err
	}
	dir, key, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	v, err := newVendors(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = v.srv.Close() }()
	s, err := start(ctx, c.Weir, dir, configuration(key, v.address))
	defer func() { ended(r, s) }()
	if err != nil {
		return err
	}
	pause(ctx, restTime)
	idle, err := s.memory()
	if err != nil {
		return err
	}
	many := ofKind * len(twenty())
	r.Goal("1,000 destinations of 20 kinds, memory when idle (PSS)", idle, "MB", mostIdle, few,
		fmt.Sprintf("%d goroutines; %.0f kB a destination more than without; baseline: a plane without destinations", s.goroutines(ctx), (idle-few)*1e3/float64(many)))
	busy, err := c.traffic(ctx, s, v, many)
	if err != nil {
		return err
	}
	hosts, requests := v.hosts()
	at := s.goroutines(ctx)
	pause(ctx, restTime)
	after, err := s.memory()
	if err != nil {
		return err
	}
	if hosts < many {
		r.Note("of %d destinations, %d were sent something", many, hosts)
	}
	r.Goal("1,000 destinations of 20 kinds, memory at most with traffic to all (PSS)", busy, "MB", mostBusy, idle,
		fmt.Sprintf("%d requests to %d hosts; %d goroutines at the end; %.0f MB %v later; baseline: idle", requests, hosts, at, after, restTime))
	return nil
}

// rest is the memory of a plane without destinations.
func (c *Config) rest(ctx context.Context, r *report.Report) (float64, error) {
	dir, _, err := c.folder()
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := start(ctx, c.Weir, dir, "workspace: bench\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: wk_bench }\n")
	defer func() { ended(r, s) }()
	if err != nil {
		return 0, err
	}
	pause(ctx, restTime)
	return s.memory()
}

// traffic sends to all sources until all destinations had something, for trafficFor at
// least, and returns the most memory there was.
func (c *Config) traffic(ctx context.Context, s *site, v *vendors, many int) (most float64, err error) {
	going, stop := context.WithTimeout(ctx, reachTime)
	defer stop()
	var senders sync.WaitGroup
	defer senders.Wait()
	defer stop()
	for ws := range workspaces {
		t, err := s.target(fmt.Sprintf("wk_bench%d", ws))
		if err != nil {
			return 0, err
		}
		senders.Go(func() {
			_, _ = load.Open(going, t, load.Plan{Number: uint32(ws) + 1, Rate: eventRate, Batch: 1, Lasts: reachTime}) // what counts is seen at the other end
		})
	}
	for began := time.Now(); pause(going, 500*time.Millisecond); {
		now, err := s.memory()
		if err != nil {
			return most, err
		}
		most = max(most, now)
		if hosts, _ := v.hosts(); hosts >= many && time.Since(began) > trafficFor {
			break
		}
	}
	return most, nil
}

// goroutines is how many weir has; 0: it does not say.
func (s *site) goroutines(ctx context.Context) (n int) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.in.Metrics+"/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	first, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscanf(first, "goroutine profile: total %d", &n)
	return n
}
