package e2e_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// billing is Stripe's lists and events as the documentation has them: newest first, pages
// by starting_after, a bearer key, and no other parameters.
type billing struct {
	*httptest.Server
	t     *testing.T
	key   string
	lists map[string][]map[string]any // by path, newest first
}

func newBilling(t *testing.T, key string) *billing {
	b := &billing{t: t, key: key, lists: map[string][]map[string]any{"/v1/events": nil}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *billing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	all, known := b.lists[r.URL.Path]
	q := r.URL.Query()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+b.key:
		http.Error(w, `{"error":{"type":"invalid_request_error"}}`, http.StatusUnauthorized)
		return
	case !known:
		http.Error(w, `{"error":{"type":"invalid_request_error"}}`, http.StatusNotFound)
		return
	}
	for name := range q {
		if !slices.Contains([]string{"limit", "status", "created[gte]", "created[lt]", "types[]", "starting_after"}, name) {
			http.Error(w, `{"error":{"code":"parameter_unknown"}}`, http.StatusBadRequest)
			return
		}
	}
	i := slices.IndexFunc(all, func(o map[string]any) bool { return o["id"] == q.Get("starting_after") }) + 1
	const size = 2
	some := all[i:min(i+size, len(all))]
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": append([]map[string]any{}, some...), "has_more": i+size < len(all)})
}

// crmContacts is HubSpot's upsert of contacts by their address.
type crmContacts struct {
	*httptest.Server
	token string

	mu      sync.Mutex
	has     map[string]map[string]string // properties by address
	written []string                     // addresses, one for each record that came
}

func newCRMContacts(t *testing.T, token string) *crmContacts {
	c := &crmContacts{token: token, has: map[string]map[string]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *crmContacts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Authorization") != "Bearer "+c.token {
		http.Error(w, `{"category":"INVALID_AUTHENTICATION"}`, http.StatusUnauthorized)
		return
	}
	var in struct {
		Inputs []struct {
			ID         string            `json:"id"`
			IDProperty string            `json:"idProperty"`
			Properties map[string]string `json:"properties"`
		} `json:"inputs"`
	}
	text, err := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || r.URL.Path != "/crm/objects/2026-03/contacts/batch/upsert" || err != nil || json.Unmarshal(text, &in) != nil || len(in.Inputs) == 0 {
		http.Error(w, `{"category":"VALIDATION_ERROR"}`, http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range in.Inputs {
		if one.IDProperty != "email" || !strings.Contains(one.ID, "@") {
			http.Error(w, `{"category":"VALIDATION_ERROR"}`, http.StatusBadRequest)
			return
		}
	}
	for _, one := range in.Inputs {
		c.written = append(c.written, one.ID)
		if c.has[one.ID] == nil {
			c.has[one.ID] = map[string]string{}
		}
		for name, value := range one.Properties {
			c.has[one.ID][name] = value
		}
	}
	_, _ = io.WriteString(w, `{"status":"COMPLETE","results":[]}`)
}

// all returns the contacts in one text each, without those that have a mark of the audience
// instead of its value, and how many records came until now.
func (c *crmContacts) all() (lines []string, written int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for address, p := range c.has {
		lines = append(lines, fmt.Sprintf("%s open_tickets=%s subscription=%s churn=%.4s trouble=%t", address, p["open_tickets"], p["subscription"], p["churn"], p["paying_with_trouble"] != ""))
	}
	slices.Sort(lines)
	return lines, len(c.written)
}

// pictures lets TestTheStory take the pictures of its page anew.
var pictures = flag.Bool("pictures", false, "take the pictures of docs/story.md and write them into docs/pictures")

// page is a page of the documentation, whose commands are run.
type page struct {
	t    *testing.T
	text string
}

// block returns the first block of a language behind a heading.
func (p page) block(heading, language string) string {
	p.t.Helper()
	_, rest, found := strings.Cut(p.text, "\n## "+heading)
	_, rest, begun := strings.Cut(rest, "\n```"+language+"\n")
	text, _, ended := strings.Cut(rest, "\n```\n")
	if !found || !begun || !ended {
		p.t.Fatalf("the page has no block %s under %q", language, heading)
	}
	return text + "\n"
}

// commands runs the commands behind a heading, and returns what each one printed.
func (p page) commands(heading string, in installation) []string {
	p.t.Helper()
	var out []string
	for line := range strings.Lines(p.block(heading, "sh")) {
		line = strings.TrimSpace(line)
		args, quoted := []string(nil), strings.Split(line, "'") // every second part is in quotation marks
		for i, part := range quoted {
			if i%2 == 1 {
				args = append(args, part)
			} else {
				args = append(args, strings.Fields(part)...)
			}
		}
		if args[0] != "weir" {
			p.t.Fatalf("%q is no command of weir", line)
		}
		out = append(out, run(p.t, 0, "", append(args[1:], "--data-dir", in.Dir)...))
	}
	return out
}

// TestTheStory does what docs/story.md says, with stand-ins of its tools and a real
// Postgres: events, tickets and subscriptions become persons, whose features and scores are in the CRM;
// and when a ticket arrives, the contact of its requester alone is written.
func TestTheStory(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/story.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := page{t, string(text)}
	zendesk, stripe, crm := newDesk(t, "zendesk-token"), newBilling(t, "rk_story"), newCRMContacts(t, "crm-token")
	_, at := acmePostgres(t)
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	created := time.Now().Add(-2 * time.Hour)
	zendesk.users = []map[string]any{
		{"id": 11, "role": "end-user", "email": "ann@acme.example", "active": true, "updated_at": created.UTC().Format(time.RFC3339)},
		{"id": 12, "email": "ben@acme.example", "active": true, "updated_at": created.UTC().Format(time.RFC3339)},
	}
	zendesk.ask(1, 11, "open", created)
	zendesk.ask(2, 12, "solved", created)
	for i, email := range []string{"Ann@acme.example", "ben@acme.example", "cleo@acme.example"} {
		stripe.lists["/v1/customers"] = append(stripe.lists["/v1/customers"], map[string]any{"id": fmt.Sprintf("cus_%d", i+1), "email": email, "created": created.Unix()})
		stripe.lists["/v1/subscriptions"] = append(stripe.lists["/v1/subscriptions"],
			map[string]any{"id": fmt.Sprintf("sub_%d", i+1), "customer": fmt.Sprintf("cus_%d", i+1), "status": []string{"active", "active", "past_due"}[i], "created": created.Unix()})
	}
	dir := t.TempDir()
	config := doc.block("The configuration", "yaml")
	for name, value := range map[string]string{"ZENDESK": zendesk.token, "STRIPE": stripe.key, "CRM": crm.token, "DWH": "of no use to who is trusted"} {
		path := filepath.Join(dir, name)
		write(t, path, value)
		config = strings.Replace(config, fmt.Sprintf("{ from: env, name: WEIR_SECRET_%s }", name), fmt.Sprintf("{ from: file, path: %q }", path), 1)
	}
	const rate = "rate: { requests: 100000, per: 1s }"
	for _, change := range [][2]string{
		{"settings: { subdomain: acme, email: ada@acme.example }", fmt.Sprintf("settings: { subdomain: acme, email: ada@acme.example, baseUrl: %q, %s }", zendesk.URL+"/api/v2", rate)},
		{"    type: stripe\n", fmt.Sprintf("    type: stripe\n    settings: { baseUrl: %q, %s }\n", stripe.URL+"/v1", rate)},
		{"    type: hubspot\n", fmt.Sprintf("    type: hubspot\n    settings: { baseUrl: %q }\n", crm.URL)},
		{"host: db.acme.example, database: acme, user: weir,", fmt.Sprintf("host: %s, port: %s, database: acme, user: postgres, sslMode: disable,", host, port)},
	} {
		if strings.Count(config, change[0]) != 1 {
			t.Fatalf("the page's configuration has not once %q", change[0])
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	_, in := dev(t, dir, config)
	accept(t, in.Gateway, "/v1/batch", "wk_app", `{"batch":[
		{"type":"track","anonymousId":"a1","event":"Opened","messageId":"1"},
		{"type":"identify","anonymousId":"a1","userId":"u1","messageId":"2","traits":{"email":"ann@acme.example"}},
		{"type":"identify","userId":"u2","messageId":"3","traits":{"email":"ben@acme.example"}}]}`)
	rows := map[string]int64{"zendesk_tickets": 2, "zendesk_users": 2, "stripe_customers": 3, "stripe_subscriptions": 3, "identifies": 2}
	for _, warehouse := range []string{"lake", "dwh"} {
		until(t, "all rows in "+warehouse, func() bool {
			for table, n := range rows {
				if rowsOf(t, in, warehouse, table) != n {
					return false
				}
			}
			return true
		})
	}
	looked := doc.commands("Look at the rows", in)
	if want := `{"id":"sub_1","status":"active","email":"Ann@acme.example"}`; !strings.HasPrefix(looked[2], want) {
		t.Errorf("the subscriptions are %s, want first %s", looked[2], want)
	}
	persons := doc.commands("One person of many identifiers", in)
	const golden = `{"email":"ann@acme.example","days_active":1,"open_tickets":1,"subscription":"active","churn":0.4}
{"email":"ben@acme.example","days_active":1,"open_tickets":0,"subscription":"active","churn":0.23}
{"email":"cleo@acme.example","days_active":0,"open_tickets":0,"subscription":"past_due","churn":0.27}
`
	if persons[1] != golden {
		t.Errorf("the persons are\n%swant\n%s", persons[1], golden)
	}
	if !contains(persons[2], "ann@acme.example") {
		t.Errorf("Stripe's and Zendesk's identifiers are joined by %s", persons[2])
	}
	before := []string{
		"ann@acme.example open_tickets=1 subscription=active churn=0.40 trouble=false", "ben@acme.example open_tickets=0 subscription=active churn=0.23 trouble=false",
		"cleo@acme.example open_tickets=0 subscription=past_due churn=0.26 trouble=false",
	}
	written := 0
	until(t, "three contacts", func() bool {
		var got []string
		got, written = crm.all()
		return slices.Equal(got, before)
	})
	listed := doc.commands("In the CRM", in)
	if !contains(listed[0], "contacts") || !contains(listed[0], "trouble") {
		t.Errorf("the syncs are %s", listed[0])
	}

	zendesk.ask(3, 11, "open", time.Now())
	run(t, 0, "", "pull", "run", "zendesk", "--wait", "--data-dir", in.Dir)
	after := slices.Clone(before)
	after[0] = "ann@acme.example open_tickets=2 subscription=active churn=0.59 trouble=true"
	until(t, "the contact of the ticket's requester", func() bool {
		got, _ := crm.all()
		return slices.Equal(got, after)
	})
	crm.mu.Lock()
	moved := slices.Compact(slices.Clone(crm.written[written:]))
	crm.mu.Unlock()
	if len(moved) != 1 || moved[0] != "ann@acme.example" {
		t.Errorf("after the ticket the contacts of %v were written, want Ann's alone", moved)
	}
	ended := doc.commands("A ticket arrives", in)
	if strings.Count(ended[0], "\n") != 1 || !contains(ended[0], "ann@acme.example") {
		t.Errorf("the audience is %s", ended[0])
	}
	if *pictures {
		out, err := exec.Command("node", "pictures.mjs", chromium(t), in.Control, in.Email, in.Password, "../../../docs/pictures").CombinedOutput()
		if err != nil {
			t.Errorf("pictures.mjs: %v\n%s", err, out)
		}
	}
}
