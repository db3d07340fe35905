package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nats-io/nkeys"

	"weir/controlplane/api"
	"weir/controlplane/authn"
	"weir/controlplane/draft"
	"weir/controlplane/fleet"
	"weir/controlplane/policy"
	"weir/controlplane/policy/own"
	"weir/controlplane/policy/rules"
	"weir/controlplane/publish"
	"weir/controlplane/review"
	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/storetest"
	"weir/controlplane/store/tenancy"
	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/proxy"
	"weir/shared/script"
	"weir/shared/script/bundle"
	"weir/shared/script/scripttest"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/edge"
	"weir/shared/wire/envelope"
	"weir/shared/wire/hub"
	"weir/shared/worker"
)

// TestMain makes the test binary a worker when it is started as one.
func TestMain(m *testing.M) {
	worker.Tasks{own.Task: own.Serve, script.Task: bundle.Serve}.Divert()
	os.Exit(storetest.Main(m))
}

// operatorPolicy is a policy of the operator's, which no other test offends.
const operatorPolicy = `package operator
deny contains {"path": "workspace", "message": "this name is taken by the operator"} if input.workspace == "reserved"`

// harness is an API over a real store, a real hub and a running publisher.
type harness struct {
	t        *testing.T
	url      string
	store    *store.Store
	accounts *authn.Service
	tokens   map[string]string
	email    string
	password string
	schema   *schema

	mu    sync.Mutex
	heard bytes.Buffer // every answer's body, to be searched for what must not be there
}

func open(t *testing.T, s *store.Store) *harness { return openWith(t, s, scripttest.Compiler()) }

// openWith opens an API that compiles code with this compiler.
func openWith(t *testing.T, s *store.Store, code *script.Compiler) *harness {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, control, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	_, granting, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	server, err := hub.Serve(t.Context(), hub.ServerConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	must(err)
	t.Cleanup(server.Close)
	var planes *fleet.Service
	hub, err := hub.New(hub.Config{Address: server.Address(), Operator: server.Operator(), Key: control,
		Revoked: func(ctx context.Context, a hub.Account) (map[string]time.Time, error) {
			return fleet.Revoked(ctx, s, a)
		},
		PlaneKey: func(p id.Plane) (ed25519.PublicKey, bool) { return planes.Key(p) }})
	must(err)
	t.Cleanup(hub.Close)
	planes, err = fleet.New(fleet.Config{Store: s, Enrol: hub.Enrol, Expel: hub.Expel, Ask: hub.Ask, Beats: hub.Beats, HubAddress: server.Address(),
		ControlKey: control.Public().(ed25519.PublicKey), CapabilityKey: granting.Public().(ed25519.PublicKey), Origins: []string{"http://127.0.0.1:8080"}})
	must(err)
	publisher, err := publish.New(publish.Config{Store: s, Hub: hub})
	must(err)
	s.OnChange(publisher.Nudge)
	accounts, err := authn.New(authn.Config{Store: s, Key: granting, Private: true})
	must(err)
	access, err := policy.New(t.Context())
	must(err)
	book, err := rules.New(t.Context())
	must(err)
	specs := catalog.All()
	judge := own.NewJudge(own.Config{})
	t.Cleanup(judge.Close)
	reviews, err := review.New(review.Config{Store: s, Rules: book, Judge: judge, Operator: []own.Policy{{Name: "operator", Text: operatorPolicy}}})
	must(err)
	drafts, err := draft.New(draft.Config{Store: s, Review: reviews, Catalog: specs, Place: planes.Place, Counts: planes.Counts, Code: code})
	must(err)
	signer, err := audit.NewSigner(audit.SignerConfig{Log: s.Audit(), Key: control, File: filepath.Join(t.TempDir(), "heads.json")})
	must(err)
	front := httptest.NewUnstartedServer(nil)
	t.Cleanup(front.Close)
	handler, err := api.New(api.Config{Origins: []string{"http://" + front.Listener.Addr().String()}, Store: s, Policy: access, Authn: accounts, Draft: drafts, Review: reviews, Fleet: planes, Signer: signer, Catalog: specs, Code: code,
		TrustedProxies: proxy.Trusted{netip.MustParsePrefix("127.0.0.0/8")},
		Console:        fstest.MapFS{"index.html": {Data: []byte("<!doctype html>console")}, "assets/app-1.js": {Data: []byte("app()")}}})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = publisher.Run(ctx) }) // ends with the test; what it could not do shows in the test
	work.Go(func() { _ = planes.Run(ctx) })
	work.Go(func() { _ = handler.Run(ctx) })
	t.Cleanup(func() { cancel(); work.Wait() })
	front.Config.Handler = handler
	front.Start()

	d := &harness{t: t, url: front.URL, accounts: accounts, store: s, tokens: map[string]string{}, schema: readSchema(t, handler)}
	login, _, err := accounts.Bootstrap(t.Context())
	must(err)
	d.email, d.password = login.Email, login.Password
	for _, role := range roles {
		d.tokens[role] = d.token(accounts, tenancy.Default, role)
	}
	return d
}

// roles are what callers of the tests have in the organization default; an operator has
// the installation.
var roles = []string{"viewer", "auditor", "marketer", "editor", "admin", "owner", "operator"}

// token makes a token with a role in an organization.
func (d *harness) token(accounts *authn.Service, org store.OrganizationID, role string) string {
	d.t.Helper()
	g := store.Grant{Organization: org, Role: role}
	if role == "operator" {
		g.Organization = ""
	}
	_, value, err := accounts.IssueToken(d.t.Context(), store.Actor{Kind: store.BySystem, Name: "test"},
		store.APIToken{Organization: org, Name: role, Grants: []store.Grant{g}})
	if err != nil {
		d.t.Fatal(err)
	}
	return value
}

func sqlite(t *testing.T) *harness {
	return open(t, storetest.Open(t, store.Config{Database: storetest.SQLite(t)}))
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	text   []byte
}

func (a answer) field(t *testing.T, path ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.text, &v); err != nil {
		t.Fatalf("answer %s: %v", a.text, err)
	}
	for _, name := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(at) {
				t.Fatalf("answer %s has no %v", a.text, path)
			}
			v = at[i]
		default:
			t.Fatalf("answer %s has no %v", a.text, path)
		}
	}
	return v
}

// client follows no redirect.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// send makes a request and holds its answer to the document.
func (d *harness) send(method, path, body string, header ...string) answer {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text []byte
	if resp.Header.Get("Content-Type") == "text/event-stream" { // it has no end: its first event
		for text == nil {
			text = first(d.t, bufio.NewReader(resp.Body))
		}
	} else if text, err = io.ReadAll(resp.Body); err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	d.heard.Write(text)
	d.mu.Unlock()
	a := answer{resp.StatusCode, resp.Header, text}
	d.schema.check(d.t, method, req.URL.Path, a)
	return a
}

// first reads the data of the next server-sent event, nil for one that has none.
func first(t *testing.T, from *bufio.Reader) (data []byte) {
	t.Helper()
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		if text, ok := strings.CutPrefix(line, "data: "); ok {
			data = []byte(strings.TrimSpace(text))
		}
		if line == "\n" {
			return data
		}
	}
}

// as makes a request with the token of a role.
func (d *harness) as(role, method, path, body string, header ...string) answer {
	d.t.Helper()
	return d.send(method, path, body, append([]string{"Authorization", "Bearer " + d.tokens[role]}, header...)...)
}

// want fails the test unless the answer has this status.
func (d *harness) want(a answer, status int) answer {
	d.t.Helper()
	if a.status != status {
		d.t.Fatalf("answer is %d %s, want %d", a.status, a.text, status)
	}
	return a
}

// plane is a data plane of the tests' own.
type plane struct {
	id       id.Plane
	identity ed25519.PrivateKey
	sealing  secret.PrivateKey
	edge     *edge.Edge
}

// joining is a plane's keys and the body with which it asks to join.
func joining(t *testing.T, token string) (plane, nkeys.KeyPair, map[string]any) {
	t.Helper()
	_, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealing, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return plane{identity: identity, sealing: sealing}, user, map[string]any{
		"token": token, "name": "eu-1", "identityKey": []byte(identity.Public().(ed25519.PublicKey)), "sealingKey": []byte(sealing.Public()),
		"sealingKeySignature": envelope.SignSealingKey(identity, sealing.Public()), "natsKey": public,
		"gatewayUrl": "http://127.0.0.1:8090", "viewUrl": "http://127.0.0.1:8091", "version": "1.0.0",
		"kinds": kinds(),
	}
}

// kinds are what the tests' plane can run: all that there is.
func kinds() []wire.Kind {
	all := []wire.Kind{wire.BoundSecrets(), {Family: "transformation", Name: "javascript", Digest: catalog.Digest(catalog.Spec{Name: "javascript"})}}
	for _, s := range catalog.All() {
		all = append(all, wire.Kind{Family: string(s.Family), Digest: catalog.Digest(s)}.Named(s.Name))
	}
	return all
}

// join invites a plane to the region eu, joins as it, and dials the hub.
func (d *harness) join() plane {
	d.t.Helper()
	invited := d.want(d.as("operator", "POST", "/api/v1/planes/invitations", `{"region":"eu","kind":"regional"}`), 200)
	return d.joinBy(invited.field(d.t, "token").(string))
}

// joinBy lets a plane join by an invitation.
func (d *harness) joinBy(token string) plane {
	d.t.Helper()
	p, user, ask := joining(d.t, token)
	body, err := json.Marshal(ask)
	if err != nil {
		d.t.Fatal(err)
	}
	var in struct {
		Plane      id.Plane `json:"plane"`
		Region     string   `json:"region"`
		Hub        string   `json:"hub"`
		JWT        string   `json:"jwt"`
		ControlKey []byte   `json:"controlKey"`
	}
	if err := json.Unmarshal(d.want(d.send("POST", "/api/v1/planes/join", string(body)), 200).text, &in); err != nil {
		d.t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		d.t.Fatal(err)
	}
	p.id = in.Plane
	p.edge, err = edge.Dial(edge.Config{Address: in.Hub, Credentials: wire.Credentials{JWT: in.JWT, Seed: secret.NewString(string(seed))},
		Plane: in.Plane, Region: in.Region, ControlKey: in.ControlKey, Identity: p.identity, Sealing: p.sealing})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(p.edge.Close)
	return p
}

// until asks again until what ask says holds, for as long as a loaded machine
// may need.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come true", what)
		}
	}
}
