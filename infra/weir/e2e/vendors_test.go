package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// vendor is a tool that three times of twenty answers nothing useful: it is busy, or
// fails, or loses the answer to what it took.
type vendor struct {
	*httptest.Server
	take func(w http.ResponseWriter, r *http.Request) []string // answers, and returns the events it took by messageId

	mu      sync.Mutex
	chance  *rand.Rand
	well    bool
	took    map[string]int
	largest int // events of one request
	lost    int // events whose answers were lost
}

func newVendor(t *testing.T, seed uint64, take func(w http.ResponseWriter, r *http.Request) []string) *vendor {
	v := &vendor{chance: rand.New(rand.NewPCG(seed, 3)), took: map[string]int{}, take: take}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

// dice is a number below n, and n when the vendor is well.
func (v *vendor) dice(n int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.well {
		return n
	}
	return v.chance.IntN(n)
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dice := v.dice(20)
	switch dice {
	case 0:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case 1:
		w.Header().Set("Retry-After", "0.1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	answer := httptest.NewRecorder()
	ids := v.take(answer, r)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range ids {
		v.took[m]++
	}
	v.largest = max(v.largest, len(ids))
	if dice == 2 && len(ids) > 0 {
		v.lost += len(ids)
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// check compares what a vendor took with what was acknowledged, and returns how many
// came again. refused: it takes none of these.
func (v *vendor) check(t *testing.T, l *load, refused func(mid string) bool) (again int) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for mid := range l.acked {
		if v.took[mid] == 0 && !refused(mid) {
			t.Errorf("event %s did not arrive", mid)
		}
	}
	for _, times := range v.took {
		again += times - 1
	}
	return again
}

// conversions is LinkedIn's API: it answers 200, with an error for each event that it
// did not take. Every fiftieth of a user it takes never; of one request in ten it takes
// none, and of one in ten only some.
func conversions(v **vendor) func(http.ResponseWriter, *http.Request) []string {
	return func(w http.ResponseWriter, r *http.Request) (ids []string) {
		var in struct{ Elements []struct{ EventID string } }
		if json.NewDecoder(r.Body).Decode(&in) != nil {
			return nil
		}
		dice := (*v).dice(10)
		var answers []string
		for i, e := range in.Elements {
			status := 201
			switch {
			case strings.HasSuffix(e.EventID, "07"):
				status = 422
			case dice == 0 || dice == 1 && i%3 == 0:
				status = 429
			default:
				ids = append(ids, e.EventID)
			}
			answers = append(answers, fmt.Sprintf(`{"status":%d}`, status))
		}
		_, _ = fmt.Fprintf(w, `{"elements":[%s]}`, strings.Join(answers, ","))
		return ids
	}
}

// contacts is Intercom's API: an event needs a contact that was made before.
func contacts() func(http.ResponseWriter, *http.Request) []string {
	var mu sync.Mutex
	known := map[string]bool{}
	return func(w http.ResponseWriter, r *http.Request) []string {
		mu.Lock()
		defer mu.Unlock()
		var in struct {
			External string `json:"external_id"`
			User     string `json:"user_id"`
			Metadata struct{ User, N int }
		}
		_ = json.NewDecoder(r.Body).Decode(&in) // a GET has none
		user, found := strings.CutPrefix(r.URL.Path, "/contacts/find_by_external_id/")
		switch {
		case found && known[user]:
			_, _ = fmt.Fprintf(w, `{"id":"c-%s"}`, user)
		case r.URL.Path == "/contacts" && in.External != "" && !known[in.External]:
			known[in.External] = true
			_, _ = fmt.Fprintf(w, `{"id":"c-%s"}`, in.External)
		case r.URL.Path == "/contacts":
			w.WriteHeader(http.StatusConflict)
		case r.URL.Path == "/events" && known[in.User]:
			w.WriteHeader(http.StatusAccepted)
			return []string{messageID(in.Metadata.User, in.Metadata.N)}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
		return nil
	}
}

// grants is an API whose tokens live for two seconds, and of which one request in a
// hundred ends the newest.
type grants struct {
	mu           sync.Mutex
	given        int
	newest       string
	until        time.Time
	asking       int // requests for a token
	most         int // of these at once
	unauthorized int
}

func (g *grants) take(v **vendor) func(http.ResponseWriter, *http.Request) []string {
	return func(w http.ResponseWriter, r *http.Request) (ids []string) {
		if r.URL.Path == "/token" {
			g.token(w)
			return nil
		}
		revoked := (*v).dice(100) == 0
		g.mu.Lock()
		defer g.mu.Unlock()
		if revoked {
			g.newest = ""
		}
		if g.newest == "" || time.Now().After(g.until) || r.Header.Get("Authorization") != "Bearer "+g.newest {
			g.unauthorized++
			w.WriteHeader(http.StatusUnauthorized)
			return nil
		}
		var events []struct{ MessageID string }
		if json.NewDecoder(r.Body).Decode(&events) != nil {
			return nil // the sender died
		}
		for _, e := range events {
			ids = append(ids, e.MessageID)
		}
		return ids
	}
}

func (g *grants) token(w http.ResponseWriter) {
	g.mu.Lock()
	g.asking++
	g.most = max(g.most, g.asking)
	g.mu.Unlock()
	time.Sleep(20 * time.Millisecond) // so that others want one meanwhile
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking--
	g.given++
	g.newest, g.until = fmt.Sprintf("t%d", g.given), time.Now().Add(2*time.Second)
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_in":2}`, g.newest)
}

// TestKilledWhileVendorsTakeEvents kills everything while one vendor takes batches and
// answers 200 with errors inside, another is looked up in before each write, and a
// third gives tokens that end all the time: every acknowledged event arrives, what is
// refused is dead, and the books balance.
func TestKilledWhileVendorsTakeEvents(t *testing.T) {
	t.Parallel()
	const users, callers = 16, 8
	times := max(1, *kills/4-4)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var ads, api *vendor
	tokens := &grants{}
	ads = newVendor(t, seed, conversions(&ads))
	desk := newVendor(t, seed+1, contacts())
	api = newVendor(t, seed+2, tokens.take(&api))
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	write(t, key, "made-up-key")
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
  - { name: app, type: http, writeKey: wk_app }
destinations:
  - name: ads
    type: linkedin-conversions
    settings: { baseUrl: %[1]q, conversions: { Load: "104012" } }
    secrets: { accessToken: { from: file, path: %[4]q } }
  - name: desk
    type: intercom
    settings: { baseUrl: %[2]q }
    secrets: { accessToken: { from: file, path: %[4]q } }
  - name: api
    type: http
    settings: { url: "%[3]s/events", tokenUrl: "%[3]s/token", clientId: weir, batch: { size: 50 } }
    secrets: { clientSecret: { from: file, path: %[4]q } }
connections:
  - { source: web, destination: ads }
  - { source: web, destination: api }
  - { source: app, destination: desk }
`, ads.URL, desk.URL, api.URL, key)
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	gateway := func() string { return in.Gateway }
	body := func(user, n int) string {
		return fmt.Sprintf(`{"userId":"u%d","event":"Load","messageId":%q,"properties":{"user":%d,"n":%d},"context":{"traits":{"email":"u%d@example.com"}}}`, user, messageID(user, n), user, n, user)
	}
	web := startLoadOf(gateway, "wk_web", users, 2*time.Millisecond, body)
	app := startLoadOf(gateway, "wk_app", callers, 100*time.Millisecond, body) // Intercom takes 166 requests a second
	arrived := func(v *vendor) int {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.took)
	}
	for range times {
		before, taken := web.sent.Load(), [3]int{arrived(ads), arrived(desk), arrived(api)}
		until(t, "load that flows to all", func() bool {
			return web.sent.Load() > before+200 && arrived(ads) > taken[0] && arrived(desk) > taken[1]+10 && arrived(api) > taken[2]
		})
		<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
		p.kill()
		p, in = dev(t, dir, config, ports...)
	}
	web.stop()
	app.stop()
	never := func(mid string) bool { return strings.HasSuffix(mid, "07") }
	dead := int64(0)
	for mid := range web.acked {
		if never(mid) {
			dead++
		}
	}
	for _, v := range []*vendor{ads, desk, api} {
		v.mu.Lock()
		v.well = true
		v.mu.Unlock()
	}
	for _, tc := range []struct {
		name, source string
		v            *vendor
		l            *load
		dead         int64
		requests     int // at once
		refused      func(string) bool
	}{
		{"ads", "web", ads, web, dead, 4, never},
		{"desk", "app", desk, app, 0, 16, func(string) bool { return false }},
		{"api", "web", api, web, 0, 16, func(string) bool { return false }},
	} {
		var b book
		until(t, "a balanced book of "+tc.name+" with nothing in flight", func() bool {
			b = bookOf(t, in, tc.source, tc.name)
			return b.Balanced && b.InFlight == 0 && b.Parked == 0 && b.Delivered+b.Dead >= tc.l.sent.Load()
		})
		again := tc.v.check(t, tc.l, tc.refused)
		t.Logf("%s: %d acknowledged, %d delivered, %d dead, up to %d in a request, %d came again, of %d the answer was lost", tc.name, tc.l.sent.Load(), b.Delivered, b.Dead, tc.v.largest, again, tc.v.lost)
		if bound := tc.v.lost + times*(tc.requests*tc.v.largest+users*5); again > bound {
			t.Errorf("%s: %d events came again, want at most %d", tc.name, again, bound)
		}
		if b.Dead < tc.dead || b.Dead > tc.dead && (tc.dead == 0 || b.Dead > tc.dead+users) { // some may have been accepted and not acknowledged
			t.Errorf("%s: %d are dead, want %d", tc.name, b.Dead, tc.dead)
		}
	}
	t.Logf("%d kills, %d tokens, %d requests were unauthorized", times, tokens.given, tokens.unauthorized)
	if tokens.most > 1 {
		t.Errorf("%d tokens were asked for at once, want one", tokens.most)
	}
}
