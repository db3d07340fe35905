package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/controlplane/api/notices"
	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/id"
	"weir/shared/wire"
)

// stream is an open stream of notices.
type stream struct {
	t    *testing.T
	from *bufio.Reader
	id   string // of the last event that had one
}

// listen opens a stream of notices and takes its first one, which is a sync or what was
// missed.
func (d *harness) listen(path string, header ...string) *stream {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	d.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		d.t.Fatalf("the stream answers %d %s", resp.StatusCode, text)
	}
	return &stream{t: d.t, from: bufio.NewReader(resp.Body)}
}

// next is the next notice; false when the stream ended.
func (s *stream) next() (n notices.Notice, ok bool) {
	s.t.Helper()
	data := ""
	for {
		line, err := s.from.ReadString('\n')
		if err == io.EOF {
			return n, false
		}
		if err != nil {
			s.t.Fatalf("no notice came: %v", err)
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case name == "id":
			s.id = value
		case name == "data":
			data = value
		case line == "\n" && data != "":
			if err := json.Unmarshal([]byte(data), &n); err != nil {
				s.t.Fatalf("notice %s: %v", data, err)
			}
			return n, true
		}
	}
}

// until reads notices until one is as wanted, and returns all of them.
func (s *stream) until(what string, wanted func(notices.Notice) bool) []notices.Notice {
	s.t.Helper()
	var all []notices.Notice
	for {
		n, ok := s.next()
		if !ok {
			s.t.Fatalf("the stream ended before %s, after %+v", what, all)
		}
		all = append(all, n)
		if wanted(n) {
			return all
		}
	}
}

func revisionOf(workspace string, number uint64) func(notices.Notice) bool {
	return func(n notices.Notice) bool {
		return n.Kind == notices.Workspace && n.Workspace == workspace && n.Number == number
	}
}

func of(kind notices.Kind) func(notices.Notice) bool {
	return func(n notices.Notice) bool { return n.Kind == kind }
}

func (d *harness) commit(role, workspace string) {
	d.t.Helper()
	d.want(d.as(role, "PUT", "/api/v1/workspaces/"+workspace+"/config", applying(fmt.Sprintf(`{"workspace":%q,"region":"eu","sources":[{"name":"s%d","type":"http"}]}`, workspace, time.Now().UnixNano()))), 200)
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// TestNoticesSayWhatChanged: from this control plane and from another on the same database,
// behind what was told before a stream broke off.
func TestNoticesSayWhatChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		p := d.join()
		heard := d.listen("/api/v1/notices", bearer(d.tokens["viewer"])...)
		heard.until("a sync", of(notices.Sync))
		d.commit("editor", "acme")
		heard.until("revision 1", revisionOf("acme", 1))
		if err := p.edge.Beat(t.Context(), wire.Beat{At: time.Now(), Version: "1.0.0", Healthy: true, Kinds: kinds(), Alarms: []wire.Alarm{{Code: "disk_full", Count: 1}}}); err != nil {
			t.Fatal(err)
		}
		heard.until("what the plane says of itself", func(n notices.Notice) bool {
			return n.Kind == notices.Plane && n.Plane == p.id && n.State != nil && n.State.Healthy && len(n.State.Alarms) == 1
		})
		last := heard.id
		d.commit("editor", "acme")
		heard.until("revision 2", revisionOf("acme", 2))
		d.want(d.as("admin", "DELETE", acme, ""), 204)
		heard.until("a deletion", func(n notices.Notice) bool {
			return n.Kind == notices.Workspace && n.Workspace == "acme" && n.Deleted
		})
		again := d.listen("/api/v1/orgs/default/notices", append(bearer(d.tokens["viewer"]), "Last-Event-ID", last)...)
		for _, n := range again.until("a status", func(n notices.Notice) bool { return n.Kind == notices.Status && n.WorkspaceID == "" }) {
			if n.Kind == notices.Sync || n.Number == 1 {
				t.Errorf("%+v behind %s, want what happened since", n, last)
			}
		}
		for _, id := range []string{"999999-1", "1-999999", "x"} {
			d.listen("/api/v1/notices", append(bearer(d.tokens["viewer"]), "Last-Event-ID", id)...).until("a sync", of(notices.Sync))
		}
	})
}

// TestNoticesOfAnotherControlPlane: two on one database.
func TestNoticesOfAnotherControlPlane(t *testing.T) {
	t.Parallel()
	at := storetest.SQLite(t)
	d := open(t, storetest.Open(t, store.Config{Database: at}))
	d.join()
	heard := d.listen("/api/v1/notices", bearer(d.tokens["viewer"])...)
	heard.until("a sync", of(notices.Sync))
	admins := d.listen("/api/v1/notices", bearer(d.tokens["admin"])...)
	admins.until("a sync", of(notices.Sync))
	other := storetest.Open(t, store.Config{Database: at}) // whose writes nudge nobody here
	if _, err := other.CreateToken(t.Context(), store.Actor{Kind: store.BySystem, Name: "test"}, store.APIToken{Organization: store.DefaultOrganization, Name: "another", Hash: store.Hash{1}}); err != nil {
		t.Fatal(err)
	}
	admins.until("news of tokens", of(notices.Tokens))
	d.commit("editor", "acme")
	for _, n := range heard.until("revision 1", revisionOf("acme", 1)) {
		if n.Kind != notices.Workspace && n.Kind != notices.Status && n.Kind != notices.Plane {
			t.Errorf("a viewer hears %+v", n)
		}
	}
}

// TestNobodyHearsOfWhatHeMayNotRead: of other workspaces, of other organizations.
func TestNobodyHearsOfWhatHeMayNotRead(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	p := d.join()
	made := d.want(d.as("operator", "POST", "/api/v1/orgs", `{"name":"north"}`), 200)
	d.tokens["north"] = d.token(d.accounts, store.OrganizationID(made.field(t, "id").(string)), "owner")
	d.commit("editor", "acme")
	d.commit("editor", "neighbour")
	bound := d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"bound","role":"viewer","workspace":"acme"}`), 200).field(t, "token").(string)
	neighbour := d.want(d.as("viewer", "GET", "/api/v1/workspaces/neighbour", ""), 200).field(t, "id").(string)

	north := d.listen("/api/v1/notices", bearer(d.tokens["north"])...)
	one := d.listen("/api/v1/notices", bearer(bound)...)
	all := d.listen("/api/v1/notices", bearer(d.tokens["owner"])...)
	for _, s := range []*stream{north, one, all} {
		s.until("a sync", of(notices.Sync))
	}
	d.commit("editor", "neighbour")
	d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"more","role":"viewer"}`), 200)
	err := p.edge.Beat(t.Context(), wire.Beat{At: time.Now(), Version: "1.0.0", Healthy: true, Kinds: kinds(), Alarms: []wire.Alarm{{Code: "parked_full", Count: 1, Workspace: id.Workspace(neighbour)}}})
	if err != nil {
		t.Fatal(err)
	}
	all.until("the alarm of neighbour", func(n notices.Notice) bool {
		return n.Kind == notices.Plane && n.State != nil && len(n.State.Alarms) == 1
	})
	d.commit("editor", "acme")
	d.want(d.as("north", "PUT", "/api/v1/orgs/north/workspaces/shop/config", applying(`{"workspace":"shop","region":"eu"}`)), 200)
	check := func(who string, list []notices.Notice) {
		for _, n := range list {
			text, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "neighbour") || strings.Contains(string(text), neighbour) || n.Kind == notices.Tokens || n.Kind == notices.Audit && who != "north" {
				t.Errorf("%s hears %s", who, text)
			}
			if who == "north" && n.Workspace == "acme" || who == "bound" && n.Workspace == "shop" {
				t.Errorf("%s hears %s of another organization", who, text)
			}
		}
	}
	check("bound", one.until("acme", func(n notices.Notice) bool { return n.Kind == notices.Workspace && n.Workspace == "acme" }))
	check("north", north.until("shop", revisionOf("shop", 1)))
}

// TestAStreamEndsWithItsCaller: by a token that is revoked, a session that is signed out, a
// role that is taken away.
func TestAStreamEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	ends := func(s *stream, what string) {
		t.Helper()
		for {
			if _, ok := s.next(); !ok {
				return
			}
		}
	}
	made := d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"short","role":"admin"}`), 200)
	heard := d.listen("/api/v1/notices", bearer(made.field(t, "token").(string))...)
	heard.until("a sync", of(notices.Sync))
	d.want(d.as("admin", "DELETE", "/api/v1/tokens/"+made.field(t, "id").(string), ""), 204)
	if n, ok := heard.next(); ok {
		t.Errorf("a token that was revoked hears %+v", n)
	}
	session := d.signIn()
	heard = d.listen("/api/v1/notices", "Cookie", session)
	heard.until("a sync", of(notices.Sync))
	d.want(d.send("POST", "/api/v1/logout", "", "Cookie", session, "X-Weir-CSRF", "1"), 204)
	ends(heard, "the session")

	d.want(d.as("admin", "POST", "/api/v1/members", `{"name":"deploy","role":"editor"}`), 200)
	own := d.want(d.as("admin", "POST", "/api/v1/members/deploy/tokens", `{"name":"ci"}`), 200).field(t, "token").(string)
	heard = d.listen("/api/v1/notices", bearer(own)...)
	heard.until("a sync", of(notices.Sync))
	d.want(d.as("admin", "PUT", "/api/v1/members/deploy/role", `{"role":"viewer"}`), 204)
	heard.until("news of what the caller may do", of(notices.Me))
	d.want(d.as("admin", "DELETE", "/api/v1/members/deploy", ""), 204)
	ends(heard, "the account")
}

func TestACallerHasSoManyStreams(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	for range 20 {
		d.listen("/api/v1/notices", bearer(d.tokens["viewer"])...)
	}
	d.want(d.as("viewer", "GET", "/api/v1/notices", ""), 429)
	d.want(d.as("editor", "GET", "/api/v1/notices", ""), 200)
}
