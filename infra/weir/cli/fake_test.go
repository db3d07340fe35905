package cli_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/openapi"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire/envelope"
	"weir/shared/workspace/document"
)

const token = "weir_test"

// fake is a control plane and a plane's view, strict about the contract: it
// refuses unknown fields, missing tokens and secrets without an envelope for
// every plane of the region.
type fake struct {
	t      *testing.T
	server *httptest.Server
	view   *httptest.Server

	mu         sync.Mutex
	planes     []*fakePlane
	workspaces map[string]*fakeWorkspace
	order      []string
	dead       []map[string]any
	calls      []string
	answer     func(ws *fakeWorkspace) // the plane's word after each apply; nil: applied
	judge      func(document.Document) []fault.Problem
	selections []remote.Selection
	jobs       []*fakeJob
	scheduled  map[string]string // states of the job of a workspace that is due now and then
	looks      int               // at a job before it has ended
	broken     []map[string]any
	underWay   func() int      // deliveries in flight to each destination
	oldPlane   bool            // whose view knows no capability of several workspaces
	stale      bool            // the control plane does not know what is parked
	race       func()          // runs between a diff and the apply that follows it
	lost       map[string]bool // workspaces of which the answer to the next apply is lost: it was made, or (false) the plane was busy
	streams    func(n int, w http.ResponseWriter, r *http.Request)
	opened     int                                                             // streams that were asked for
	persons    func(ws *fakeWorkspace, w http.ResponseWriter, r *http.Request) // calls about profiles
}

type fakePlane struct {
	remote.Plane
	identity ed25519.PrivateKey
	sealing  secret.PrivateKey
}

type fakeWorkspace struct {
	remote.Workspace
	doc       document.Document
	envelopes map[string]map[id.Plane][]byte // destination id, field, version
	wait      int                            // answers before the plane's word is seen
	after     remote.Workspace
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, workspaces: map[string]*fakeWorkspace{}, scheduled: map[string]string{}, underWay: func() int { return 0 }}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/planes", f.listPlanes)
	mux.HandleFunc("POST /api/v1/planes/invitations", f.invite)
	mux.HandleFunc("DELETE /api/v1/planes/{plane}", f.removePlane)
	mux.HandleFunc("GET /api/v1/workspaces", f.listWorkspaces)
	mux.HandleFunc("GET /api/v1/workspaces/{name}", f.workspace)
	mux.HandleFunc("GET /api/v1/workspaces/{name}/config", f.config)
	mux.HandleFunc("POST /api/v1/workspaces/{name}/diff", f.diff)
	mux.HandleFunc("PUT /api/v1/workspaces/{name}/config", f.apply)
	mux.HandleFunc("DELETE /api/v1/workspaces/{name}", f.deleteWorkspace)
	mux.HandleFunc("GET /api/v1/status", f.status)
	mux.HandleFunc("POST /api/v1/capabilities", f.capability)
	mux.HandleFunc("POST /api/v1/capabilities/batch", f.capabilities)
	f.server = httptest.NewServer(f.guard("Bearer "+token, mux))
	t.Cleanup(f.server.Close)
	view := http.NewServeMux()
	view.HandleFunc("GET /v1/ledger", f.ledger)
	view.HandleFunc("GET /v1/ledgers", f.ledgers)
	view.HandleFunc("GET /v1/dead", f.listDead)
	for verb, action := range map[string]string{"redrive": "dead:redrive", "discard": "dead:discard", "replay": "quarantine:replay", "discard-quarantined": "quarantine:discard"} {
		view.HandleFunc("POST /v1/jobs/"+verb, f.begin(verb, action))
	}
	view.HandleFunc("GET /v1/jobs", f.listJobs)
	view.HandleFunc("GET /v1/jobs/{job}", f.showJob("jobs:read"))
	view.HandleFunc("POST /v1/jobs/{job}/stop", f.showJob("jobs:stop"))
	view.HandleFunc("GET /v1/schedule", f.schedule("jobs:read"))
	view.HandleFunc("GET /v1/schedule/runs", f.schedule("jobs:read"))
	view.HandleFunc("POST /v1/schedule/pull", f.schedule("pulls:change"))
	view.HandleFunc("GET /v1/quarantine", f.listBroken)
	view.HandleFunc("GET /v1/live", f.stream("live:read"))
	view.HandleFunc("GET /v1/profiles", f.profileCall("profiles:read"))
	view.HandleFunc("POST /v1/profiles/run", f.profileCall("profiles:run"))
	view.HandleFunc("POST /v1/profiles/decide", f.profileCall("profiles:decide"))
	view.HandleFunc("POST /v1/query", f.stream("query"))
	view.HandleFunc("POST /v1/destinations/test", f.stream("destination:test"))
	f.view = httptest.NewServer(view)
	t.Cleanup(f.view.Close)
	f.addPlane("pl_one", "eu-1", "eu")
	return f
}

func (f *fake) addPlane(key id.Plane, name, region string) *fakePlane {
	public, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	sealing, err := secret.NewKey()
	if err != nil {
		f.t.Fatal(err)
	}
	p := &fakePlane{identity: identity, sealing: sealing, Plane: remote.Plane{ID: key, Name: name, Region: region, Kind: "regional", Version: "0.1.0",
		IdentityKey: public, SealingKey: sealing.Public(), SealingKeySignature: envelope.SignSealingKey(identity, sealing.Public()), Healthy: true}}
	f.planes = append(f.planes, p)
	return p
}

// guard checks what holds for every call.
func (f *fake) guard(authorization string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, r.Method+" "+r.URL.Path)
		if r.Header.Get("Authorization") != authorization {
			refuse(w, http.StatusUnauthorized, "denied", "This token is not known.")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodDelete && r.Header.Get("Content-Type") != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, "invalid", "Send JSON.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, kind, detail string, problems ...fault.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail, "kind": kind, "problems": problems})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// read decodes a body, and refuses what the contract does not name.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		refuse(w, http.StatusBadRequest, "invalid", "The body is not as described: "+err.Error())
		return false
	}
	return true
}

func (f *fake) listPlanes(w http.ResponseWriter, r *http.Request) {
	out := []remote.Plane{}
	for _, p := range f.planes {
		if q := r.URL.Query().Get("region"); q == "" || q == p.Region {
			out = append(out, p.Plane)
		}
	}
	reply(w, map[string]any{"planes": out})
}

func (f *fake) invite(w http.ResponseWriter, r *http.Request) {
	var in struct{ Region, Kind string }
	if read(w, r, &in) {
		reply(w, map[string]any{"token": "inv_" + in.Kind, "region": in.Region, "expiresAt": "2026-01-02T03:04:05Z"})
	}
}

func (f *fake) all() []remote.Workspace {
	out := []remote.Workspace{}
	for _, name := range f.order {
		out = append(out, f.workspaces[name].Workspace)
	}
	return out
}

func (f *fake) listWorkspaces(w http.ResponseWriter, r *http.Request) {
	all := f.all()
	if names := r.URL.Query()["name"]; names != nil {
		for _, name := range names {
			if ws := f.workspaces[name]; ws != nil {
				f.hear(ws)
			}
		}
		all = slices.DeleteFunc(f.all(), func(w remote.Workspace) bool { return !slices.Contains(names, w.Name) })
	}
	reply(w, map[string]any{"workspaces": all})
}

// hear has the plane's word about a workspace be seen, when it was asked for often enough.
func (f *fake) hear(ws *fakeWorkspace) {
	if ws.wait--; ws.wait == 0 {
		ws.Workspace = ws.after
	}
}

func (f *fake) find(w http.ResponseWriter, r *http.Request) *fakeWorkspace {
	ws := f.workspaces[r.PathValue("name")]
	if ws == nil {
		refuse(w, http.StatusNotFound, "missing", "There is no workspace "+r.PathValue("name")+".")
	}
	return ws
}

func (f *fake) workspace(w http.ResponseWriter, r *http.Request) {
	if ws := f.find(w, r); ws != nil {
		f.hear(ws)
		reply(w, ws.Workspace)
	}
}

func (f *fake) config(w http.ResponseWriter, r *http.Request) {
	if ws := f.find(w, r); ws != nil {
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, ws.Number))
		reply(w, ws.doc)
	}
}

func (f *fake) removePlane(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(f.planes, func(p *fakePlane) bool { return p.Name == r.PathValue("plane") })
	if i < 0 {
		refuse(w, http.StatusNotFound, "missing", "There is no plane "+r.PathValue("plane")+".")
		return
	}
	f.planes = slices.Delete(f.planes, i, i+1)
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) deleteWorkspace(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	switch ws := f.workspaces[name]; {
	case ws == nil:
		refuse(w, http.StatusNotFound, "missing", "There is no workspace "+name+".")
	case r.Header.Get("If-Match") != fmt.Sprintf(`"%d"`, ws.Number):
		refuse(w, http.StatusPreconditionFailed, "conflict", "Somebody changed workspace "+name+" meanwhile.")
	case r.URL.Query().Get("discardParked") != "true":
		refuse(w, http.StatusConflict, "conflict", "Deliveries wait in workspace "+name+".")
	default:
		delete(f.workspaces, name)
		f.order = slices.DeleteFunc(f.order, func(n string) bool { return n == name })
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *fake) status(w http.ResponseWriter, _ *http.Request) {
	planes := []remote.Plane{}
	for _, p := range f.planes {
		planes = append(planes, p.Plane)
	}
	reply(w, remote.Status{Planes: planes, Workspaces: f.all()})
}

func (f *fake) diff(w http.ResponseWriter, r *http.Request) {
	var in remote.Proposal
	if !read(w, r, &in) {
		return
	}
	number := uint64(0)
	if ws := f.workspaces[r.PathValue("name")]; ws != nil {
		number = ws.Number
	}
	changes, problems := f.compare(in.Document, in.Prune)
	problems = append(problems, f.keepParked(r.PathValue("name"), changes, in.DiscardParked)...)
	reply(w, remote.Difference{Changes: changes, Problems: problems, Number: number})
	if f.race != nil {
		f.race()
	}
}

func (f *fake) apply(w http.ResponseWriter, r *http.Request) {
	var in remote.Proposal
	if !read(w, r, &in) {
		return
	}
	name := r.PathValue("name")
	made, lose := f.lost[name]
	delete(f.lost, name)
	if lose && !made {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "unavailable", "The database is busy.")
		return
	}
	if lose {
		defer panic(http.ErrAbortHandler)
	}
	ws := f.workspaces[name]
	if match := r.Header.Get("If-Match"); ws != nil && match != fmt.Sprintf(`"%d"`, ws.Number) {
		refuse(w, http.StatusPreconditionFailed, "conflict", "Somebody changed workspace "+name+" meanwhile; look at the difference and apply again.")
		return
	}
	changes, problems := f.compare(in.Document, in.Prune)
	if len(problems) > 0 {
		refuse(w, http.StatusUnprocessableEntity, "invalid", "The configuration has problems.", problems...)
		return
	}
	if ws == nil {
		if in.Document.ID == "" {
			in.Document.ID = id.New[id.Workspace]()
		}
		ws = &fakeWorkspace{envelopes: map[string]map[id.Plane][]byte{}, Workspace: remote.Workspace{ID: in.Document.ID, Name: name, Region: in.Document.Region, Plane: "pl_one"}}
		f.workspaces[name] = ws
		f.order = append(f.order, name)
		slices.Sort(f.order) // as the control plane lists them
	}
	if len(changes) > 0 || ws.Number == 0 {
		f.store(ws, in.Document)
	}
	reply(w, map[string]any{"workspace": ws.ID, "number": ws.Number, "changes": changes})
}

// keepParked refuses to remove what deliveries wait for.
func (f *fake) keepParked(name string, changes []remote.Change, discard bool) []fault.Problem {
	ws := f.workspaces[name]
	var problems []fault.Problem
	for _, c := range changes {
		if ws == nil || f.stale || discard || c.Op != "remove" || c.Kind != "destination" {
			continue
		}
		for _, d := range ws.Destinations {
			if d.Name == c.Name && d.Parked > 0 {
				problems = append(problems, fault.Problem{Path: "destinations", Code: "parked", Text: "Deliveries wait for " + c.Name + "."})
			}
		}
	}
	return problems
}

// store makes the document the workspace's next revision.
func (f *fake) store(ws *fakeWorkspace, doc document.Document) {
	former := ws.doc
	ws.Number++
	ws.State, ws.Problems = remote.Pending, nil
	var destinations []remote.Destination
	for i := range doc.Destinations {
		d := &doc.Destinations[i]
		if was := former.Destination(d.Name); was != nil {
			d.ID = was.ID
		}
		if d.ID == "" {
			d.ID = id.New[id.Destination]()
		}
		ws.keep(string(d.ID), d.Secrets)
		destinations = append(destinations, remote.Destination{ID: d.ID, Name: d.Name, Type: d.Type})
	}
	ws.Destinations = destinations
	ws.Sources = nil
	for i := range doc.Sources {
		s := &doc.Sources[i]
		if was := former.Source(s.Name); was != nil {
			s.ID = was.ID
		}
		if s.ID == "" {
			s.ID = id.Source("src_" + s.Name)
		}
		ws.keep(string(s.ID), s.Secrets)
		if s.WriteKey == "" {
			s.WriteKey = "wk_made_" + s.Name
		}
		ws.Sources = append(ws.Sources, remote.Source{ID: s.ID, Name: s.Name, Type: s.Type, WriteKey: s.WriteKey})
	}
	ws.doc = doc
	after := *ws
	after.State, after.Applied, after.Running = remote.Applied, ws.Number, ws.Number
	if f.answer != nil {
		after.Workspace = ws.Workspace
		f.answer(&after)
	}
	ws.after, ws.wait = after.Workspace, 2
}

// keep stores the envelopes of an object's new secrets, and leaves what the
// control plane shows of all of them.
func (ws *fakeWorkspace) keep(object string, secrets map[string]document.Secret) {
	for field, s := range secrets {
		if len(s.Sealed) > 0 {
			ws.envelopes[fmt.Sprintf("%s %s %d", object, field, s.Version)] = s.Sealed
		}
		secrets[field] = document.Secret{Version: s.Version, Fingerprint: s.Fingerprint}
	}
}

// compare is a small difference: by name, over what JSON shows.
func (f *fake) compare(doc document.Document, prune bool) ([]remote.Change, []fault.Problem) {
	problems := []fault.Problem{}
	if f.judge != nil {
		problems = append(problems, f.judge(doc)...)
	}
	var former document.Document
	changes := []remote.Change{}
	if ws := f.workspaces[doc.Workspace]; ws != nil {
		former = ws.doc
	} else {
		changes = append(changes, remote.Change{Op: "add", Kind: "workspace", Name: doc.Workspace})
	}
	for i, d := range doc.Destinations {
		was := former.Destination(d.Name)
		for field, s := range d.Secrets {
			known := was != nil && was.Secrets[field].Version == s.Version && was.Secrets[field].Fingerprint == s.Fingerprint
			for _, p := range f.planes {
				if !known && p.Region == doc.Region && len(s.Sealed[p.ID]) == 0 {
					problems = append(problems, fault.Problem{Path: fmt.Sprintf("destinations[%d].secrets.%s", i, field), Code: "not_sealed", Text: "There is no envelope for plane " + p.Name + "."})
				}
			}
		}
	}
	changes = append(changes, compare("source", sources(former), sources(doc), prune)...)
	changes = append(changes, compare("destination", destinations(former), destinations(doc), prune)...)
	changes = append(changes, compare("connection", connections(former), connections(doc), prune)...)
	return changes, problems
}

func compare(kind openapi.ObjectKind, former, now map[string]string, prune bool) []remote.Change {
	var out []remote.Change
	for name, s := range now {
		if was, ok := former[name]; !ok {
			out = append(out, remote.Change{Op: "add", Kind: kind, Name: name})
		} else if was != s {
			out = append(out, remote.Change{Op: "change", Kind: kind, Name: name, Fields: []string{"settings"}})
		}
	}
	for name := range former {
		if _, ok := now[name]; !ok && prune {
			out = append(out, remote.Change{Op: "remove", Kind: kind, Name: name})
		}
	}
	slices.SortFunc(out, func(a, b remote.Change) int { return strings.Compare(string(a.Op)+a.Name, string(b.Op)+b.Name) })
	return out
}

func sources(d document.Document) map[string]string {
	out := map[string]string{}
	for _, s := range d.Sources {
		out[s.Name] = s.Type + references(s.Secrets)
	}
	return out
}

func references(secrets map[string]document.Secret) (out string) {
	for _, field := range slices.Sorted(maps.Keys(secrets)) {
		out += fmt.Sprint(field, secrets[field].Version, secrets[field].Fingerprint)
	}
	return out
}

func destinations(d document.Document) map[string]string {
	out := map[string]string{}
	for _, s := range d.Destinations {
		out[s.Name] = s.Type + string(s.Settings) + references(s.Secrets)
	}
	return out
}

func connections(d document.Document) map[string]string {
	out := map[string]string{}
	for _, c := range d.Connections {
		out[c.Source+" -> "+c.Destination] = ""
	}
	return out
}

func (f *fake) capability(w http.ResponseWriter, r *http.Request) {
	var in struct{ Workspace, Action, Origin string }
	if !read(w, r, &in) {
		return
	}
	if f.workspaces[in.Workspace] == nil {
		refuse(w, http.StatusNotFound, "missing", "There is no workspace "+in.Workspace+".")
		return
	}
	reply(w, map[string]any{"token": in.Workspace + " " + in.Action, "viewUrl": f.view.URL, "plane": "pl_one", "expiresAt": "2026-01-02T03:04:05Z"})
}

func (f *fake) capabilities(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Workspaces     []string
		Action, Origin string
	}
	if !read(w, r, &in) {
		return
	}
	reply(w, map[string]any{"capabilities": []any{map[string]any{"token": strings.Join(in.Workspaces, ",") + " " + in.Action, "viewUrl": f.view.URL, "plane": "pl_one",
		"expiresAt": "2026-01-02T03:04:05Z", "workspaces": in.Workspaces}}})
}

// ledgers are those of a plane that knows capabilities of several workspaces, unless it is old.
func (f *fake) ledgers(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls = append(f.calls, "GET view /v1/ledgers"); f.oldPlane {
		refuse(w, http.StatusForbidden, "denied", "This capability was not issued by the control plane of this plane.")
		return
	}
	names, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), " ")
	rows := []map[string]any{}
	for _, name := range strings.Split(names, ",") {
		ws := f.workspaces[name]
		for _, row := range f.rows(ws) {
			row["workspace"] = ws.ID
			rows = append(rows, row)
		}
	}
	reply(w, map[string]any{"rows": rows})
}

// allowed checks the capability and returns its workspace.
func (f *fake) allowed(w http.ResponseWriter, r *http.Request, action string) *fakeWorkspace {
	f.calls = append(f.calls, r.Method+" view "+r.URL.Path)
	name, got, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), " ")
	if got != action {
		refuse(w, http.StatusForbidden, "denied", "This capability is for "+got+".")
		return nil
	}
	return f.workspaces[name]
}

// stream checks the capability and leaves the answer to streams, which gets how
// often it was asked before.
func (f *fake) stream(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		ws := f.allowed(w, r, action)
		f.opened++
		n := f.opened - 1
		f.mu.Unlock()
		if ws != nil {
			w.Header().Set("Content-Type", "application/x-ndjson")
			f.streams(n, w, r)
		}
	}
}

// profileCall checks the capability and leaves the answer to persons.
func (f *fake) profileCall(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if ws := f.allowed(w, r, action); ws != nil {
			f.persons(ws, w, r)
		}
	}
}

func (f *fake) ledger(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ws := f.allowed(w, r, "ledger:read")
	if ws == nil {
		return
	}
	reply(w, map[string]any{"rows": f.rows(ws)})
}

// rows are the books of a workspace.
func (f *fake) rows(ws *fakeWorkspace) []map[string]any {
	rows := []map[string]any{}
	for _, s := range ws.Sources {
		rows = append(rows, map[string]any{"source": s.ID, "destination": "", "accepted": 10, "replayed": 1, "waiting": 3, "duplicate": 1, "unrouted": 7, "balanced": true})
		for _, d := range ws.Destinations {
			rows = append(rows, map[string]any{"source": s.ID, "destination": d.ID, "routed": 9, "delivered": 6, "dead": 1, "parked": d.Parked, "inFlight": f.underWay(), "dropped": map[string]int{"filtered": 1}, "balanced": true})
		}
	}
	return rows
}

func (f *fake) listDead(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ws := f.allowed(w, r, "dead:read")
	if ws == nil {
		return
	}
	q := r.URL.Query()
	var from, limit int
	_, _ = fmt.Sscan(q.Get("cursor"), &from)
	_, _ = fmt.Sscan(q.Get("limit"), &limit)
	limit = min(limit, 2)
	var kept []map[string]any
	for _, d := range f.dead {
		mine := slices.ContainsFunc(ws.Destinations, func(e remote.Destination) bool { return string(e.ID) == d["destination"] })
		if mine && (q.Get("destination") == "" || d["destination"] == q.Get("destination")) && (q.Get("code") == "" || d["code"] == q.Get("code")) {
			kept = append(kept, d)
		}
	}
	end := min(from+limit, len(kept))
	next := ""
	if end < len(kept) {
		next = fmt.Sprint(end)
	}
	reply(w, map[string]any{"items": kept[from:end], "next": next})
}

// fakeJob is a job of the fake's plane, and how often it is looked at before it has ended.
type fakeJob struct {
	remote.Job
	workspace string
	left      int
}

// begin begins a job about 30 events; one of code busy is refused, one of code bad fails.
func (f *fake) begin(verb, action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		var in struct {
			remote.Selection
			Preview bool
		}
		ws := f.allowed(w, r, action)
		if ws == nil || !read(w, r, &in) {
			return
		}
		if in.Preview {
			reply(w, map[string]int{"chosen": 30})
			return
		}
		if in.Code == "busy" {
			refuse(w, http.StatusConflict, "conflict", "redrive job_0 is about the same events and runs: wait until it is done, or stop it.")
			return
		}
		f.selections = append(f.selections, in.Selection)
		j := &fakeJob{workspace: ws.Name, left: f.looks, Job: remote.Job{
			ID: fmt.Sprint("job_", len(f.jobs)+1), Kind: strings.ReplaceAll(verb, "-", "_"), State: "running", Source: in.Source, Destination: in.Destination, Code: in.Code, Rate: in.Rate,
			Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		}}
		f.jobs = append(f.jobs, j)
		reply(w, j.Job)
	}
}

func (f *fake) listJobs(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ws := f.allowed(w, r, "jobs:read")
	if ws == nil {
		return
	}
	all := []remote.Job{}
	for _, j := range slices.Backward(f.jobs) {
		if j.workspace == ws.Name {
			all = append(all, j.Job)
		}
	}
	reply(w, map[string]any{"jobs": all})
}

// schedule answers of the workspaces that have something due now and then.
func (f *fake) schedule(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		ws := f.allowed(w, r, action)
		if ws == nil {
			return
		}
		if r.Method == http.MethodPost {
			var in struct{ Verb, Job string }
			_ = json.NewDecoder(r.Body).Decode(&in)
			f.scheduled[ws.Name] = map[string]string{"kick": "running", "pause": "paused", "resume": "due"}[in.Verb]
		}
		if r.URL.Path == "/v1/schedule/runs" {
			reply(w, map[string]any{"runs": []any{map[string]any{"began": "2026-03-01T12:00:00Z", "ended": "2026-03-01T12:00:02.5Z", "steps": 3, "errors": 1, "rows": 42, "code": "source_unreachable"}}})
			return
		}
		all := []any{}
		if state := f.scheduled[ws.Name]; state != "" {
			all = append(all, map[string]any{"job": "pull/desk/tickets", "kind": "pull", "state": state, "steps": 7, "began": "2026-03-01T12:00:00Z", "took": 2.5})
		}
		reply(w, map[string]any{"jobs": all})
	}
}

// showJob shows a job, which does a bit each time, or stops it.
func (f *fake) showJob(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		ws := f.allowed(w, r, action)
		if ws == nil {
			return
		}
		i := slices.IndexFunc(f.jobs, func(j *fakeJob) bool { return j.ID == r.PathValue("job") && j.workspace == ws.Name })
		if i < 0 {
			refuse(w, http.StatusNotFound, "missing", "There is no job of this name in this workspace.")
			return
		}
		j, total := f.jobs[i], 30
		j.Total = &total
		switch {
		case j.State != "running":
		case action == "jobs:stop":
			j.State = "stopped"
		case j.Code == "bad":
			j.State, j.Reason = "failed", "The plane could not go on; its log says why."
		default:
			if j.left--; j.left < 0 {
				j.State, j.Moved = "done", total
			} else {
				j.Moved += 3
			}
		}
		reply(w, j.Job)
	}
}

// listBroken gives one event a page.
func (f *fake) listBroken(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.allowed(w, r, "quarantine:read") == nil {
		return
	}
	var from int
	_, _ = fmt.Sscan(r.URL.Query().Get("cursor"), &from)
	var kept []map[string]any
	for _, b := range f.broken {
		if s := r.URL.Query().Get("source"); s == "" || s == b["source"] {
			kept = append(kept, b)
		}
	}
	items, next := kept[min(from, len(kept)):min(from+1, len(kept))], ""
	if from+1 < len(kept) {
		next = fmt.Sprint(from + 1)
	}
	reply(w, map[string]any{"items": items, "next": next})
}
