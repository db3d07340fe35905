package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/capability"
	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

const (
	acme   = "/api/v1/workspaces/acme"
	marker = "s3cret-in-clear"
)

// document is a workspace with a sealed secret; url is the destination's.
func (d *harness) document(p plane, url string) string {
	d.t.Helper()
	name, to := secret.OfDestination("ws_acme", "dst_hook", "headers", 1), sentTo(url)
	clear := []byte(`{"X":"` + marker + `"}`)
	sealed, err := secret.Seal(p.sealing.Public(), name, to, clear)
	if err != nil {
		d.t.Fatal(err)
	}
	return fmt.Sprintf(`{"id":"ws_acme","workspace":"acme","region":"eu","sources":[{"name":"web","type":"http","writeKey":"wk_web"}],
		"destinations":[{"id":"dst_hook","name":"hook","type":"webhook","settings":{"url":%q},
			"secrets":{"headers":{"version":1,"fingerprint":%q,"sealed":{%q:%q}}}}],
		"connections":[{"source":"web","destination":"hook"}]}`, url, secret.Fingerprint(name, to, clear), p.id, base64.StdEncoding.EncodeToString(sealed))
}

// sentTo is where a webhook with this address sends its secrets.
func sentTo(url string) secret.Binding {
	spec, _ := catalog.Find(catalog.All(), "webhook", catalog.Destinations)
	return secret.Binding(catalog.SentTo(spec, fmt.Appendf(nil, `{"url":%q}`, url)))
}

func applying(document string) string { return `{"document":` + document + `,"prune":true}` }

// TestTheMainFlow goes the whole way on both databases: a plane joins, a person
// applies, the plane sees the signed revision and answers, and everyone sees
// what became of it.
func TestTheMainFlow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		d.want(d.as("editor", "GET", acme+"/config", ""), 404)
		p := d.join()
		diff := d.want(d.as("viewer", "POST", acme+"/diff", applying(d.document(p, "http://127.0.0.1:9/"))), 200)
		if n := len(diff.field(t, "changes").([]any)); n != 4 || diff.field(t, "number") != 0.0 {
			t.Errorf("diff = %s, want 4 changes on number 0", diff.text)
		}
		first := d.want(d.as("editor", "PUT", acme+"/config", applying(d.document(p, "http://127.0.0.1:9/"))), 200)
		if first.field(t, "workspace") != "ws_acme" || first.field(t, "number") != 1.0 || first.header.Get("ETag") != `"1"` {
			t.Errorf("apply = %s with ETag %s, want number 1 of ws_acme", first.text, first.header.Get("ETag"))
		}
		d.follow(p, 1)
		until(t, "applied", func() bool {
			return d.want(d.as("viewer", "GET", acme, ""), 200).field(t, "state") == "applied"
		})
		got := d.as("viewer", "GET", acme, "")
		if got.field(t, "applied") != 1.0 || got.field(t, "running") != 1.0 || got.field(t, "destinations", "0", "parked") != 7.0 || got.field(t, "sources", "0", "writeKey") != "wk_web" {
			t.Errorf("workspace = %s, want 1 applied and running, 7 parked", got.text)
		}
		d.edit(p)
		d.ends(p)
		for _, secret := range []string{marker, d.password, base64.StdEncoding.EncodeToString([]byte(marker))} {
			if bytes.Contains(d.heard.Bytes(), []byte(secret)) {
				t.Errorf("an answer held %q", secret)
			}
		}
		if bytes.Contains(d.heard.Bytes(), []byte(`"sealed"`)) {
			t.Error("an answer held an envelope")
		}
	})
}

// follow is the plane: it takes the pointer with this number, opens body and
// secret, acknowledges, and beats with some counts.
func (d *harness) follow(p plane, number uint64) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	for pointer, err := range p.edge.Pointers(ctx) {
		if err != nil {
			d.t.Fatal(err)
		}
		if pointer.Number < number {
			continue
		}
		if pointer.Number != number || pointer.Workspace != "ws_acme" {
			d.t.Fatalf("pointer %+v, want number %d of ws_acme", pointer, number)
		}
		body, err := p.edge.Body(ctx, pointer.Workspace, pointer.Digest)
		if err != nil {
			d.t.Fatal(err)
		}
		config, err := workspace.Decode(body)
		if err != nil {
			d.t.Fatal(err)
		}
		name := secret.OfDestination("ws_acme", "dst_hook", "headers", 1)
		sealed, err := p.edge.Secret(ctx, name)
		if err != nil {
			d.t.Fatal(err)
		}
		if clear, err := secret.Open(p.sealing, name, sentTo("http://127.0.0.1:9/"), sealed); err != nil || !strings.Contains(clear.Reveal(), marker) {
			d.t.Fatalf("the plane cannot open the secret: %v", err)
		}
		now := time.Now()
		ack := wire.Ack{Format: wire.Version, Plane: p.id, Workspace: "ws_acme", Number: number, Running: number, Digest: pointer.Digest, State: wire.Applied, At: now}
		if err := p.edge.Ack(ctx, ack); err != nil {
			d.t.Fatal(err)
		}
		beat := func(ctx context.Context) error {
			return p.edge.Beat(ctx, wire.Beat{Format: wire.Version, Plane: p.id, Started: now, Version: "1.0.0", Healthy: true,
				Kinds:  kinds(),
				Counts: []wire.Count{{Workspace: "ws_acme", Source: config.Sources[0].ID, Destination: "dst_hook", Routed: 7, Parked: 7, Balanced: true}}})
		}
		if err := beat(ctx); err != nil {
			d.t.Fatal(err)
		}
		d.goOn(beat)
		until(d.t, "beat folded", func() bool {
			return d.as("viewer", "GET", "/api/v1/planes?region=eu", "").field(d.t, "planes", "0", "healthy") == true &&
				len(d.as("viewer", "GET", "/api/v1/status", "").field(d.t, "planes", "0", "counts").([]any)) == 1
		})
		return
	}
	d.t.Fatal("no pointer came")
}

// goOn lets a plane beat now and then until the test ends, as one that knows no asks.
func (d *harness) goOn(beat func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = beat(ctx) // a hub that ends takes none
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	d.t.Cleanup(func() { cancel(); <-done })
}

// edit exercises the rules of writing: idempotence, preconditions, problems.
func (d *harness) edit(p plane) {
	t := d.t
	t.Helper()
	same := d.want(d.as("editor", "PUT", acme+"/config", applying(d.document(p, "http://127.0.0.1:9/")), "If-Match", `"1"`), 200)
	if same.field(t, "number") != 1.0 || len(same.field(t, "changes").([]any)) != 0 {
		t.Errorf("a repeated apply = %s, want number 1 without changes", same.text)
	}
	d.want(d.as("editor", "PUT", acme+"/config", applying(d.document(p, "http://127.0.0.1:9/8")), "If-Match", `"7"`), 412)
	d.want(d.as("editor", "PUT", acme+"/config", applying(d.document(p, "http://127.0.0.1:9/8")), "If-Match", `seven`), 400)
	bad := d.want(d.as("editor", "PUT", acme+"/config", applying(strings.Replace(d.document(p, "http://127.0.0.1:9/"+strings.Repeat("x", 2048)), `"type":"http"`, `"type":"telnet"`, 1))), 422)
	if n := len(bad.field(t, "problems").([]any)); n != 2 || bad.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("problems = %s (%s), want 2", bad.text, bad.header.Get("Content-Type"))
	}
	parked := d.want(d.as("editor", "PUT", acme+"/config", applying(`{"workspace":"acme","region":"eu"}`)), 422)
	if parked.field(t, "problems", "0", "code") != "parked_deliveries" {
		t.Errorf("removing a destination with parked deliveries = %s", parked.text)
	}
	change := applying(d.document(p, "http://127.0.0.1:9/8"))
	second := d.want(d.as("editor", "PUT", acme+"/config", change, "Idempotency-Key", "k1"), 200)
	third := d.want(d.as("editor", "PUT", acme+"/config", applying(d.document(p, "http://127.0.0.1:9/7"))), 200)
	again := d.want(d.as("editor", "PUT", acme+"/config", change, "Idempotency-Key", "k1"), 200)
	if second.field(t, "number") != 2.0 || third.field(t, "number") != 3.0 || !bytes.Equal(again.text, second.text) || again.header.Get("ETag") != `"2"` {
		t.Errorf("numbers %s, %s, and repeated with its key %s; want 2, 3 and the first answer", second.text, third.text, again.text)
	}
	d.want(d.as("editor", "PUT", acme+"/config", applying(d.document(p, "http://127.0.0.1:9/6")), "Idempotency-Key", "k1"), 422)

	page := d.want(d.as("viewer", "GET", acme+"/revisions?limit=2", ""), 200)
	rest := d.want(d.as("viewer", "GET", acme+"/revisions?limit=2&cursor="+page.field(t, "next").(string), ""), 200)
	if page.field(t, "revisions", "0", "number") != 3.0 || rest.field(t, "revisions", "0", "number") != 1.0 || rest.field(t, "next") != "" {
		t.Errorf("revisions = %s then %s, want 3, 2 then 1", page.text, rest.text)
	}
	config := d.want(d.as("viewer", "GET", acme+"/config", ""), 200)
	var exported struct{ Document json.RawMessage }
	exported.Document = config.text
	body, err := json.Marshal(map[string]any{"document": exported.Document, "prune": true})
	if err != nil {
		t.Fatal(err)
	}
	if back := d.want(d.as("editor", "PUT", acme+"/config", string(body), "If-Match", config.header.Get("ETag")), 200); back.field(t, "number") != 3.0 {
		t.Errorf("applying the export = %s, want number 3", back.text)
	}
	until(t, "pending", func() bool {
		return d.want(d.as("viewer", "GET", acme, ""), 200).field(t, "state") == "pending"
	})
}

// ends asks for capabilities, reads status and audit, and deletes the workspace.
func (d *harness) ends(p plane) {
	t := d.t
	t.Helper()
	granted := d.want(d.as("editor", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"dead:redrive"}`), 200)
	if granted.field(t, "viewUrl") != "http://127.0.0.1:8091" || id.Plane(granted.field(t, "plane").(string)) != p.id {
		t.Errorf("capability = %s, want one for %s", granted.text, p.id)
	}
	d.want(d.as("viewer", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"ledger:read"}`), 200)
	d.want(d.as("viewer", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"dead:read"}`), 403)
	d.want(d.as("editor", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"everything","origin":"null"}`), 422)
	for _, action := range capability.Actions() {
		wish := fmt.Sprintf(`{"workspace":"acme","action":%q,"origin":"https://console.example.com"}`, action)
		d.want(d.as("editor", "POST", "/api/v1/capabilities", wish), 200)
		if action != capability.ReadLedger { // viewers see counts, no events
			d.want(d.as("viewer", "POST", "/api/v1/capabilities", wish), 403)
		}
	}
	d.want(d.as("editor", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"live:read","sources":["web"]}`), 200)
	d.want(d.as("editor", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"live:read","sources":["web","none"]}`), 422)
	d.want(d.as("editor", "POST", "/api/v1/capabilities", `{"workspace":"acme","action":"live:read","destinations":["none"]}`), 422)
	status := d.want(d.as("viewer", "GET", "/api/v1/status", ""), 200)
	if status.field(t, "workspaces", "0", "number") != 3.0 || status.field(t, "planes", "0", "workspaces", "0", "applied") != 1.0 {
		t.Errorf("status = %s, want 3 wanted, 1 applied", status.text)
	}
	d.want(d.as("admin", "DELETE", acme, ""), 422)
	d.want(d.as("admin", "DELETE", acme+"?discardParked=true", "", "If-Match", `"1"`), 412)
	d.want(d.as("admin", "DELETE", acme+"?discardParked=true", ""), 204)
	d.want(d.as("admin", "GET", acme, ""), 404)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for pointer, err := range p.edge.Pointers(ctx) {
		if err != nil {
			t.Fatal("no tombstone came: ", err)
		}
		if pointer.Tombstone && pointer.Number == 4 {
			break
		}
	}
	d.want(d.as("admin", "DELETE", "/api/v1/planes/"+string(p.id), ""), 403)
	d.want(d.as("operator", "DELETE", "/api/v1/planes/none", ""), 404)
	d.want(d.as("operator", "DELETE", "/api/v1/planes/"+string(p.id), ""), 204)
	d.want(d.as("operator", "DELETE", "/api/v1/planes/"+string(p.id), ""), 204)
	if left := d.want(d.as("admin", "GET", "/api/v1/planes", ""), 200); len(left.field(t, "planes").([]any)) != 0 {
		t.Errorf("planes after the removal of the only one: %s", left.text)
	}
	actions := map[string]bool{}
	for _, who := range []string{"admin", "operator"} { // of the organization, of the installation
		for path := "/api/v1/audit?limit=5"; path != ""; {
			page := d.want(d.as(who, "GET", path, ""), 200)
			for i := range page.field(t, "entries").([]any) {
				e := page.field(t, "entries", fmt.Sprint(i)).(map[string]any)
				actions[e["actor"].(string)+" "+e["action"].(string)] = true
			}
			path = ""
			if cursor := page.field(t, "next").(string); cursor != "" {
				path = "/api/v1/audit?limit=5&cursor=" + cursor
			}
		}
	}
	for _, want := range []string{"token:editor workspace.commit", "token:editor capability.issue", "token:admin workspace.delete", "token:operator plane.invite", "token:operator plane.remove", "plane:" + string(p.id) + " plane.join"} {
		if !actions[want] {
			t.Errorf("audit has no row of %q; it has %v", want, actions)
		}
	}
}
