package e2e_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// desk is a tool of support tickets with Zendesk's incremental exports, as strict as that
// is: it wants its credentials, knows no other parameters, and pages by tokens.
type desk struct {
	*httptest.Server
	t     *testing.T
	token string

	mu      sync.Mutex
	tickets map[int]map[string]any
	users   []map[string]any // set before the first request
	asked   int
	hold    chan struct{} // answers wait until it is closed; nil: they do not
	refuse  int           // a status; 0: none
}

func newDesk(t *testing.T, token string) *desk {
	d := &desk{t: t, token: token, tickets: map[int]map[string]any{}}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *desk) set(id int, status, subject string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tickets[id] = map[string]any{"id": id, "status": status, "subject": subject, "updated_at": at.UTC().Format(time.RFC3339), "via": map[string]any{"channel": "web"}}
}

// ask is a ticket that a user of the desk opened.
func (d *desk) ask(id, requester int, status string, at time.Time) {
	d.set(id, status, "I cannot sign in", at)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tickets[id]["requester_id"] = requester
	d.tickets[id]["created_at"] = d.tickets[id]["updated_at"]
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asked++
	hold, refuse := d.hold, d.refuse
	d.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	user, password, _ := r.BasicAuth()
	switch {
	case refuse != 0:
		http.Error(w, `{"error":"`+d.token+`"}`, refuse)
		return
	case user != "ada@acme.example/token" || password != d.token:
		http.Error(w, `{"error":"Couldn't authenticate you"}`, http.StatusUnauthorized)
		return
	case r.URL.Path == "/api/v2/incremental/users/cursor.json":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"users": d.users, "end_of_stream": true, "after_cursor": nil})
		return
	case r.URL.Path != "/api/v2/incremental/tickets/cursor.json":
		http.Error(w, "{}", http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	from, err := strconv.ParseInt(q.Get("start_time"), 10, 64)
	if err != nil || q.Get("per_page") == "" || len(q) > 3 {
		http.Error(w, `{"error":"bad parameters"}`, http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []map[string]any
	for _, t := range d.tickets {
		at, _ := time.Parse(time.RFC3339, t["updated_at"].(string))
		if at.Unix() >= from {
			all = append(all, t)
		}
	}
	order := func(t map[string]any) string { return fmt.Sprintf("%s %09d", t["updated_at"], t["id"]) }
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(order(a), order(b)) })
	i := 0
	for i < len(all) && order(all[i]) <= q.Get("cursor") {
		i++
	}
	const size = 20
	some := all[i:min(i+size, len(all))]
	out := map[string]any{"tickets": some, "end_of_stream": i+size >= len(all), "after_cursor": nil}
	if len(some) > 0 {
		out["after_cursor"] = order(some[len(some)-1])
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

// TestTicketsArePulledIntoATable pulls from a desk, kills the plane in the midst of it,
// and changes, deletes and adds tickets: the table ends with one row for each, as it is
// now, and nothing of a ticket or a credential is outside the plane.
func TestTicketsArePulledIntoATable(t *testing.T) {
	t.Parallel()
	const mark = "zebra-crossing-47"
	d := newDesk(t, mark+"-token")
	old := time.Now().Add(-time.Hour)
	for id := 1; id <= 100; id++ {
		d.set(id, "open", mark, old.Add(time.Duration(id/30)*time.Second))
	}
	dir, ports := t.TempDir(), addresses(t)
	secret := filepath.Join(dir, "token")
	write(t, secret, d.token)
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - name: desk
    type: zendesk
    settings: { subdomain: acme, email: ada@acme.example, baseUrl: %q, rate: { requests: 100000, per: 1s } }
    secrets: { token: { from: file, path: %q } }
    pull: { streams: [tickets], every: 1h }
destinations:
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 5s } }
connections:
  - { source: desk, destination: lake }
`, d.URL+"/api/v2", secret)
	hold := make(chan struct{})
	p, in := dev(t, dir, config, ports...)
	until(t, "the first pull", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.asked > 0 })
	weir := func(code int, args ...string) string {
		t.Helper()
		return run(t, code, "", append(args, "--data-dir", in.Dir)...)
	}
	weir(0, "pull", "run", "desk", "--wait")
	d.mu.Lock()
	before := d.asked
	d.hold = hold // the answer of the first page never comes
	d.mu.Unlock()
	for id := 90; id <= 130; id++ {
		d.set(id, "pending", mark, time.Now())
	}
	d.set(7, "deleted", mark, time.Now())
	weir(0, "pull", "run", "desk")
	until(t, "a request under way", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.asked > before })
	p.kill()
	close(hold)
	p, in = dev(t, dir, config, ports...)
	weir(0, "pull", "run", "desk", "tickets", "--wait")
	until(t, "all tickets in the table", func() bool {
		return rowCount(t, in, "desk_tickets") == 130 && rowCount(t, in, "desk_tickets where status = 'pending'") == 41
	})
	want := `{"id":"7","status":"deleted","subject":"` + mark + `","via_channel":"web","gone":true}`
	if got := query(t, in, "lake", `select id, status, subject, via_channel, __deleted_at is not null as gone from desk_tickets where id = '7'`); len(got) != 1 || got[0] != want {
		t.Errorf("the deleted ticket is %s, want %s", got, want)
	}
	if got := query(t, in, "lake", `select count(distinct id) as n, count(*) as all from desk_tickets where __deleted_at is null`); got[0] != `{"n":129,"all":129}` {
		t.Errorf("there are %s tickets, want 129", got)
	}
	if n := rowCount(t, in, "desk_tickets where status = 'open' and id = '89'"); n != 1 {
		t.Errorf("%d rows of ticket 89", n)
	}
	until(t, "balanced books", func() bool {
		b := bookOf(t, in, "desk", "lake")
		return b.Balanced && b.InFlight == 0 && b.Delivered > 0
	})
	d.mu.Lock()
	d.refuse = http.StatusUnauthorized
	d.mu.Unlock()
	weir(0, "pull", "run", "desk")
	var status struct{ State, Code string }
	until(t, "the code of refused credentials", func() bool {
		if err := json.Unmarshal([]byte(weir(0, "pull", "status", "desk", "--output", "json")), &status); err != nil {
			t.Fatal(err)
		}
		return status.State == "failing" && status.Code == "source_reauthorize"
	})
	until(t, "the alarm that names the source and why", func() bool {
		return strings.Contains(weir(0, "status"), "pull_failed ×1 (acme/desk: source_reauthorize)")
	})
	if out := p.output(); strings.Contains(out, mark) {
		t.Errorf("the logs hold something of a ticket or a credential")
	}
	err := filepath.WalkDir(filepath.Join(in.Dir, "control"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), mark) {
			t.Errorf("%s holds something of a ticket or a credential", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
